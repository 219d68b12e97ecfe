"""A plan for training: what the user leaves open is chosen so that two cores need minutes.

    plan = Plan(arch="resnet18", weights="imagenet").settled()      # size, learning rate
    plan = plan.for_photos(212)                                     # batch, epochs
    plan.training_view(), plan.test_view()
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from minigrad.data import (MEAN, STD, CenterCrop, ColorJitter, Compose, Normalize,
                           RandomHorizontalFlip, RandomResizedCrop, Resize, ToArray)
from minigrad.models import preprocess

SCRATCH, TUNED, FROZEN = 1200, 300, 400         # steps of a training, about
_EPOCHS = {SCRATCH: (12, 60), TUNED: (4, 20), FROZEN: (6, 30)}      # fewest and most


@dataclass(frozen=True)
class Plan:
    """Everything that determines a training, in JSON types; None: not settled yet.

    weights: "none", "imagenet" or a file; entry, prefix: how that is read; freeze: only the last
    layer learns; size: side of what the network sees, in pixels; lr: the highest learning rate,
    that of the last layer; valid: the share of the photos for validation, None for the usual.
    """

    arch: str
    weights: str = "none"
    entry: str | None = None
    prefix: str | None = None
    freeze: bool = False
    size: int | None = None
    batch: int | None = None
    epochs: int | None = None
    lr: float | None = None
    seed: int = 0
    valid: float | None = None
    on_error: str = "raise"
    device: str = "cpu"

    @property
    def tuned(self) -> bool:
        """Whether it starts from weights."""
        return self.weights != "none"

    @property
    def side(self) -> int:
        """The shorter side of a photo before it is cropped: an eighth more than `size`."""
        return self.size + self.size // 8

    @property
    def body_lr(self) -> float:
        """The highest learning rate of all layers but the last."""
        return self.lr / 10 if self.tuned else self.lr

    def training_view(self) -> Compose:
        """A window of random size and place, mirrored or not, in light a little different."""
        return Compose([Resize(self.side), RandomResizedCrop(self.size, scale=(0.5, 1.0)),
                        RandomHorizontalFlip(), ColorJitter(0.2, 0.2, 0.2), *self._numbers()])

    def test_view(self) -> Compose:
        """The middle of the photo."""
        return Compose([Resize(self.side), CenterCrop(self.size), *self._numbers()])

    def _numbers(self):
        """As for the official weights of the network; ImageNet's where there are none."""
        try:
            official = preprocess(self.arch, None)
            return ToArray(), Normalize(official.mean, official.std)
        except ValueError:
            return ToArray(), Normalize(MEAN, STD)

    def settled(self) -> Plan:
        """The plan with the usual size and learning rate of its network, where none are given."""
        usual = 32 if self.arch.startswith("cifar") else 64 if ".py:" in self.arch else 128
        size = {"small_cnn": 64, "vit_b_16": 224}.get(self.arch, usual)
        lr = 3e-3 if self.freeze else 1e-3 if self.tuned or self.arch != "small_cnn" else 2e-3
        return replace(self, size=self.size or size, lr=self.lr or lr)

    def for_photos(self, count: int) -> Plan:
        """The plan with batch and epochs for `count` training photos, where none are given."""
        batch = self.batch or (8 if count < 100 else 16 if count < 400 else 32)
        steps = FROZEN if self.freeze else TUNED if self.tuned else SCRATCH
        fewest, most = _EPOCHS[steps]
        epochs = self.epochs or min(max(round(steps * batch / count), fewest), most)
        return replace(self, batch=batch, epochs=epochs)

    def in_words(self) -> str:
        """What is done, in a sentence."""
        start = ("from scratch" if not self.tuned else
                 "from ImageNet's weights" if self.weights == "imagenet" else
                 f"from {self.weights}")
        part = ", the last layer alone" if self.freeze else ""
        epochs = f"{self.epochs} epoch{'s' * (self.epochs > 1)}"
        return (f"{self.arch} {start}{part}, photos of {self.size} x {self.size} pixels, {epochs} "
                f"in batches of {self.batch}, learning rate up to {self.lr:g}")
