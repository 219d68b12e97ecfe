# %% [markdown]
# # Attention: from a weighted mean to a network that writes
#
# A language model reads letters and says which may come next. Nearly all of them are made of
# attention, and attention is a weighted mean. We begin with a mean of five points, add the parts
# one by one, and end with a small GPT that learns four sonnets.
#
# **You will learn**
#
# - what attention computes, why it divides by $\sqrt d$, and how a mask hides the future,
# - what a head can do, found by hand, and why one head is not enough,
# - what positions, layer normalisation and shortcuts are for: left out, and measured,
# - to train a language model, to judge it, and to see what it looks at.
#
# **You need** gradients ([`01_autograd.py`](01_autograd.py)) and matrix products. It runs in thirty
# seconds: as a script, or cell by cell in VS Code or Jupyter.

# %%
import math
from importlib.resources import files

import numpy as np

import minigrad as mg
from experiments.style import PALETTE, new_figure, show
from minigrad import nn
from minigrad.optim import AdamW

rng = np.random.default_rng(0)

# %% [markdown]
# ## 1. A weighted mean
#
# Five points $(x_i, y_i)$ are known. What is $y$ at $q$, somewhere between? A mean of the $y_i$ in
# which near points count more, with weights that fall off like a bell (Nadaraya and Watson, 1964):
#
# $$\hat y(q) = \sum_i a_i\,y_i, \qquad a_i = \frac{e^{-(q-x_i)^2/2}}{\sum_j e^{-(q-x_j)^2/2}}$$
#
# The weights are the *softmax* of scores: positive, with a sum of 1. In a score,
# $-\tfrac12 (q - x_i)^2 = q x_i - \tfrac12 x_i^2 - \tfrac12 q^2$, the last term is the same for all
# points and cancels. What is left is a dot product: of a *query* $(q, 1)$, which says what is asked
# for, with a *key* $(x_i, -\tfrac12 x_i^2)$, which says where a point can help. What the point has
# to give is its *value*, $y_i$. With queries, keys and values as the rows of $Q$, $K$, $V$:
#
# $$\text{attention}(Q, K, V) = \text{softmax}(Q K^T)\,V$$

# %%
x, y, q = np.array([-4.0, -2, 0, 1, 4]), np.array([1.0, 3, 2, -1, 0]), np.linspace(-6, 6, 241)
queries, keys = np.stack([q, np.ones_like(q)], 1), np.stack([x, -x**2 / 2], 1)
weights = mg.softmax(queries @ keys.T, -1)                              # (241, 5)
means = weights @ y
bells = np.exp(-(q[:, None] - x) ** 2 / 2)
assert np.allclose(means, (bells @ y) / bells.sum(1))
assert np.allclose(means, mg.scaled_dot_product_attention(queries, keys, y[:, None], scale=1).T)
print("weights at q = 0.5:", weights[q == 0.5][0].round(3), "give", means[q == 0.5].round(3))
left, right = new_figure(7.5, 2.8).subplots(1, 2)
left.plot(q, means, color=PALETTE["black"])
for i, colour in enumerate(("blue", "orange", "green", "purple", "sky")):
    left.plot(x[i], y[i], "o", color=PALETTE[colour])
    right.plot(q, weights[:, i], color=PALETTE[colour])
left.set(title="five points and their weighted mean", xlabel="query", ylabel="value")
right.set(title="the five weights", xlabel="query", ylabel="weight")
show(left.figure)

# %% [markdown]
# Here is nothing to learn. But where queries, keys and values come from weights, they need
# gradients. `gradcheck` in the next cell compares these with differences, and finds them right.
#
# ## 2. Why divide by the root of d?
#
# Let queries and keys have $d$ numbers each, independent, of mean 0 and variance 1. Each product in
# $q \cdot k = \sum_{j=1}^d q_j k_j$ has variance 1 too, so the score has variance $d$. Softmax of
# large scores gives nearly everything to the largest. Then its slopes, $\partial a_i / \partial s_j
# = a_i (\delta_{ij} - a_j)$, are nearly 0, and nothing is learned. Divided by $\sqrt d$, the scores
# have variance 1 whatever $d$ is.


