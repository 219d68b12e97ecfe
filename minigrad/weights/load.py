"""Any weights file as {name: array}: which form it is, which of its entries are the weights."""

import logging
import mmap
import os
import re
import stat
from collections import Counter
from collections.abc import Mapping
from hashlib import sha256

import numpy as np

from minigrad.weights.entries import table_of
from minigrad.weights.errors import WeightsError, demand
from minigrad.weights.formats.diagnosis import diagnosis
from minigrad.weights.formats.safetensors import read_safetensors
from minigrad.weights.formats.torch_stream import MAGIC, read_stream
from minigrad.weights.formats.torch_tar import read_tar
from minigrad.weights.formats.torch_zip import read_zip
from minigrad.weights.prefixes import without_prefixes
from minigrad.weights.tensors import KINDS, check_sums

_log = logging.getLogger(__name__)


class Weights(dict):
    """{name: read-only array} of a file, in its order.

    `path`; `form`, how it is written; `metadata`, the texts of a safetensors file; `notes`, lines
    on what was done to arrive at these names and arrays.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], path: str, form: str,
                 metadata: dict[str, str], notes: list[str]) -> None:
        super().__init__(arrays)
        self.path, self.form, self.metadata, self.notes = path, form, metadata, notes

    def __repr__(self) -> str:
        numbers = sum(array.size for array in self.values())
        return "; ".join([f"{self.path}: {self.form}, tensors: {len(self)}, numbers: {numbers:,}",
                          *self.notes])


def load(path: str | os.PathLike, verify: bool = True, *, entry: str | None = None,
         strip_prefix: bool | str = True) -> Weights:
    """The weights in a file of torch.save (zip, stream or tar) or safetensors, read without torch.

    The first bytes tell which kind of file it is. Nothing in it is executed. Wherever NumPy can use
    the bytes in place, the arrays are the file itself, mapped into memory: they are read-only, and
    tensors that share memory in the file share it here. While they are in use, the file must not be
    changed or cut off; to replace it, as `save` does, is safe. Half, bfloat16 and 8-bit floats
    become float32.

    In a checkpoint, the weights are the table "state_dict", "model" or "model_state_dict",
    whichever of the three has the most tensors. `entry` names another one: "net", "net.ema" for a
    table in a table, "0" for the first of a list, "" for the whole. In a list of tensors, their
    positions are their names; a single tensor is called "tensor". Everything beside the weights,
    such as an optimizer's state or settings, is left out.

    `strip_prefix`: True removes what wrappers put before names: "module." and "_orig_mod." from
    each name that has it, "model." if all have it, unless `save` wrote the file. False removes
    nothing. A text is removed from each name that begins with it. The `notes` of the result list
    this and all else that was done.

    `verify=False` skips the checks of torch's files: the CRC-32 of each member of a zip; and for a
    stream or tar, which have no checksums, the SHA-256 whose first digits may end the file's name,
    as in resnet-5c106cde.pth. The checksums of files that `save` wrote are always checked.

    Raises WeightsError for a file that is damaged, hostile, or of another kind, and, with a list of
    its entries, for one that does not say which of them are the weights; OSError if it cannot be
    opened; TypeError for an entry or a prefix that is no text.
    """
    path = os.fsdecode(path)
    if not isinstance(entry, str | None) or not isinstance(strip_prefix, bool | str):
        raise TypeError("load: entry is a text, and strip_prefix True, False or a text; got "
                        f"{entry!r} and {strip_prefix!r}")
    try:
        data = map_file(path)
        form, content, metadata, own = read(path, data, verify)
        views, notes = table_of(content, entry)
        if strip_prefix and (strip_prefix is not True or not own):
            names, more = without_prefixes(views, strip_prefix)
            views, notes = {names[name]: view for name, view in views.items()}, notes + more
        widened = Counter(view.kind for view in views.values() if KINDS[view.kind].widen)
        notes += [f"widened from {kind} to float32: {count}" for kind, count in widened.items()]
        check_sums({id(view.storage.root): view.storage.root for view in views.values()}.values())
        arrays = {name: view.array() for name, view in views.items()}
    except WeightsError as error:
        raise WeightsError(f"{path if path.isprintable() else ascii(path)}: {error}") from None
    weights = Weights(arrays, path, form, metadata, notes)
    _log.info("%r", weights)
    return weights


def map_file(path: str) -> memoryview:
    """The bytes of a file, each read from disk when it is first looked at."""
    demand(stat.S_ISREG(os.stat(path).st_mode), "not a regular file")   # a pipe would be waited for
    with open(path, "rb") as file:
        demand(os.fstat(file.fileno()).st_size, "the file is empty")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def read(path: str, data: memoryview, verify: bool) -> tuple[str, object, dict[str, str], bool]:
    """(form, the object in the file, its metadata, whether `save` wrote it)."""
    if data[:4] == b"PK\3\4":
        return "torch zip", read_zip(data, verify), {}, False
    if data[:len(MAGIC)] == MAGIC:
        _check_name(path, data, verify)
        return "torch stream", read_stream(data), {}, False
    if data[257:262] == b"ustar":
        _check_name(path, data, verify)
        return "torch tar", read_tar(data), {}, False
    if data[8:9] == b"{" and not ord(" ") <= data[7] < 128:     # that would be a text
        return "safetensors", *read_safetensors(data)
    if what := diagnosis(data):
        raise WeightsError(f"no weights file but {what}")
    raise WeightsError("neither a file of torch.save nor safetensors")


def _check_name(path: str, data: memoryview, verify: bool) -> None:
    """Hold the SHA-256 against the digits that the name ends in: 8 or more, and not a date's."""
    digits = re.search(r"-(?=\d*[a-f])([0-9a-f]{8,64})\.\w+$", os.path.basename(path))
    if verify and digits and not sha256(data).hexdigest().startswith(digits[1]):
        raise WeightsError(f"its SHA-256 does not begin with {digits[1]} as its name says: "
                           "damaged, or renamed (then pass verify=False)")
