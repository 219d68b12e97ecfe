"""Any weights file as {name: array}: which form it is, which of its entries are the weights."""

from __future__ import annotations

import logging
import mmap
import os
import re
import stat
from collections import Counter
from hashlib import sha256

from minigrad.weights.errors import WeightsError, shown
from minigrad.weights.kinds import KINDS
from minigrad.weights.safetensors import read_safetensors
from minigrad.weights.tensors import TensorView, check_sums
from minigrad.weights.torch_stream import MAGIC, read_stream
from minigrad.weights.torch_tar import read_tar
from minigrad.weights.torch_zip import read_zip
from minigrad.weights.vocabulary import Parameter

WRAPPERS = ("state_dict", "model", "model_state_dict")      # entries that hold the weights
PREFIXES = ("module.", "model.")                            # of DataParallel, of wrapping modules
_OTHERS = {b"\x1f\x8b": "a gzip file: unpack it first", b"\x89HDF": "an HDF5 file (Keras)",
           b"\x93NUMPY": "a single NumPy array",
           b"\x80": "a bare pickle, not written by torch.save",
           b"version https://git-lfs": "a Git LFS pointer to the file (git lfs pull fetches it)",
           b"<": "a web page, perhaps the answer to a failed download"}
_log = logging.getLogger(__name__)


class Weights(dict):
    """{name: read-only array} of a file, in its order.

    `path`; `form`, how it is written; `metadata`, the texts of a safetensors file; `notes`, lines
    on what was done to arrive at these names and arrays.
    """

    def __init__(self, arrays, path, form, metadata, notes):
        super().__init__(arrays)
        self.path, self.form, self.metadata, self.notes = path, form, metadata, notes

    def __repr__(self):
        numbers = sum(array.size for array in self.values())
        return "; ".join([f"{self.path}: {self.form}, tensors: {len(self)}, numbers: {numbers:,}",
                          *self.notes])


def load(path: str | os.PathLike, verify: bool = True) -> Weights:
    """The weights in a file of torch.save (zip, stream or tar) or safetensors, read without torch.

    What the file is, its first bytes tell. Nothing in it is executed. The arrays are the file
    itself, mapped into memory, wherever NumPy can use its bytes in place: they are read-only,
    tensors that share memory in the file share it here, and the file must not be changed or cut off
    (replaced it may be, also by `save`) while they are in use. Half, bfloat16 and 8-bit floats
    become float32.

    Of a checkpoint {"state_dict": ...} (or "model", "model_state_dict") those weights are taken; a
    prefix "module." or "model." that all names have is removed, unless `save` wrote the file. This
    and all else that was done stands in `notes` of the result.

    `verify=False` leaves out the checks of files from torch: the CRC-32 of a zip's members, and of
    a stream or tar, which have no checksums, the SHA-256 that its name may end in, as
    resnet-5c106cde.pth. The checksums of files that `save` wrote are always checked.

    Raises WeightsError for a file that is damaged, hostile, or none of these; OSError if it cannot
    be opened.
    """
    path = os.fsdecode(path)
    try:
        data = _mapped(path)
        form, content, metadata, own = _read(path, data, verify)
        views, notes = _weights_in(content, own)
        check_sums({id(view.storage.root): view.storage.root for view in views.values()}.values())
        arrays = {name: view.array() for name, view in views.items()}
    except WeightsError as error:
        raise WeightsError(f"{path if path.isprintable() else ascii(path)}: {error}") from None
    weights = Weights(arrays, path, form, metadata, notes)
    _log.info("%r", weights)
    return weights


def _mapped(path):
    """The bytes of a file, each read from disk when it is first looked at."""
    if not stat.S_ISREG(os.stat(path).st_mode):     # a pipe would be waited for
        raise WeightsError("not a regular file")
    with open(path, "rb") as file:
        if not os.fstat(file.fileno()).st_size:
            raise WeightsError("the file is empty")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _read(path, data, verify):
    """(form, the object in the file, its metadata, whether `save` wrote it)."""
    if data[:4] == b"PK\3\4":
        return "torch zip", read_zip(data, verify), {}, False
    if data[:len(MAGIC)] == MAGIC:
        _check_name(path, data, verify)
        return "torch stream", read_stream(data), {}, False
    if data[257:262] == b"ustar":
        _check_name(path, data, verify)
        return "torch tar", read_tar(data), {}, False
    if data[8:9] == b"{":
        return "safetensors", *read_safetensors(data)
    for start, what in _OTHERS.items():
        if data[:len(start)] == start:
            raise WeightsError(f"no weights file but {what}")
    raise WeightsError("neither a file of torch.save nor safetensors")


def _check_name(path, data, verify):
    """Hold the SHA-256 against the digits that the name ends in: 8 or more, and not a date's."""
    digits = re.search(r"-(?=\d*[a-f])([0-9a-f]{8,64})\.\w+$", os.path.basename(path))
    if verify and digits and not sha256(data).hexdigest().startswith(digits[1]):
        raise WeightsError(f"its SHA-256 does not begin with {digits[1]} as its name says: "
                           "damaged, or renamed (then pass verify=False)")


def _weights_in(content, own):
    """({name: TensorView}, notes): the entries of the object that are the weights."""
    notes = []
    if not isinstance(content, dict):
        raise WeightsError("it holds no table of named tensors")
    wrapper = next((key for key in WRAPPERS if isinstance(content.get(key), dict)), None)
    if wrapper:
        others = _listed([key for key in content if key != wrapper])
        notes.append(f"taken from {wrapper!r}" + (f", beside it: {others}" if others else ""))
        content = content[wrapper]
    views = {name: value.data if isinstance(value, Parameter) else value
             for name, value in content.items()}
    others = [name for name, view in views.items()
              if not isinstance(name, str) or not isinstance(view, TensorView)]
    for name in others:
        del views[name]
    if others and not views:
        raise WeightsError(f"it holds no named tensors, only {_listed(others)}")
    if others:
        notes.append(f"left out, no tensors: {_listed(others)}")
    for prefix in PREFIXES if not own else ():
        if views and all(name.startswith(prefix) for name in views):
            views = {name.removeprefix(prefix): view for name, view in views.items()}
            notes.append(f"prefix {prefix!r} removed")
    widened = Counter(view.kind for view in views.values() if KINDS[view.kind].widen)
    notes += [f"widened from {kind} to float32: {count}" for kind, count in widened.items()]
    return views, notes


def _listed(names):
    """Up to five names, quoted."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(shown(str(name)) for name in names[:5]) + more
