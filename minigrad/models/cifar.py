"""The small ResNets for 32x32 images: He et al., "Deep residual learning", CVPR 2016, section 4.2.

6n + 2 layers in three stages of n blocks with 16, 32 and 64 channels. Where sizes change, the
shortcut has no parameters ("option A" of the paper): it takes every second pixel, and adds zero
channels in front and behind. Modules are named as in the weights files of Y. Idelbayev
(github.com/akamaster/pytorch_resnet_cifar10).
"""

from minigrad import nn
from minigrad.engine import Tensor
from minigrad.models.pretrained import builder
from minigrad.models.resnet import conv3x3
from minigrad.nn.fuse import run_layers
from minigrad.ops import pad, relu


class Shortcut(nn.Module):
    """x (N, C, H, W) -> (N, C + extra, ceil(H/2), ceil(W/2)): every second pixel, and `extra` zero
    channels, half of them in front and half behind."""

    def __init__(self, extra: int) -> None:
        self.extra = extra

    def forward(self, x: Tensor) -> Tensor:
        return pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.extra // 2, self.extra // 2))


class CifarBlock(nn.Module):
    """y = relu(shortcut(x) + bn2(conv2(relu(bn1(conv1(x)))))) with two 3x3 convolutions.

    x (N, c_in, H, W) -> y (N, c_out, ceil(H/stride), ceil(W/stride))
    """

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        self.conv1 = conv3x3(c_in, c_out, stride)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = conv3x3(c_out, c_out)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.shortcut = nn.Identity() if c_in == c_out else Shortcut(c_out - c_in)

    def forward(self, x: Tensor) -> Tensor:
        y = run_layers(x, self.conv1, self.bn1, relu,
                       self.conv2, self.bn2)
        return relu(y + self.shortcut(x))


class CifarResNet(nn.Module):
    """A 3x3 convolution, three stages of n blocks, the mean of each map, a linear layer.

    x (N, 3, 32, 32) -> one score per class (N, num_classes). Convolutions and the linear layer
    start from `nn.init.kaiming_normal_`.
    """

    def __init__(self, n: int, num_classes: int) -> None:
        self.conv1 = conv3x3(3, 16)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1, self.layer2, self.layer3 = (nn.Sequential(
            CifarBlock(c_in, c_out, stride), *(CifarBlock(c_out, c_out, 1) for _ in range(n - 1)))
            for c_in, c_out, stride in ((16, 16, 1), (16, 32, 2), (32, 64, 2)))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(64, num_classes)
        for _, module in self.named_modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = run_layers(x, self.conv1, self.bn1, relu)
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(self.flatten(self.avgpool(x)))


@builder(classes=10)
def cifar_resnet20(num_classes: int) -> CifarResNet:
    """20 layers: 269 722 parameters with 10 classes; the last layer is "linear".

    x (N, 3, 32, 32) -> one score per class, (N, num_classes). num_classes None: 10, or as many as
    the file of the weights has. weights: None for fresh ones, or a file;
    `minigrad.models.pretrained` lists other forms and the errors.
    """
    return CifarResNet(3, num_classes)


@builder(classes=10)
def cifar_resnet32(num_classes: int) -> CifarResNet:
    """32 layers: 464 154 parameters; the last layer is "linear". See `cifar_resnet20`."""
    return CifarResNet(5, num_classes)


@builder(classes=10)
def cifar_resnet44(num_classes: int) -> CifarResNet:
    """44 layers: 658 586 parameters; the last layer is "linear". See `cifar_resnet20`."""
    return CifarResNet(7, num_classes)


@builder(classes=10)
def cifar_resnet56(num_classes: int) -> CifarResNet:
    """56 layers: 853 018 parameters; the last layer is "linear". See `cifar_resnet20`."""
    return CifarResNet(9, num_classes)


@builder(classes=10)
def cifar_resnet110(num_classes: int) -> CifarResNet:
    """110 layers: 1 727 962 parameters; the last layer is "linear". See `cifar_resnet20`."""
    return CifarResNet(18, num_classes)