# %%
def curves(series, height=2.4, **settings):
    axes = new_figure(7.5, height).subplots()
    for label, (colour, style, x, y) in series.items():
        axes.plot(x, y, style, color=PALETTE[colour], label=label)
    axes.set(**settings)
    axes.legend(frameon=False, fontsize=9, ncols=2)
    show(axes.figure)


assert mg.gradcheck(lambda q, k, v: mg.softmax(q @ k.T, -1) @ v,
                    [rng.standard_normal(shape) for shape in ((4, 3), (5, 3), (5, 2))])
sizes, largest, slope = 2 ** np.arange(1, 12), {}, {}
for d in sizes:
    scores = (rng.standard_normal((400, 1, d)) * rng.standard_normal((400, 16, d))).sum(-1)
    assert 0.85 < scores.var() / d < 1.15
    for way, s in ("raw", scores), ("divided", scores / math.sqrt(d)):
        a = mg.softmax(s, -1)                                           # (400, 16)
        largest[way, d] = a.max(1).mean()
        slopes = a[:, :, None] * (np.eye(16) - a[:, None])
        slope[way, d] = np.linalg.norm(slopes, axis=(1, 2)).mean()
assert largest["raw", d] > 0.93 and slope["raw", d] < 0.08
assert largest["divided", d] < 0.35 and slope["divided", d] > 0.2
curves({f"{name}, {way}": (colour, style, sizes, [values[way, d] for d in sizes])
        for way, colour in (("raw", "orange"), ("divided", "blue"))
        for name, values, style in (("largest weight", largest, "o-"), ("slope", slope, "o:"))},
       xscale="log", xlabel="d", ylim=(0, 1.6), title="softmax of 16 scores, raw and divided")

# %% [markdown]
# ## 3. The future is hidden
#
# A *head* has three matrices that make queries, keys and values of what stands at each place. To
# learn which letter comes next, it must not see it. Place $t$ looks at the places $s \le t$ only:
# all other scores become $-\infty$, of which softmax makes a weight of 0. Then a text of 32 letters
# is 32 lessons in one go. To check it we change one input and look at which outputs change.


# %%
def head(x, to_query, to_key, to_value):
    """A masked head on x (T, width) -> its output (T, ...), and the weights (T, T)."""
    q, k, v = x @ to_query, x @ to_key, x @ to_value
    seen = np.tri(len(x), dtype=bool)                       # row t: True up to column t
    weights = mg.softmax(mg.where(seen, q @ k.T / math.sqrt(q.shape[1]), -math.inf), -1)
    return weights @ v, weights


x, matrices = rng.standard_normal((10, 8)), rng.standard_normal((3, 8, 8))
before, weights = head(x, *matrices)
x[6] = rng.standard_normal(8)
changed = (before != head(x, *matrices)[0]).any(1)
print("places whose output changes with the input at 6:", np.flatnonzero(changed))
assert not changed[:6].any() and changed[6:].all() and (np.triu(weights, 1) == 0).all()

# %% [markdown]
# ## 4. A head by hand
#
# Can a head copy the letter before? Let each input be two vectors of zeros with a single 1: which
# letter it is, and at which place. The key is the place; the query is the place *minus one*, made
# large so that softmax decides; the value is the letter.
#
# If the query asks for two places, the head gives a mean: of "l" and "o" nobody can tell which came
# first. So there are several heads side by side, each with matrices of its own.

# %%
text = "so long lives this"
letters, T, n = sorted(set(text)), len(text), len(set(text))
x = np.concatenate([np.eye(n)[[letters.index(c) for c in text]], np.eye(T)], 1)     # (T, n + T)
LETTER, PLACE = np.split(np.eye(n + T), [n], axis=1)


def looking_back(x, *steps):
    """The head that looks this many places back."""
    return head(x, 100 * PLACE @ sum(np.eye(T, k=-step) for step in steps), PLACE, LETTER)


def pattern(axes, weights, text, title):
    axes.imshow(weights, cmap="Blues", vmin=0, vmax=1)
    for set_ticks in axes.set_xticks, axes.set_yticks:
        set_ticks(range(len(text)), text.replace(" ", "·"), fontsize=7)
    axes.set(title=title, xlabel="looked at", ylabel="while at")


