"""`python -m minigrad.hints`: PyTorch's names that are there and those that are not, in Markdown.

The README has this between `<!-- names -->` and `<!-- /names -->`; a test compares them.
"""

from collections.abc import Iterable, Sequence

import minigrad
from minigrad import hints, nn, optim

# Place -> (how the page calls it, what has the names, how many of its lines the page shows)
PLACES = {
    "Tensor": ("`Tensor`", minigrad.Tensor, 6),
    "minigrad": ("`minigrad`, for `torch`", minigrad, 8),
    "minigrad.nn": ("`nn`", nn, 2),
    "minigrad.nn.functional": ("`nn.functional`", nn.functional, 2),
    "minigrad.nn.init": ("`nn.init`", nn.init, 0),
    "Module": ("`nn.Module`", nn.Module, 2),
    "minigrad.optim": ("`optim`", optim, 0),
    "minigrad.optim.lr_scheduler": ("`optim.lr_scheduler`", optim.lr_scheduler, 0),
}


def public_names(place: str) -> list[str]:
    """What a user of the place can write: what it lists as public, or what is defined in it."""
    owner = PLACES[place][1]
    holders = [c for c in reversed(getattr(owner, "__mro__", [owner])) if c is not object]
    members = {name: value for holder in holders for name, value in vars(holder).items()}
    names = getattr(owner, "__all__", None) or [
        name for name, value in members.items()
        if isinstance(owner, type) and not isinstance(value, hints.Missing)
        or getattr(value, "__module__", "").startswith("minigrad.")
        and (place == "minigrad" or value.__module__ == place)]
    return sorted(name for name in names if not name.startswith("_"))


def there(place: str) -> list[str]:
    """Those of them that are PyTorch's."""
    return [name for name in public_names(place) if name not in hints.OURS.get(place, [])]


def page() -> str:
    """The Markdown: a table of names, a row for each place, and a table of lines, two in a row."""
    rows = [("", "there", "not there: the error says what to write")]
    lines = []
    for place, (title, _, shown) in PLACES.items():
        names = hints.NAMES[place]
        instead = {name: line for name, line in names.items() if line}
        nothing = [name for name, line in names.items() if not line]
        absent = [_listed(instead)] if instead else []
        absent.append(f"nothing in its place yet: {_listed(nothing)}")
        rows.append((title, _listed(there(place)), "; ".join(absent)))
        lines += [(f"`{theirs}`", f"`{ours}`") for theirs, ours in [*instead.values()][:shown]]
    pairs = [one + other for one, other in zip(lines[::2], lines[1::2])]
    return f"{_table(rows)}\n\n{_table([('PyTorch', 'here') * 2, *pairs])}"


def _listed(names: Iterable[str]) -> str:
    return f"`{' '.join(names)}`"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    head, *rest = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|---" * len(rows[0]) + "|", *rest])


if __name__ == "__main__":
    print(page())
