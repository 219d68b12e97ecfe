"""Files that want to harm whoever loads them: every one must be refused, and nothing of it be run.

`cases(marker)` yields (name, bytes, words that the refusal must contain). The payloads create the
file `marker`, or would if they were run. The categories are those of known attacks on model files:
see the advisories of picklescan, CVE-2025-32434, CVE-2026-24747, and the attacks folder of
safetensors. This module has the pickles; the containers' tricks are in `hostile_containers`.
"""

import struct

from tests.weights.weights_files import (FACTS, MAGIC, ORDERED_DICT, call, code, name, program,
                                         reference, storage, storage_class, tar_file, tar_member,
                                         tar_storage, tar_tensor, tensor, torch_stream, torch_tar,
                                         torch_zip, zip_file, zip_members)

NOT_NEEDED = "which weights do not need"
NOT_WRITTEN = "none of those that torch writes"

# Callables with which files have been, or could be, made to run code, read or write.
GLOBALS = """
    os.popen os.execv os.remove posix.system nt.system sys.exit sys.modules
    builtins.eval builtins.exec builtins.getattr builtins.__import__ builtins.compile builtins.open
    __builtin__.eval __builtin__.apply subprocess.Popen subprocess.check_output subprocess.run
    runpy.run_path runpy._run_code pty.spawn socket.create_connection shutil.rmtree
    importlib.import_module importlib.util.spec_from_file_location operator.attrgetter
    operator.methodcaller functools.partial functools.reduce types.FunctionType types.CodeType
    ctypes.CDLL webbrowser.open imaplib.IMAP4_stream logging.FileHandler io.FileIO io.open
    urllib.request.urlopen code.InteractiveInterpreter bdb.Bdb timeit.timeit cProfile.run pdb.run
    doctest.debug_script pickle.loads _pickle.loads marshal.loads copyreg._reconstructor
    copyreg.add_extension multiprocessing.util.spawnv_passfds asyncio.unix_events.run pip.main
    pydoc.pipepager lib2to3.pgen2.pgen.ParserGenerator idlelib.run.Executive
    numpy.load numpy.fromfile numpy.memmap numpy.testing._private.utils.runstring
    numpy.f2py.crackfortran.getlincoef numpy.core.multiarray._reconstruct
    numpy.core.multiarray.scalar torch.load torch.hub.load torch.jit.load
    torch.storage._load_from_bytes torch.package.PackageImporter
    torch.serialization.load torch.utils.collect_env.run torch.utils._config_module.load_config
    torch.utils.data.datapipes.utils.decoder.basichandlers torch.nn.modules.linear.Linear
    torch._utils._rebuild_device_tensor_from_numpy torch._utils._rebuild_qtensor
    torch._utils._rebuild_sparse_tensor torch._tensor._rebuild_from_type_v2 torch.QInt8Storage
    minigrad.weights.load.load minigrad.files.write_file collections.Counter __main__.main
""".split()
# Names that a careless look-up might take for allowed ones.
LOOKALIKES = {
    "dotted module": ("torch", "_utils._rebuild_tensor_v2"), "dotted name": ("torch", "os.system"),
    "attribute": ("collections", "OrderedDict.__init__"), "space": ("collections", "OrderedDict "),
    "case": ("Collections", "OrderedDict"), "empty module": ("", "OrderedDict"), "empty": ("", ""),
    "carriage return": ("collections", "OrderedDict\r"), "null": ("collections", "OrderedDict\0"),
    "dunder": ("collections", "__builtins__"), "fold": ("torch", "FloatStorage\x1b[2K"),
    "python 2 module": ("UserDict", "UserDict"), "path": ("../collections", "OrderedDict")}
END = b"."


