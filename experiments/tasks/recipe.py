"""The recipe of the training: `PAPER` as it is written, `QUICK` the same on a smaller scale.

    recipe = RECIPES["paper"]
    recipe.training_view(), recipe.test_view()      # what happens to a photo
    recipe.parts(646)                               # (408, 45, 193)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from minigrad.data import Compose, RandomCrop, RandomHorizontalFlip, RandomRotation, Resize, ToArray


@dataclass(frozen=True)
class Recipe:
    """Sizes in pixels, shares from 0 to 1. The values given here are the written ones.

    Stochastic gradient descent without momentum of its own, and OneCycleLR, which as in PyTorch
    cycles the momentum all the same (.95, .85, .95). Gradients are clipped by value. Photos are
    not normalised: the written recipe lists all that is done to them, and that is not in it.
    """

    name: str = "paper"
    resize: int = 256           # both sides, before the random crop
    size: int = 224             # what the networks see
    padding: int = 4            # of the random crop, by reflection
    flip: float = 0.3
    rotation: float = 30.0      # degrees, to either side
    batch: int = 128
    epochs: int = 10
    small_batch: int = 128      # these two for the small network
    small_epochs: int = 10
    max_lr: float = 0.015
    clip: float = 0.1
    weight_decay: float = 1e-4
    test: float = 0.3           # of all photos
    valid: float = 0.1          # of those that are left
    split_seed: int = 45
    width: int = 64             # planes of the first stage of a ResNet
    save_every: int = 1         # steps: what a power cut may cost
    pretraining: int = 30       # epochs on the drawn pictures, if weights are to come from there
    weights: str = "imagenet"   # what the fine-tuned networks start from, if nobody says

    def training_view(self) -> Compose:
        """Resize, random crop, flip, rotate: a photo as a network meets it in training."""
        return Compose([Resize((self.resize, self.resize)),
                        RandomCrop(self.size, padding=self.padding, padding_mode="reflect"),
                        RandomHorizontalFlip(self.flip), RandomRotation(self.rotation), ToArray()])

    def test_view(self) -> Compose:
        """Resize, nothing random."""
        return Compose([Resize((self.size, self.size)), ToArray()])

    def for_small(self) -> Recipe:
        """The same recipe with the batches and epochs of the small network."""
        return replace(self, batch=self.small_batch, epochs=self.small_epochs)

    def for_pretraining(self) -> Recipe:
        """The same recipe with the epochs of the pretraining on drawn pictures."""
        return replace(self, epochs=self.pretraining)

    def parts(self, total: int, valid: bool = True) -> tuple[int, int, int]:
        """How many of `total` photos are for training, validation and test, parts rounded down."""
        test = int(self.test * total)
        validation = int(self.valid * (total - test)) if valid else 0
        return total - test - validation, validation, test


PAPER = Recipe()
QUICK = Recipe(name="quick", resize=73, size=64, padding=1, batch=16, epochs=6, small_batch=8,
               small_epochs=20, width=16, save_every=10, pretraining=8,
               weights="standin")
RECIPES = {recipe.name: recipe for recipe in (QUICK, PAPER)}
