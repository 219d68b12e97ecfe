# %% [markdown]
# # From LeNet to ViT: one idea at a time
#
# What is in a picture? In 1998 a network of 60,000 numbers read the digits on cheques. In 2020 one
# of 87 million told a thousand kinds of things apart. Between them lie a few ideas, each of which
# can be understood, and measured, with networks so small that they learn in seconds.
#
# **You will learn**
#
# - why gradients fade in deep networks, and what ReLU and shortcuts do about it,
# - how to say what a layer costs, and how VGG and MobileNet save most of it,
# - what a vision transformer knows about pictures, what it does not, and what that costs,
# - what the real networks are made of: their sizes, their costs, their ideas.
#
# **You need** convolution ([`04_convolution.py`](04_convolution.py)) and training
# ([`06_fine_tuning.py`](06_fine_tuning.py)). It runs in fifty seconds: as a script, or cell by cell
# in VS Code or Jupyter.

# %%
import numpy as np

import minigrad as mg
from experiments.scripts.photos import batches, dog_photos
from experiments.style import PALETTE, new_figure, show
from minigrad import models, nn
from minigrad.optim import AdamW
from minigrad.optim.lr_scheduler import OneCycleLR
from minigrad.profile import profile

rng = np.random.default_rng(0)

# %% [markdown]
# ## 1. The problem
#
# Drawn photographs of dogs, 32 x 32 pixels, of seven breeds: 420 to learn from, 210 to be tested
# with. All networks below learn in the same way: 140 batches of 30 photos, mirrored at random, and
# a learning rate that rises and falls. Guessing would be right in one of seven cases.

# %%
photos, breeds = dog_photos(420, 32)
test_photos, test_breeds = dog_photos(210, 32, seed=1)
sheet = np.concatenate([np.concatenate(list(photos[i:i + 14]), 2) for i in (0, 14, 28)], 1)
axes = new_figure(7.5, 1.8).subplots()
axes.imshow((sheet.transpose(1, 2, 0) + 1) / 2)
axes.axis("off")
show(axes.figure)


