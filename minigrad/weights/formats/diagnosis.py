"""What a file is that is no weights file of ours: told by its first bytes, to say what to do."""

from minigrad.weights.formats.torch_stream import MAGIC

_KNOWN = {
    b"\x1f\x8b": "a gzip file: unpack it first", b"BZh": "a bzip2 file: unpack it first",
    b"\xfd7zXZ\0": "an xz file: unpack it first", b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"\x28\xb5\x2f\xfd": "a zstd file: unpack it first", b"Rar!": "a rar archive: unpack it first",
    b"\x89HDF": "an HDF5 file (Keras)", b"\x93NUMPY": "a single NumPy array",
    b"PK\5\6": "an empty zip archive", b"GGUF": "a GGUF file (llama.cpp)",
    b"MATLAB": "a file of MATLAB", b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture",
    b"version https://git-lfs": "a Git LFS pointer to the file (git lfs pull fetches it)",
    b"L%d" % 0x1950a86a20f9469cfc6c: "torch.save's stream of pickle protocol 0 or 1, not of "
                                     "protocol 2: save it again without pickle_protocol",
    b"/annex/objects/": "a git-annex pointer to the file (git annex get fetches it)",
    b"<": "a web page, perhaps the answer to a failed download"}
# Numbers in protobuf: which version of the format, then which field comes next.
_ONNX = tuple(bytes([8, version, field]) for version in range(3, 32) for field in (0x12, 0x3a))


def diagnosis(data: memoryview) -> str | None:
    """"a gzip file: unpack it first", for what `data` begin with; None if that is unknown."""
    start = bytes(data[:256])
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    for known, what in _KNOWN.items():
        if start.startswith(known) or text.startswith(known):
            return what
    if start.startswith(b"\x80"):
        return _pickle(start)
    if start[4:8] == b"TFL3":
        return "a model of TensorFlow Lite"
    if start.startswith(b"\x08\x01\x12"):
        return "a SavedModel of TensorFlow"
    if start.startswith(_ONNX):
        return "an ONNX model"
    if text.startswith((b"{", b"[")):
        whole = bytes(data[:1 << 20])
        if b'"weight_map"' in whole:
            return ("the index of a safetensors file that was split up: load the .safetensors "
                    "files that it names")
        return "a text in JSON"
    return None


def _pickle(start: bytes) -> str:
    if MAGIC.startswith(start):
        return "the beginning of a file of torch.save, which is cut off"
    if MAGIC[2:] in start[:32]:             # the same number, pickled otherwise
        return (f"torch.save's stream of bare pickles, of protocol {start[1]}, not of protocol 2, "
                "which it writes unless it is given another pickle_protocol: save it again without")
    return "a bare pickle, not written by torch.save"
