"""Layers: modules that own parameters, with torch's names, defaults and initialisation."""

from minigrad.hints import module_getattr
from minigrad.nn import functional, init, utils
from minigrad.nn.activation import (CELU, ELU, GELU, GLU, SELU, Hardshrink, Hardsigmoid, Hardswish,
                                    Hardtanh, LeakyReLU, LogSigmoid, LogSoftmax, Mish, PReLU, ReLU,
                                    ReLU6, Sigmoid, SiLU, Softmax, Softmax2d, Softmin, Softplus,
                                    Softshrink, Softsign, Tanh, Tanhshrink, Threshold)
from minigrad.nn.containers import (ModuleDict, ModuleList, ParameterDict, ParameterList,
                                    Sequential)
from minigrad.nn.layers import (Dropout, Dropout1d, Dropout2d, Dropout3d, Flatten, Identity, Linear,
                                Unflatten)
from minigrad.nn.loss import (BCELoss, BCEWithLogitsLoss, CosineSimilarity,
                              CrossEntropyLoss, HuberLoss, KLDivLoss, L1Loss, MSELoss, NLLLoss,
                              PairwiseDistance, SmoothL1Loss, SoftMarginLoss)
from minigrad.nn.module import Module
from minigrad.nn.norm import (BatchNorm1d, BatchNorm2d, GroupNorm, InstanceNorm1d, InstanceNorm2d,
                              LayerNorm, LocalResponseNorm, RMSNorm)
from minigrad.nn.parameter import Buffer, Parameter
from minigrad.nn.sequence.attention import MultiheadAttention
from minigrad.nn.sequence.embedding import Embedding
from minigrad.nn.sequence.recurrent import GRU, LSTM, RNN
from minigrad.nn.sequence.transformer import TransformerEncoder, TransformerEncoderLayer
from minigrad.nn.spatial import (AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool1d,
                                 AdaptiveMaxPool2d, AvgPool1d, AvgPool2d, ChannelShuffle,
                                 CircularPad1d, CircularPad2d, ConstantPad1d, ConstantPad2d, Conv1d,
                                 Conv2d, ConvTranspose1d, ConvTranspose2d, MaxPool1d, MaxPool2d,
                                 PixelShuffle, PixelUnshuffle, ReflectionPad1d, ReflectionPad2d,
                                 ReplicationPad1d, ReplicationPad2d, Upsample, UpsamplingBilinear2d,
                                 UpsamplingNearest2d, ZeroPad1d, ZeroPad2d)

__all__ = [name for name in dir() if name[0].isupper()]
__all__ += ["functional", "init", "utils"]
__getattr__ = module_getattr(__name__)
