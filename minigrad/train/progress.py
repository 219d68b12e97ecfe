"""How far a training is: a bar for its steps, a line that stays for each epoch."""

from collections.abc import Mapping

from minigrad.progress import ProgressLine
from minigrad.train.metrics import Metric, compute_all


class Progress(ProgressLine):
    """`step` after every step, `epoch` at the end of an epoch; with `on` False it says nothing."""

    def __init__(self, on: bool, epochs: int) -> None:
        super().__init__(on)
        self.epochs = epochs

    def step(self, epoch: int, done: int, total: int, meters: Mapping[str, Metric],
             part: str = "") -> None:
        """`done` of `total` batches of epoch `epoch` (from 1) are done; part: of what, if not of
        the training."""
        if self.due():
            share = done / total
            bar = f"  {self.bar(share)} " if self.live else "  " if self.board else ": "
            figures = figures_text(compute_all(meters))
            self.show(f"epoch {epoch}/{self.epochs}{bar}{done}/{total}  {part}{figures}", share)

    def epoch(self, line: dict) -> None:
        """A line of the history, which stays."""
        text = "; ".join(f"{k} {figures_text(line[k])}" for k in ("train", "valid") if k in line)
        self.say(f"epoch {line['epoch']}/{self.epochs}: {text}; {line['seconds']:.1f} s")


def figures_text(figures: dict) -> str:
    """Those of the figures that are single numbers: "loss 0.1234  accuracy 0.9500"."""
    return "  ".join(f"{name} {value:.4f}" for name, value in figures.items()
                     if isinstance(value, (int, float)))
