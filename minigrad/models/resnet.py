"""The ResNet family of torchvision: modules are named as the tensors in its weights files.

    resnet50(weights="resnet50-11ad3fa6.pth")   a file
    resnet50(weights="imagenet")                the official file, downloaded once
    resnet50(num_classes=7, weights=...)        another last layer, fresh

He et al., "Deep residual learning for image recognition", CVPR 2016, table 1; in the bottleneck the
stride sits on the 3x3 convolution (the "v1.5" of torchvision). ResNeXt: Xie et al., CVPR 2017.
Wide ResNet: Zagoruyko and Komodakis, BMVC 2016.
"""

from __future__ import annotations

from minigrad import nn
from minigrad.models.pretrained import pretrained
from minigrad.ops import relu


def conv3x3(c_in, c_out, stride=1, groups=1):
    """3x3 convolution that keeps the size at stride 1."""
    return nn.Conv2d(c_in, c_out, 3, stride, padding=1, groups=groups, bias=False)


def conv1x1(c_in, c_out, stride=1):
    """1x1 convolution."""
    return nn.Conv2d(c_in, c_out, 1, stride, bias=False)


class BasicBlock(nn.Module):
    """y = relu(x + bn(conv3x3(relu(bn(conv3x3(x)))))), x through `downsample` if sizes differ."""

    expansion = 1

    def __init__(self, c_in, planes, stride, downsample):
        self.conv1 = conv3x3(c_in, planes, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x):
        y = nn.batch_norm_relu(self.bn1, self.conv1(x))
        y = self.bn2(self.conv2(y))
        return relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1 down to `width` channels, 3x3 in `groups` groups, 1x1 up to 4 planes, plus x."""

    expansion = 4

    def __init__(self, c_in, planes, stride, downsample, groups=1, base_width=64):
        width = planes * base_width // 64 * groups
        self.conv1 = conv1x1(c_in, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width, stride, groups)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = conv1x1(width, planes * self.expansion)
        self.bn3 = nn.BatchNorm2d(planes * self.expansion)
        self.downsample = downsample

    def forward(self, x):
        y = nn.batch_norm_relu(self.bn1, self.conv1(x))
        y = nn.batch_norm_relu(self.bn2, self.conv2(y))
        y = self.bn3(self.conv3(y))
        return relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """7x7 convolution, max pool, four stages of `layers` blocks, global mean, one linear layer.

    x (N, 3, H, W) -> (N, num_classes), by the last layer, "fc". The stages have `width`, 2, 4 and 8
    `width` planes: 64 is the published network, 16 one of a sixteenth of its operations. `settings`
    go to each block.
    Convolutions start from kaiming_normal (fan_out, relu), as torchvision's.
    """

    def __init__(self, block, layers, num_classes, width=64, **settings):
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        c_in = width
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
            setattr(self, f"layer{i + 1}", nn.Sequential(*stage))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(c_in, num_classes)
        for _, module in self.named_modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        x = self.maxpool(nn.batch_norm_relu(self.bn1, self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.flatten(self.avgpool(x)))


def _resnet(name, num_classes, weights, block, layers, **settings):
    return pretrained(name, lambda n: ResNet(block, layers, n, **settings), "fc", num_classes,
                      weights)


# Arguments as in `pretrained` and `ResNet`; the parameters are counted with 1000 classes.


def resnet18(num_classes=None, weights=None, width=64):
    """ResNet-18: 11 689 512 parameters; the last layer is "fc"."""
    return _resnet("resnet18", num_classes, weights, BasicBlock, (2, 2, 2, 2), width=width)


def resnet34(num_classes=None, weights=None, width=64):
    """ResNet-34: 21 797 672 parameters; the last layer is "fc"."""
    return _resnet("resnet34", num_classes, weights, BasicBlock, (3, 4, 6, 3), width=width)


def resnet50(num_classes=None, weights=None, width=64):
    """ResNet-50: 25 557 032 parameters; the last layer is "fc"."""
    return _resnet("resnet50", num_classes, weights, Bottleneck, (3, 4, 6, 3), width=width)


def resnet101(num_classes=None, weights=None, width=64):
    """ResNet-101: 44 549 160 parameters; the last layer is "fc"."""
    return _resnet("resnet101", num_classes, weights, Bottleneck, (3, 4, 23, 3), width=width)


def resnet152(num_classes=None, weights=None, width=64):
    """ResNet-152: 60 192 808 parameters; the last layer is "fc"."""
    return _resnet("resnet152", num_classes, weights, Bottleneck, (3, 8, 36, 3), width=width)


def resnext50_32x4d(num_classes=None, weights=None, width=64):
    """ResNeXt-50 (32x4d): 25 028 904 parameters; the last layer is "fc"."""
    return _resnet("resnext50_32x4d", num_classes, weights, Bottleneck, (3, 4, 6, 3), width=width,
                   groups=32, base_width=4)


def resnext101_32x8d(num_classes=None, weights=None, width=64):
    """ResNeXt-101 (32x8d): 88 791 336 parameters; the last layer is "fc"."""
    return _resnet("resnext101_32x8d", num_classes, weights, Bottleneck, (3, 4, 23, 3), width=width,
                   groups=32, base_width=8)


def resnext101_64x4d(num_classes=None, weights=None, width=64):
    """ResNeXt-101 (64x4d): 83 455 272 parameters; the last layer is "fc"."""
    return _resnet("resnext101_64x4d", num_classes, weights, Bottleneck, (3, 4, 23, 3), width=width,
                   groups=64, base_width=4)


def wide_resnet50_2(num_classes=None, weights=None, width=64):
    """Wide ResNet-50 (x2): 68 883 240 parameters; the last layer is "fc"."""
    return _resnet("wide_resnet50_2", num_classes, weights, Bottleneck, (3, 4, 6, 3), width=width,
                   base_width=128)


def wide_resnet101_2(num_classes=None, weights=None, width=64):
    """Wide ResNet-101 (x2): 126 886 696 parameters; the last layer is "fc"."""
    return _resnet("wide_resnet101_2", num_classes, weights, Bottleneck, (3, 4, 23, 3), width=width,
                   base_width=128)
