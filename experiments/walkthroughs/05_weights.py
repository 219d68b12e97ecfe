# %% [markdown]
# # What is inside a weights file, and why opening one can be dangerous
#
# Trained networks travel as `.pth` files. We write one byte by byte, read it back, and find a small
# program in it. Then we change the program, watch `pickle` run it, and see how minigrad reads such
# files without running anything. At last we look at the numbers, which is what it is all for.
#
# **You will learn**
#
# - what all the bytes of a `.pth` file are, and how offset, size and strides make tensors of them,
# - why `pickle.load` runs whatever the writer of the file wanted, and how to read without it,
# - what training does to weights, seen in histograms and filters.
#
# **You need** Python and an idea of bytes; for section 7 [`04_convolution.py`](04_convolution.py).
# It runs in four seconds: as a script, or cell by cell in VS Code or Jupyter.

# %%
import atexit
import os
import pickle
import pickletools
import shutil
import struct
import tempfile
import zipfile
from pathlib import Path

import numpy as np

import minigrad as mg
from experiments.style import PALETTE, new_figure, show
from minigrad import nn
from minigrad.optim import Adam
from minigrad.weights import WeightsError, load, save

folder = Path(tempfile.mkdtemp())
_ = atexit.register(shutil.rmtree, folder)  # it goes when Python ends

# %% [markdown]
# ## 1. A program that builds a dictionary
#
# A pickle is a list of instructions for a machine with a stack. Most push something:
#
# | instruction | pushes |
# |---|---|
# | `}` | an empty dictionary |
# | `X` | a text; its length, in four bytes, goes in front |
# | `K` | a small number |
# | `(` | a mark |
# | `t` | a tuple of all that lies above the mark |
#
# These store and stop: `s` takes a value and a key and puts them into the dictionary below; `.`
# ends the program, and what is left on the stack is the result.


# %%
def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


program = b"\x80\x02" + b"}" + text("epoch") + b"K\x07" + b"s" + b"."
pickletools.dis(program)
print("which makes", pickle.loads(program))

# %% [markdown]
# ## 2. A .pth file
#
# `torch.save` writes a zip archive: the pickle as `data.pkl`, and the numbers as they are in
# memory, each block ("storage") in a member of its own. Our file has one tensor, "w", 2 x 3, from
# 0 to 5.
#
# The pickle must say "a tensor of this storage". Two more instructions do it. `c` (GLOBAL) names a
# module and something in it, here the function `torch._utils._rebuild_tensor_v2`; `R` (REDUCE)
# calls it with a tuple of arguments. The storage itself is outside of the pickle; `Q` asks the
# reader to go and find it by its name.


# %%
def name(module, attribute):
    return f"c{module}\n{attribute}\n".encode()


def tup(*items):
    return b"(" + b"".join(items) + b"t"


def small(n):
    return b"K" + bytes([n])


storage = tup(text("storage"), name("torch", "FloatStorage"), text("0"), text("cpu"),
              small(6)) + b"Q"
no_hooks = name("collections", "OrderedDict") + b")R"
size, strides = tup(small(2), small(3)), tup(small(3), small(1))
tensor = name("torch._utils", "_rebuild_tensor_v2") + tup(
    storage, small(0), size, strides, b"\x89", no_hooks) + b"R"
program = b"\x80\x02" + b"}" + text("w") + tensor + b"s" + b"."
numbers = np.arange(6, dtype="<f4").tobytes()


