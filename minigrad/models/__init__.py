"""Ready-made networks, each built by a function that returns a Module.

    resnet18(num_classes=7)                     fresh weights
    resnet50(weights="resnet50-11ad3fa6.pth")   those of a file, see `minigrad.weights.load`
    preprocess("resnet50", "imagenet")(image)   an image as those weights were trained to see it
    load("runs/first")                          what was trained, class names, preprocessing
    architecture(model), build(description)     a network as a table in JSON's types, and back

`MODELS` has every builder by its name. Those of ImageNet's networks have the names, tensors and
numbers of torchvision's; each module says in two sentences which idea its family brought.
"""

from minigrad.models.architecture import MODELS, architecture, build
from minigrad.models.known import recognise
from minigrad.models.load import Loaded, load, locate
from minigrad.models.pretrained import Preprocess, preprocess

# The networks. Their order here is that of MODELS.
from minigrad.models.lenet import lenet5
from minigrad.models.small_cnn import small_cnn
from minigrad.models.resnet import (resnet18, resnet34, resnet50, resnet101, resnet152,
                                    resnext50_32x4d, resnext101_32x8d, resnext101_64x4d,
                                    wide_resnet50_2, wide_resnet101_2)
from minigrad.models.cifar import (cifar_resnet20, cifar_resnet32, cifar_resnet44, cifar_resnet56,
                                   cifar_resnet110)
from minigrad.models.alexnet import alexnet
from minigrad.models.vgg import (vgg11, vgg13, vgg16, vgg19, vgg11_bn, vgg13_bn, vgg16_bn,
                                 vgg19_bn)
from minigrad.models.squeezenet import squeezenet1_0, squeezenet1_1
from minigrad.models.densenet import densenet121, densenet169, densenet201
from minigrad.models.mobilenet import mobilenet_v2, mobilenet_v3_large, mobilenet_v3_small
from minigrad.models.efficientnet import efficientnet_b0, efficientnet_lite0
from minigrad.models.convnext import convnext_tiny
from minigrad.models.vit import vit_b_16

__all__ = [*MODELS, "MODELS", "Loaded", "Preprocess", "architecture", "build", "load", "locate",
           "preprocess", "recognise"]