y, weights = looking_back(x, 1)
copied = "".join(letters[i] for i in y.argmax(1))
print(repr(text), repr(copied), sep="\n")
assert copied == text[0] + text[:-1] and np.diag(weights, -1).min() > 0.999
left, right = new_figure(7.5, 3.9).subplots(1, 2)
pattern(left, weights, text, "weights: the letter before")
pattern(right, looking_back(x, 1, 2)[1], text, "two letters, half of each")
show(left.figure)

swapped = x.copy()
swapped[[3, 4], :n] = x[[4, 3], :n]                         # "so olng": exchange "l" and "o"
one = [looking_back(x, 1, 2)[0][5] for x in (x, swapped)]
two = [np.concatenate([looking_back(x, back)[0][5] for back in (1, 2)]) for x in (x, swapped)]
print("does 'n' see the exchange? one head:", not np.allclose(*one), "two:", not np.allclose(*two))
assert np.allclose(*one) and not np.allclose(*two)

# %% [markdown]
# ## 5. Without places, order is nothing
#
# A mean does not know the order of what it is a mean of. `nn.MultiheadAttention` is several heads
# and a matrix that mixes what they found. Without a mask, shuffle its inputs, and its outputs are
# shuffled too: a bag of letters. Add to each a vector of its place, and order counts.

# %%
mg.manual_seed(0)
attention = nn.MultiheadAttention(16, num_heads=4, batch_first=True)
(x, places), order = rng.standard_normal((2, 7, 16)).astype(np.float32), rng.permutation(7)
inputs = mg.Tensor(np.stack([x, x[order], x + places, x[order] + places]))
y = attention(inputs, inputs, inputs)[0].numpy(force=True)              # (4, 7, 16)
bag, placed = (np.abs(y[i + 1] - y[i][order]).max() for i in (0, 2))
print(f"shuffled inputs, largest change: {bag:.1e} without places, {placed:.2f} with")
assert bag < 1e-5 and placed > 0.1

# %% [markdown]
# ## 6. A block
#
# Attention moves numbers between places. What to make of them is computed at each place by itself,
# by two linear layers with a bend between. The results of both are *added* to $x$ (a shortcut), and
# both see $x$ through a layer norm, which gives the $d$ numbers of a place mean 0 and variance 1:
#
# $$y = w\,\frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} + b, \qquad
# \mu = \frac{1}{d} \sum_{j=1}^d x_j, \quad \sigma^2 = \frac{1}{d} \sum_{j=1}^d (x_j - \mu)^2$$
#
# Do we need shortcuts? A mean makes things alike, a mean of means even more. We send 32 random
# places through 12 blocks that have learned nothing, and measure how far the places are from their
# mean: $\lVert x_t - \bar x \rVert / \lVert x_t \rVert$. Without, soon all of them say the same.

# %%
CONTEXT, WIDTH, HEADS = 32, 48, 4


class Block(nn.Module):
    def __init__(self, shortcut=1):
        self.shortcut = shortcut
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 192), nn.GELU(), nn.Linear(192, WIDTH))

    def forward(self, x):                                   # (N, T, WIDTH)
        h, future = self.norm1(x), ~np.tri(x.shape[1], dtype=bool)
        h, weights = self.attention(h, h, h, attn_mask=future, average_attn_weights=False)
        self.weights = weights.numpy(force=True)            # (N, HEADS, T, T), to look at
        x = self.shortcut * x + h
        return self.shortcut * x + self.mlp(self.norm2(x))