def runs(marker: str, protocol=2) -> dict[str, bytes]:
    """Every way of a pickle of that protocol to call os.system("touch marker")."""
    command = f"touch {marker}"
    begin = b"" if protocol < 2 else b"\x80" + bytes([protocol])
    text = b"V" + command.encode() + b"\n" if protocol < 1 else code(command)
    system = b"cos\nsystem\n"
    ways = {
        "GLOBAL REDUCE": system + b"(" + text + b"tR",
        "INST": b"(" + text + b"ios\nsystem\n",
        "OBJ": b"(" + system + text + b"o",
        "NEWOBJ": system + b"(" + text + b"t\x81",
        "NEWOBJ_EX": system + b"(" + text + b"t}\x92",
        "STACK_GLOBAL": b"\x8c\x02os\x8c\x06system\x93(" + text + b"tR",
        "memoized": b"\x8c\x02os\x94\x8c\x06system\x940h\x00h\x01\x93(" + text + b"tR",
        "framed": b"\x95" + struct.pack("<Q", len(system)) + system + b"(" + text + b"tR",
        "BUILD": system + text + b"b",
        "setstate": ORDERED_DICT + b"}(" + code("__setstate__") + system + b"ub" + text + b"b",
        "EXT1": b"\x82\x01(" + text + b"tR", "EXT2": b"\x83\x01\x00(" + text + b"tR",
        "EXT4": b"\x84\x01\x00\x00\x00(" + text + b"tR",
        "PERSID": b"Pos.system\n(" + text + b"tR", "BINPERSID": b"(" + system + text + b"tQ",
        "PUT GET": system + b"p0\n0g0\n(" + text + b"tR",
        "DUP POP": system + b"20(" + text + b"tR"}
    return {way: begin + body + END for way, body in ways.items()}


def in_zip(pickle: bytes, storages=()) -> bytes:
    return zip_file(zip_members(pickle, dict(storages)))


def payloads(marker):
    """Code to be run, by every opcode of every protocol, by every dangerous name, in every form."""
    for protocol in range(6):
        for way, pickle in runs(marker, protocol).items():
            words = ("of a pickle:",) if protocol == 2 else ("not of protocol 2",)
            yield f"protocol {protocol}, {way}", in_zip(pickle), words
    for target in GLOBALS:
        module, _, attribute = target.rpartition(".")
        yield f"global {target}", torch_zip(call(name(module, attribute), f"touch {marker}")), (
            target.replace("'", "")[:40], NOT_NEEDED)
    for trick, (module, attribute) in LOOKALIKES.items():
        yield f"look-alike: {trick}", torch_zip(call(name(module, attribute))), (NOT_NEEDED,)
    yield "look-alike: unicode", torch_zip("cоs\nsystem\n".encode() + b")R"), ("not ascii",)
    yield "name of 128 characters", torch_zip(name("a" * 128, "b")), (NOT_NEEDED,)
    yield "name of 129 characters", torch_zip(name("a" * 129, "b")), ("a name is longer",)
    yield "name without end", torch_zip(b"c" + b"a" * 10**6), ("a name is longer",)

    bad = call(name("os", "system"), f"touch {marker}")
    good = {"w": tensor(storage("0", "float32", 2), 0, (2,), (1,))}
    stored = {"0": bytes(8)}
    yield "payload, then weights", torch_zip(bad + b"0" + code(good), stored), (NOT_NEEDED,)
    yield "weights, then payload", torch_zip({**good, "x": bad}, stored), (NOT_NEEDED,)
    yield "payload in hooks", torch_zip({"w": call(
        name("torch._utils", "_rebuild_parameter"), good["w"], True, bad)}, stored), (NOT_NEEDED,)
    yield "payload as key", torch_zip(b"}" + bad + b"K\x01s"), (NOT_NEEDED,)
    yield "payload as storage key", torch_zip(storage(bad, "float32", 2)), (NOT_NEEDED,)
    yield "payload, then garbage", in_zip(b"\x80\x02" + bad + b"\xff\xff"), (NOT_NEEDED,)
    yield "payload, cut off", in_zip(b"\x80\x02" + bad[:-1]), (NOT_NEEDED,)
    yield "garbage after the pickle", in_zip(program(good) + program(bad), stored), (
        "something follows",)

    for slot, stream in {
            "version": torch_stream({}, version=bad), "facts": torch_stream({}, facts=bad),
            "object": torch_stream(bad), "keys": torch_stream({}, keys=bad)}.items():
        yield f"stream: payload as {slot}", stream, (NOT_NEEDED,)
    for protocol in (0, 3, 4, 5):
        body = MAGIC + program(1001) + program(FACTS) + runs(marker, protocol)["GLOBAL REDUCE"]
        yield f"stream: protocol {protocol}", body, ("not of protocol 2",)
    yield "stream: payload as magic number", program(bad) + program(1001), ("bare pickle",)
    yield "stream: module", torch_stream(reference(("module", bad, "f.py", "source"))), (
        NOT_NEEDED,)
    yield "stream: module by name", torch_stream(reference(("module", "Net", "f.py", "source"))), (
        "no storage",)
    tar = [tar_storage(0, "float32", bytes(8), 2)], [tar_tensor(0, 0, "float32", 0, (2,), (1,))]
    for slot, file in {
            "object": torch_tar(bad), "count of storages": torch_tar({}, *tar, counts=(bad, 1)),
            "count of tensors": torch_tar({}, *tar, counts=(1, bad)),
            "storage": torch_tar({}, [program(bad)], []),
            "parts": torch_tar({}, *tar, parts=[bad]),
            "tensor": torch_tar({}, tar[0], [program((0, 0, bad))]),
            "reference": torch_tar({"w": reference(bad)}, *tar)}.items():
        yield f"tar: payload as {slot}", file, (NOT_NEEDED,)
    for protocol in (0, 3, 4, 5):
        yield f"tar: protocol {protocol}", tar_file(
            tar_member("pickle", runs(marker, protocol)["GLOBAL REDUCE"])
            + tar_member("storages", program(0) + program([]))
            + tar_member("tensors", program(0))), ("not of protocol 2",)


