"""Fine-tuning: which parameters are trained, and which of them how fast.

    freeze(model, except_names=["fc"])                              # only the last layer learns
    optimizer = SGD(param_groups(model, {"fc": 1e-2, "": 1e-3}))    # or: all, the last one faster

A name stands for the parameter or module of this dotted name and all inside of it, "" for all.
"""

from collections.abc import Iterable, Mapping

from minigrad.nn import Module, Parameter


def freeze(model: Module, except_names: Iterable[str] = ()) -> list[str]:
    """Switch gradients off for all parameters but those of `except_names`; returns what is frozen.

    As in torch, batch normalisation in a frozen part goes on updating its running statistics.
    Frozen parts below the first trained layer cost no backward pass. Raises ValueError for a name
    that the model does not have.
    """
    keep = _parameters_of(model, except_names)
    for name, p in model.named_parameters():
        p.requires_grad = name in keep
        if name not in keep:
            p.grad = None
    return frozen_names(model)


def unfreeze(model: Module, names: Iterable[str] = ("",)) -> list[str]:
    """Switch gradients on for the parameters of `names` (default: all); returns their full names.

    Raises ValueError for a name that the model does not have.
    """
    selection = _parameters_of(model, names)
    for p in selection.values():
        p.requires_grad = True
    return list(selection)


def frozen_names(model: Module) -> list[str]:
    """The full names of the parameters that are not trained, in their order."""
    return [name for name, p in model.named_parameters() if not p.requires_grad]


def param_groups(model: Module, rates: Mapping[str, float]) -> list[dict]:
    """Groups for an optimizer, one per entry of {name: learning rate}, in their order.

    A parameter goes to the longest name that stands for it; frozen ones to none. Raises ValueError
    for a name that stands for nothing that is trained, and for a parameter without a group.
    """
    groups: dict[str, list[Parameter]] = {name: [] for name in rates}
    for full, p in model.named_parameters():
        if p.requires_grad:
            owners = [name for name in rates if _stands_for(name, full)]
            if not owners:
                raise ValueError(f"param_groups: no learning rate for {full!r}; add it, an entry "
                                 "'' for all others, or freeze it")
            groups[max(owners, key=len)].append(p)
    for name, params in groups.items():
        if not params:
            raise ValueError(f"param_groups: nothing that is trained belongs to {name!r}")
    return [{"params": params, "lr": rates[name]} for name, params in groups.items()]


def _parameters_of(model: Module, names: Iterable[str]) -> dict[str, Parameter]:
    """{full name: Parameter} of all that `names` stand for."""
    if isinstance(names, str):
        raise TypeError(f"names: pass a list of names, such as [{names!r}], not a text")
    params = dict(model.named_parameters())
    selection: dict[str, Parameter] = {}
    for name in names:
        part = {full: p for full, p in params.items() if _stands_for(name, full)}
        if not part:
            raise ValueError(f"{type(model).__name__} has no parameters {name!r}; its first ones "
                             f"are {', '.join(list(params)[:3])}")
        selection |= part
    return selection


def _stands_for(name: str, full: str) -> bool:
    return name in ("", full) or full.startswith(f"{name}.")
