"""Layers: modules that own parameters, with torch's names, defaults and initialisation."""

from minigrad.hints import module_getattr
from minigrad.nn import functional, init
from minigrad.nn.activation import (CELU, ELU, GELU, GLU, SELU, Hardshrink, Hardsigmoid, Hardswish,
                                    Hardtanh, LeakyReLU, LogSigmoid, LogSoftmax, Mish, PReLU, ReLU,
                                    ReLU6, Sigmoid, SiLU, Softmax, Softmax2d, Softmin, Softplus,
                                    Softshrink, Softsign, Tanh, Tanhshrink, Threshold)
from minigrad.nn.containers import (ModuleDict, ModuleList, ParameterDict, ParameterList,
                                    Sequential)
from minigrad.nn.fuse import batch_norm_relu
from minigrad.nn.layers import Dropout, Dropout2d, Flatten, Identity, Linear
from minigrad.nn.loss import BCEWithLogitsLoss, CrossEntropyLoss, MSELoss, NLLLoss
from minigrad.nn.module import Module, Parameter
from minigrad.nn.norm import (BatchNorm1d, BatchNorm2d, GroupNorm, InstanceNorm1d, InstanceNorm2d,
                              LayerNorm, LocalResponseNorm, RMSNorm)
from minigrad.nn.sequence.attention import MultiheadAttention
from minigrad.nn.sequence.embedding import Embedding
from minigrad.nn.sequence.recurrent import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from minigrad.nn.sequence.transformer import (Transformer, TransformerDecoder,
                                              TransformerDecoderLayer, TransformerEncoder,
                                              TransformerEncoderLayer)
from minigrad.nn.spatial import (AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, Conv2d,
                                 ConvTranspose2d, MaxPool2d, UpsamplingNearest2d)

__all__ = ["CELU", "ELU", "GELU", "GLU", "SELU", "Hardshrink", "Hardsigmoid", "Hardswish",
           "Hardtanh", "LogSigmoid", "LogSoftmax", "Mish", "PReLU", "ReLU6", "SiLU", "Softmax",
           "Softmax2d", "Softmin", "Softshrink", "Softsign", "Tanhshrink", "Threshold",
           "GroupNorm", "InstanceNorm1d", "InstanceNorm2d", "LayerNorm", "LocalResponseNorm",
           "RMSNorm", "Embedding", "MultiheadAttention", "Transformer", "TransformerDecoder",
           "TransformerDecoderLayer", "TransformerEncoder", "TransformerEncoderLayer",
           "GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "RNNCell",
           "AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "AvgPool2d", "BCEWithLogitsLoss",
           "BatchNorm1d", "BatchNorm2d", "Conv2d", "ConvTranspose2d", "CrossEntropyLoss",
           "Dropout", "Dropout2d", "Flatten", "Identity", "LeakyReLU", "Linear", "MSELoss",
           "MaxPool2d", "Module", "ModuleDict", "ModuleList", "NLLLoss", "Parameter",
           "ParameterDict", "ParameterList", "ReLU", "Sequential", "Sigmoid", "Softplus", "Tanh",
           "UpsamplingNearest2d", "batch_norm_relu", "functional", "init"]
__getattr__ = module_getattr(__name__)