def misuses():
    """Instructions applied to what they are not for: (what, value, words)."""
    numbers = storage("0", "float32", 2)
    view = tensor(numbers, 0, (2,), (1,))
    kind = storage_class("float32")
    function = name("torch._utils", "_rebuild_tensor_v2")
    targets = {"a list": b"]", "a tuple": b")", "a text": code("t"), "None": b"N",
               "a storage": numbers, "a tensor": view, "a class": kind, "a function": function,
               "a Parameter": name("torch.nn.parameter", "Parameter") + b")\x81"}
    for what, target in targets.items():
        yield f"SETITEM on {what}", target + code("k") + b"K\x01s", ("needs a dict",)
        yield f"SETITEMS on {what}", target + b"(" + code("k") + b"K\x01u", ("needs a dict",)
    for what, target in {**targets, "a dict": b"}", "an OrderedDict": ORDERED_DICT}.items():
        if what != "a list":
            yield f"APPEND on {what}", target + b"K\x01a", ("needs a list",)
            yield f"APPENDS on {what}", target + b"(K\x01e", ("needs a list",)
        if what != "a function":
            yield f"REDUCE on {what}", target + b")R", ("needs a Call",)
        if what not in ("an OrderedDict", "a Parameter"):
            yield f"BUILD on {what}", target + b"}b", ("needs a Buildable",)
    for what, (value, words) in {
            "SETITEMS with an odd key": (b"}(" + code("k") + b"u", "no value"),
            "a tuple as key": (b"})K\x01s", "a key is neither"),
            "a list as key": (b"}]K\x01s", "a key is neither"),
            "a float as key": (b"}" + code(1.0) + b"K\x01s", "a key is neither"),
            "a truth value as key": (b"}\x88K\x01s", "a key is neither"),
            "a long integer as key": (b"}" + code(2**63) + b"K\x01s", "a key is neither"),
            "colliding keys": (b"}(" + b"".join(code(i * (2**61 - 1)) + b"N" for i in range(9**4))
                               + b"u", "a key is neither"),
            "a Parameter with a list": (targets["a Parameter"] + code([view]) + b"b",
                                        "a Parameter has no data"),
            "a Parameter of a number": (targets["a Parameter"] + code((1,)) + b"b",
                                        "a Parameter has no data"),
            "a wrong Parameter": (targets["a Parameter"] + b")b", "a Parameter has no data"),
            "Parameter with arguments": (name("torch.nn.parameter", "Parameter") + b"N\x85\x81",
                                         "other arguments"),
            "OrderedDict of text": (name("collections", "OrderedDict") + code(("ab",)) + b"R",
                                    "other arguments"),
            "OrderedDict of lists": (name("collections", "OrderedDict") + code(([[[], 1]],)) + b"R",
                                     "other arguments"),
            "OrderedDict of tuples": (name("collections", "OrderedDict") + code(([("k", 1)],))
                                      + b"R", "other arguments"),
            "OrderedDict of triples": (name("collections", "OrderedDict")
                                       + code(([["k", 1, 2]],)) + b"R", "other arguments"),
            "rebuild of nothing": (function + b")R", "other arguments"),
            "rebuild of a number": (call(function, 1, 0, (2,), (1,), False, {}), "other arguments"),
            "rebuild with signs": (call(function, numbers, 0, (2,), (1,), False, {}, {"conj": 1}),
                                   "other arguments"),
            "rebuild with other signs": (call(function, numbers, 0, (2,), (1,), False, {},
                                              {"sign": True}), "other arguments"),
            "rebuild with signs of integers": (call(function, storage("0", "int32", 2), 0, (2,),
                                                    (1,), False, {}, {"neg": True}),
                                               "other arguments"),
            "rebuild of a number with signs": (call(function, 1, 0, (2,), (1,), False, {}, {}),
                                               "other arguments"),
            "rebuild with signs twice": (call(function, numbers, 0, (2,), (1,), False, {}, {}, {}),
                                         "other arguments"),
            "parameter of a number": (call(name("torch._utils", "_rebuild_parameter"), 1, True, {}),
                                      "other arguments"),
            "pop of nothing": (b"\x85", "needs an object"), "tuple without mark": (b"t", "a mark"),
            "items without mark": (b"}u", "a mark"), "two results": (b"NN", "one result"),
            "an open mark": (b"(N", "one result"), "no result": (b"", "one result"),
            "store of nothing": (b"q\x00", "needs an object"),
            "recall of nothing": (b"h\x07", "recalls item 7"),
            "a reference to nothing": (reference(1), "no storage"),
            "a reference to a list": (reference(["storage"]), "no storage"),
            "text that is no UTF-8": (b"X\x01\x00\x00\x00\xff", "not utf-8"),
            "old text that is no ASCII": (b"U\x01\xff", "not ascii"),
            "a weights table of numbers": ({"w": 1}, "no named tensors"),
            "a table in itself": (b"}q\x00" + code("model") + b"h\x00s", "no named tensors"),
            "a Parameter without data": ({"w": targets["a Parameter"]}, "no named tensors"),
    }.items():
        yield what, value, (words,)


