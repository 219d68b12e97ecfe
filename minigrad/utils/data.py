"""`minigrad.data` under the name that PyTorch has for it: DataLoader, Dataset, random_split, ..."""

from typing import Any

from minigrad import data


def __getattr__(name: str) -> Any:
    return getattr(data, name)
