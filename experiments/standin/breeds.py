"""What tells the seven breeds apart: one table of coats and proportions.

The markings follow the breed standards in broad strokes; colours are sRGB. A `Dog` is one
individual: `individual(breed, rng)` picks its coat, its proportions and its mood. Some individuals
of different breeds look much alike: pale goldens and yellow labradors, tricoloured collies and
Bernese, black labradors and black pugs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from experiments.standin.canvas import varied

BLACK, WHITE, RUST, PINK = (38, 35, 36), (240, 236, 228), (164, 88, 40), (214, 150, 140)
DARK = (34, 28, 28)                     # of lids, lips and shadows
BROWN_EYE, AMBER, BLUE = (92, 56, 26), (158, 106, 40), (120, 178, 226)


@dataclass(frozen=True)
class Coat:
    """Colours of a coat, and how they are laid out.

    `marks`: "plain", "swiss" (blaze, rust cheeks and brows), "collar" (blaze, collar, socks),
    "wolf" (dark cap on a white face), "mask" (dark face), "points" (tan brows, cheeks and feet).
    """

    marks: str
    main: tuple[int, int, int]
    pale: tuple[int, int, int]
    accent: tuple[int, int, int]
    eyes: tuple[int, int, int] = BROWN_EYE
    share: float = 1.0                  # how common the coat is within the breed
    nose: tuple[int, int, int] = (32, 28, 30)

    @property
    def ear(self) -> tuple[int, int, int]:
        """The colour of the ears."""
        return self.accent if self.marks in ("plain", "mask") else self.main


@dataclass(frozen=True)
class Breed:
    """Proportions, in half widths of the head (head) and half lengths of the trunk (the rest)."""

    coats: tuple[Coat, ...]
    ears: str                           # "drop", "button", "semi", "prick"
    ear: float                          # size of the ears
    muzzle: tuple[float, float, float]  # half width, half height, and how far it stands out
    eye: tuple[float, float, float]     # x, y, radius
    fur: float                          # length of the tufts
    head: float                         # size of the head beside the trunk
    legs: float                         # from the belly down
    depth: float                        # of the trunk
    tail: str                           # "plume", "otter", "curl", "bush", "whip"
    crown: float = 0.75                 # how broad the top of the head is
    jaw: float = 0.6                    # how broad its bottom is
    size: float = 1.0                   # of the whole dog among other things


BREEDS = {
    "bernese_mountain_dog": Breed(
        (Coat("swiss", BLACK, WHITE, RUST),), "drop", 0.95, (0.50, 0.40, 0.55),
        (0.42, -0.16, 0.095), 0.16, 0.60, 0.62, 0.62, "plume", crown=0.82, jaw=0.66, size=1.1),
    "border_collie": Breed(
        (Coat("collar", BLACK, WHITE, BLACK, AMBER, 0.68),
         Coat("collar", (118, 62, 34), WHITE, (118, 62, 34), AMBER, 0.14, (96, 60, 48)),
         Coat("collar", (112, 118, 130), WHITE, (52, 54, 62), BLUE, 0.10),
         Coat("collar", BLACK, WHITE, RUST, BROWN_EYE, 0.08)),
        "semi", 0.92, (0.36, 0.42, 0.60), (0.40, -0.12, 0.10), 0.13, 0.52, 0.66, 0.52, "plume",
        crown=0.72, jaw=0.46),
    "chihuahua": Breed(
        (Coat("plain", (206, 150, 92), (240, 214, 172), (188, 124, 70), (52, 32, 22), 0.55),
         Coat("plain", (236, 212, 174), (246, 234, 212), (220, 182, 136), (52, 32, 22), 0.2),
         Coat("points", (46, 38, 36), (222, 168, 110), (206, 142, 84), (48, 30, 22), 0.15),
         Coat("plain", (132, 84, 56), (206, 158, 116), (116, 70, 46), (60, 36, 22), 0.1,
              (84, 54, 44))),
        "prick", 1.35, (0.30, 0.25, 0.38), (0.44, -0.02, 0.185), 0.0, 0.70, 0.66, 0.42, "whip",
        crown=0.92, jaw=0.40, size=0.72),
    "golden_retriever": Breed(
        (Coat("plain", (208, 150, 76), (234, 196, 134), (176, 114, 52), share=0.5),
         Coat("plain", (228, 192, 132), (244, 224, 180), (204, 158, 96), share=0.3),
         Coat("plain", (172, 98, 44), (206, 142, 82), (142, 76, 34), share=0.2)),
        "drop", 0.92, (0.45, 0.40, 0.60), (0.41, -0.14, 0.105), 0.15, 0.56, 0.64, 0.56, "plume",
        crown=0.76, jaw=0.60),
    "labrador_retriever": Breed(
        (Coat("plain", (222, 188, 132), (238, 216, 172), (198, 156, 102), share=0.42),
         Coat("plain", (40, 38, 42), (56, 54, 58), (30, 28, 32), share=0.33),
         Coat("plain", (100, 60, 38), (122, 78, 52), (80, 46, 30), AMBER, 0.25, (72, 44, 36))),
        "drop", 0.80, (0.48, 0.38, 0.62), (0.42, -0.14, 0.10), 0.0, 0.54, 0.66, 0.56, "otter",
        crown=0.80, jaw=0.64),
    "pug": Breed(
        (Coat("mask", (214, 178, 130), (226, 196, 152), (42, 36, 36), (44, 28, 22), 0.87),
         Coat("mask", (48, 44, 46), (58, 54, 56), (30, 27, 30), (44, 28, 22), 0.13)),
        "button", 0.72, (0.56, 0.36, 0.20), (0.50, -0.04, 0.165), 0.0, 0.66, 0.46, 0.62, "curl",
        crown=0.92, jaw=0.80, size=0.8),
    "siberian_husky": Breed(
        (Coat("wolf", (92, 96, 104), WHITE, (60, 62, 70), BLUE, 0.5),
         Coat("wolf", (44, 44, 50), WHITE, (36, 36, 42), BLUE, 0.25),
         Coat("wolf", (156, 98, 62), WHITE, (134, 80, 50), BLUE, 0.13, (110, 70, 56)),
         Coat("wolf", (104, 104, 106), WHITE, (70, 70, 74), BROWN_EYE, 0.12)),
        "prick", 0.92, (0.38, 0.38, 0.58), (0.41, -0.10, 0.105), 0.10, 0.54, 0.68, 0.54, "bush",
        crown=0.76, jaw=0.54),
}


@dataclass
class Dog:
    """One individual: its breed with proportions of its own, its coat, and its mood."""

    breed: Breed
    coat: Coat
    yaw: float                          # -1..1: how far the head turns aside
    tilt: float                         # degrees
    droop: float                        # degrees by which the ears hang lower or stand wider
    blaze: float                        # breadth of white on the face
    panting: bool
    scarf: tuple[int, int, int] | None


def individual(breed: Breed, rng: np.random.Generator, spread: float = 1.0) -> Dog:
    """A dog of that breed; `spread` widens how much individuals differ."""
    shares = np.array([coat.share for coat in breed.coats])
    coat = breed.coats[rng.choice(len(shares), p=shares / shares.sum())]
    coat = replace(coat, **{name: varied(rng, getattr(coat, name), 0.07 * spread)
                            for name in ("main", "pale", "accent", "eyes")})

    def about(value: float, share: float) -> float:
        return float(value * np.exp(share * spread * np.clip(rng.normal(), -2, 2)))

    breed = replace(
        breed, ear=about(breed.ear, 0.08), muzzle=tuple(about(v, 0.06) for v in breed.muzzle),
        eye=tuple(about(v, 0.05) for v in breed.eye), fur=about(breed.fur, 0.2),
        head=about(breed.head, 0.06), legs=about(breed.legs, 0.07), depth=about(breed.depth, 0.07),
        crown=about(breed.crown, 0.05), jaw=about(breed.jaw, 0.06))
    return Dog(breed, coat, yaw=float(rng.uniform(-1, 1)), tilt=float(rng.normal(0, 7 * spread)),
               droop=float(rng.normal(0, 8 * spread)), blaze=about(1, 0.3),
               panting=bool(rng.random() < 0.4),
               scarf=varied(rng, tuple(rng.integers(30, 230, 3)), 0) if rng.random() < 0.22
               else None)