def inert():
    """Files with honest weights, and beside them what would harm if it were made: (what, bytes).

    The weights are {"w": [0, 0]} in "state_dict".
    """
    def beside(value):
        table = b"}(" + code("w") + tensor(storage("0", "float32", 2), 0, (2,), (1,)) + b"u"
        return torch_zip(b"}(" + code("x") + value + code("state_dict") + table + b"u",
                         {"0": bytes(8)})

    some = name("evil", "Class")
    many = 10**5
    for what, value in {
            **{f"call of {target}": call(name(*target.rsplit(".", 1)), "touch marker")
               for target in GLOBALS if target.split(".")[0] not in (
                   "os posix nt sys subprocess pty runpy shutil socket ctypes importlib".split())},
            "object with a state": some + b")\x81" + code({"__reduce__": "x"}) + b"b",
            "object of Python 2": b"(" + some + code("x") + b"o",
            "list of a class": some + b"(" + b"N" * many + b"e",
            "table of a class": some + b"(" + b"NN" * many + b"u",
            "call a hundred thousand times": some + b")R" * many,
            "a state a hundred thousand times": some + b"Nb" * many,
            "itself as argument": some + b"q\0h\0\x85R",
            "odd keys": b"}(" + (b")N" * many) + b"u",
            "keys that collide": b"}(" + b"".join(code(i * (2**61 - 1)) + b"N"
                                                  for i in range(5, 9**5)) + b"u",
            "a long key a hundred thousand times": b"](" + code("k" * 10**6) + b"q\0"
                                                   + b"}h\0Ns" * many + b"e",
            "a table in itself": b"}q\0" + code("model") + b"h\0s",
            "a table a hundred thousand times": b"](}(" + b"".join(
                code(str(i)) + b"N" for i in range(1000)) + b"uq\0" + b"h\0" * many + b"e",
            "bytes as text": b"U\2\xff\xfe", "long bytes": b"T\0\0\1\0" + b"\xff" * 2**16,
            "digits": b"I" + b"9" * 19 + b"\n", "marks": b"N" + b"(N1" * 1000,
            "sparse tensor": call(name("torch._utils", "_rebuild_sparse_tensor"), 1)}.items():
        yield f"beside weights: {what}", beside(value)


