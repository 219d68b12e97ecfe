"""Data: photographs in folders, transforms, splits, and batches fetched ahead.

    train = ImageFolder("photos/train", Compose([Resize(256), RandomCrop(224), ToArray()]))
    for x, y in DataLoader(train, batch_size=32, shuffle=True):
        ...
    print(check("photos/train"))        # before that: whether every file can be read
"""

from minigrad.data.checking import Findings, check
from minigrad.data.collate import default_collate
from minigrad.data.combine import ConcatDataset, TensorDataset
from minigrad.data.dataset import ArrayDataset, Dataset, Items, Subset
from minigrad.data.folder import EXTENSIONS, ImageFolder
from minigrad.data.images import MAX_PIXELS, ImageError, read_image
from minigrad.data.loader import DataLoader, SampleError
from minigrad.data.sampler import (BatchSampler, RandomSampler, Sampler, SequentialSampler,
                                   SubsetRandomSampler, WeightedRandomSampler)
from minigrad.data.specs import from_spec, spec_text, to_spec
from minigrad.data.split import random_split, stratified_split
from minigrad.data.transforms import (MEAN, STD, ArrayTransform, CenterCrop, ColorJitter, Compose,
                                      GaussianBlur, Grayscale, ImageTransform, Normalize,
                                      Preprocess, RandomCrop, RandomErasing, RandomGrayscale,
                                      RandomHorizontalFlip, RandomResizedCrop, RandomRotation,
                                      RandomTransform, RandomVerticalFlip, Resize, Step, ToArray,
                                      ToTensor, TransformError)
