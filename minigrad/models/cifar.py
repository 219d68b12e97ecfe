"""The small ResNets for 32x32 images: He et al., "Deep residual learning", CVPR 2016, section 4.2.

6n + 2 layers in three stages of n blocks with 16, 32 and 64 channels. Where sizes change, the
shortcut has no parameters ("option A"): every second pixel, and zero channels in front and behind.
Modules are named as in Y. Idelbayev's weights files (github.com/akamaster/pytorch_resnet_cifar10).
"""

from __future__ import annotations

from minigrad import nn
from minigrad.models.pretrained import pretrained
from minigrad.models.resnet import conv3x3
from minigrad.ops import pad, relu


class Shortcut(nn.Module):
    """x (N, C, H, W) -> (N, C + extra, ceil(H/2), ceil(W/2)), the extra channels zero."""

    def __init__(self, extra):
        self.extra = extra

    def forward(self, x):
        return pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.extra // 2, self.extra // 2))


class CifarBlock(nn.Module):
    """y = relu(x + bn(conv3x3(relu(bn(conv3x3(x))))))."""

    def __init__(self, c_in, c_out, stride):
        self.conv1 = conv3x3(c_in, c_out, stride)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = conv3x3(c_out, c_out)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.shortcut = nn.Identity() if c_in == c_out else Shortcut(c_out - c_in)

    def forward(self, x):
        y = nn.batch_norm_relu(self.bn1, self.conv1(x))
        return relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class CifarResNet(nn.Module):
    """x (N, 3, 32, 32) -> (N, num_classes), by the last layer, "linear"."""

    def __init__(self, n, num_classes):
        self.conv1 = conv3x3(3, 16)
        self.bn1 = nn.BatchNorm2d(16)
        c_in = 16
        for i, c_out in enumerate((16, 32, 64), 1):
            blocks = [CifarBlock(c_in if k == 0 else c_out, c_out, 2 if i > 1 and k == 0 else 1)
                      for k in range(n)]
            setattr(self, f"layer{i}", nn.Sequential(*blocks))
            c_in = c_out
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(64, num_classes)
        for _, module in self.named_modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x):
        x = nn.batch_norm_relu(self.bn1, self.conv1(x))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(self.flatten(self.avgpool(x)))


def _cifar_resnet(depth, num_classes, weights):
    return pretrained(f"cifar_resnet{depth}", lambda n: CifarResNet((depth - 2) // 6, n), "linear",
                      num_classes, weights, default=10)


# Arguments as in `pretrained`; the parameters are counted with 10 classes.


def cifar_resnet20(num_classes=None, weights=None):
    """20 layers: 269 722 parameters; the last layer is "linear"."""
    return _cifar_resnet(20, num_classes, weights)


def cifar_resnet32(num_classes=None, weights=None):
    """32 layers: 464 154 parameters; the last layer is "linear"."""
    return _cifar_resnet(32, num_classes, weights)


def cifar_resnet44(num_classes=None, weights=None):
    """44 layers: 658 586 parameters; the last layer is "linear"."""
    return _cifar_resnet(44, num_classes, weights)


def cifar_resnet56(num_classes=None, weights=None):
    """56 layers: 853 018 parameters; the last layer is "linear"."""
    return _cifar_resnet(56, num_classes, weights)


def cifar_resnet110(num_classes=None, weights=None):
    """110 layers: 1 727 962 parameters; the last layer is "linear"."""
    return _cifar_resnet(110, num_classes, weights)