def pth(file, program, numbers=numbers):
    with zipfile.ZipFile(folder / file, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/data/0", numbers)
        archive.writestr("archive/version", "3\n")
    return folder / file


path = pth("tiny.pth", program)
data, found = path.read_bytes(), {}
for member in zipfile.ZipFile(path).infolist():
    start = data.index(member.filename.encode()) + len(member.filename)
    found[member.filename] = start, start + member.file_size
    print(f"{member.filename:20}{member.file_size:4} bytes from byte {start}")
pickletools.dis(program)

# %% [markdown]
# That is a whole file, which torch reads too. The weights of a ResNet differ in length only. Here
# is every byte of it, as a letter where it is one, as a dot where it is not, and empty where it
# is 0. The program can almost be read.


# %%
def byte_map(data, parts, title):
    """The bytes of a file, 32 a row, in the colours of {name: (colour, [(start, stop), ...])}."""
    rows = -(-len(data) // 32)
    figure = new_figure(7.5, 0.9 + 0.22 * rows)
    axes = figure.subplots()
    for label, (colour, pieces) in parts.items():
        places = [i for start, stop in pieces for i in range(start, stop)]
        axes.bar([i % 32 for i in places], 1, 1, [i // 32 - 0.5 for i in places],
                 color=PALETTE[colour], alpha=0.35, label=f"{label}: {len(places)} bytes")
    for i, byte in enumerate(data):
        if byte:
            axes.text(i % 32, i // 32, chr(byte) if 32 < byte < 127 else "\N{MIDDLE DOT}",
                      ha="center", va="center_baseline", family="monospace", fontsize=9)
    axes.set(xlim=(-0.5, 31.5), ylim=(rows - 0.5, -0.5), xticks=range(0, 32, 4), title=title,
             yticks=range(0, rows, 2), yticklabels=range(0, 32 * rows, 64),
             xlabel="byte of the row", ylabel="first byte of the row")
    figure.legend(loc="outside lower center", ncols=2 + len(parts) % 2, fontsize=9,
                  frameon=False)
    return figure


edges = [0, *(at for piece in found.values() for at in piece), len(data)]
show(byte_map(data, {
    "zip's headers and directory": ("grey", list(zip(edges[::2], edges[1::2]))),
    "the pickle": ("sky", [found["archive/data.pkl"]]),
    "the numbers": ("orange", [found["archive/data/0"]]),
    "a version": ("purple", [found["archive/version"]])}, "tiny.pth"))
weights = load(path)
print(weights)
print(weights["w"])

# %% [markdown]
# ## 3. One storage, many views
#
# A tensor is four things: a storage, an offset where to begin in it, a size, and strides: how many
# numbers to step over for the next row, and for the next column. Element $(i, j)$ is number
#
# $$\text{offset} + i\,s_0 + j\,s_1$$
#
# of the storage. So a transposed matrix needs no copy, only exchanged strides, and a stride of 0
# repeats a row for nothing. Tensors may share a storage, which is why it is a member of its own.

# %%
views = {"as written": (0, (2, 3), (3, 1)), "transposed": (0, (3, 2), (1, 3)),
         "last column": (2, (2, 1), (3, 1)), "first row, thrice": (0, (3, 3), (0, 1))}
block = np.frombuffer(numbers, "<f4")
figure = new_figure(7.5, 3.4)
top, bottom = figure.subfigures(2, 1, height_ratios=(1, 2.2))
for axes, (title, (offset, shape, steps)) in zip(
        [top.subplots(), *bottom.subplots(1, 4)],
        [("the storage", (0, (1, 6), (6, 1))), *views.items()]):
    view = np.lib.stride_tricks.as_strided(block[offset:], shape, [4 * s for s in steps])
    axes.imshow(view, cmap="cividis", vmin=0, vmax=5)
    for (i, j), value in np.ndenumerate(view):
        axes.text(j, i, f"{value:.0f}", color="white" if value < 3 else "black", ha="center",
                  va="center")
    axes.set(xticks=[], yticks=[], title=title)
    if title in views:
        axes.set_xlabel(f"offset {offset}\nsize {shape}\nstrides {steps}", fontsize=9)
        assert view[1, 0] == block[offset + steps[0]]
show(figure)

# %% [markdown]
# ## 4. The catch
#
# `c` names *any* module and *anything* in it, and `R` calls it with *any* arguments. Whoever writes
# the file chooses. This one only leaves a greeting in the environment of the process; it might as
# well delete your files, or send your keys away. It then throws the result of the call away (`0`)
# and builds an honest dictionary, so nobody notices.

# %%
greet = "import os; os.environ['GREETING'] = 'a file has run code in your process'"
call = name("builtins", "exec") + tup(text(greet)) + b"R"
evil = b"\x80\x02" + call + b"0" + b"}" + text("epoch") + b"K\x07" + b"s" + b"."
print("pickle.loads gives", pickle.loads(evil), "as one would expect, and")
print("GREETING =", os.environ.pop("GREETING"))

# %% [markdown]
# Looking for bad names does not help, for there is always one more that can do harm. Even a method
# of an allowed class may do. And `pickle.load` runs a file *while* it reads it: an error afterwards
# comes too late. So never hand a file from elsewhere to it, nor to anything that calls it.
#
# ## 5. Reading without running
#
# minigrad has a machine of its own (`minigrad/weights/unpickle.py`, about 200 lines). It knows the
# instructions that torch writes and no other. Its GLOBAL imports nothing: it looks into a table of
# a few names, and what stands there are functions of minigrad, which note "2 x 3 numbers of storage
# 0" and check that they lie inside of it. There is no way to what is not in the table.
#
# A file can be bad without bad intent. The zip archive records a CRC-32 of every member; one bit
# flipped in the numbers is found before anybody computes with them.

# %%
flipped = bytearray(data)
flipped[found["archive/data/0"][1] - 1] ^= 1
(folder / "flipped.pth").write_bytes(flipped)
for what, bad in (("the payload", pth("evil.pth", evil)),
                  ("an instruction that torch never writes", pth("8c.pth", b"\x80\x02\x8c\x02hi.")),
                  ("a size past the end of the storage",
                   pth("large.pth", program.replace(size, tup(small(3), small(3))))),
                  ("a flipped bit", folder / "flipped.pth")):
    try:
        load(bad)
    except WeightsError as error:
        print(f"{what}:\n    {error}".replace(str(folder), "..."))
    else:
        raise AssertionError("loaded")
assert "GREETING" not in os.environ

# %% [markdown]
# ## 6. A file without a program
#
# Weights are names, shapes and numbers, and need no instructions. safetensors is just that: eight
# bytes with the length of a JSON text, the text, the numbers. It is what minigrad's own checkpoints
# are, with a SHA-256 of every array in the text.

# %%
save(folder / "mine.safetensors", {"w": np.arange(6, dtype=np.float32).reshape(2, 3)})
data = (folder / "mine.safetensors").read_bytes()
(length,) = struct.unpack("<Q", data[:8])
print(data[8:8 + length].decode().rstrip())
print("and", len(data) - 8 - length, "bytes of numbers:", np.frombuffer(data[8 + length:], "<f4"))
assert (load(folder / "mine.safetensors")["w"] == weights["w"]).all()
show(byte_map(data, {"the length": ("purple", [(0, 8)]),
                     "the JSON text": ("green", [(8, 8 + length)]),
                     "the numbers": ("orange", [(8 + length, len(data))])}, "mine.safetensors"))

# %% [markdown]
# ## 7. The numbers
#
# A linear or convolution layer begins with random weights, as in PyTorch: evenly spread over
#
# $$\left[-\frac{1}{\sqrt{n}},\ \frac{1}{\sqrt{n}}\right],\qquad n = C\,k_h\,k_w$$
#
# with n the inputs of one output. We train a small network to tell how a grating is turned, keep
# the weights before and after in two files, and compare.


# %%
def gratings(rng, count):
    """Stripes of any width and phase, turned by one of four angles, in noise; and which angle."""
    row, column = np.mgrid[:20, :20]
    which = rng.integers(0, 4, count)
    angle = (which * np.pi / 4 + rng.normal(0, 0.1, count))[:, None, None]
    wave = rng.uniform(0.8, 1.6, (count, 1, 1)) * (row * np.sin(angle) + column * np.cos(angle))
    x = np.sin(wave + rng.uniform(0, 6.3, (count, 1, 1))) + rng.normal(0, 0.5, (count, 20, 20))
    return x[:, None].astype(np.float32), which


mg.manual_seed(0)
rng = np.random.default_rng(0)
model = nn.Sequential(nn.Conv2d(1, 8, 7), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU(),
                      nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4))
save(folder / "before.safetensors", model.state_dict())
optimizer = Adam(model.parameters(), lr=0.01)
for step in range(81):
    x, which = gratings(rng, 32)
    output = model(mg.Tensor(x))
    loss = mg.cross_entropy(output, which)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(f"step {step:2}: loss {loss.item():.3f}, "
              f"{(output.data.argmax(1) == which).mean():.0%} of the batch right")
save(folder / "after.safetensors", model.state_dict())
before, after = (load(folder / f"{when}.safetensors") for when in ("before", "after"))

# %%
figure = new_figure(7.5, 2.8)
for axes, key in zip(figure.subplots(1, 3), ("0.weight", "2.weight", "6.weight")):
    bound, reach = after[key][0].size ** -0.5, np.abs(after[key]).max()
    bins = np.linspace(-reach, reach, 41)
    axes.hist(after[key].ravel(), bins, color=PALETTE["sky"])
    axes.hist(before[key].ravel(), bins, histtype="step", color=PALETTE["black"])
    for side in (-bound, bound):
        axes.axvline(side, color=PALETTE["orange"], linestyle=":")
    axes.set(title=f"{key}\n{after[key].shape}", xlabel="value", ylabel="weights")
    assert np.abs(before[key]).max() <= bound < reach
figure.suptitle(r"black: random, blue: trained, dotted: $\pm 1/\sqrt{n}$", fontsize=10)
show(figure)

# %% [markdown]
# The random start has sharp edges, and training goes far beyond them. So a histogram tells whether
# a layer has ever been trained: a cheap first look at a file that one does not trust.
#
# Filters of the first layer look at the image itself, and so can be looked at like images. Noise
# before, and then: stripes, each turned like a kind of grating. Nobody has told them to.

# %%
mosaic = [np.concatenate([np.pad(kernel / np.abs(kernel).max(), 1, constant_values=np.nan)
                          for kernel in weights["0.weight"][:, 0]], 1)
          for weights in (before, after)]
axes = new_figure(7.5, 2.3).subplots()
axes.imshow(np.concatenate(mosaic), cmap="gray", vmin=-1, vmax=1)
axes.set(xticks=[], yticks=[4, 13], yticklabels=["random", "trained"],
         title="the filters of the first layer, 7 x 7; grey is 0, white above, black below")
show(axes.figure)

# %% [markdown]
# ## Exercises
#
# Run the cells above first: the solutions go on with their names.
#
# **1. Transposed, without moving a number.** Write a `.pth` file whose "w" is the transpose of
# ours, 3 x 2, with the same 24 bytes of numbers. How many bytes of the program change?
#
# <details><summary>Solution</summary>
#
# ```python
# turned = program.replace(size + strides,
#                          tup(small(3), small(2)) + tup(small(1), small(3)))
# w = load(pth("turned.pth", turned))["w"]
# changed = sum(a != b for a, b in zip(program, turned))
# print(w, changed, sep="\n")
# assert (w == weights["w"].T).all() and changed == 4 and len(turned) == len(program)
# ```
#
# Four: both sizes and both strides. A reader must never assume that a tensor lies in one piece.
#
# </details>

# %% [markdown]
# **2. A safetensors file by hand.** Write one with two arrays without `save`, and read it with
# `load`. What does it lack of those that `save` writes?
#
# <details><summary>Solution</summary>
#
# ```python
# a, b = np.float32([1, 2, 3]), np.float32([[4], [5]])
# header = (b'{"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]},'
#           b' "b": {"dtype": "F32", "shape": [2, 1], "data_offsets": [12, 20]}}')
# file = folder / "by_hand.safetensors"
# file.write_bytes(struct.pack("<Q", len(header)) + header + a.tobytes() + b.tobytes())
# mine = load(file)
# print(mine["a"], mine["b"], mine.metadata)
# assert (mine["a"] == a).all() and (mine["b"] == b).all() and not mine.metadata
# ```
#
# The checksums: a flipped bit in these numbers would be read without a word.
#
# </details>

# %% [markdown]
# **3. A list of forbidden names.** `pickletools.genops` walks over a pickle without running it.
# Print what `program` and `evil` ask for with `GLOBAL`. Then find a pickle that names a function of
# `os` and has no `GLOBAL`.
#
# <details><summary>Solution</summary>
#
# ```python
# def asks_for(code):
#     return {argument for op, argument, _ in pickletools.genops(code) if op.name == "GLOBAL"}
#
# print(asks_for(program), asks_for(evil))
# sly = pickle.dumps(os.getcwd, protocol=4)
# assert asks_for(evil) == {"builtins exec"} and asks_for(sly) == set()
# assert pickle.loads(sly) is os.getcwd
# ```
#
# Since protocol 4 there is `STACK_GLOBAL`, which takes module and name from the stack. Who forbids
# must think of everything; who allows, only of what is needed.
#
# </details>

# %% [markdown]
# ## Where to go on
#
# - [`minigrad/weights/unpickle.py`](../../minigrad/weights/unpickle.py) is the machine,
#   [`vocabulary.py`](../../minigrad/weights/vocabulary.py) beside it the table of names;
#   `torch_stream.py` and `torch_tar.py` read the two older forms of `.pth`.
# - `python -m experiments classify photo.jpg --weights resnet50-11ad3fa6.pth`: on a real file.
# - K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers" (2015), on how wide random
#   weights should be spread: [arXiv:1502.01852](https://arxiv.org/abs/1502.01852).
# - Next: [`06_fine_tuning.py`](06_fine_tuning.py) takes weights that have learned one thing, and
#   teaches them another.
