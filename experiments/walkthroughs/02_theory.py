# %% [markdown]
# # A sheet of theory answers, checked
#
# Seven questions on image pyramids, back-propagation and convolutional networks, and what an engine
# and a few lines of NumPy say to the written answers. `python -m experiments theory` does the same
# with every detail, by several routes each; here is the heart of it, in pictures.
#
# **You will learn**
#
# - how to let a program check a derivation: by a number, by a bound, by an identity,
# - why depth is worth nothing without something bent in between,
# - where the weights of a network are, and where its work is,
# - which layers can forget their input, and why that halves the memory of training.
#
# **You need** the first walkthrough, [`01_autograd.py`](01_autograd.py), matrices, and an idea of
# what a convolution layer is. It runs in four seconds.

# %%
import math

import numpy as np

import minigrad as mg
from experiments.style import PALETTE, new_figure, show
from minigrad import models, nn
from minigrad.profile import profile
from pyramids import collapse, gaussian_pyramid, laplacian_pyramid

BLUE, ORANGE, GREEN, GREY = (PALETTE[name] for name in ("blue", "orange", "green", "grey"))
rng = np.random.default_rng(0)

# %% [markdown]
# ## Question 1: what must be stored to rebuild an image?
#
# The differences $L_k$ between each level and the next one blown up again, and the 1x1 top. Adding
# them back from the top down returns every bit, whatever the size of the image:
#
# $$L_k = I_k - \operatorname{up}(I_{k+1}), \qquad I_k = L_k + \operatorname{up}(I_{k+1})$$

# %%
photo = rng.integers(0, 256, (37, 50), dtype=np.uint8)
pyramid = laplacian_pyramid(photo)
print("levels:", " ".join(str(level.shape) for level in pyramid))
print("bits lost:", int((collapse(pyramid) != photo).sum()))

# %% [markdown]
# The answer then *defines* $L$ as the true Laplacian. That cannot be: $L$ must be the difference.
# The name is still fair. With the binomial kernel the difference is exactly $-2$ on $x^2$, whose
# second derivative is 2, everywhere but at the border; and on anything smooth it is close to
# $-\nabla^2$:

# %%
x = np.arange(33.0)
parabola = np.tile(x**2, (33, 1))
print("L of x^2 inside:", np.unique(laplacian_pyramid(parabola, levels=2)[0][8:-8, 8:-8]))
top = gaussian_pyramid(photo.astype(float))[-1].item()
print(f"the 1x1 top {top:.2f} is not the mean {photo.mean():.2f}")

x = np.arange(97.0)
figure = new_figure(7.5, 2.8)
for ax, width in zip(figure.subplots(1, 3, sharey=True), (9, 3, 1)):
    bump = np.exp(-((x - 48) / width) ** 2 / 2)
    difference = laplacian_pyramid(bump, levels=2, axes=(0,))[0]
    second = ((x - 48) ** 2 / width**2 - 1) / width**2 * bump
    ax.plot(x - 48, -second * width**2, color=BLUE, linewidth=3, alpha=0.5, label=r"$-\nabla^2$")
    ax.plot(x - 48, difference * width**2, color=ORANGE, label="$L$")
    ax.set(xlabel="pixel", xlim=(-5 * width, 5 * width), title=f"a bump of width {width}")
ax.legend(frameon=False)
show(figure)

# %% [markdown]
# (Both curves times the width squared, to have one height.) The bump of width 1 is too fine for the
# halved grid, and the difference is no second derivative any more.
#
# ## Question 2: linear activations collapse
#
# Three linear layers are one: $W_3 (W_2 (W_1 x + b_1) + b_2) + b_3 = W^* x + b^*$. The engine finds
# both without multiplying anything: the Jacobian of the network is $W^*$, and its value at 0 is
# $b^*$. One tanh, and the Jacobian changes from point to point.

# %%
mg.manual_seed(2)
linear_net = nn.Sequential(nn.Linear(4, 7), nn.Linear(7, 5), nn.Linear(5, 3)).to("float64")
W = mg.jacobian(linear_net, np.zeros(4)).numpy()
b = linear_net(mg.Tensor(np.zeros(4))).detach().numpy()
x = rng.normal(size=4)
y = linear_net(mg.Tensor(x)).detach().numpy()
print("|net(x) - (W x + b)| =", abs(y - (W @ x + b)).max())
bent = nn.Sequential(nn.Linear(4, 7), nn.Tanh(), nn.Linear(7, 3)).to("float64")
print("with a tanh, the Jacobian moves by",
      abs(mg.jacobian(bent, x).numpy() - mg.jacobian(bent, -x).numpy()).max())