def learned(model, lr=3e-3, steps=140, count=420):
    """Train on the first `count` photos -> losses, and the share of test photos it gets right."""
    optimizer, rng, losses = AdamW(model.parameters(), lr=lr), np.random.default_rng(0), []
    schedule = OneCycleLR(optimizer, lr, total_steps=steps)
    for _, pick in zip(range(steps), batches(count, 30)):
        mirrored = rng.random((30, 1, 1, 1)) < 0.5
        x = np.where(mirrored, photos[pick][..., ::-1], photos[pick])
        loss = mg.cross_entropy(model(mg.Tensor(x)), breeds[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    with mg.no_grad():
        scores = model.eval()(mg.Tensor(test_photos)).numpy()
    return losses, float((scores.argmax(1) == test_breeds).mean())


def cost(model, shape=(1, 3, 32, 32)):
    """(parameters, multiplications) of a model for one input of this shape."""
    total = profile(model, shape).total
    return total.trainable, total.count.macs


# %% [markdown]
# ## 2. 1998 and 2012: a bend that lets gradients pass
#
# LeNet-5 is convolutions that see a little, each after a smaller image, and linear layers on top:
# still the plan of all that follows. But it has five layers with weights. Why not twenty?
# Backward, a gradient is multiplied with the slope of every bend. That of a sigmoid, $\sigma' =
# \sigma (1 - \sigma)$, is at most $1/4$. That of tanh is 1, but at 0 only. AlexNet took
# $\text{relu}(x) = \max(x, 0)$, whose slope is 1 for all positive inputs. We send photos through
# twelve layers and look at the gradients of their weights. Tanh and ReLU hold, if the random
# weights have the right size (Xavier's and He's); with a sigmoid, the first layers learn nothing.

# %%
axes = new_figure(7.5, 2.8).subplots()
for name, bend, colour in (("sigmoid", nn.Sigmoid, "orange"), ("tanh", nn.Tanh, "grey"),
                           ("relu", nn.ReLU, "blue")):
    mg.manual_seed(0)
    layers = [nn.Conv2d(3 if i == 0 else 16, 16, 3, padding=1) for i in range(12)]
    for layer in layers:
        (nn.init.kaiming_normal_ if bend is nn.ReLU else nn.init.xavier_normal_)(layer.weight)
    model = nn.Sequential(*[part for layer in layers for part in (layer, bend())],
                          nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 7))
    mg.cross_entropy(model(mg.Tensor(photos[:28])), breeds[:28]).backward()
    sizes = [np.linalg.norm(layer.weight.grad.numpy()) for layer in layers]
    print(f"{name}: gradient of the first layer / that of the last = {sizes[0] / sizes[-1]:.1e}")
    assert sizes[0] < 1e-4 * sizes[-1] if name == "sigmoid" else sizes[0] > 0.05 * sizes[-1]
    axes.semilogy(range(1, 13), sizes, "o-", color=PALETTE[colour], label=name)
axes.set(xlabel="layer", title="size of the gradient of a layer's weights")
axes.legend(frameon=False)
show(axes.figure)

# %% [markdown]
# ## 3. 2014: small windows, many of them
#
# Two 3 x 3 convolutions, one after the other, see 5 x 5 pixels; three see 7 x 7. With $C$ channels
# in and out, they have $2 \cdot 9\,C^2$ weights instead of $25\,C^2$, and $3 \cdot 9\,C^2$ instead
# of $49\,C^2$, and a bend between, so they can do more with less. VGG-16 is thirteen of them and
# three linear layers. The pictures show the gradient of one output, so all that it can see.

# %%
footprints = {}
for title, windows in (("one 5 x 5", [5]), ("two 3 x 3", [3, 3]), ("one 7 x 7", [7]),
                       ("three 3 x 3", [3, 3, 3])):
    mg.manual_seed(0)
    model = nn.Sequential(*[nn.Conv2d(16, 16, k, padding=k // 2, bias=False) for k in windows])
    x = mg.Tensor(np.zeros((1, 16, 11, 11), np.float32), requires_grad=True)
    model(x)[0, :, 5, 5].sum().backward()
    seen = np.linalg.norm(x.grad.numpy()[0], axis=0)                    # (11, 11)
    parameters, macs = cost(model, (1, 16, 11, 11))
    footprints[f"{title}\n{parameters:,} weights"] = seen / seen.max()
    reach = sum(windows) - len(windows) + 1
    assert np.count_nonzero(seen) == reach ** 2 and parameters == sum(k * k for k in windows) * 256
    assert macs == parameters * 11 * 11
    print(f"{title}: sees {reach} x {reach}, {parameters} weights, {macs:,} multiplications")
for axes, (title, seen) in zip(new_figure(7.5, 2.3).subplots(1, 4), footprints.items()):
    axes.imshow(seen, cmap="Blues", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[], title=title)
    axes.title.set_fontsize(10)
show(axes.figure)

# %% [markdown]
# ## 4. 2015: a way around
#
# So deeper is better? Beyond twenty layers networks became *worse*, even on the pictures that they
# learned from (He and others, 2015). Layers that have nothing to add would have to copy their
# input, and that is hard to learn. ResNet adds the input to what two layers make of it:
#
# $$y = \text{relu}(x + f(x)), \qquad \frac{\partial}{\partial x}(x + f(x)) = 1 + f'(x)$$
#
# Now doing nothing is $f = 0$, and the 1 lets the gradient pass. Nineteen convolutions, each with
# batch normalisation, and a linear layer, once with and once without these *shortcuts*:


# %%
def unit(i, o, stride=1, k=3):
    """A convolution from i to o channels, batch normalisation, ReLU."""
    return [nn.Conv2d(i, o, k, stride, k // 2, bias=False), nn.BatchNorm2d(o), nn.ReLU()]


def ending(channels):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 7)]


class TwoLayers(nn.Module):
    def __init__(self, channels, shortcut):
        self.shortcut = shortcut
        self.f = nn.Sequential(*unit(channels, channels), *unit(channels, channels)[:2])

    def forward(self, x):
        return mg.relu(x + self.f(x) if self.shortcut else self.f(x))


def twenty_layers(shortcut):
    mg.manual_seed(0)
    return nn.Sequential(*unit(3, 12, 4, 5), *[TwoLayers(12, shortcut) for _ in range(9)],
                         *ending(12))


axes, right = new_figure(7.5, 2.6).subplots(), {}
for shortcut, name, colour in ((True, "with shortcuts", "blue"), (False, "plain", "orange")):
    losses, right[name] = learned(twenty_layers(shortcut))
    print(f"{name}: loss {np.mean(losses[-14:]):.2f} at the end, {right[name]:.2f} of tests right")
    axes.plot(losses, color=PALETTE[colour], label=name)
    assert (np.mean(losses[-14:]) < 0.5) == shortcut
axes.set(xlabel="step", title="loss of twenty layers", ylim=(0, None))
axes.legend(frameon=False)
show(axes.figure)
assert right["with shortcuts"] > right["plain"] + 0.15

# %% [markdown]
# ## 5. 2017: first in space, then in channels
#
# A convolution of $C$ to $O$ channels mixes neighbours and channels in one go: $9\,C\,O$
# multiplications per pixel. MobileNet does it one after the other. A *depthwise* convolution gives
# each channel one window of its own, $9\,C$; then a 1 x 1 convolution mixes the channels, $C\,O$:
#
# $$\frac{9\,C + C\,O}{9\,C\,O} = \frac{1}{O} + \frac{1}{9}$$


# %%
def separable(i, o, stride=1):
    return [nn.Conv2d(i, i, 3, stride, 1, groups=i, bias=False), nn.BatchNorm2d(i), nn.ReLU(),
            *unit(i, o, k=1)]


def small_net(kind):
    mg.manual_seed(0)
    return nn.Sequential(*unit(3, 16, 2), *kind(16, 32, 2), *kind(32, 64), *ending(64))


full, parted = (cost(nn.Sequential(*kind(32, 64)), (1, 32, 8, 8))[1] for kind in (unit, separable))
print(f"one layer: {full:,} multiplications, or {parted:,}: {parted / full:.3f} of it")
assert parted * 9 * 64 == full * (9 + 64)
for kind in (unit, separable):
    right[kind], (parameters, macs) = learned(small_net(kind))[1], cost(small_net(kind))
    print(f"{kind.__name__}: {right[kind]:.2f} of tests right, {parameters:,} parameters, "
          f"{macs:,} multiplications")
assert right[separable] > right[unit] - 0.2

# %% [markdown]
# ## 6. 2019: larger in all ways at once
#
# What to do with ten times the time? Twice the layers cost twice as much; twice the channels, four
# times; twice the height and width of the picture, four times. EfficientNet grows all three, each
# step by 1.2, 1.1 and 1.15, found by trying. One step costs about twice as much.

# %%
base = cost(nn.Sequential(*unit(40, 40) * 5), (1, 40, 20, 20))[1]
grown = {"depth x 2": cost(nn.Sequential(*unit(40, 40) * 10), (1, 40, 20, 20))[1],
         "width x 2": cost(nn.Sequential(*unit(80, 80) * 5), (1, 80, 20, 20))[1],
         "resolution x 2": cost(nn.Sequential(*unit(40, 40) * 5), (1, 40, 40, 40))[1],
         "all of it": cost(nn.Sequential(*unit(44, 44) * 6), (1, 44, 23, 23))[1]}
print({name: round(macs / base, 2) for name, macs in grown.items()})
assert [round(macs / base, 2) for macs in grown.values()] == [2, 4, 4, 1.92]

# %% [markdown]
# ## 7. 2020: a picture is a text of patches
#
# The vision transformer (ViT) cuts a picture into patches, makes each a vector by one linear map,
# adds a vector for its place, and does with them what language models do with words
# ([`09_attention.py`](09_attention.py)): each patch looks at all others. The cutting is nothing
# new: it is a convolution whose stride is its window.


# %%
class SmallViT(nn.Module):
    def __init__(self, width=48, patch=4):
        self.patches = nn.Conv2d(3, width, patch, patch)
        count = (32 // patch) ** 2
        self.place = nn.Parameter(0.02 * rng.standard_normal((count, width)).astype(np.float32))
        self.blocks = nn.Sequential(*[nn.TransformerEncoderLayer(
            width, 4, 2 * width, dropout=0.0, activation="gelu", batch_first=True,
            norm_first=True) for _ in range(2)])
        self.norm, self.fc = nn.LayerNorm(width), nn.Linear(width, 7)

    def forward(self, x):
        words = self.patches(x).flatten(2).permute(0, 2, 1)             # (N, count, width)
        return self.fc(self.norm(self.blocks(words + self.place)).mean(1))


vit = SmallViT()
cut = photos[:1].reshape(1, 3, 8, 4, 8, 4).transpose(0, 2, 4, 1, 3, 5).reshape(64, 48)
w, b = (p.numpy(force=True) for p in (vit.patches.weight, vit.patches.bias))
words = vit.patches(mg.Tensor(photos[:1])).numpy(force=True)[0].reshape(48, 64).T
assert np.allclose(words, cut @ w.reshape(48, 48).T + b, atol=1e-5)

# %% [markdown]
# A convolution knows two things before it has seen a single picture: neighbours belong together,
# and what is a nose here is a nose there. The transformer has to learn both, and here are few
# pictures to learn them from. With 420 photos it is no better than the convolutions of section 4,
# which have half its multiplications. With 42, six of a breed, it is far behind. With 300 million
# photos it is the other way around (Dosovitskiy and others, 2020).

# %%
right["convolutions"] = learned(twenty_layers(True), count=42)[1], right["with shortcuts"]
mg.manual_seed(0)
right["transformer"] = [learned(SmallViT(), 2e-3, count=count)[1] for count in (42, 420)]
axes = new_figure(7.5, 2.6).subplots()
for name, model, colour in (("convolutions", twenty_layers(True), "blue"),
                            ("transformer", SmallViT(), "orange")):
    print("{}: {:,} parameters, {:,} multiplications; {:.2f} right, or {:.2f}".format(
        name, *cost(model), *right[name]))
    axes.plot((42, 420), right[name], "o-", color=PALETTE[colour], label=name)
axes.axhline(1 / 7, color=PALETTE["black"], linewidth=0.8)
axes.set(xlabel="photos to learn from", ylabel="right", ylim=(0, 1), xticks=(42, 420))
axes.legend(frameon=False, loc="center right")
show(axes.figure)
assert right["convolutions"][0] > right["transformer"][0] + 0.08
assert right["convolutions"][1] > right["transformer"][1] - 0.03

# %% [markdown]
# ## 8. 2022: the best of both
#
# Was it the attention? ConvNeXt keeps the plan of a transformer's block (mix places, then four
# times as many numbers for each place by itself, with a shortcut around it, layer norm, GELU) and
# mixes the places with a depthwise convolution of 7 x 7. It is as good as transformers of its size.
# So large a window costs next to nothing when it has a single channel to see:

# %%
mixing = nn.Conv2d(96, 96, 7, padding=3, groups=96)
block = nn.Sequential(mixing, nn.Conv2d(96, 384, 1), nn.GELU(), nn.Conv2d(384, 96, 1))
window, whole = (cost(model, (1, 96, 56, 56))[1] for model in (mixing, block))
print(f"the 7 x 7 window: {window / whole:.1%} of the block's multiplications")
assert window * (49 + 8 * 96) == whole * 49

# %% [markdown]
# ## 9. The real ones
#
# minigrad has them all, with the names and weights of torchvision. Here is what they cost for one
# photo of 224 x 224 pixels (LeNet-5: 32 x 32, in grey).

# %%
REAL = {"lenet5": (1998, 61_706, "convolve, shrink, repeat"),
        "alexnet": (2012, 61_100_840, "ReLU, and a GPU"),
        "vgg16": (2014, 138_357_544, "small windows"),
        "resnet50": (2015, 25_557_032, "shortcuts"),
        "mobilenet_v2": (2018, 3_504_872, "depthwise convolutions"),
        "efficientnet_b0": (2019, 5_288_548, "grow all at once"),
        "vit_b_16": (2020, 86_567_656, "patches, attention"),
        "convnext_tiny": (2022, 28_589_128, "7 x 7 depthwise in a transformer's plan")}
axes, giga = new_figure(7.5, 4).subplots(), {}
for name, (year, parameters, idea) in REAL.items():
    model = getattr(models, name)(num_classes=10 if name == "lenet5" else 1000)
    total = profile(model, (1, 1, 32, 32) if name == "lenet5" else (1, 3, 224, 224)).total
    giga[name] = total.count.flops / 1e9
    print(f"{name:16}{year}{total.trainable:13,} parameters {giga[name]:8.3f} GFLOPs  {idea}")
    assert total.trainable == parameters
    axes.loglog(giga[name], parameters, "o", color=PALETTE["blue"])
    axes.annotate(f"{name}, {year}", (giga[name], parameters),
                  (7, -11 if name == "resnet50" else -3), textcoords="offset points", fontsize=9)
axes.set(xlabel="GFLOPs for one picture", ylabel="parameters", xlim=(3e-4, 1000), ylim=(3e4, 4e8))
show(axes.figure)
assert giga["vgg16"] > 20 * giga["alexnet"] and giga["vgg16"] > 40 * giga["mobilenet_v2"]

# %% [markdown]
# ## Exercises
#
# **1. Without a bend.** Two 3 x 3 convolutions with nothing between are one 5 x 5 convolution. Find
# its window, for one channel, from the two windows, and check it on a photo.
#
# <details><summary>Solution</summary>
#
# ```python
# a, b = rng.standard_normal((2, 3, 3))
# window = np.zeros((5, 5))
# for i, j in np.ndindex(3, 3):
#     window[i:i + 3, j:j + 3] += a[i, j] * b
# grey = photos[:1].mean(1, keepdims=True).astype(np.float64)
# one = mg.conv2d(grey, window[None, None])
# two = mg.conv2d(mg.conv2d(grey, a[None, None]), b[None, None])
# print("largest difference:", np.abs(one - two).max())
# assert np.allclose(one, two)
# ```
#
# Each weight of one window puts down a copy of the other. It is the bend that makes depth worth it.
#
# </details>

# %% [markdown]
# **2. Where the weights are.** Which share of AlexNet's parameters, and which of its
# multiplications, is in the three linear layers? The rows of `profile` have a `kind`.
#
# <details><summary>Solution</summary>
#
# ```python
# table = profile(models.alexnet(), (1, 3, 224, 224))
# linear = [row for row in table.layers if row.kind == "Linear"]
# weights = sum(row.trainable for row in linear) / table.total.trainable
# work = sum(row.count.macs for row in linear) / table.total.count.macs
# print(f"{weights:.0%} of the parameters, {work:.0%} of the multiplications")
# assert weights > 0.95 and work < 0.1
# ```
#
# 96% and 8%. Since then, one mean over all places stands before the only linear layer.
#
# </details>

# %% [markdown]
# **3. Smaller patches.** How many times as many multiplications does `SmallViT` need with patches
# of 2 x 2 instead of 4 x 4? Why is it neither 4 nor 16?
#
# <details><summary>Solution</summary>
#
# ```python
# coarse, fine = cost(SmallViT())[1], cost(SmallViT(patch=2))[1]
# print(f"{fine / coarse:.2f} times as many")
# for macs, T in ((coarse, 64), (fine, 256)):
#     print(f"{T} words: {2 * 2 * T ** 2 * 48 / macs:.0%} in attention's scores and means")
# assert 4 < fine / coarse < 16
# ```
#
# Four times the words: linear layers cost 4 times as much, attention of all to all 16 times.
#
# </details>

# %% [markdown]
# ## Where to go on
#
# - [`minigrad/models`](../../minigrad/models/__init__.py) has a file for each family; its first
#   lines say what its idea was, and in which paper it stands.
# - K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition" (2015):
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385).
# - A. Dosovitskiy and others, "An Image is Worth 16x16 Words" (2020):
#   [arXiv:2010.11929](https://arxiv.org/abs/2010.11929).
# - Z. Liu and others, "A ConvNet for the 2020s" (2022):
#   [arXiv:2201.03545](https://arxiv.org/abs/2201.03545).
# - Next: [`09_attention.py`](09_attention.py): what happens in a block of the transformer.
