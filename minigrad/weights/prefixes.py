"""What wrappers put before the names of weights, and how it is taken away again."""

from collections import Counter
from collections.abc import Iterable

from minigrad.weights.errors import demand, quote

COMPILED = "_orig_mod."         # torch.compile; anywhere in a name, for it may wrap a part
PARALLEL = "module."            # DataParallel, DistributedDataParallel
WRAPPED = "model."              # of a module that holds the network, as in Lightning


def without_prefixes(names: Iterable[str], strip: bool | str) -> tuple[dict[str, str], list[str]]:
    """({name: new name}, notes). `strip`: True, what is known to be of wrappers; False, nothing;
    or the text itself that is to be removed from every name that begins with it.

    `COMPILED` and `PARALLEL` are removed from each name that has them; `WRAPPED` only if all have
    it, for it may also be the name of one part among others. If two names would become the same,
    none loses that prefix. WeightsError if no name begins with the text that is given.
    """
    renamed, notes = {name: name for name in names}, []
    if isinstance(strip, str):
        demand(not strip or any(_strip(name, strip) for name in renamed), f"none of its names "
               f"begins with {quote(strip)}; they are {', '.join(map(quote, list(renamed)[:3]))}, "
               "...")
        prefixes = [strip] if strip else []
    else:
        prefixes = [COMPILED, PARALLEL, WRAPPED] if strip else []
    removed: Counter[str] = Counter()
    for prefix in 2 * prefixes if strip is True else prefixes:      # in either order
        new = {name: _strip(current, prefix) or current for name, current in renamed.items()}
        count = sum(new[name] != current for name, current in renamed.items())
        if not count or prefix == WRAPPED and strip is True and count < len(new):
            continue
        if len(set(new.values())) < len(new):
            note = f"prefix {prefix!r} kept: without it two names would be the same"
            notes += [note] if note not in notes else []
            continue
        renamed = new
        removed[prefix] = max(removed[prefix], count)
    for prefix, count in removed.items():
        some = f" from {count} of {len(renamed)} names" if count < len(renamed) else ""
        notes.append(f"prefix {prefix!r} removed{some}")
    return renamed, notes


def _strip(name: str, prefix: str) -> str:
    """The name without the prefix, as often as it is there; "" if it is not, or nothing else."""
    if prefix == COMPILED:
        shorter = ".".join(part for part in name.split(".") if f"{part}." != COMPILED)
    else:
        shorter = name
        while shorter.startswith(prefix):
            shorter = shorter.removeprefix(prefix)
    return "" if shorter == name else shorter