# %% [markdown]
# In the plane one can see it. A grid goes in. What three linear layers do to it, one matrix does:
# lines stay straight, parallel and equally far apart. Two tanh layers bend it.

# %%
side = np.linspace(-2, 2, 17)
across = np.stack(np.meshgrid(side, np.linspace(-2, 2, 65), indexing="ij"), axis=-1)
lines = {ORANGE: across, BLUE: across[..., ::-1]}  # (lines, points of each, 2)
plane = {"the plane": lambda p: p,
         "three linear layers": nn.Sequential(nn.Linear(2, 7), nn.Linear(7, 5), nn.Linear(5, 2)),
         "the same with tanh": nn.Sequential(nn.Linear(2, 7), nn.Tanh(), nn.Linear(7, 5), nn.Tanh(),
                                             nn.Linear(5, 2))}
linear_layers = [plane["three linear layers"][k] for k in range(3)]
for layer, twin in zip(linear_layers, (plane["the same with tanh"][k] for k in (0, 2, 4))):
    twin.load_state_dict(layer.state_dict())
figure = new_figure(7.5, 2.8)
for ax, (name, net) in zip(figure.subplots(1, 3), plane.items()):
    for colour, points in lines.items():
        with mg.no_grad():
            image = net(mg.Tensor(points.reshape(-1, 2).astype(np.float32))).numpy()
        for line in image.reshape(points.shape):
            ax.plot(*line.T, color=colour, linewidth=0.9)
    ax.set(title=name, xticks=[], yticks=[])
show(figure)

# %% [markdown]
# ## Question 3: $\partial L / \partial w_3 = -0.2651$?
#
# Two of the written factors, 0.6908 and 0.8064, should be slopes of the logistic function. They are
# never above 1/4, since $s' = s (1 - s)$ and a product of two numbers with the sum 1 is largest if
# both are 1/2. The first walkthrough has the right chain.

# %%
z = np.linspace(-10, 10, 100_001)
slope = mg.sigmoid(z) * (1 - mg.sigmoid(z))
print("steepest slope:", slope.max())


def network(w3, w6):
    z3 = -0.13 * mg.sigmoid(np.float64(-0.175)) + w6 * mg.sigmoid(w3 * 0.8 + 0.553)
    return (1 - mg.sigmoid(z3)) ** 2, z3


w3, w6 = (mg.Tensor(np.float64(value), requires_grad=True) for value in (1.74, 0.93))
L, z3 = network(w3, w6)
L.backward()
print("dL/dw3 =", w3.grad.item())

# %% [markdown]
# Left: the two slopes as written (crosses) and as they are (dots). Right: the loss over both
# weights, and the way that sixty steps downhill take from the given ones. Along $w_3$ it is nearly
# flat there: $z_2$ is large, its slope small, and the chain passes little on.

# %%
figure = new_figure(7.5, 3.2)
left, right = figure.subplots(1, 2)
left.plot(z, slope, color=BLUE)
for at, written in ((z3.item(), 0.6908), (1.74 * 0.8 + 0.553, 0.8064)):
    true = float(mg.sigmoid(np.float64(at)) * mg.sigmoid(np.float64(-at)))
    left.plot([at, at], [true, written], ":", color=GREY)
    left.plot(at, true, "o", color=BLUE)
    left.plot(at, written, "x", color=ORANGE, markersize=8, markeredgewidth=2)
left.axhline(0.25, color=GREY, linewidth=0.8)
left.text(-5.8, 0.27, "1/4", color=GREY)
left.set(xlabel="$z$", ylabel="$s'(z)$", xlim=(-6, 6), title="Slopes, written and true")
a, b = np.meshgrid(np.linspace(-4, 5, 60), np.linspace(-3, 5, 60))
right.contourf(a, b, network(a, b)[0], levels=16, cmap="Blues_r")
steps = [(1.74, 0.93)]
for _ in range(60):
    w = [mg.Tensor(np.float64(value), requires_grad=True) for value in steps[-1]]
    steps.append([float(v - 3 * g.item()) for v, g in zip(steps[-1], mg.grad(network(*w)[0], w))])
right.plot(*zip(*steps), ".-", color=ORANGE, linewidth=1)
right.set(xlabel="$w_3$", ylabel="$w_6$", title="The loss, light where it is high")
show(figure)

