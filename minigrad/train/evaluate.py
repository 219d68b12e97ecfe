"""What a model can do on a data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing

from minigrad.backend import to_device
from minigrad.data import DataLoader, Dataset
from minigrad.nn import Module
from minigrad.tensor import Tensor, no_grad
from minigrad.train import guard, prefetch
from minigrad.train.metrics import Accuracy, MeanLoss, Metric, computed, fresh
from minigrad.train.precision import check, predict, products


def evaluate(model: Module, loader, metrics: Mapping[str, Callable[[], Metric]] | None = None,
             each: Callable[[int, Mapping[str, Metric]], None] | None = None,
             precision: str = "float32") -> dict:
    """{name: figure} over one epoch of `loader`, with the model in eval mode and without gradients.

    metrics: {name: class, or function that makes a Metric}; default loss (cross entropy) and
    accuracy. Every call makes new ones. `each(batches done, metrics)` is called after every batch.
    precision: as for `fit`.
    It goes over the whole of the epoch that the loader is in, wherever in it that is. Afterwards
    the loader is where it was, so another call sees the same batches, and the modes of the model's
    layers are what they were; a loop over this loader that was under way ends in its RuntimeError.
    Raises TypeError for what is no loader, ValueError for a loader without batches and for a label
    that the model has no output for, and `NonFiniteError`; the last two name samples.
    """
    check("evaluate", precision)
    check_loader("evaluate: the loader", loader)
    if not len(loader):
        raise ValueError("evaluate: the loader has no batches")
    meters = fresh({"loss": MeanLoss, "accuracy": Accuracy} if metrics is None else metrics)
    modes = [(module, module.training) for _, module in model.named_modules()]
    place = loader.state_dict()
    epoch, position = loader.epoch, None

    def names():
        return loader.batch_names(epoch, position)

    model.eval()
    loader.load_state_dict({**place, "position": 0})
    try:
        with (no_grad(), guard.quiet(), products(precision),
              closing(placed_batches(model, loader)) as batches):
            for position, x, y in batches:
                output = predict(model, x, precision)
                where = f"evaluation, batch {position + 1}"
                guard.check_labels(output, y, names, where)
                guard.check_output(model, lambda: predict(model, x, precision), x, output, names,
                                   where)
                for meter in meters.values():
                    meter.update(output, y)
                if each:
                    each(position + 1, meters)
    finally:
        loader.load_state_dict(place)
        for module, mode in modes:
            module.training = mode
    return computed(meters)


def check_loader(what: str, loader) -> None:
    """TypeError, saying what to do, for something else than a DataLoader."""
    if isinstance(loader, DataLoader):
        return
    kind = type(loader).__name__
    if isinstance(loader, Dataset):
        way = f"DataLoader(the {kind}, batch_size=32, shuffle=True) makes batches of it"
    else:
        way = "DataLoader(ArrayDataset(x, y), batch_size=32, shuffle=True) makes one of two arrays"
    raise TypeError(f"{what} must be a DataLoader, got {kind}; {way}")


def placed_batches(model: Module, loader):
    """(its number in the epoch, x, y) of each batch that is left, where and as the model has it.

    If that is on a GPU, the loader is a batch ahead, which is on its way: see `prefetch`.
    """
    with closing(iter(loader)) as batches:
        placed = ((loader.position - 1, x, y) for x, y in batches)
        ahead = next(model.parameters()).device == "cuda"
        with closing(prefetch.sent_ahead(placed) if ahead else placed) as placed:
            for position, x, y in placed:
                with guard.quiet():
                    x, y = to_model(model, x, y)
                yield position, x, y


def to_model(model: Module, x, y) -> tuple:
    """(Tensor x, array y) on the model's device, and x in the dtype of its parameters."""
    p = next(model.parameters())
    return Tensor(to_device(x, p.device).astype(p.dtype, copy=False)), to_device(y, p.device)
