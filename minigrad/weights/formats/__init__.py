"""The kinds of weights files, each with a reader of its own; none of them needs or runs torch.

    torch_zip       what torch.save writes since torch 1.6; its zip is taken apart in archive.py
    torch_stream    what it wrote before
    torch_tar       what it wrote before torch 0.1.12
    safetensors     which minigrad writes, too, with checksums
    diagnosis       what a file of any other kind is, and what to do about it

The pickles in the first three are read by the machine in weights/unpickle.py.
"""