# %% [markdown]
# ## Question 4: operations of a convolution and a pooling layer
#
# A general counter walks the model; one multiplication, addition or comparison is 1. For the
# convolution by hand: $6 \cdot 6$ places, 20 maps, and per number $4 \cdot 4 \cdot 50$ products and
# as many additions, the bias included.

# %%
layer = nn.Sequential(nn.Conv2d(50, 20, 4, stride=2, padding=1), nn.MaxPool2d(3, stride=1))
print(profile(layer, (1, 50, 12, 12)))
assert profile(layer, (1, 50, 12, 12)).layers[0].count.flops == 6 * 6 * 20 * 2 * 4 * 4 * 50

# %% [markdown]
# ## Question 5: the parameters of LeNet-5
#
# Today's LeNet, and the one of 1998 with its sparse C3, its trainable subsampling and its fixed
# output codes. A convolution from $C$ to $O$ maps has $O (k^2 C + 1)$ of them.

# %%
tables = {variant: profile(models.lenet5(variant=variant), (1, 1, 32, 32))
          for variant in ("modern", "1998")}
for variant, table in tables.items():
    print(variant, table.total.trainable)

layers = [row for row in tables["modern"].layers if row.trainable]
figure = new_figure(7.5, 2.9)
left, right = figure.subplots(1, 2, sharey=True)
for ax, numbers, colour, title in (
        (left, [row.trainable for row in layers], BLUE, "parameters"),
        (right, [row.count.flops for row in layers], ORANGE, "operations per image")):
    bars = ax.barh([row.name for row in layers], numbers, color=colour)
    ax.bar_label(bars, [f"{number:,}" for number in numbers], padding=3, fontsize=9)
    ax.set(title=title, xlim=(0, 1.25 * max(numbers)), xticks=[])
    ax.spines[["top", "right", "bottom"]].set_visible(False)
left.invert_yaxis()
show(figure)

# %% [markdown]
# Nearly four of five weights sit in c5, whose filters are as large as its input and which is
# therefore a dense layer. Six of seven operations are those of c1 and c3, whose few weights are
# used at every place. Who wants a *small* network looks left; who wants a *fast* one, right.
#
# ## Question 6: the logistic layer needs only its output
#
# Overwrite the input before going back: nothing happens. Do the same to sin, which needs its input,
# and the engine refuses rather than computing nonsense.

# %%
for f in (mg.sigmoid, mg.sin):
    x = mg.Tensor(rng.normal(size=5), requires_grad=True)
    y = f(x)
    with mg.no_grad():
        x[...] = 0
    try:
        y.sum().backward()
        print(f"{f.__name__}: gradient right to",
              abs(x.grad.numpy() - (y * (1 - y)).detach().numpy()).max())
    except RuntimeError as error:
        print(f"{f.__name__}: {error}")

# %% [markdown]
# Draw the slope over the *output*, and the reason is there to be seen. Where the curve is a
# function, the output is enough. On the circle of sin, one output has two slopes.

# %%
figure = new_figure(7.5, 2.7)
for ax, (name, f, law) in zip(figure.subplots(1, 4), (
        ("sigmoid", mg.sigmoid, "$y(1-y)$"), ("tanh", mg.tanh, "$1-y^2$"),
        ("softplus", mg.softplus, "$1-e^{-y}$"), ("sin", mg.sin, r"$\pm\sqrt{1-y^2}$"))):
    x = mg.Tensor(np.linspace(-6, 2.5 if name == "softplus" else 6, 400), requires_grad=True)
    y = f(x)
    y.sum().backward()
    ax.plot(y.detach().numpy(), x.grad.numpy(), color=ORANGE if name == "sin" else BLUE)
    ax.set(title=f"{name}: {law}", xlabel="output $y$")
    ax.title.set_fontsize(10)
    print(f"{name:9}keeps {', '.join(y.node.needs)}")
figure.axes[0].set_ylabel("slope $dy/dx$")
show(figure)

# %% [markdown]
# ## Question 7: tanh against the logistic function
#
# $$\tanh'(x) = 4 \left(s(2x) - s(2x)^2\right)$$
#
# Four times as steep at 0, flatter in the tails.

