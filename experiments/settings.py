"""`Settings`: what the command line passes to every question and every task."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path


def free_turn(training: str, tell: Callable[[str], None]) -> AbstractContextManager:
    """The `turn` of `Settings` where no other process trains: nothing to wait for."""
    return nullcontext()


@dataclass(frozen=True)
class Settings:
    """What the command line passes to every question.

    The theory asks for `seed` and `image` only. For the tasks: `data`, the folder of the photos
    (None: the stand-in); `weights`, which network Tasks IV and V start from: files, or the one word
    "imagenet" or "standin" (none: what the profile's recipe says); `entry` and `prefix`, how those
    files are read; `profile`, "quick" or "paper"; `device`; `seeds`, how often each training is
    repeated, with `seed`, `seed` + 1, ...; `folder`, where trainings are kept, and from where those
    that are there already go on; `lite0`, whether EfficientNet-Lite0 with ImageNet's weights joins
    Task IV, which no option says but the extra `imagenet`, installed or not.

    Three functions connect a question with the command. `tell` takes a few words on what is being
    done, for the progress line. A training runs inside `with turn(training, tell)`, which begins
    when no other process is at work on the training of that name. `lost` takes a line on something
    that could not be saved, on a full disk for example, though it is there in memory.
    """

    seed: int = 0
    image: str | None = None
    data: str | None = None
    weights: tuple[str, ...] = ()
    entry: str | None = None
    prefix: str | None = None
    profile: str = "quick"
    device: str = "cpu"
    seeds: int = 1
    folder: Path | None = field(default=None, compare=False)
    lite0: bool = field(default=False, compare=False)
    tell: Callable[[str], None] = field(default=lambda words: None, compare=False)
    turn: Callable[..., AbstractContextManager] = field(default=free_turn, compare=False)
    lost: Callable[[str], None] = field(default=lambda words: None, compare=False)
