# %% [markdown]
# # Learning from few pictures, with what was learned from others
#
# A network that starts from nothing needs many pictures. Often there are few. Then one takes a
# network that has learned something *similar* from many, and goes on from there. We draw both
# collections, train three ways, look at the mistakes, and stop a run in the middle on purpose.
#
# **You will learn**
#
# - how to train with augmentation and a learning rate that rises and falls, and read the curves,
# - how to start from another network's features: frozen, or learning slowly,
# - how sure an accuracy is that was measured on 300 pictures, and to look at mistakes,
# - that a run which was stopped, or hit by a NaN, need not be lost.
#
# **You need** gradients ([`01_autograd.py`](01_autograd.py)) and convolution layers
# ([`04_convolution.py`](04_convolution.py)). It runs in ten seconds: as a script, or cell by cell
# in VS Code or Jupyter.

# %%
import atexit
import math
import shutil
import signal
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image, ImageDraw

from experiments.style import PALETTE, new_figure, show
from minigrad import Tensor, manual_seed, nn, no_grad, softmax
from minigrad.data import ArrayDataset, Compose, DataLoader, RandomCrop, ToArray
from minigrad.optim import SGD
from minigrad.optim.lr_scheduler import OneCycleLR
from minigrad.train import ConfusionMatrix, evaluate, fit, freeze, param_groups, wilson
from minigrad.weights import load

folder = Path(tempfile.mkdtemp())
_ = atexit.register(shutil.rmtree, folder)  # it goes when Python ends

# %% [markdown]
# ## 1. Two collections
#
# Shapes with a number of corners, or of spikes, in any place, colour, size and turn, in noise. Of
# the first six kinds we draw 40 pictures each. Of three *other* kinds there are only 8 each to
# learn from; and 100 each to be tested with, which a real study would not have.

# %%
SIZE = 24