# %%
x = np.linspace(-20, 20, 4001)
s2 = mg.sigmoid(2 * x)
print("largest difference:", abs((1 - np.tanh(x) ** 2) - 4 * (s2 - s2**2)).max())
for at in (0.0, 1.0, 2.0, 4.0):
    ratio = (1 - math.tanh(at) ** 2) / (mg.sigmoid(np.float64(at)) * mg.sigmoid(np.float64(-at)))
    print(f"tanh'({at}) / s'({at}) = {ratio:.3f}")

figure = new_figure(7.5, 2.7)
for ax, scale in zip(figure.subplots(1, 2), ("linear", "log")):
    ax.plot(x, 1 / np.cosh(x) ** 2, color=BLUE, label="tanh'")
    ax.plot(x, mg.sigmoid(x) * mg.sigmoid(-x), color=ORANGE, label="s'")
    ax.set(xlabel="$x$", yscale=scale, xlim=(-6, 6), title=f"slopes, {scale} axis")
    if scale == "log":
        ax.set_ylim(1e-5, 2)
ax.legend(frameon=False, loc="lower center")
show(figure)

# %% [markdown]
# ## Exercises
#
# **1. How bent is a ReLU?** Put `nn.ReLU()` in place of the tanh of question 2 and collect the
# Jacobians at 2000 random points. How many different ones are there?
#
# <details><summary>Solution</summary>
#
# ```python
# mg.manual_seed(0)
# bent = nn.Sequential(nn.Linear(4, 7), nn.ReLU(), nn.Linear(7, 3)).to("float64")
# points = 3 * np.random.default_rng(0).normal(size=(2000, 4))
# found = {mg.jacobian(bent, p).numpy().round(9).tobytes() for p in points}
# print(len(found), "linear maps, of at most", sum(math.comb(7, k) for k in range(5)))
# assert len(found) == 74
# ```
#
# 74, where tanh has 2000. The network is linear piece by piece: each of seven units is on
# or off, and seven hyperplanes cut four dimensions into at most
# $\binom70 + \binom71 + \binom72 + \binom73 + \binom74 = 99$ pieces.
#
# </details>

# %% [markdown]
# **2. Vanishing.** Send $x = 0$ through ten sigmoids in a row, and through ten tanh. What is the
# slope of the whole at best, and what is it?
#
# <details><summary>Solution</summary>
#
# ```python
# for f, steepest in ((mg.sigmoid, 0.25), (mg.tanh, 1.0)):
#     x = y = mg.Tensor(np.float64(0), requires_grad=True)
#     for _ in range(10):
#         y = f(y)
#     y.backward()
#     print(f.__name__, x.grad.item(), "at most", steepest**10)
#     assert 0.3 * steepest**10 < x.grad.item() <= steepest**10
# ```
#
# No product of ten slopes of the sigmoid is above $4^{-10} \approx 10^{-6}$, and this one is
# $4 \cdot 10^{-7}$; the slope of tanh at 0 is 1, however often. That is the practical side of
# question 7.
#
# </details>

# %% [markdown]
# **3. Who can forget its input?** Which of `exp`, `log`, `sqrt`, `abs`, `relu`, `cos` need only
# their output to go back? Decide by the picture of question 6 first, then ask `y.node.needs`.
#
# <details><summary>Solution</summary>
#
# ```python
# for name, guess in zip(("exp", "log", "sqrt", "abs", "relu", "cos"), "yxyxyx"):
#     y = getattr(mg, name)(mg.Tensor(np.array([0.3]), requires_grad=True))
#     print(f"{name:5}", y.node.needs)
#     assert y.node.needs == [guess]
# ```
#
# `exp` ($y$), `sqrt` ($1 / 2y$) and `relu` (1 where $y > 0$). `abs` and `cos` cannot: one output,
# two slopes. `log` could, since $1/x = e^{-y}$; minigrad keeps $x$, which costs nothing where its
# maker keeps it anyway, and a division is cheaper than an exponential.
#
# </details>

# %% [markdown]
# ## Where to go on
#
# - [`experiments/theory/`](../theory) has a file per question; `python -m experiments q3` runs one.
# - [`minigrad/profile.py`](../../minigrad/profile.py): the counter of questions 4 and 5.
#   [`minigrad/models/lenet.py`](../../minigrad/models/lenet.py): both LeNets.
# - Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
#   recognition", Proceedings of the IEEE 86 (1998),
#   [doi:10.1109/5.726791](https://doi.org/10.1109/5.726791).
# - X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural
#   networks" (AISTATS 2010): what exercise 2 does to real networks.
# - Next: [`03_pyramids.py`](03_pyramids.py), the whole of question 1 with a photograph.
