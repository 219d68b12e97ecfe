"""The members of a zip archive, as places in its bytes.

A zip file is read from its end: the last record tells where the central directory is, and that
lists the members: name, CRC-32, size, place. In front of its bytes every member is described once
more. Files in which a scanner sees something else than a reader live on contradictions between the
two, on members that overlap, and on bytes that nobody describes; so a contradiction is an error
here, and so is everything that torch.save never writes. Layout: PKWARE, APPNOTE.TXT, sections 4.3.7
to 4.5.3.
"""

import struct
from typing import NamedTuple, NoReturn

from minigrad.weights.errors import WeightsError, quote

MAX_MEMBERS = 100_000       # ResNet-152 has 930
_FLAGS = 0x0808             # those that may be set: names are UTF-8, sizes follow the bytes
_HEADER = struct.Struct("<4s5H3I2H")                # in front of a member's name and bytes
_ENTRY = struct.Struct("<4s6H3I5H2I")               # in front of its name in the directory
_END = struct.Struct("<4s4H2IH")                    # the last record
_LOCATOR = struct.Struct("<4sIQI")                  # in front of it: where a 64-bit one is
_END64 = struct.Struct("<4sQ2H2I4Q")


class Member(NamedTuple):
    """A member's bytes are `data[start:stop]`; its header begins at `header`."""

    name: str
    crc32: int
    header: int
    start: int
    stop: int
    compressed: bool


def members(data: memoryview) -> dict[str, Member]:
    """{name: Member}, in the directory's order. WeightsError for anything contradictory."""
    count, position, end = _directory(data)
    if count > MAX_MEMBERS:
        _refuse(f"it has {count:,} members, more than {MAX_MEMBERS:,}")
    by_name: dict[str, Member] = {}
    limit = position
    for _ in range(count):
        member, position = _member(data, position, end)
        if member.name in by_name:
            _refuse(f"member {quote(member.name)} is there twice")
        by_name[member.name] = member
    if position != end:
        _refuse("its directory has more members than its end counts")
    for member in sorted(by_name.values(), key=lambda m: m.header, reverse=True):
        if member.stop > limit:
            _refuse(f"member {quote(member.name)} reaches into what follows it")
        limit = member.header
    return by_name


def _refuse(reason: str) -> NoReturn:
    raise WeightsError(f"the zip archive is damaged or a trick: {reason}")


def _directory(data: memoryview) -> tuple[int, int, int]:
    """(number of members, where the directory begins, where it ends), from the last records."""
    end = len(data) - _END.size
    if end < 0 or data[end:end + 4] != b"PK\5\6":
        _refuse("its last record is not at the end of the file, which may be cut off")
    _, *disks, on_this_disk, count, size, start, comment = _END.unpack_from(data, end)
    if any(disks) or on_this_disk != count or comment:
        _refuse("it is one part of several, or has a comment")
    locator = end - _LOCATOR.size
    if locator >= _END64.size and data[locator:locator + 4] == b"PK\6\7":
        end = locator - _END64.size
        narrow = count, size, start
        mark, length, _, _, *disks, on_this_disk, count, size, start = _END64.unpack_from(data, end)
        if (_LOCATOR.unpack_from(data, locator)[1:] != (0, end, 1) or mark != b"PK\6\6"
                or length != _END64.size - 12 or any(disks) or on_this_disk != count):
            _refuse("its 64-bit end is not in its place")
        if any(n not in (wide, unknown) for n, wide, unknown in zip(
                narrow, (count, size, start), (0xffff, 0xffffffff, 0xffffffff))):
            _refuse("its two ends contradict each other")
    if start + size != end:
        _refuse("its directory is not where its end says")
    return count, start, end


def _member(data: memoryview, position: int, end: int) -> tuple[Member, int]:
    """(the member whose entry is at `position`, where the next entry is)."""
    if end - position < _ENTRY.size:
        _refuse("its directory is cut off")
    (mark, _, _, flags, method, _, _, crc32, packed, size, name_length, extra_length,
     comment_length, disk, _, _, header) = _ENTRY.unpack_from(data, position)
    name_at = position + _ENTRY.size
    extra_at = name_at + name_length
    position = extra_at + extra_length + comment_length
    if mark != b"PK\1\2" or position > end or disk:
        _refuse("an entry of its directory is broken")
    raw_name = bytes(data[name_at:extra_at])
    name = _decode_name(raw_name)
    size, packed, header = _sizes_of_64_bits([size, packed, header],
                                             data[extra_at:extra_at + extra_length])
    if flags & ~_FLAGS:
        _refuse(f"member {quote(name)} is encrypted or patched (flags 0x{flags:04x})")
    if header + _HEADER.size > end:
        _refuse(f"member {quote(name)} is not in the file")
    mark, _, flags, local_method, *_, name_length, extra_length = _HEADER.unpack_from(data, header)
    name_at = header + _HEADER.size
    start = name_at + name_length + extra_length
    if (mark != b"PK\3\4" or flags & ~_FLAGS or local_method != method
            or data[name_at:name_at + name_length] != raw_name):
        _refuse(f"member {quote(name)} is not what its directory says")
    compressed = bool(method) or packed != size
    return Member(name, crc32, header, start, start + packed, compressed), position


def _decode_name(raw_name: bytes) -> str:
    try:
        name = raw_name.decode()
    except UnicodeDecodeError:
        _refuse("a name is not UTF-8")
    if name.startswith("/") or "\\" in name or "\0" in name or ".." in name.split("/"):
        _refuse(f"the name {quote(name)} leads out of it")
    return name


def _sizes_of_64_bits(numbers: list[int], extra: memoryview) -> list[int]:
    """[size, packed size, header] with what does not fit 32 bits taken from the extra field 1."""
    values, position = extra[:0], 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        position += 4 + length
        if kind == 1:
            values = extra[position - length:position]
    missing = [i for i, number in enumerate(numbers) if number == 0xffffffff]
    if len(values) < 8 * len(missing):
        _refuse("a size is missing")
    for i, value in zip(missing, struct.unpack_from(f"<{len(missing)}Q", values)):
        numbers[i] = value
    return numbers
