"""Data: photographs in folders, transforms, splits, and batches fetched ahead.

    train = ImageFolder("photos/train", Compose([Resize(256), RandomCrop(224), ToArray()]))
    for x, y in DataLoader(train, batch_size=32, shuffle=True):
        ...
"""

from minigrad.data.dataset import ArrayDataset, Dataset, Subset
from minigrad.data.folder import ImageFolder
from minigrad.data.images import ImageError, read_image
from minigrad.data.loader import DataLoader, SampleError
from minigrad.data.split import random_split, stratified_split
from minigrad.data.transforms import (CenterCrop, ColorJitter, Compose, Normalize, RandomCrop,
                                      RandomHorizontalFlip, RandomResizedCrop, RandomRotation,
                                      Resize, ToArray)
