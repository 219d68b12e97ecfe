# %% [markdown]
# # Learning from few pictures, with what was learned from others
#
# A network that starts from nothing needs many pictures. Often there are few. Then one takes a
# network that has learned something *similar* from many, and goes on from there. We draw both
# collections, train three ways, look at the intervals, and stop a run in the middle on purpose.
# Run it as a script, or cell by cell in VS Code or Jupyter; it takes some seconds.

# %%
import math
import signal
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from minigrad import manual_seed, nn
from minigrad.data import ArrayDataset, Compose, DataLoader, RandomCrop, ToArray
from minigrad.optim import SGD
from minigrad.optim.lr_scheduler import OneCycleLR
from minigrad.train import ConfusionMatrix, evaluate, fit, freeze, param_groups, wilson
from minigrad.weights import load

scratch = tempfile.TemporaryDirectory()
folder = Path(scratch.name)

# %% [markdown]
# ## 1. Two collections
#
# Shapes with a number of corners, or of spikes, in any place, colour, size and turn, in noise. Of
# the first six kinds we draw 50 pictures each. Of three *other* kinds there are only 8 each to
# learn from; and 100 each to be tested with, which a real study would not have.

# %%
SIZE = 24


def outline(kind, rng):
    """The corners of a shape: a polygon of `corners` corners, every second one pulled inwards."""
    corners, inner = kind
    radius = rng.uniform(7, 11)
    angle = rng.uniform(0, 2 * math.pi) + np.arange(corners) * 2 * math.pi / corners
    r = radius * np.where(np.arange(corners) % 2, inner, 1)
    centre = rng.uniform(11, 13, 2)
    return [tuple(p) for p in centre + np.stack([r * np.cos(angle), r * np.sin(angle)], 1)]


def draw(kind, rng):
    ground, ink = rng.integers(0, 110, 3), rng.integers(130, 256, 3)
    if rng.random() < 0.5:
        ground, ink = ink, ground
    image = Image.new("RGB", (SIZE, SIZE), tuple(map(int, ground)))
    ImageDraw.Draw(image).polygon(outline(kind, rng), fill=tuple(map(int, ink)))
    noisy = np.asarray(image) + rng.normal(0, 12, (SIZE, SIZE, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def collection(kinds, each, seed, transform):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(kinds)), each)
    return ArrayDataset([draw(kinds[label], rng) for label in labels], labels, transform)


plain = ToArray()
varied = Compose([RandomCrop(SIZE, padding=2, padding_mode="edge"), ToArray()])
MANY = [(3, 1), (4, 1), (20, 1), (8, 0.35), (10, 0.6), (20, 0.7)]   # (corners, inner radius)
FEW = [(6, 0.45), (6, 1), (12, 0.5)]                        # a spike, a hexagon, a star
many, few = collection(MANY, 50, 1, varied), collection(FEW, 8, 2, varied)
test = collection(FEW, 100, 3, plain)
print(f"{len(many)} pictures of {len(MANY)} kinds; {len(few)} of {len(FEW)} others; "
      f"{len(test)} to test with")


# %% [markdown]
# ## 2. A network, trained on the many
#
# The last layer, `fc`, turns 24 features into scores of classes. All before it makes the features.


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


def batches(dataset, size=32, seed=0):
    return DataLoader(dataset, batch_size=size, shuffle=True, seed=seed)


def trained(model, dataset, epochs, groups, **settings):
    """`fit` with momentum and one cycle of the learning rate."""
    loader = batches(dataset, 12 if dataset is few else 32)
    optimizer = SGD(groups, momentum=0.9)
    schedule = OneCycleLR(optimizer, [group["lr"] for group in groups],
                          total_steps=epochs * len(loader))
    return fit(model, loader, epochs=epochs, optimizer=optimizer, scheduler=schedule,
               progress=False, **settings)


manual_seed(0)
source = Network(len(MANY))
history = trained(source, many, 15, param_groups(source, {"": 0.1}), folder=folder / "many")
for line in history[::7]:
    print(f"epoch {line['epoch']:2}: loss {line['train']['loss']:.3f}, "
          f"accuracy {line['train']['accuracy']:.3f}, learning rate {line['lr']:.4f}")

# %% [markdown]
# The folder of the run holds everything: what it was, a line per epoch, the best weights, and the
# whole state after the last epochs.

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
    model.load_state_dict({name: x for name, x in weights.items() if not name.startswith("fc.")},
                          strict=False)
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


shares = {}
for way in (from_scratch, last_layer, fine_tuned):
    model, groups = way(seed=1)
    trained(model, few, 25, groups)
    figures = evaluate(model, DataLoader(test, batch_size=50), {
        "matrix": lambda: ConfusionMatrix(len(FEW))})
    right = int(figures["matrix"].trace())
    low, high = wilson(right, len(test))
    shares[way] = right / len(test)
    print(f"{way.__name__:13} {right}/{len(test)} = {shares[way]:.3f}, 95% interval "
          f"[{low:.3f}, {high:.3f}]; right of each kind: {figures['matrix'].diagonal()}")
assert shares[fine_tuned] > shares[from_scratch] > 1 / 3

# %% [markdown]
# The interval (of Wilson) says how far the share among *these* 300 pictures may be from that
# among all. It does not say how another draw of the 24 training pictures would come out; for that
# one repeats with other seeds.
#
# Frozen or not? Frozen features cannot be spoiled, and cost no backward pass. Slowly learning ones
# can turn towards the new kinds. With 24 pictures either may win.

# %% [markdown]
# ## 4. A run that is stopped
#
# Ctrl-C lets the step finish, saves, and leaves. The same call again goes on in the middle of the
# epoch: shuffling, augmentation, momentum, learning rate, batch statistics are all in the file. The
# weights at the end are not similar to those of a run without a stop. They are the same bits.


# %%
class CtrlC:
    def on_step_end(self, run):
        if run.step == 17:
            signal.raise_signal(signal.SIGINT)


def run(name, callbacks=()):
    model, groups = fine_tuned(seed=2)
    trained(model, few, 20, groups, folder=folder / name, resume=True, callbacks=callbacks)
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
    fit(model, batches(broken), epochs=1, optimizer=SGD(groups), progress=False)
except FloatingPointError as error:
    print(error)
else:
    raise AssertionError("not noticed")
assert all(np.isfinite(x).all() for x in model.state_dict().values())
scratch.cleanup()

# %% [markdown]
# ## Where to go on
#
# `minigrad/train/fit.py` is the loop, `run.py` beside it the list of all that a checkpoint must
# hold. Task IV of the coursework, `python -m experiments task4`, does the same with photographs and
# three networks.
