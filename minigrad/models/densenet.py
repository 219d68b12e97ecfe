"""DenseNet: every layer of a block sees the maps of all layers before it.

Its idea was to join features, where a ResNet adds them: each layer contributes a few maps (32, the
growth rate), which all later ones reuse, so that few parameters do much. A 1x1 convolution to 128
maps precedes each 3x3 one, and between blocks a transition halves maps and sizes (Huang et al.,
"Densely connected convolutional networks", CVPR 2017, section 3 and table 1, DenseNet-BC).
"""

from minigrad import nn, ops
from minigrad.engine import Tensor
from minigrad.models.layers import draw_weights
from minigrad.models.pretrained import builder
from minigrad.nn.fuse import run_layers
from minigrad.ops import relu

_GROWTH, _BOTTLENECK = 32, 128


class DenseLayer(nn.Module):
    """y = [x, conv2(relu(norm2(conv1(relu(norm1(x))))))], with dropout of the new maps.

    x (N, c_in, H, W) -> y (N, c_in + 32, H, W)
    """

    def __init__(self, c_in: int, drop_rate: float) -> None:
        self.norm1 = nn.BatchNorm2d(c_in)
        self.conv1 = nn.Conv2d(c_in, _BOTTLENECK, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(_BOTTLENECK)
        self.conv2 = nn.Conv2d(_BOTTLENECK, _GROWTH, 3, padding=1, bias=False)
        self.dropout = nn.Dropout(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        new = run_layers(x, self.norm1, relu, self.conv1,
                         self.norm2, relu, self.conv2, self.dropout)
        return ops.concatenate([x, new], 1)


def _network(blocks: tuple[int, ...], num_classes: int, drop_rate: float) -> nn.Sequential:
    c = 64
    features: dict[str, nn.Module] = {
        "conv0": nn.Conv2d(3, c, 7, 2, padding=3, bias=False), "norm0": nn.BatchNorm2d(c),
        "relu0": nn.ReLU(), "pool0": nn.MaxPool2d(3, 2, padding=1)}
    for i, layers in enumerate(blocks, 1):
        features[f"denseblock{i}"] = nn.Sequential({
            f"denselayer{k + 1}": DenseLayer(c + k * _GROWTH, drop_rate) for k in range(layers)})
        c += layers * _GROWTH
        if i < len(blocks):
            features[f"transition{i}"] = nn.Sequential({
                "norm": nn.BatchNorm2d(c), "relu": nn.ReLU(),
                "conv": nn.Conv2d(c, c // 2, 1, bias=False), "pool": nn.AvgPool2d(2)})
            c //= 2
    features |= {"norm5": nn.BatchNorm2d(c), "relu5": nn.ReLU()}
    return draw_weights(nn.Sequential({
        "features": nn.Sequential(features), "avgpool": nn.AdaptiveAvgPool2d(1),
        "flatten": nn.Flatten(), "classifier": nn.Linear(c, num_classes)}), nn.init.kaiming_normal_)


@builder()
def densenet121(num_classes: int, drop_rate: float = 0.0) -> nn.Sequential:
    """DenseNet-121: 7 978 856 parameters with 1000 classes; the last layer is "classifier".

    x (N, 3, H, W), H and W 29 or more -> one score per class, (N, num_classes). num_classes None:
    1000, or as many as the file of the weights has. weights: None for fresh ones, a file, or
    "imagenet"; `minigrad.models.pretrained` lists other forms and the errors. drop_rate: the
    probability of the dropout behind each layer of the blocks.
    """
    return _network((6, 12, 24, 16), num_classes, drop_rate)


@builder()
def densenet169(num_classes: int, drop_rate: float = 0.0) -> nn.Sequential:
    """DenseNet-169: 14 149 480 parameters; the last layer is "classifier". See `densenet121`."""
    return _network((6, 12, 32, 32), num_classes, drop_rate)


@builder()
def densenet201(num_classes: int, drop_rate: float = 0.0) -> nn.Sequential:
    """DenseNet-201: 20 013 928 parameters; the last layer is "classifier". See `densenet121`."""
    return _network((6, 12, 48, 32), num_classes, drop_rate)
