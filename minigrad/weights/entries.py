"""Which part of a checkpoint is the weights: a table of tensors, a list of them, a single one.

    content, notes = table_of(content, entry=None)      # told from the names, or an error
    content, notes = table_of(content, "net.ema")       # "ema" in the table "net"
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from minigrad.weights.errors import WeightsError, quote
from minigrad.weights.placeholders import Placeholder
from minigrad.weights.tensors import TensorView
from minigrad.weights.vocabulary import Parameter

WRAPPERS = ("state_dict", "model", "model_state_dict")      # entries that hold the weights
SINGLE = "tensor"               # the name of a tensor that was saved alone
MAX_DEPTH = 8                   # of tables in tables that are looked through
_MOST = 8                       # entries that an error lists


def table_of(content: object, entry: str | None) -> tuple[dict[str, TensorView], list[str]]:
    """({name: TensorView}, notes) of the weights in what a file holds.

    entry: where they are; "a.b" is "b" in "a", "0" the first of a list, "" the whole. None: in
    whichever of `WRAPPERS` has the most tensors, and if none of them has any, at the top. If then a
    table further down has more, WeightsError lists the entries that have tensors. It also names a
    tensor among the weights that cannot be read.
    """
    table: Any = content
    path = ""
    if entry is not None:
        table, path = _find_entry(content, entry), entry
    keys = _wrapper_keys(table)
    notes = []
    for key in keys:
        others = describe_keys(table, [other for other in table if other != key])
        path = f"{path}.{key}" if path else key
        notes.append(f"taken from {path!r}" + (f", beside it: {others}" if others else ""))
        table = table[key]
    if path and not keys:
        notes.append(f"taken from {quote(path)}, as asked")
    views = tensors_in(table)
    if entry is None and not keys:
        rivals = _find_tables(table, by_name=True)
        if views and any(count > len(views) for _, count in rivals):
            raise WeightsError("which of its entries are the weights? Name one as entry=NAME: "
                               + _describe_tables(rivals))
    for name, gap in _unreadable(table):
        raise WeightsError(f"tensor {quote(str(name))} cannot be read: {gap.reason}")
    if not views and not (table is content and table == {}):
        raise _no_tensors(content, table, entry)
    if isinstance(table, TensorView | Parameter):
        return views, [*notes, f"a single tensor, here called {SINGLE!r}"]
    if type(table) in (list, tuple):
        notes.append("a list, its tensors named by their positions")
    return views, notes + _notes_on_others(table, views)


def tensors_in(table: object) -> dict[str, TensorView]:
    """{name: TensorView} of what is a tensor in a table or a list, or is one itself."""
    if isinstance(table, TensorView | Parameter):
        table = {SINGLE: table}
    items = table.items() if isinstance(table, dict) else (
        (str(i), value) for i, value in _items_of(table))
    return {name: view for name, value in items
            if type(name) is str and (view := _view(value)) is not None}


def _view(value: object) -> TensorView | None:
    """The tensor, or the one of an old Parameter; None of anything else."""
    view = value.data if isinstance(value, Parameter) else value
    return view if isinstance(view, TensorView) else None


def _is_container(value: object) -> bool:
    return isinstance(value, dict) or type(value) in (list, tuple)


def _items_of(value: Any) -> Iterable[tuple[object, object]]:
    """What a table or list holds, by key or position."""
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if _is_container(value) else ()


def _wrapper_keys(table: object) -> list[str]:
    """The keys, all of `WRAPPERS`, that lead to the table with the most tensors; [] if none do."""
    seen = set()

    def search(table: dict, depth: int) -> tuple[list[str], int]:
        seen.add(id(table))
        best, most = [], 0
        for key in WRAPPERS if depth else ():
            inner = table.get(key)
            if isinstance(inner, dict) and id(inner) not in seen:
                keys, count = search(inner, depth - 1)
                count = count or len(tensors_in(inner)) + len(_unreadable(inner))
                if count > most:
                    best, most = [key, *keys], count
        return best, most

    return search(table, MAX_DEPTH)[0] if isinstance(table, dict) else []


def _find_tables(content: object, by_name: bool = False) -> list[tuple[tuple, int]]:
    """(keys that lead there, number of tensors) of all tables and lists that have some, those with
    the most first.

    `by_name` leaves out lists, and what is under a number, as an optimizer's tensors are.
    """
    tables: list[tuple[tuple, int]] = []
    counts: dict[int, int] = {}
    waiting: list[tuple[tuple, object]] = [((), content)]
    for path, value in waiting:         # grows while it is gone through
        is_known = id(value) in counts          # in several places: looked through once
        if not is_known:
            counts[id(value)] = len(tensors_in(value))
        if counts[id(value)]:
            tables.append((path, counts[id(value)]))
        is_end = is_known or len(path) == MAX_DEPTH - 1
        for key, inner in () if is_end else _items_of(value):
            wanted = isinstance(inner, dict) if by_name else _is_container(inner)
            if wanted and type(key) in ((str,) if by_name else (str, int)):
                waiting.append(((*path, key), inner))
    return sorted(tables, key=lambda pair: -pair[1])


def _unreadable(table: object) -> list[tuple[object, Placeholder]]:
    """(name, placeholder) of each tensor in a table or list that cannot be read."""
    return [(key, value) for key, value in _items_of(table)
            if isinstance(value, Placeholder) and value.tensor]


def _find_entry(content: object, entry: str) -> object:
    """What stands at an entry, whose names may have dots themselves."""
    paths = [(content, entry)] if entry else []
    for value, rest in paths:           # grows while it is gone through
        for key, inner in _items_of(value):
            name = str(key)
            if name == rest and type(key) in (str, int):
                return inner
            if rest.startswith(name) and rest[len(name)] == "." and len(paths) < 1000:
                paths.append((inner, rest[len(name) + 1:]))
    if not entry:
        return content
    entries = _describe_tables(_find_tables(content))
    raise WeightsError(f"it has no entry {quote(entry)}; entries with tensors: {entries or 'none'}")


def _no_tensors(content: object, table: object, entry: str | None) -> WeightsError:
    """The error for a table without tensors."""
    where = "it" if entry is None else f"its entry {quote(entry)}"
    if isinstance(table, Placeholder):
        return WeightsError(f"{where}: {table.reason}" if entry else table.reason)
    entries = _describe_tables(_find_tables(content))
    advice = f"; entries with tensors, to be named as entry=NAME: {entries}" if entries else ""
    if not isinstance(table, dict):
        return WeightsError(f"{where} holds no table of named tensors{advice}")
    advice += next((f"; {key.reason}" for key in table if isinstance(key, Placeholder)), "")
    item = next((f"{quote(str(key))} is {quote(value.what)}" for key, value in table.items()
                 if isinstance(value, Placeholder) and not isinstance(key, Placeholder)), "")
    if item:
        advice += (f"; {item}, which is not made here: save a plain table of tensors, such as "
                   "model.state_dict()")
    return WeightsError(f"{where} holds no named tensors, only {describe_keys(table, list(table))}"
                        f"{advice}")


def _notes_on_others(table: Any, views: Mapping[str, TensorView]) -> list[str]:
    """Notes on what is in a table beside its tensors."""
    names = {name if isinstance(table, dict) else int(name) for name in views}
    others = {key: value for key, value in _items_of(table) if key not in names}
    holding = {key: value for key, value in others.items()
               if _view(value) is not None or tensors_in(value)}
    plain = [key for key in others if key not in holding]
    return ([f"left out, no tensors: {describe_keys(table, plain)}"] if plain else []) + (
        [f"left out: {describe_keys(table, list(holding))}"] if holding else [])


def describe_keys(table: Mapping | list, keys: list) -> str:
    """Up to five of the keys, quoted, with the number of the tensors that they lead to."""
    more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
    return ", ".join(_describe_key(key, table[key]) for key in keys[:5]) + more


def _describe_key(key: object, value: object) -> str:
    name = key.what if isinstance(key, Placeholder) else quote(str(key))
    if _view(value) is not None:
        return f"{name} (a tensor)"
    count = len(tensors_in(value))
    return f"{name} (tensors: {count})" if count else name


def _describe_tables(tables: list[tuple[tuple, int]]) -> str:
    """'net' (tensors: 4), 'ema' (tensors: 4)."""
    more = f" and {len(tables) - _MOST} more" if len(tables) > _MOST else ""
    return ", ".join(f"{quote('.'.join(map(str, keys)))} ({'' if keys else 'the whole, '}"
                     f"tensors: {count})" for keys, count in tables[:_MOST]) + more