def numbers():
    """Tensors that are not inside their storage, storages that are not what they say."""
    def view(offset, size, stride, count=16):
        return {"w": tensor(storage("0", "float32", count), offset, size, stride)}

    stored = {"0": bytes(64)}
    for what, (value, words) in {
            "negative offset": (view(-1, (2,), (1,)), "negative"),
            "negative stride": (view(15, (2,), (-1,)), "negative"),
            "negative size": (view(0, (-2,), (1,)), "negative"),
            "two negative sizes": (view(0, (-2, -8), (8, 1)), "negative"),
            "long offset": (view(2**63, (2,), (1,)), "negative or no integer"),
            "float size": (view(0, (2.0,), (1,)), "no integer"),
            "truth value as size": (view(0, (True,), (1,)), "no integer"),
            "nested size": (view(0, ((2,),), (1,)), "no integer"),
            "no size": (view(0, None, (1,)), "other arguments"),
            "size as list": (view(0, [2], (1,)), "other arguments"),
            "past the end": (view(0, (17,), (1,)), "past the end"),
            "past the end by offset": (view(15, (2,), (1,)), "past the end"),
            "offset at the end": (view(16, (), ()), "past the end"),
            "past the end by stride": (view(0, (2, 2), (15, 1)), "past the end"),
            "far past the end": (view(0, (2**62,), (1,)), "past the end"),
            "product past 64 bits": (view(0, (2**32, 2**32), (2**32, 1)), "past the end"),
            "stride past 64 bits": (view(0, (2, 2), (2**62, 1)), "past the end"),
            "stride 0": (view(0, (10**6,), (0,)), "overlapping"),
            "stride 0 in front": (view(0, (10**9, 4), (0, 1)), "overlapping"),
            "equal strides": (view(0, (4, 4), (1, 1)), "overlapping"),
            "overlapping rows": (view(0, (4, 4), (3, 1)), "overlapping"),
            "missing stride": (view(0, (4, 4), (4,)), "2 sizes and 1 strides"),
            "65 dimensions": (view(0, (1,) * 65, (1,) * 65), "65 sizes"),
            "10^5 dimensions": (view(0, (1,) * 10**5, (1,) * 10**5), "100000 sizes"),
            "empty and huge": (view(0, (0, 2**62, 2**62), (1, 1, 1)), "too large"),
            "storage too short": (view(0, (2,), (1,), 17), "64 bytes instead of 68"),
            "storage too long": (view(0, (2,), (1,), 15), "64 bytes instead of 60"),
            "storage of -16": (view(0, (2,), (1,), -16), "length is negative"),
            "storage of 2^62": (view(0, (2,), (1,), 2**62), "64 bytes instead of"),
            "storage of 2^70": (view(0, (2,), (1,), 2**70), "length is negative, or no"),
            "truth value as length": ({"w": storage("0", "float32", True)}, "no integer"),
            "no such storage": ({"w": storage("7", "float32", 16)}, "not in the zip"),
            "storage outside": ({"w": storage("../0", "float32", 16)}, "not in the zip"),
            "pickle as storage": ({"w": storage("../data.pkl", "float32", 16)}, "not in the zip"),
            "two kinds": ({"v": storage("0", "float32", 16), "w": storage("0", "int32", 16)},
                          "two ways"),
            "two lengths": ({"v": storage("0", "float32", 16), "w": storage("0", "float32", 8)},
                            "two ways"),
            "key that is a number": (reference(("storage", storage_class("float32"), 0, "cpu", 16)),
                                     "no storage"),
            "truth values of 2": ({"w": tensor(storage("1", "bool", 4), 0, (4,), (1,))},
                                  "neither 0 nor 1")}.items():
        yield f"tensor: {what}", torch_zip(value, {**stored, "1": b"\2\2\2\2"}), (words,)
    raw, odd = (reference(("storage", name("torch.storage", "UntypedStorage"), key, "cpu", count))
                for key, count in (("0", 64), ("1", 5)))
    for what, (arguments, words) in {
            "unknown kind": ((raw, 0, (2,), (1,), False, {}, name("torch", "int4")), NOT_NEEDED),
            "odd number of bytes": ((odd, 0, (2,), (1,), False, {}, name("torch", "uint16")),
                                    "reads 5 bytes as uint16"),
            "kind as text": ((raw, 0, (2,), (1,), False, {}, "uint16"), "other arguments"),
            "past the end": ((raw, 0, (33,), (1,), False, {}, name("torch", "uint16")), "past the"),
            "typed storage": ((storage("0", "int16", 32), 0, (2,), (1,), False, {},
                               name("torch", "uint16")), "other arguments")}.items():
        value = {"w": call(name("torch._utils", "_rebuild_tensor_v3"), *arguments)}
        yield f"raw tensor: {what}", torch_zip(value, {**stored, "1": bytes(5)}), (words,)


