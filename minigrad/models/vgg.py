"""VGG: nothing but 3x3 convolutions, many of them.

Its idea was that two 3x3 convolutions in a row see as far as one of 5x5, with fewer parameters and
one more ReLU, so that depth pays: 11 to 19 layers in five stages (Simonyan and Zisserman, "Very
deep convolutional networks for large-scale image recognition", ICLR 2015, section 2 and table 1).
In the `_bn` forms, which are torchvision's, a batch normalisation follows each convolution.
"""

from minigrad import nn
from minigrad.models.layers import draw_weights, features_and_classifier, small_
from minigrad.models.pretrained import builder
from minigrad.nn import Sequential

# Convolutions per stage: configurations A, B, D and E of table 1. A stage ends in a max pooling.
_A, _B, _D, _E = (1, 1, 2, 2, 2), (2, 2, 2, 2, 2), (2, 2, 3, 3, 3), (2, 2, 4, 4, 4)


def _network(stages: tuple[int, ...], num_classes: int, dropout: float,
             norm: bool = False) -> Sequential:
    features: list[nn.Module] = []
    c_in = 3
    for count, c_out in zip(stages, (64, 128, 256, 512, 512)):
        for _ in range(count):
            features += [nn.Conv2d(c_in, c_out, 3, padding=1),
                         *([nn.BatchNorm2d(c_out)] if norm else []), nn.ReLU()]
            c_in = c_out
        features.append(nn.MaxPool2d(2))
    return draw_weights(features_and_classifier(
        features, nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(dropout), nn.Linear(4096, num_classes),
        pooled=(7, 7)), linear=small_)


@builder()
def vgg11(num_classes: int, dropout: float = 0.5) -> Sequential:
    """VGG-11: 132 863 336 parameters with 1000 classes; the last layer is "classifier.6".

    x (N, 3, H, W), H and W 32 or more -> one score per class, (N, num_classes). num_classes None:
    1000, or as many as the file of the weights has. weights: None for fresh ones, a file, or
    "imagenet"; `minigrad.models.pretrained` lists other forms and the errors. dropout: the
    probability of both dropout layers.
    """
    return _network(_A, num_classes, dropout)


@builder()
def vgg13(num_classes: int, dropout: float = 0.5) -> Sequential:
    """VGG-13: 133 047 848 parameters; the last layer is "classifier.6". See `vgg11`."""
    return _network(_B, num_classes, dropout)


@builder()
def vgg16(num_classes: int, dropout: float = 0.5) -> Sequential:
    """VGG-16: 138 357 544 parameters; the last layer is "classifier.6". See `vgg11`."""
    return _network(_D, num_classes, dropout)


@builder()
def vgg19(num_classes: int, dropout: float = 0.5) -> Sequential:
    """VGG-19: 143 667 240 parameters; the last layer is "classifier.6". See `vgg11`."""
    return _network(_E, num_classes, dropout)


@builder()
def vgg11_bn(num_classes: int, dropout: float = 0.5) -> Sequential:
    """VGG-11 with batch normalisation: 132 868 840 parameters; the last layer is "classifier.6".

    See `vgg11`.
    """
    return _network(_A, num_classes, dropout, norm=True)


@builder()
def vgg13_bn(num_classes: int, dropout: float = 0.5) -> Sequential:
    """VGG-13 with batch normalisation: 133 053 736 parameters; the last layer is "classifier.6".

    See `vgg11`.
    """
    return _network(_B, num_classes, dropout, norm=True)


@builder()
def vgg16_bn(num_classes: int, dropout: float = 0.5) -> Sequential:
    """VGG-16 with batch normalisation: 138 365 992 parameters; the last layer is "classifier.6".

    See `vgg11`.
    """
    return _network(_D, num_classes, dropout, norm=True)


@builder()
def vgg19_bn(num_classes: int, dropout: float = 0.5) -> Sequential:
    """VGG-19 with batch normalisation: 143 678 248 parameters; the last layer is "classifier.6".

    See `vgg11`.
    """
    return _network(_E, num_classes, dropout, norm=True)