mg.manual_seed(0)
apart = {}
for shortcut in (1, 0):
    x = mg.Tensor(rng.standard_normal((1, CONTEXT, WIDTH)).astype(np.float32))
    for block in [Block(shortcut) for _ in range(12)]:
        x = block(x).detach()
    places = x.numpy()[0, CONTEXT // 2:]                    # those that see many others
    apart[shortcut] = np.linalg.norm(places - places.mean(0)) / np.linalg.norm(places)
print(f"how far apart: {apart[1]:.2f} with shortcuts, {apart[0]:.4f} without")
assert apart[1] > 0.5 and apart[0] < 0.02

# %% [markdown]
# ## 7. A GPT of 63,000 numbers
#
# Letters become vectors (`nn.Embedding` looks them up in a table), places too; the sum goes through
# two blocks; a linear layer gives each letter a score to be the next. It shall learn four sonnets
# of Shakespeare. A fifth is kept to test with.

# %%
poems = files("experiments.scripts").joinpath("poems.txt").read_text(encoding="utf-8")
LETTERS, border = sorted(set(poems)), poems.rindex("\n\n")
known, unknown = np.split(np.array([LETTERS.index(letter) for letter in poems]), [border])


class GPT(nn.Module):
    def __init__(self):
        self.letter, self.place = nn.Embedding(len(LETTERS), WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(Block(), Block())
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, len(LETTERS), bias=False)
        for layer in (self.letter, self.place, self.head):
            nn.init.normal_(layer.weight, std=0.02)

    def forward(self, codes):                               # (N, T) -> (N, T, len(LETTERS))
        x = self.letter(codes) + self.place(np.arange(codes.shape[1]))
        return self.head(self.norm(self.blocks(x)))


def loss_on(model, text, starts):
    pieces = text[np.asarray(starts)[:, None] + np.arange(CONTEXT + 1)]
    scores = model(mg.Tensor(pieces[:, :-1]))
    return mg.cross_entropy(scores.reshape(-1, len(LETTERS)), pieces[:, 1:].ravel())


@mg.no_grad()
def written(model, count=300, temperature=0.5, start="Shall "):
    rng, text = np.random.default_rng(0), [LETTERS.index(letter) for letter in start]
    for _ in range(count):
        scores = model(mg.Tensor([text[-CONTEXT:]])).numpy()[0, -1].astype(np.float64)
        text.append(rng.choice(len(LETTERS), p=mg.softmax(scores / temperature, 0)))
    return "".join(LETTERS[code] for code in text)


# %% [markdown]
# How good is good? The loss of a letter is $-\log p$ of the chance that it was given. Who knows
# nothing gives each of $n$ letters $1/n$: a loss of $\log n$. Who counts letters, with shares
# $p_i$, pays $-\sum_i p_i \log p_i$. Who counts *pairs* has a table of which letter follows which:
# $-\sum_{i,j} p_{ij} \log (p_{ij} / p_i)$.

# %%
table = np.zeros((len(LETTERS), len(LETTERS)))
np.add.at(table, (known[:-1], known[1:]), 1 / (len(known) - 1))
(i, j), single = np.nonzero(table), table.sum(1)
marks = {"knows nothing": math.log(len(LETTERS)),
         "counts letters": -(table[i, j] * np.log(single[i])).sum(),
         "counts pairs": -(table[i, j] * np.log(table[i, j] / single[i])).sum()}
mg.manual_seed(0)
model, rng, losses, tests = GPT(), np.random.default_rng(0), [], {}
newborn, optimizer = written(model), AdamW(model.parameters(), lr=3e-3)
for step in range(501):
    loss = loss_on(model, known, rng.integers(0, border - CONTEXT, 32))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if step % 25 == 0:
        with mg.no_grad():
            tests[step] = loss_on(model, unknown, range(0, len(unknown) - CONTEXT, 8)).item()
print("before:", repr(newborn[:50]), "\n\nafter:\n" + written(model))
curves({"of the sonnets read": ("blue", "-", range(501), losses),
        "of the one not read": ("orange", "o-", tests.keys(), tests.values()),
        **{name: ("grey", style, [0, 500], [loss] * 2)
           for (name, loss), style in zip(marks.items(), (":", "-.", "--"))}},
       3, xlabel="step", title="loss of a letter", ylim=(0, 6.2))
assert abs(losses[0] - marks["knows nothing"]) < 0.1
assert np.mean(losses[-50:]) < 1.3 < 2 < marks["counts pairs"] < min(tests.values()) < 2.7
assert tests[500] > marks["knows nothing"]

# %% [markdown]
# It begins as one who knows nothing, beats the table of pairs, and then learns by heart: of the
# sonnet not read it soon knows less than nothing. Large models read billions of letters, but once.
#
# What does it look at? Here is a head of each block. On average, the first block looks less far
# back than the second, and both nearer than chance, which would be 7.75 places.

# %%
line = "Thou art more lovely and more te"
with mg.no_grad():
    model(mg.Tensor([[LETTERS.index(letter) for letter in line]]))
steps_back = np.arange(CONTEXT)[:, None] - np.arange(CONTEXT)
reach = [(block.weights[0] * steps_back).sum(-1).mean(-1) for block in model.blocks]
print("places back, head by head:", *(heads.round(1) for heads in reach))
assert reach[0].mean() < reach[1].mean() < 7.75 == np.mean(np.arange(CONTEXT) / 2)
for i, axes in enumerate(new_figure(7.5, 4).subplots(1, 2)):
    nearest = reach[i].argmin()
    pattern(axes, model.blocks[i].weights[0, nearest], line, f"block {i + 1}, head {nearest + 1}")
show(axes.figure)

# %% [markdown]
# ## Exercises
#
# **1. Hot and cold.** The scores are divided by a *temperature* before softmax. What do 0.01 and
# 100 do to the chances of the letter after "Shall I "? Measure them with $-\sum_i p_i \log p_i$.
#
# <details><summary>Solution</summary>
#
# ```python
# scores = model(mg.Tensor([[LETTERS.index(c) for c in "Shall I "]])).numpy(force=True)[0, -1]
# for temperature in (0.01, 0.5, 1, 2, 100):
#     p = mg.softmax(scores.astype(np.float64) / temperature, 0)
#     entropy = -(p * np.log(p + 1e-300)).sum()
#     print(f"{temperature}: {entropy:.3f}, {written(model, 30, temperature)!r}")
# assert entropy > 0.99 * math.log(len(LETTERS))
# ```
#
# From always the likeliest letter to any letter at all: $\log n$ again.
#
# </details>

# %% [markdown]
# **2. Remembered.** `written` computes everything anew for each letter. With the function `head`,
# compute the last output alone, from the last input and the keys and values of all.
#
# <details><summary>Solution</summary>
#
# ```python
# x, (Q, K, V) = rng.standard_normal((10, 8)), matrices
# keys, values = x @ K, x @ V                     # one row more for each new letter
# last = mg.softmax(x[-1] @ Q @ keys.T / math.sqrt(8), -1) @ values
# print(last, head(x, Q, K, V)[0][-1], sep="\n")
# assert np.allclose(last, head(x, Q, K, V)[0][-1])
# ```
#
# Keys and values of the past stay what they are. Large models keep them: the "KV cache".
#
# </details>

# %% [markdown]
# **3. The price of a long text.** Count the multiplications of a `Block` for 48, 288 and 1000
# letters with `minigrad.profile`. From when on does attention cost more than the linear layers?
#
# <details><summary>Solution</summary>
#
# ```python
# from minigrad.profile import profile
#
# for T in (48, 288, 1000):
#     macs = profile(Block(), (1, T, WIDTH)).total.count.macs
#     linear, attention = 12 * T * WIDTH ** 2, 2 * T ** 2 * WIDTH
#     print(f"{T}: {macs:,}, of attention {attention / macs:.0%}")
#     assert macs == linear + attention and (T == 6 * WIDTH) == (linear == attention)
# ```
#
# From six widths on, 288 letters. Far beyond, twice the text is four times the work.
#
# </details>

# %% [markdown]
# ## Where to go on
#
# - [`attention.py`](../../minigrad/ops/sequence/attention.py) is the op,
#   [`tiny_gpt.py`](../scripts/tiny_gpt.py) this GPT as it is written in PyTorch.
# - A. Vaswani and others, [Attention Is All You Need](https://arxiv.org/abs/1706.03762) (2017).
# - Y. Dong, J.-B. Cordonnier, A. Loukas, "Attention is not all you need" (2021), on what shortcuts
#   save: [arXiv:2103.03404](https://arxiv.org/abs/2103.03404).
# - Next: [`10_fast_convolution.py`](10_fast_convolution.py) makes one sum faster, step by step.
