"""Reading a pickle without running it.

A pickle is a program for a machine with a stack and a memo. Nearly all of its instructions only
build data; these make {"b": 7}:

    }           push an empty dictionary
    X "b"       push a text
    K 7         push a number
    s           pop value and key, store them in the dictionary below
    .           stop: the result is on top of the stack

Two make it a weapon: GLOBAL (c) imports any module and pushes any name in it, REDUCE (R) pops a
tuple and a callable, and calls it. So `c os system`, `X "rm -rf ~"`, a tuple of one, `R`, `.` is a
pickle, and `pickle.load` has run it before anybody sees the result. The machine below knows the
instructions that torch.save writes, and raises WeightsError at any other. Its GLOBAL imports
nothing, but looks into a table of substitutes, the vocabulary; what stands there is inert, or a
`Callee` for a function of ours. (A list of bad names to avoid would always lack one.) For any other
name it pushes a placeholder, which cannot do anything, whatever a program does with it.
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

from minigrad.weights.errors import WeightsError, quote
from minigrad.weights.placeholders import Placeholder, odd_text, table_key

MAX_BYTES = 1 << 24         # ResNet-152 takes 60 000
MAX_STEPS = 500_000         # ResNet-152 takes 20 000
MAX_NAME = 128              # characters of a module's name, and of a name in it
MAX_DIGITS = 20             # of an integer that is written out
MAX_LINE = 1 << 16          # bytes of a text that ends with its line


class Callee(NamedTuple):
    """What a program may call with a tuple; `function` returns None for arguments that torch would
    not pass."""

    function: Callable[[tuple], object]


class Buildable:
    """Base of the substitutes with a method `build(state)`, to which a program may hand a state."""


def unpickle(data: memoryview, start: int, vocabulary: Mapping[tuple[str, str], object],
             persistent: Callable[[object], object],
             other_names: Callable[[str, str], object] | None = None) -> tuple[object, int]:
    """(What the program at `data[start:]` results in, where the bytes after it begin).

    `vocabulary`: what GLOBAL may push, by (module, name). `other_names(module, name)`: what it
    pushes for any other name; without this function other names are refused. `persistent(id)`: what
    BINPERSID pushes. Raises WeightsError for a program that torch would not write.
    """
    machine = Machine(data[start:start + MAX_BYTES], vocabulary, persistent, other_names)
    return machine.run(), start + machine.position


class Machine:
    """One run. MARK puts the stack away and begins a new one, which is later taken as a whole."""

    def __init__(self, program: memoryview, vocabulary: Mapping[tuple[str, str], object],
                 persistent: Callable[[object], object],
                 other_names: Callable[[str, str], object] | None) -> None:
        self.program, self.position = program, 0
        self.vocabulary, self.persistent, self.other_names = vocabulary, persistent, other_names
        self.stack: list = []
        self.outer_stacks: list[list] = []
        self.memo: dict[int, object] = {}

    def run(self) -> object:
        start = bytes(self.take(2))
        if start != b"\x80\x02":                                                # PROTO 2
            version = f"of protocol {start[1]}, " if start[0] == 0x80 and start[1] < 6 else ""
            self.refuse(f"it is {version}not of protocol 2, which torch.save writes unless it is "
                        "given another pickle_protocol: save it again without")
        for _ in range(MAX_STEPS):
            code = self.byte()
            if code == ord("."):                                                # STOP
                if len(self.stack) != 1 or self.outer_stacks:
                    self.refuse("it does not leave one result on the stack")
                return self.stack[0]
            if code not in INSTRUCTIONS:
                self.refuse(f"instruction 0x{code:02x} is none of those that torch writes")
            INSTRUCTIONS[code](self)
        self.refuse(f"it takes more than {MAX_STEPS:,} steps")

    def refuse(self, reason: object) -> NoReturn:
        raise WeightsError(f"byte {self.position} of a pickle: {reason}")

    def take(self, count: int) -> memoryview:
        if count > len(self.program) - self.position:
            self.refuse(f"it is cut off, or longer than {MAX_BYTES:,} bytes")
        self.position += count
        return self.program[self.position - count:self.position]

    def byte(self) -> int:
        """take(1)[0], without a memoryview: every step begins with one."""
        if self.position == len(self.program):
            self.take(1)        # which refuses
        self.position += 1
        return self.program[self.position - 1]

    def number(self, layout: str) -> Any:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def text(self, count: int, encoding: str) -> str:
        try:
            return str(self.take(count), encoding)
        except UnicodeDecodeError:
            return self.refuse(f"a text is not {encoding}")

    def old_text(self, count: int) -> str | Placeholder:
        """Of Python 2, whose texts may be any bytes."""
        data = bytes(self.take(count))
        return data.decode() if data.isascii() else odd_text("ascii")

    def line(self, longest: int, complaint: str) -> bytes:
        next_bytes = bytes(self.program[self.position:self.position + longest + 1])
        if b"\n" not in next_bytes:
            self.refuse(complaint)
        return bytes(self.take(next_bytes.index(b"\n") + 1))[:-1]

    def name(self) -> str:
        line = self.line(MAX_NAME, f"a name is longer than {MAX_NAME} characters")
        return line.decode() if line.isascii() else self.refuse("a name is not ascii")

    def decimal(self) -> int | bool:
        """Of Python 2: digits, for long numbers an L; 00 and 01 are truth values."""
        line = self.line(MAX_DIGITS + 2, "a number of so many digits is none of those that torch "
                                         "writes")
        if line in (b"00", b"01"):
            return line == b"01"
        digits = line.removesuffix(b"L")
        if not digits.removeprefix(b"-").isdigit():
            self.refuse("an integer is no number")
        return int(digits)

    def quotation(self) -> str | Placeholder:
        """A text of Python 2 as it prints it, in quotes; with escapes it is no name of a weight."""
        line = self.line(MAX_LINE, f"a text is longer than {MAX_LINE:,} bytes")
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in b"'\"":
            self.refuse("a text has no quotes")
        return odd_text("ascii") if b"\\" in line or not line.isascii() else line[1:-1].decode()

    def push(self, value: object) -> None:
        self.stack.append(value)

    def top(self, *kinds: type) -> Any:
        if not self.stack or kinds and not isinstance(self.stack[-1], kinds):
            kind = f"a {kinds[0].__name__}" if kinds else "an object"
            self.refuse(f"it needs {kind} on the stack")
        return self.stack[-1]

    def pop(self, *kinds: type) -> Any:
        self.top(*kinds)
        return self.stack.pop()

    def pop_items(self, count: int) -> list:
        if len(self.stack) < count:
            self.refuse("it needs an object on the stack")
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def pop_to_mark(self) -> list:
        if not self.outer_stacks:
            self.refuse("it goes back to a mark that is not there")
        items, self.stack = self.stack, self.outer_stacks.pop()
        return items

    def mark(self) -> None:
        self.outer_stacks.append(self.stack)
        self.stack = []

    def extend(self, items: list) -> None:
        self.top(list, Placeholder).extend(items)

    def store(self, items: list) -> None:
        target = self.top(dict, Placeholder)
        if len(items) % 2:
            self.refuse("a key has no value")
        for key, value in zip(items[::2], items[1::2]):
            target[table_key(key)] = value

    def remember(self, index: int) -> None:
        self.memo[index] = self.top()

    def recall(self, index: int) -> None:
        if index not in self.memo:
            self.refuse(f"it recalls item {index}, which it has not stored")
        self.push(self.memo[index])

    def find_name(self) -> None:
        module, name = self.name(), self.name()
        if (module, name) in self.vocabulary:
            self.push(self.vocabulary[module, name])
        elif self.other_names is None:
            self.refuse(f"it asks for {quote(f'{module}.{name}')}, which weights do not need; "
                        "nothing was run")
        else:
            try:
                self.push(self.other_names(module, name))
            except WeightsError as error:
                self.refuse(error)

    def call(self) -> None:
        arguments = self.pop(tuple)
        result = self.pop(Callee, Placeholder).function(arguments)
        if result is None:
            gap = next((a for a in arguments if isinstance(a, Placeholder)), None)
            if gap is None:
                self.refuse("it calls a function with other arguments than torch does")
            result = gap.as_tensor()
        self.push(result)

    def call_old_class(self) -> None:
        """An object of Python 2: all since the mark, the class and its arguments."""
        items = self.pop_to_mark()
        if not items or not isinstance(items[0], Placeholder):
            self.refuse("it makes an object of something that is no class")
        self.push(items[0])

    def build(self) -> None:
        state = self.pop()
        self.top(Buildable, Placeholder).build(state)


INSTRUCTIONS: dict[int, Callable[[Machine], None]] = {ord(code): do for code, do in {
    "N": lambda m: m.push(None),                                                # NONE
    "\x88": lambda m: m.push(True),                                             # NEWTRUE
    "\x89": lambda m: m.push(False),                                            # NEWFALSE
    "K": lambda m: m.push(m.byte()),                                            # BININT1
    "M": lambda m: m.push(m.number("<H")),                                      # BININT2
    "J": lambda m: m.push(m.number("<i")),                                      # BININT
    "\x8a": lambda m: m.push(int.from_bytes(m.take(m.byte()), "little", signed=True)),  # LONG1
    "G": lambda m: m.push(m.number(">d")),                                      # BINFLOAT
    "X": lambda m: m.push(m.text(m.number("<I"), "utf-8")),                     # BINUNICODE
    "U": lambda m: m.push(m.old_text(m.byte())),                                # SHORT_BINSTRING
    "T": lambda m: m.push(m.old_text(m.number("<I"))),                          # BINSTRING
    "S": lambda m: m.push(m.quotation()),                                          # STRING
    "I": lambda m: m.push(m.decimal()),                                         # INT
    "L": lambda m: m.push(m.decimal()),                                         # LONG
    "(": Machine.mark,                                                          # MARK
    "0": lambda m: m.pop(),                                                     # POP
    "1": lambda m: m.pop_to_mark(),                                             # POP_MARK
    ")": lambda m: m.push(()),                                                  # EMPTY_TUPLE
    "\x85": lambda m: m.push(tuple(m.pop_items(1))),                            # TUPLE1
    "\x86": lambda m: m.push(tuple(m.pop_items(2))),                            # TUPLE2
    "\x87": lambda m: m.push(tuple(m.pop_items(3))),                            # TUPLE3
    "t": lambda m: m.push(tuple(m.pop_to_mark())),                              # TUPLE
    "]": lambda m: m.push([]),                                                  # EMPTY_LIST
    "a": lambda m: m.extend(m.pop_items(1)),                                    # APPEND
    "e": lambda m: m.extend(m.pop_to_mark()),                                   # APPENDS
    "}": lambda m: m.push({}),                                                  # EMPTY_DICT
    "s": lambda m: m.store(m.pop_items(2)),                                     # SETITEM
    "u": lambda m: m.store(m.pop_to_mark()),                                    # SETITEMS
    "q": lambda m: m.remember(m.byte()),                                        # BINPUT
    "r": lambda m: m.remember(m.number("<I")),                                  # LONG_BINPUT
    "h": lambda m: m.recall(m.byte()),                                          # BINGET
    "j": lambda m: m.recall(m.number("<I")),                                    # LONG_BINGET
    "c": Machine.find_name,                                                     # GLOBAL
    "R": Machine.call,                                                          # REDUCE
    "\x81": Machine.call,                                                       # NEWOBJ
    "o": Machine.call_old_class,                                                # OBJ
    "b": Machine.build,                                                         # BUILD
    "Q": lambda m: m.push(m.persistent(m.pop())),                               # BINPERSID
}.items()}
