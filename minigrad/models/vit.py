"""The vision transformer: an image is a sentence whose words are patches of 16x16 pixels.

Its idea was to give an image to a transformer almost unchanged: each patch becomes one vector by a
linear map, a learnt vector of its position is added, twelve layers of attention let all patches see
all others, and the vector of one more word, the class token, is classified; with enough photographs
to learn from, this needs nothing of what convolutions know about images (Dosovitskiy et al., "An
image is worth 16x16 words", ICLR 2021, section 3.1, table 1).
"""

import math

import numpy as np

from minigrad import nn, ops
from minigrad.engine import Tensor
from minigrad.models.pretrained import builder

_PATCH, _WIDTH, _HIDDEN, _HEADS, _LAYERS = 16, 768, 3072, 12, 12


class EncoderBlock(nn.Module):
    """z = x + attention(ln_1(x)); y = z + mlp(ln_2(z)).  x (N, S, E) -> y (N, S, E)"""

    def __init__(self, dropout: float, attention_dropout: float) -> None:
        self.ln_1 = nn.LayerNorm(_WIDTH, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(_WIDTH, _HEADS, attention_dropout,
                                                    batch_first=True)
        self.dropout, self.ln_2 = nn.Dropout(dropout), nn.LayerNorm(_WIDTH, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(_WIDTH, _HIDDEN), nn.GELU(), nn.Dropout(dropout),
            nn.Linear(_HIDDEN, _WIDTH), nn.Dropout(dropout))
        for p in self.mlp.parameters():
            if p.ndim == 2:
                nn.init.xavier_uniform_(p)
            else:
                nn.init.normal_(p, 0, 1e-6)

    def forward(self, x: Tensor) -> Tensor:
        y = self.ln_1(x)
        x = x + self.dropout(self.self_attention(y, y, y, need_weights=False)[0])
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """The positions are added, then come the layers, then a normalisation.

    x (N, S, E) -> y (N, S, E) for S = positions
    """

    def __init__(self, positions: int, dropout: float, attention_dropout: float) -> None:
        self.pos_embedding = nn.init.normal_(
            nn.Parameter(np.zeros((1, positions, _WIDTH), np.float32)), 0, 0.02)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential({f"encoder_layer_{i}": EncoderBlock(dropout, attention_dropout)
                                     for i in range(_LAYERS)})
        self.ln = nn.LayerNorm(_WIDTH, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return self.ln(self.layers(self.dropout(x + self.pos_embedding)))


class VisionTransformer(nn.Module):
    """x (N, 3, image_size, image_size) -> one score per class (N, num_classes).

    Raises ValueError for an image_size that is no multiple of 16, and for images of another size.
    """

    def __init__(self, num_classes: int, image_size: int, dropout: float,
                 attention_dropout: float) -> None:
        if image_size % _PATCH or image_size < _PATCH:
            raise ValueError(f"vit_b_16: image_size must be a multiple of 16, got {image_size}")
        self.image_size = image_size
        self.class_token = nn.Parameter(np.zeros((1, 1, _WIDTH), np.float32))
        self.conv_proj = nn.Conv2d(3, _WIDTH, _PATCH, _PATCH)
        self.encoder = Encoder((image_size // _PATCH)**2 + 1, dropout, attention_dropout)
        self.heads = nn.Sequential({"head": nn.Linear(_WIDTH, num_classes)})
        for p in (*self.conv_proj.parameters(), *self.heads.parameters()):
            nn.init.constant_(p, 0)
        # 768 inputs here too. torchvision cuts the distribution at +-2, fifty deviations away.
        nn.init.normal_(self.conv_proj.weight, 0, 1 / math.sqrt(3 * _PATCH**2))

    def forward(self, x: Tensor) -> Tensor:
        side = self.image_size
        if tuple(x.shape[1:]) != (3, side, side):
            raise ValueError(f"vit_b_16: needs images of shape (N, 3, {side}, {side}), got "
                             f"{tuple(x.shape)}; image_size says their size")
        n = len(x.data)
        words = ops.reshape(ops.permute(self.conv_proj(x), (0, 2, 3, 1)), (n, -1, _WIDTH))
        token = ops.expand(self.class_token, (n, 1, _WIDTH))
        return self.heads(self.encoder(ops.concatenate([token, words], 1))[:, 0])


@builder()
def vit_b_16(num_classes: int, dropout: float = 0.0, attention_dropout: float = 0.0,
             image_size: int = 224) -> VisionTransformer:
    """ViT-B/16: 86 567 656 parameters with 1000 classes; the last layer is "heads.head".

    x (N, 3, image_size, image_size) -> one score per class, (N, num_classes). num_classes None:
    1000, or as many as the file of the weights has. weights: None for fresh ones, a file, or
    "imagenet"; `minigrad.models.pretrained` lists other forms and the errors. dropout and
    attention_dropout: probabilities inside the layers. image_size: a multiple of 16; the weights
    belong to one size. Fresh weights of the last layer are 0, so that all scores are.
    """
    return VisionTransformer(num_classes, image_size, dropout, attention_dropout)
