"""SqueezeNet: the accuracy of AlexNet with a fiftieth of its parameters.

Its idea was the fire module: a 1x1 convolution squeezes the channels before 1x1 and 3x3 ones expand
them again, so that few weights see many channels; a convolution and a mean of each map stand where
AlexNet has its wide linear layers (Iandola et al., "SqueezeNet", arXiv 1602.07360, section 3).
Version 1.1 pools earlier, which takes 2.4 times fewer operations (github.com/forresti/SqueezeNet).
"""

from minigrad import nn, ops
from minigrad.engine import Tensor
from minigrad.models.layers import draw_weights
from minigrad.models.pretrained import builder
from minigrad.ops import relu


class Fire(nn.Module):
    """y = [relu(expand1x1(s)), relu(expand3x3(s))] with s = relu(squeeze(x)).

    x (N, c_in, H, W) -> y (N, 2 expand, H, W); s has `squeeze` channels.
    """

    def __init__(self, c_in: int, squeeze: int, expand: int) -> None:
        self.squeeze = nn.Conv2d(c_in, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        s = relu(self.squeeze(x))
        return ops.concatenate([relu(self.expand1x1(s)), relu(self.expand3x3(s))], 1)


def _network(c_in: int, size: int, pooled: tuple[int, ...], num_classes: int,
             dropout: float) -> nn.Sequential:
    """c_in and size are the channels and the size of the first convolution; behind so many fire
    modules as `pooled` says a max pooling comes."""
    features: list[nn.Module] = [nn.Conv2d(3, c_in, size, 2), nn.ReLU()]
    for i, squeeze in enumerate((16, 16, 32, 32, 48, 48, 64, 64)):
        if i in pooled:
            features.append(nn.MaxPool2d(3, 2, ceil_mode=True))
        features.append(Fire(c_in, squeeze, 4 * squeeze))
        c_in = 8 * squeeze
    last = nn.Conv2d(c_in, num_classes, 1)
    model = nn.Sequential({
        "features": nn.Sequential(*features),
        "classifier": nn.Sequential(nn.Dropout(dropout), last, nn.ReLU(), nn.AdaptiveAvgPool2d(1)),
        "flatten": nn.Flatten()})
    draw_weights(model, nn.init.kaiming_uniform_)
    nn.init.normal_(last.weight, 0, 0.01)
    return model


@builder()
def squeezenet1_0(num_classes: int, dropout: float = 0.5) -> nn.Sequential:
    """SqueezeNet 1.0: 1 248 424 parameters with 1000 classes; the last layer is "classifier.1".

    x (N, 3, H, W), H and W 21 or more -> one score per class, (N, num_classes). num_classes None:
    1000, or as many as the file of the weights has. weights: None for fresh ones, a file, or
    "imagenet"; `minigrad.models.pretrained` lists other forms and the errors. dropout: the
    probability of the dropout before the last convolution.
    """
    return _network(96, 7, (0, 3, 7), num_classes, dropout)


@builder()
def squeezenet1_1(num_classes: int, dropout: float = 0.5) -> nn.Sequential:
    """SqueezeNet 1.1: 1 235 496 parameters; the last layer is "classifier.1".

    See `squeezenet1_0`; H and W 17 or more.
    """
    return _network(64, 3, (0, 2, 4), num_classes, dropout)
