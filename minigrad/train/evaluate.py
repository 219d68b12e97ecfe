"""How good a model is on a data set: `evaluate(model, loader)` gives its loss and accuracy."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import numpy as np

from minigrad.backend import is_array, to_device
from minigrad.data import DataLoader, Dataset
from minigrad.dtypes import kind
from minigrad.engine import Tensor, data_of
from minigrad.graph import no_grad
from minigrad.nn import Module
from minigrad.train import guard, prefetch
from minigrad.train.metrics import Accuracy, MeanLoss, Metric, compute_all, new_meters
from minigrad.train.metrics.weighing import ignored_target
from minigrad.train.precision import check_precision, predict, products

# its place in the epoch, what names its samples, x, y
Batch = tuple[int, guard.Names, Tensor, np.ndarray]
Metrics = Mapping[str, Callable[[], Metric]]


def evaluate(model: Module, loader: DataLoader, metrics: Metrics | None = None,
             each: Callable[[int, Mapping[str, Metric]], None] | None = None,
             precision: str = "float32") -> dict:
    """{name: figure} over one epoch of `loader`, with the model in eval mode and without gradients.

    metrics: {name: class, or function that makes a Metric}; default loss (cross entropy) and, where
    targets are classes, accuracy. Every call makes new ones. `each(batches done, metrics)` is
    called after every batch.
    precision: as for `fit`.
    It goes over the loader's whole current epoch, even if that is part-way through. Afterwards the
    loader is at the place where it was, so another call sees the same batches, and every layer is
    in training or eval mode as before. If a loop over this loader was under way, its next batch is
    a RuntimeError.
    Raises TypeError for what is no loader, ValueError for a loader without batches and for a label
    that the model has no output for, and `NonFiniteError`; the last two name samples.
    """
    check_precision("evaluate", precision)
    check_loader("evaluate: the loader", loader)
    if not len(loader):
        raise ValueError("evaluate: the loader has no batches")
    meters = new_meters({"loss": MeanLoss, **usual_metrics(loader)} if metrics is None else metrics)
    ignored_label = next((ignored_target(meter.loss) for meter in meters.values()
                          if isinstance(meter, MeanLoss)), None)
    with (whole_epoch(model, loader), no_grad(), guard.quiet(), products(precision),
          closing(placed_batches(model, loader)) as batches):
        model.eval()
        for position, names, x, y in batches:
            output = predict(model, x, precision)
            where = f"evaluation, batch {position + 1}"
            guard.check_labels(output, y, names, where, ignored_label)
            if not guard.all_finite(output.data):
                raise guard.explain(model, lambda: predict(model, x, precision), x, names,
                                    f"{where}: the output is not finite")
            for meter in meters.values():
                meter.update(output, y)
            if each:
                each(position + 1, meters)
    return compute_all(meters)


def usual_metrics(loader: DataLoader, loss: Callable | None = None) -> dict:
    """{"accuracy": ...} if the targets are classes, without those that `loss` ignores; else {}."""
    targets = loader.dataset.targets
    if targets is None or not len(targets):
        targets = [getattr(loader.peek(), "y", None)]
    first = np.asarray(targets[0])
    if first.ndim or first.dtype.kind not in "iu":
        return {}
    index = ignored_target(loss)
    return {"accuracy": Accuracy if index in (None, -100) else partial(Accuracy, index)}


def check_loader(what: str, loader: object) -> None:
    """TypeError, saying what to do, for something else than a DataLoader."""
    if isinstance(loader, DataLoader):
        return
    given = type(loader).__name__
    way = (f"DataLoader(the {given}, batch_size=32, shuffle=True) makes batches of it"
           if isinstance(loader, Dataset) else
           "DataLoader(ArrayDataset(x, y), batch_size=32, shuffle=True) makes one of two arrays")
    raise TypeError(f"{what} must be a DataLoader, got {given}; {way}")


@contextmanager
def whole_epoch(model: Module, loader: DataLoader) -> Iterator[None]:
    """Inside this block the loader starts at the first batch of its current epoch. At the end it is
    at the place where it was, and every layer is in training or eval mode as before."""
    modes = [(module, module.training) for _, module in model.named_modules()]
    place = loader.state_dict()
    loader.load_state_dict({**place, "position": 0})
    try:
        yield
    finally:
        loader.load_state_dict(place)
        for module, mode in modes:
            module.training = mode


def placed_batches(model: Module, loader: DataLoader) -> Generator[Batch, None, None]:
    """The batches that are left of the loader's epoch, on the model's device. x has the model's
    dtype, and so has a y of floating-point numbers.

    If the model is on a GPU, the loader is a batch ahead, which is on its way: see `prefetch`.
    """
    epoch = loader.epoch
    with closing(iter(loader)) as batches:
        numbered: Generator = ((loader.position - 1, *_input_and_target(batch))
                               for batch in batches)
        if _place(model)[0] == "cuda":
            numbered = prefetch.sent_ahead(numbered)
        with closing(numbered):
            for position, x, y in numbered:
                with guard.quiet():
                    device, dtype = _place(model)
                    x, y = to_device(x, device).astype(dtype, copy=False), to_device(y, device)
                    y = y.astype(dtype, copy=False) if kind(y.dtype) == "f" else y
                yield position, partial(loader.batch_names, epoch, position), Tensor(x), y


def _input_and_target(batch: Any) -> Iterator[np.ndarray]:
    """The two arrays of a batch, on the CPU; TypeError if it is something else."""
    parts = [data_of(part) for part in batch] if isinstance(batch, (tuple, list)) else []
    if len(parts) != 2 or not all(map(is_array, parts)):
        raise TypeError("a batch must be an input and a target, two Tensors, for fit and evaluate, "
                        f"got a {type(batch).__name__}; give the loader a collate_fn that makes "
                        "them, or write the loop yourself")
    return (to_device(part, "cpu") for part in parts)


def _place(model: Module) -> tuple[str, np.dtype]:
    """Device and dtype of the parameters; those of a new Tensor if there are none."""
    p = next(model.parameters(), None)
    return ("cpu", np.dtype(np.float32)) if p is None else (p.device, p.dtype)
