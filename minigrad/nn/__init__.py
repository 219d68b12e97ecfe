"""Layers: modules that own parameters, with torch's names, defaults and initialisation."""

from minigrad.hints import module_getattr
from minigrad.nn import functional, init, utils
from minigrad.nn.containers import (ModuleDict, ModuleList, ParameterDict, ParameterList,
                                    Sequential)
from minigrad.nn.fuse import batch_norm_relu
from minigrad.nn.layers import (Dropout, Dropout2d, Flatten, Identity, LeakyReLU, Linear, ReLU,
                                Sigmoid, Softplus, Tanh)
from minigrad.nn.loss import (BCELoss, BCEWithLogitsLoss, CosineEmbeddingLoss, CosineSimilarity,
                              CrossEntropyLoss, GaussianNLLLoss, HingeEmbeddingLoss, HuberLoss,
                              KLDivLoss, L1Loss, MarginRankingLoss, MSELoss, NLLLoss,
                              PairwiseDistance, PoissonNLLLoss, SmoothL1Loss, SoftMarginLoss,
                              TripletMarginLoss)
from minigrad.nn.module import Module
from minigrad.nn.norm import BatchNorm1d, BatchNorm2d
from minigrad.nn.parameter import Buffer, Parameter
from minigrad.nn.spatial import (AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, Conv2d,
                                 ConvTranspose2d, MaxPool2d, UpsamplingNearest2d)

__all__ = ["AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "AvgPool2d", "BCEWithLogitsLoss",
           "BatchNorm1d", "BatchNorm2d", "Conv2d", "ConvTranspose2d", "CrossEntropyLoss",
           "Dropout", "Dropout2d", "Flatten", "Identity", "LeakyReLU", "Linear", "MSELoss",
           "MaxPool2d", "Module", "ModuleDict", "ModuleList", "NLLLoss", "Parameter",
           "ParameterDict", "ParameterList", "ReLU", "Sequential", "Sigmoid", "Softplus", "Tanh",
           "UpsamplingNearest2d", "batch_norm_relu", "functional", "init"]
__all__ += ["BCELoss", "Buffer", "CosineEmbeddingLoss", "CosineSimilarity", "GaussianNLLLoss",
            "HingeEmbeddingLoss", "HuberLoss", "KLDivLoss", "L1Loss", "MarginRankingLoss",
            "PairwiseDistance", "PoissonNLLLoss", "SmoothL1Loss", "SoftMarginLoss",
            "TripletMarginLoss", "utils"]
__getattr__ = module_getattr(__name__)