def draw(kind, rng):
    """A polygon of `corners` corners, every second one pulled inwards, on a ground, in noise."""
    corners, inner = kind
    radius = rng.uniform(7, 11) * np.where(np.arange(corners) % 2, inner, 1)
    angle = (rng.uniform(0, 1) + np.arange(corners) / corners) * 2 * math.pi
    ends = rng.uniform(11, 13, 2) + np.stack([np.cos(angle), np.sin(angle)], 1) * radius[:, None]
    ground, ink = rng.permutation([rng.integers(0, 110, 3), rng.integers(130, 256, 3)])
    image = Image.new("RGB", (SIZE, SIZE), tuple(map(int, ground)))
    ImageDraw.Draw(image).polygon(list(map(tuple, ends)), fill=tuple(map(int, ink)))
    noisy = np.asarray(image) + rng.normal(0, 12, (SIZE, SIZE, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def collection(kinds, each, seed, transform):
    rng, kinds = np.random.default_rng(seed), list(kinds.values())
    labels = np.repeat(np.arange(len(kinds)), each)
    return ArrayDataset([draw(kinds[label], rng) for label in labels], labels, transform)


plain = ToArray()
varied = Compose([RandomCrop(SIZE, padding=2, padding_mode="edge"), ToArray()])
MANY = {"triangle": (3, 1), "square": (4, 1), "disc": (20, 1),  # (corners, inner radius)
        "cross": (8, 0.35), "five-pointed": (10, 0.6), "cog": (20, 0.7)}
FEW = {"dart": (6, 0.45), "hexagon": (6, 1), "star": (12, 0.5)}
many, few = collection(MANY, 40, 1, varied), collection(FEW, 8, 2, varied)
test = collection(FEW, 100, 3, plain)
print(f"{len(many)} pictures of many kinds, {len(few)} of few; {len(test)} to test with")


def sheet(rows, height, titles=()):
    """Show {label: pictures}, a row for each label, in a figure `height` inches high."""
    rows = {label: [np.pad(np.asarray(x) / (255 if isinstance(x, Image.Image) else 1),
                           ((1, 1), (1, 1), (0, 0)), constant_values=1) for x in line]
            for label, line in rows.items()}
    mosaic = np.concatenate([np.concatenate(line, 1) for line in rows.values()])
    axes = new_figure(7.5, height).subplots()
    axes.imshow(mosaic)
    side = len(mosaic) / len(rows)
    axes.set_yticks((np.arange(len(rows)) + 0.5) * side, rows)
    axes.set_xticks((np.arange(len(titles)) + 0.5) * side, titles)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    show(axes.figure)


sheet({name: data.x[each * i:][:8] for data, names, each in ((many, MANY, 40), (few, FEW, 8))
       for i, name in enumerate(names)}, 4.5)

# %% [markdown]
# *Augmentation*: each time a picture to learn from is asked for, it is cut out a little elsewhere.
# That a shifted star is a star costs nothing to know. One picture, eight times:

# %%
shifted = [varied(many.x[120], np.random.default_rng(i)).transpose(1, 2, 0) for i in range(8)]
sheet({"as drawn": many.x[120:121] * 8, "varied": shifted}, 1.6)

# %% [markdown]
# ## 2. A network, trained on the many
#
# The last layer, `fc`, turns 24 features into scores $s$ of the classes. All before it makes the
# features. The loss of a picture of class $y$ is the cross entropy
#
# $$L = -\log p_y, \qquad p_k = \frac{e^{s_k}}{\sum_j e^{s_j}}.$$
#
# A step with momentum goes along a running sum $v$ of gradients; $\eta$ is the learning rate:
#
# $$v \leftarrow 0.9\,v + \frac{\partial L}{\partial w}, \qquad w \leftarrow w - \eta\,v$$
#
# One cycle: $\eta$ rises, while the weights are bad anyway, and falls to 0 to let them settle.


# %%
class Network(nn.Module):
    def __init__(self, classes):
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.fc = nn.Linear(24, classes)

    def forward(self, x):
        return self.fc(self.features(x))


def trained(model, dataset, epochs, groups, **settings):
    """`fit` with momentum and one cycle of the learning rate."""
    loader = DataLoader(dataset, batch_size=12 if dataset is few else 32, shuffle=True)
    optimizer = SGD(groups, momentum=0.9)
    schedule = OneCycleLR(optimizer, [g["lr"] for g in groups], total_steps=epochs * len(loader))
    return fit(model, loader, epochs=epochs, optimizer=optimizer, scheduler=schedule,
               progress=False, **settings)


manual_seed(0)
source = Network(len(MANY))
first_layer = {"random": source.features[0].weight.detach().numpy().copy()}
history = trained(source, many, 10, param_groups(source, {"": 0.1}), folder=folder / "many")
first_layer["trained"] = source.features[0].weight.detach().numpy()
for line in history[::3]:
    print(f"epoch {line['epoch']:2}: loss {line['train']['loss']:.3f}, "
          f"accuracy {line['train']['accuracy']:.3f}, learning rate {line['lr']:.4f}")
figure = new_figure(7.5, 2.6)
for axes, name in zip(figure.subplots(1, 3), ("train.loss", "train.accuracy", "lr")):
    axes.plot(history.column("epoch"), history.column(name), color=PALETTE["blue"])
    axes.set(xlabel="epoch", title=name, xticks=[1, 4, 7, 10], ylim=(0, None))
show(figure)

# %% [markdown]
# The eight filters of the first layer, 3 x 3 pixels in red, green and blue, before and after (grey
# is 0). They turn pale, and some into edges, light on one side and dark on the other. What tells
# these kinds apart is the outline; colours tell nothing, and the network had to find that out.
# Split each weight into the mean over the colours and the rest. How much is grey?
#
# $$\frac{3 \sum_{u,v} \bar w_{uv}^2}{\sum_{c,u,v} w_{cuv}^2}, \qquad
# \bar w_{uv} = \frac{1}{3} \sum_c w_{cuv}$$

# %%
sheet({when: [np.kron(w.transpose(1, 2, 0) / (2 * np.abs(w).max()) + 0.5, np.ones((8, 8, 1)))
              for w in filters] for when, filters in first_layer.items()}, 1.6)
grey = {when: 3 * (filters.mean(1) ** 2).sum() / (filters ** 2).sum()
        for when, filters in first_layer.items()}
print({when: f"{share:.0%}" for when, share in grey.items()})
assert grey["trained"] > 1.5 * grey["random"]

# %% [markdown]
# The folder of the run holds it all: what it was, a line per epoch, the best weights, and the whole
# state after the last epochs.

# %%
for path in sorted((folder / "many").rglob("*.*")):
    print(f"{path.relative_to(folder)}  {path.stat().st_size:,} bytes")

# %% [markdown]
# ## 3. Three ways to learn from the few
#
# *from scratch*: a new network. *last layer*: the features of the first, frozen; only `fc` learns.
# *fine-tuned*: all of it learns, but the features ten times slower than `fc`, which is new.


# %%
def with_features(seed):
    """A network for the few, with the features of the best epoch of the first network."""
    manual_seed(seed)
    model = Network(len(FEW))
    weights = load(folder / "many/checkpoints/best.safetensors")
    model.features.load_state_dict({name.removeprefix("features."): x
                                    for name, x in weights.items() if name[:3] != "fc."})
    return model


def from_scratch(seed):
    manual_seed(seed)
    model = Network(len(FEW))
    return model, param_groups(model, {"": 0.1})


def last_layer(seed):
    model = with_features(seed)
    freeze(model, ["fc"])
    return model, param_groups(model, {"fc": 0.1})


def fine_tuned(seed):
    model = with_features(seed)
    return model, param_groups(model, {"fc": 0.1, "": 0.01})


tests, shares, models = DataLoader(test, batch_size=100), {}, {}
left, right = new_figure(7.5, 3.4).subplots(1, 2, sharey=True, width_ratios=(2, 1))
for way, colour in ((from_scratch, "grey"), (last_layer, "sky"), (fine_tuned, "orange")):
    models[way], groups = way(seed=1)
    tested = {}

    def note(run):
        if run.epoch % 5 == 0:
            tested[run.epoch] = evaluate(run.model, tests)["accuracy"]

    lines = trained(models[way], few, 15, groups, callbacks=[SimpleNamespace(on_epoch_end=note)])
    matrix = evaluate(models[way], tests, {"matrix": lambda: ConfusionMatrix(len(FEW))})["matrix"]
    low, high = wilson(int(matrix.trace()), len(test))
    share = shares[way] = float(matrix.trace()) / len(test)
    print(f"{way.__name__:13} {matrix.trace()}/{len(test)} = {share:.3f}, 95% interval "
          f"[{low:.3f}, {high:.3f}]; right of each kind: {matrix.diagonal()}")
    left.plot(lines.column("epoch"), lines.column("train.accuracy"), ":", color=PALETTE[colour])
    left.plot(*zip(*tested.items()), "o-", color=PALETTE[colour], label=way.__name__)
    right.errorbar(way.__name__.replace("_", "\n"), share, [[share - low], [high - share]],
                   fmt="o", capsize=6, color=PALETTE[colour])
left.set(xlabel="epoch", ylabel="right", ylim=(0, 1.03), title="tested (dotted: while training)")
left.axhline(1 / 3, color=PALETTE["black"], linewidth=0.8)
left.annotate("guessing", (1, 1 / 3), (0, -11), textcoords="offset points", fontsize=9)
left.legend(loc="lower right", fontsize=9)
right.set(title="at the end, 95% intervals", xlim=(-0.5, 2.5))
show(left.figure)
assert shares[fine_tuned] > shares[from_scratch] + 0.2

# %% [markdown]
# The interval (of Wilson) holds all true shares $p$ that make the seen one, $\hat p$, no surprise:
#
# $$|\hat p - p| \le z \sqrt{p\,(1 - p) / n}, \qquad z = 1.96.$$
#
# It says how far the share among *these* 300 pictures may be from that among all. It does not say
# how another draw of the 24 training pictures would come out; for that one repeats with other
# seeds. And see the dotted lines: 24 pictures are soon learned by heart, whatever the way.
#
# A figure says how often a network is wrong, its mistakes may say why. Here are the test pictures
# of which the fine-tuned network is most certain, and wrong: what they are, and what it saw. If one
# kind is in most of them, then that is the kind to collect more pictures of.

# %%
with no_grad():
    scores = models[fine_tuned].eval()(Tensor(np.stack([x for x, _ in test])))
p, truth, names = softmax(scores, 1).numpy(), np.array(test.targets), list(FEW)
wrong = np.flatnonzero(p.argmax(1) != truth)
worst = wrong[np.argsort(-p[wrong].max(1))][:6]
sheet({f"the surest of\n{len(wrong)} mistakes": [test.x[i] for i in worst]}, 1.8,
      [f"{names[truth[i]]},\nsaid {p[i].max():.0%}\n{names[p[i].argmax()]}" for i in worst])

# %% [markdown]
# Frozen or not? Frozen features cannot be spoiled, and cost no backward pass. Slowly learning ones
# can turn towards the new kinds. With 24 pictures either may win.

# %% [markdown]
# ## 4. A run that is stopped
#
# Ctrl-C (here one that we send ourselves, in the seventh step of sixteen) lets the step finish,
# saves, and leaves. The same call again goes on in the middle of the epoch: shuffling,
# augmentation, momentum, learning rate, batch statistics are all in the file. The weights at the
# end are not similar to those of a run without a stop. They are the same bits.


# %%
class CtrlC:
    def on_step_end(self, run):
        if run.step == 7:
            signal.raise_signal(signal.SIGINT)


def run(name, callbacks=()):
    model, groups = fine_tuned(seed=2)
    trained(model, few, 8, groups, folder=folder / name, resume=True, callbacks=callbacks)
    return model.state_dict()


whole = run("whole")
try:
    run("stopped", [CtrlC()])
except KeyboardInterrupt as error:
    print(str(error).replace(str(folder), "..."))
resumed = run("stopped")
assert all(np.array_equal(whole[name], resumed[name]) for name in whole)
print("the same bits in all", len(whole), "arrays")

# %% [markdown]
# ## 5. A run that goes wrong
#
# One broken picture, one NaN: after the next step every weight would be NaN. `fit` looks at the
# loss and the gradients of every step, and when they are not finite it repeats the batch to find
# out where that began. Nothing of the step is kept.

# %%
pictures = np.stack([plain(image) for image in few.x])
pictures[5, 0, 10, 10] = np.nan
broken = ArrayDataset(pictures, few.targets)
model, groups = fine_tuned(seed=3)
try:
    fit(model, DataLoader(broken, batch_size=24), epochs=1, optimizer=SGD(groups), progress=False)
except FloatingPointError as error:
    print(error)
else:
    raise AssertionError("not noticed")
assert all(np.isfinite(x).all() for x in model.state_dict().values())

# %% [markdown]
# ## Exercises
#
# **1. How many pictures to test with?** "Right in 90% of all cases, give or take a percent": how
# many test pictures make the 95% interval 0.02 wide? Is $z^2\,p\,(1 - p) / 0.01^2$ a good rule?
#
# <details><summary>Solution</summary>
#
# ```python
# def width(n):
#     return float(np.ptp(wilson(round(0.9 * n), n)))
#
# for n in (100, 1000, 3000, 3500, 10_000, 14_000):
#     print(f"{n:6} pictures: {width(n):.4f}")
# assert width(3400) > 0.02 > width(3500) and round(1.96 ** 2 * 0.9 * 0.1 / 0.01 ** 2) == 3457
# assert round(width(3500) / width(14_000), 2) == 2
# ```
#
# About 3500, as the rule says. Half the width takes four times as many.
#
# </details>

# %% [markdown]
# **2. No training at all.** Average the features that the *first* network has for the 8 pictures of
# each new kind, and let each test picture belong to the nearest average. How many are right?
#
# <details><summary>Solution</summary>
#
# ```python
# with no_grad():
#     known, asked = (source.eval().features(Tensor(np.stack([plain(x) for x in data.x]))).numpy()
#                     for data in (few, test))
# means = np.stack([known[np.equal(few.targets, k)].mean(0) for k in range(len(FEW))])
# nearest = ((asked[:, None] - means) ** 2).sum(2).argmin(1)
# print("nearest average:", (nearest == truth).mean())
# assert (nearest == truth).mean() > shares[from_scratch] + 0.1
# ```
#
# Far more than from scratch: the features are what is worth having.
#
# </details>

# %% [markdown]
# **3. Is frozen frozen?** Compare the entries of `models[last_layer].state_dict()` that begin with
# `features.` with those in `best.safetensors`. Which have changed, and why?
#
# <details><summary>Solution</summary>
#
# ```python
# start = load(folder / "many/checkpoints/best.safetensors")
# changed = [name for name, x in models[last_layer].state_dict().items()
#            if name.startswith("features.") and not np.array_equal(x, start[name])]
# print(*changed, sep="\n")
# assert {name.rsplit(".", 1)[1] for name in changed} == {
#     "running_mean", "running_var", "num_batches_tracked"}
# ```
#
# Only what batch normalisation counts: no gradient moves it, but every batch in training mode does,
# as in PyTorch.
#
# </details>

# %% [markdown]
# ## Where to go on
#
# - [`minigrad/train/fit.py`](../../minigrad/train/fit.py) is the loop, `run.py` beside it the list
#   of what a checkpoint must hold, `tuning.py` the few lines behind `freeze` and `param_groups`.
# - `python -m experiments task4` does the same with photographs and three networks.
# - J. Yosinski and others, "How transferable are features in deep neural networks?" (2014),
#   [arXiv:1411.1792](https://arxiv.org/abs/1411.1792).
# - L. N. Smith, N. Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large
#   Learning Rates" (2017), the one cycle: [arXiv:1708.07120](https://arxiv.org/abs/1708.07120).
# - E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference" (1927),
#   [doi:10.1080/01621459.1927.10502953](https://doi.org/10.1080/01621459.1927.10502953).
# - Next: [`07_gpu_kernels.py`](07_gpu_kernels.py), where all this arithmetic is done fast.