def exhaustion():
    """Programs that take more memory, time or depth than a weights file has a use for."""
    many = 10**5
    view = tensor(storage("0", "float32", 2), 0, (2,), (1,))
    for what, (value, words) in {
            "nested lists": (b"]" * many + b"a" * (many - 1), "no table"),
            "nested tuples": (b")" + b"\x85" * many, "no table"),
            "nested tables": (b"}" + (code("k") + b"}") * many + b"s" * many, "no named tensors"),
            "nested tables as weights": (b"}" + (code("model") + b"}") * many + b"s" * many,
                                         "no named tensors"),
            "nested tuple as key": (b"})" + b"\x85" * many + b"K\x01s", "a key is neither"),
            "nested tuple as reference": (b")" + b"\x85" * many + b"Q", "no storage"),
            "nested tuple as arguments": (name("collections", "OrderedDict") + b")" + b"\x85" * many
                                          + b"R", "other arguments"),
            "nested tuple as size": (tensor(storage("0", "float32", 2), 0, b")" + b"\x85" * many,
                                            (1,)), "no integer"),
            "nested state": (ORDERED_DICT + b")" + b"\x85" * many + b"b" + code("k") + b"Ns",
                             "no named tensors"),
            "nested marks": (b"(" * many + b"N", "one result"),
            "a table of tensors a hundred thousand times": (
                b"](}(" + b"".join(code(str(i)) + view for i in range(1000))
                + b"uq\0" + b"h\0" * many + b"e", "and 99993 more"),
            "a long name a hundred thousand times": (
                b"](" + code("k" * 10**6) + b"q\0}" + code("w") + view + b"sq\1"
                + b"}h\0h\1s" * many + b"e", "'1' (tensors: 1)"),
            "too many marks": (b"(" * 2**19, "500,000 steps"),
            "too many tables": (b"}" * 2**19, "500,000 steps"),
            "too many lists": (b"]" * 2**19, "500,000 steps"),
            "too many ordered tables": (name("collections", "OrderedDict") + b"q\0"
                                        + b"h\0)R" * 2**18, "500,000 steps"),
            "too many notes": (b"N" + b"".join(b"r" + struct.pack("<I", i) for i in range(2**19)),
                               "500,000 steps"),
            "too many references": (b"}q\0" + b"h\0" * 2**19, "500,000 steps"),
            "a note far away, then nothing": (b"Nr\0\0\0\x03\xff", NOT_WRITTEN),
            "a long text": (code("a" * 2**24), "longer than 16,777,216"),
            "text of more than there is": (b"X\x14\0\0\0abc", "cut off"),
            "text of 2^31 bytes": (b"X\0\0\0\x80", "cut off"),
            "text of 2^32 bytes": (b"X\xff\xff\xff\xff", "cut off"),
            "integer without bytes": (b"\x8a\xff", "cut off"),
            "integer of 2^31 bytes": (b"\x8b\xff\xff\xff\x7f", NOT_WRITTEN),
            "bytes of 2^31": (b"B\xff\xff\xff\x7f", NOT_WRITTEN),
            "text of 2^63 bytes": (b"\x8d" + b"\xff" * 7 + b"\x7f", NOT_WRITTEN),
            "bytearray of 2^63": (b"\x96" + b"\xff" * 7 + b"\x7f", NOT_WRITTEN),
            "many digits": (b"I" + b"9" * many + b"\n", NOT_WRITTEN)}.items():
        yield what, value, (words,)


def cases(marker):
    yield from payloads(marker)
    yield from numbers()
    for what, value, words in (*misuses(), *exhaustion()):
        yield what, torch_zip(value, {"0": bytes(8)}), words
