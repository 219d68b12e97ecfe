"""The ResNet family of torchvision: modules are named as the tensors in its weights files.

    resnet50(weights="resnet50-11ad3fa6.pth")   a file
    resnet50(weights="imagenet")                the official file, downloaded once
    resnet50(num_classes=7, weights=...)        another last layer, fresh

He et al., "Deep residual learning for image recognition", CVPR 2016, table 1; in the bottleneck the
stride is that of the 3x3 convolution (the "v1.5" of torchvision). ResNeXt: Xie et al., CVPR 2017.
Wide ResNet: Zagoruyko and Komodakis, BMVC 2016.
"""

from collections.abc import Sequence

from minigrad import nn
from minigrad.engine import Tensor
from minigrad.models.known import RESNETS
from minigrad.models.pretrained import builder
from minigrad.nn.fuse import run_layers
from minigrad.ops import relu


def conv3x3(c_in: int, c_out: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """3x3 convolution without bias.

    x (N, c_in, H, W) -> (N, c_out, ceil(H/stride), ceil(W/stride))
    """
    return nn.Conv2d(c_in, c_out, 3, stride, padding=1, groups=groups, bias=False)


def conv1x1(c_in: int, c_out: int, stride: int = 1) -> nn.Conv2d:
    """1x1 convolution without bias; shapes as in `conv3x3`."""
    return nn.Conv2d(c_in, c_out, 1, stride, bias=False)


class BasicBlock(nn.Module):
    """y = relu(x + bn2(conv2(relu(bn1(conv1(x)))))) with two 3x3 convolutions.

    x (N, c_in, H, W) -> y (N, planes, ceil(H/stride), ceil(W/stride)). Where these shapes differ,
    the x that is added goes through `downsample`, a 1x1 convolution and a batch normalisation.
    """

    expansion = 1  # output channels per plane

    def __init__(self, c_in: int, planes: int, stride: int, downsample: nn.Module | None) -> None:
        self.conv1 = conv3x3(c_in, planes, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        y = run_layers(x, self.conv1, self.bn1, relu,
                       self.conv2, self.bn2)
        return relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """y = relu(x + bn3(conv3(relu(bn2(conv2(relu(bn1(conv1(x))))))))).

    conv1 is 1x1 and leads to fewer channels, conv2 is 3x3 in `groups` groups, conv3 is 1x1 and
    leads to 4 times `planes` channels. base_width: the channels of a group where `planes` is 64, in
    the first stage. x (N, c_in, H, W) -> y (N, 4 planes, ceil(H/stride), ceil(W/stride)).
    downsample: as in `BasicBlock`.
    """

    expansion = 4

    def __init__(self, c_in: int, planes: int, stride: int, downsample: nn.Module | None,
                 groups: int = 1, base_width: int = 64) -> None:
        width = planes * base_width // 64 * groups
        self.conv1 = conv1x1(c_in, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width, stride, groups)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = conv1x1(width, planes * self.expansion)
        self.bn3 = nn.BatchNorm2d(planes * self.expansion)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        y = run_layers(x, self.conv1, self.bn1, relu,
                       self.conv2, self.bn2, relu,
                       self.conv3, self.bn3)
        return relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """A 7x7 convolution, max pooling, four stages of blocks, the mean of each map, a linear layer.

    x (N, 3, H, W) -> one score per class (N, num_classes). layers: the number of blocks in each
    stage. The blocks of the stages have `width`, 2, 4 and 8 times `width` planes: 64 is the
    published network; 16 takes about a sixteenth of its operations. `settings` go to each block.
    Convolutions start from `nn.init.kaiming_normal_` with fan_out and the gain of relu, as in
    torchvision.
    """

    def __init__(self, block: type[BasicBlock] | type[Bottleneck], layers: Sequence[int],
                 num_classes: int, width: int = 64, **settings: int) -> None:
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        stages, c_in = [], width
        for i, blocks in enumerate(layers):
            stage = []
            for k in range(blocks):
                planes, stride = width * 2**i, 2 if i and not k else 1
                c_out = planes * block.expansion
                downsample = None
                if stride != 1 or c_in != c_out:
                    downsample = nn.Sequential(conv1x1(c_in, c_out, stride), nn.BatchNorm2d(c_out))
                stage.append(block(c_in, planes, stride, downsample, **settings))
                c_in = c_out
            stages.append(nn.Sequential(*stage))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(c_in, num_classes)
        for _, module in self.named_modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(run_layers(x, self.conv1, self.bn1, relu))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.flatten(self.avgpool(x)))


def _resnet(name: str, num_classes: int, width: int) -> ResNet:
    layers, is_deep, (channels, base_width) = RESNETS[name]
    if not is_deep:
        return ResNet(BasicBlock, layers, num_classes, width)
    return ResNet(Bottleneck, layers, num_classes, width, groups=channels // base_width,
                  base_width=base_width)


@builder()
def resnet18(num_classes: int, width: int = 64) -> ResNet:
    """ResNet-18: 11 689 512 parameters with 1000 classes; the last layer is "fc".

    x (N, 3, H, W) -> one score per class, (N, num_classes). num_classes None: 1000, or as many as
    the file of the weights has. weights: None for fresh ones, a file, or "imagenet" for the
    official ones, which are downloaded once; `minigrad.models.pretrained` lists other forms and the
    errors. width: the channels of the first stage; the official weights have 64.
    """
    return _resnet("resnet18", num_classes, width)


@builder()
def resnet34(num_classes: int, width: int = 64) -> ResNet:
    """ResNet-34: 21 797 672 parameters; the last layer is "fc". See `resnet18`."""
    return _resnet("resnet34", num_classes, width)


@builder()
def resnet50(num_classes: int, width: int = 64) -> ResNet:
    """ResNet-50: 25 557 032 parameters; the last layer is "fc". See `resnet18`."""
    return _resnet("resnet50", num_classes, width)


@builder()
def resnet101(num_classes: int, width: int = 64) -> ResNet:
    """ResNet-101: 44 549 160 parameters; the last layer is "fc". See `resnet18`."""
    return _resnet("resnet101", num_classes, width)


@builder()
def resnet152(num_classes: int, width: int = 64) -> ResNet:
    """ResNet-152: 60 192 808 parameters; the last layer is "fc". See `resnet18`."""
    return _resnet("resnet152", num_classes, width)


@builder()
def resnext50_32x4d(num_classes: int, width: int = 64) -> ResNet:
    """ResNeXt-50 (32x4d): 25 028 904 parameters; the last layer is "fc". See `resnet18`."""
    return _resnet("resnext50_32x4d", num_classes, width)


@builder()
def resnext101_32x8d(num_classes: int, width: int = 64) -> ResNet:
    """ResNeXt-101 (32x8d): 88 791 336 parameters; the last layer is "fc". See `resnet18`."""
    return _resnet("resnext101_32x8d", num_classes, width)


@builder()
def resnext101_64x4d(num_classes: int, width: int = 64) -> ResNet:
    """ResNeXt-101 (64x4d): 83 455 272 parameters; the last layer is "fc". See `resnet18`."""
    return _resnet("resnext101_64x4d", num_classes, width)


@builder()
def wide_resnet50_2(num_classes: int, width: int = 64) -> ResNet:
    """Wide ResNet-50 (x2): 68 883 240 parameters; the last layer is "fc". See `resnet18`."""
    return _resnet("wide_resnet50_2", num_classes, width)


@builder()
def wide_resnet101_2(num_classes: int, width: int = 64) -> ResNet:
    """Wide ResNet-101 (x2): 126 886 696 parameters; the last layer is "fc". See `resnet18`."""
    return _resnet("wide_resnet101_2", num_classes, width)
