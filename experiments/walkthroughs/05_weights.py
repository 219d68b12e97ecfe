# %% [markdown]
# # What is inside a weights file, and why opening one can be dangerous
#
# Trained networks travel as `.pth` files. We write one byte by byte, read it back, and find a small
# program in it. Then we change the program, watch `pickle` run it, and see how minigrad reads such
# files without running anything. Run it as a script, or cell by cell in VS Code or Jupyter.

# %%
import os
import pickle
import pickletools
import struct
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from minigrad.weights import WeightsError, load, save

scratch = tempfile.TemporaryDirectory()
folder = Path(scratch.name)

# %% [markdown]
# ## 1. A program that builds a dictionary
#
# A pickle is a list of instructions for a machine with a stack. Most push something:
#
#     } an empty dictionary    X a text    K a small number    ( a mark    t a tuple from the mark
#
# These store and stop: `s` takes a value and a key and puts them into the dictionary below; `.`
# ends the program, and what is left on the stack is the result. Every text has its length in front.


# %%
def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


program = b"\x80\x02" + b"}" + text("epoch") + b"K\x07" + b"s" + b"."
print(program)
pickletools.dis(program)
print("which makes", pickle.loads(program))

# %% [markdown]
# ## 2. A .pth file
#
# `torch.save` writes a zip archive: the pickle as `data.pkl`, and the numbers as they are in
# memory, each block ("storage") in a member of its own. A tensor is four things: a storage, where
# to begin in it, the size, and the strides. Our file has one tensor, "w", 2 x 3, from 0 to 5.
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
tensor = name("torch._utils", "_rebuild_tensor_v2") + tup(
    storage, small(0), tup(small(2), small(3)), tup(small(3), small(1)), b"\x89", no_hooks) + b"R"
program = b"\x80\x02" + b"}" + text("w") + tensor + b"s" + b"."


def pth(file, program, numbers):
    with zipfile.ZipFile(folder / file, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/data/0", numbers)
        archive.writestr("archive/version", "3\n")
    return folder / file


path = pth("tiny.pth", program, np.arange(6, dtype="<f4").tobytes())
for member in zipfile.ZipFile(path).infolist():
    print(f"{member.filename:20}{member.file_size:4} bytes")
pickletools.dis(program)

# %% [markdown]
# That is a whole file, which torch reads too. The weights of a ResNet differ in length only.

# %%
weights = load(path)
print(weights)
print(weights["w"])

# %% [markdown]
# ## 3. The catch
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

# %% [markdown]
# ## 4. Reading without running
#
# minigrad has a machine of its own (`minigrad/weights/unpickle.py`, about 200 lines). It knows the
# instructions that torch writes and no other. Its GLOBAL imports nothing: it looks into a table of
# a few names, and what stands there are functions of minigrad, which note "2 x 3 numbers of storage
# 0" and check that they lie inside of it. There is no way to what is not in the table.

# %%
for what, bad in (("the payload", evil),
                  ("an instruction that torch never writes", b"\x80\x02\x8c\x02hi."),
                  ("a size past the end of the storage",
                   program.replace(small(2) + small(3) + b"t", small(3) + small(3) + b"t"))):
    try:
        load(pth("bad.pth", bad, np.arange(6, dtype="<f4").tobytes()))
    except WeightsError as error:
        print(f"{what}:\n    {error}".replace(str(folder), "..."))
    else:
        raise AssertionError("loaded")
assert "GREETING" not in os.environ

# %% [markdown]
# ## 5. Damage
#
# A file can be bad without bad intent. The zip archive records a CRC-32 of every member; one bit
# flipped in the numbers is found before anybody computes with them.

# %%
data = bytearray(path.read_bytes())
data[data.index(np.float32(5).tobytes())] ^= 1
(folder / "flipped.pth").write_bytes(data)
try:
    load(folder / "flipped.pth")
except WeightsError as error:
    print(str(error).replace(str(folder), "..."))

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
scratch.cleanup()

# %% [markdown]
# ## Where to go on
#
# `minigrad/weights/unpickle.py` is the machine, `vocabulary.py` beside it the table of names,
# `torch_stream.py` and `torch_tar.py` the two older forms of `.pth`. With a real file,
# `python -m experiments classify photo.jpg --weights resnet50-11ad3fa6.pth` puts it to work.
