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
nothing, but looks into a table of stand-ins, the vocabulary; what stands there is inert, or a
`Call` to a function of ours. (A list of bad names to avoid would always lack one.)
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

from minigrad.weights.errors import WeightsError, shown

MAX_BYTES = 1 << 24         # ResNet-152 takes 60 000
MAX_STEPS = 500_000         # ResNet-152 takes 20 000
MAX_NAME = 128              # characters of a module's name, and of a name in it


class Call(NamedTuple):
    """A stand-in that a program may call with a tuple; `function` returns None if it should not."""

    function: Callable[[tuple], object]


class Buildable:
    """Base of the stand-ins with a method `build(state)`, to which a program may hand a state."""


def unpickle(data: memoryview, start: int, vocabulary: Mapping[tuple[str, str], object],
             persistent: Callable[[object], object]) -> tuple[object, int]:
    """(What the program at `data[start:]` results in, where the bytes after it begin).

    `vocabulary`: what GLOBAL may push, by (module, name). `persistent(id)`: what BINPERSID pushes.
    """
    machine = Machine(data[start:start + MAX_BYTES], vocabulary, persistent)
    return machine.run(), start + machine.position


class Machine:
    """One run. MARK puts the stack away and begins a new one, which is later taken as a whole."""

    def __init__(self, program, vocabulary, persistent):
        self.program, self.position = program, 0
        self.vocabulary, self.persistent = vocabulary, persistent
        self.stack, self.below, self.memo = [], [], {}

    def run(self):
        if bytes(self.take(2)) != b"\x80\x02":                                  # PROTO 2
            self.refuse("it is not of protocol 2, which torch writes")
        for _ in range(MAX_STEPS):
            code = self.byte()
            if code == ord("."):                                                # STOP
                if len(self.stack) != 1 or self.below:
                    self.refuse("it does not leave one result on the stack")
                return self.stack[0]
            if code not in INSTRUCTIONS:
                self.refuse(f"instruction 0x{code:02x} is none of those that torch writes")
            INSTRUCTIONS[code](self)
        self.refuse(f"it takes more than {MAX_STEPS:,} steps")

    def refuse(self, reason):
        raise WeightsError(f"byte {self.position} of a pickle: {reason}")

    def take(self, count) -> memoryview:
        if count > len(self.program) - self.position:
            self.refuse(f"it is cut off, or longer than {MAX_BYTES:,} bytes")
        self.position += count
        return self.program[self.position - count:self.position]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self, layout):
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def text(self, count, encoding) -> str:
        try:
            return str(self.take(count), encoding)
        except UnicodeDecodeError:
            return self.refuse(f"a text is not {encoding}")

    def name(self) -> str:
        ahead = bytes(self.program[self.position:self.position + MAX_NAME + 1])
        if b"\n" not in ahead:
            self.refuse(f"a name is longer than {MAX_NAME} characters")
        return self.text(ahead.index(b"\n") + 1, "ascii")[:-1]

    def push(self, value):
        self.stack.append(value)

    def top(self, kind=object):
        if not self.stack or not isinstance(self.stack[-1], kind):
            self.refuse(f"it needs a {kind.__name__} on the stack")
        return self.stack[-1]

    def pop(self, kind=object):
        self.top(kind)
        return self.stack.pop()

    def pop_items(self, count) -> list:
        return [self.pop() for _ in range(count)][::-1]

    def pop_to_mark(self) -> list:
        if not self.below:
            self.refuse("it goes back to a mark that is not there")
        items, self.stack = self.stack, self.below.pop()
        return items

    def mark(self):
        self.below.append(self.stack)
        self.stack = []

    def extend(self, items):
        self.top(list).extend(items)

    def store(self, items):
        target = self.top(dict)
        if len(items) % 2:
            self.refuse("a key has no value")
        for key, value in zip(items[::2], items[1::2]):
            # other keys can be made to collide by the thousand, and every one then takes longer
            if type(key) is not str and not (type(key) is int and -2**63 <= key < 2**63):
                self.refuse("a key is neither text nor a 64-bit integer")
            target[key] = value

    def remember(self, index):
        self.memo[index] = self.top()

    def recall(self, index):
        if index not in self.memo:
            self.refuse(f"it recalls item {index}, which it has not stored")
        self.push(self.memo[index])

    def find_name(self):
        module, name = self.name(), self.name()
        if (module, name) not in self.vocabulary:
            self.refuse(f"it asks for {shown(f'{module}.{name}')}, which weights do not need; "
                        "nothing was run (save model.state_dict(), not the model)")
        self.push(self.vocabulary[module, name])

    def call(self):
        arguments = self.pop(tuple)
        result = self.pop(Call).function(arguments)
        if result is None:
            self.refuse("it calls a function with other arguments than torch does")
        self.push(result)

    def build(self):
        state = self.pop()
        self.top(Buildable).build(state)


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
    "U": lambda m: m.push(m.text(m.byte(), "ascii")),                           # SHORT_BINSTRING
    "(": Machine.mark,                                                          # MARK
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
    "b": Machine.build,                                                         # BUILD
    "Q": lambda m: m.push(m.persistent(m.pop())),                               # BINPERSID
}.items()}
