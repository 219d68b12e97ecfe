"""What happens to a photograph on its way to the network: torchvision's transforms, on Pillow.

    train = Compose([Resize(256), RandomCrop(224), RandomHorizontalFlip(), ToArray(),
                     Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
    x = train(image, rng)       # Pillow image -> float32 array (3, 224, 224)

Names, defaults, semantics and printed forms are torchvision's (`torchvision.transforms`). All
randomness comes from the NumPy generator `rng`; without one, from `backend.generator`. A random
transform first *draws* its parameters and then *applies* them: two methods, to be used apart too.

Any callable is a transform, one of the image alone too: see `Step`.
"""

from minigrad.data.transforms.arrays import Normalize, RandomErasing, ToArray, ToTensor
from minigrad.data.transforms.base import (ArrayTransform, Compose, ImageTransform,
                                           RandomTransform, Step, TransformError)
from minigrad.data.transforms.colour import (ColorJitter, GaussianBlur, Grayscale,
                                             RandomGrayscale)
from minigrad.data.transforms.geometry import (PADDING_MODES, CenterCrop, RandomCrop,
                                               RandomHorizontalFlip, RandomResizedCrop,
                                               RandomRotation, RandomVerticalFlip, Resize)
from minigrad.data.transforms.preprocess import MEAN, STD, Preprocess
