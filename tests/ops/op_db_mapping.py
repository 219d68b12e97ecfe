"""Which entry of PyTorch's `op_db` is which callable of ours, and why some have none.

`op_db` is the list of operator samples that PyTorch tests itself with. `MAPPED` renames: a sample
(input, args, kwargs) that PyTorch's op takes is given to ours, with other names of the arguments
where ours have others, and nothing else.

A name is that of the entry, and after a slash its variant: "max/reduction_with_dim".
"""

from __future__ import annotations

from operator import attrgetter
from typing import Callable, NamedTuple

import minigrad as mg
from minigrad.engine import Tensor
from minigrad.nn import functional as F


class Ours(NamedTuple):
    """A callable of ours: its public name, and how to call it with a sample of PyTorch's."""

    name: str
    call: Callable


def sizes(given):
    """(2, 3) from sum_to_size(x, 2, 3) and from sum_to_size(x, (2, 3))."""
    return given[0] if given and not isinstance(given[0], int) else given


def embedding(weight, x, **options):
    """The samples have the weight first."""
    return F.embedding(x, weight, **options)


def instance_norm(x, running_mean=None, running_var=None, *args, **options):
    mean, var = (None if v is None else v.data for v in (running_mean, running_var))
    return F.instance_norm(x, mean, var, *args, **options)


def batch_norm(x, running_mean, running_var, weight=None, bias=None, **options):
    """Running statistics are plain arrays here."""
    mean, var = (None if v is None else v.data for v in (running_mean, running_var))
    return F.batch_norm(x, mean, var, weight, bias, **options)


NUMBERS = {"double": "float64", "float": "float32", "half": "float16", "bfloat16": "bfloat16",
           "long": "int64", "int": "int32", "short": "int16", "char": "int8", "byte": "uint8",
           "bool": "bool"}

SAME_NAME = """
    abs add amax amin argmax argmin bitwise_and bitwise_left_shift bitwise_not bitwise_or
    bitwise_right_shift bitwise_xor cos div/no_rounding_mode eq exp expand expm1 flatten ge gt le
    log log1p log_softmax log_softmax/with_dtype logical_and logical_not logical_or logsumexp lt
    matmul max/reduction_no_dim max/reduction_with_dim maximum mean min/reduction_no_dim
    min/reduction_with_dim minimum mul ne neg permute pow ravel reshape sigmoid
    sign sin softmax softmax/with_dtype sqrt squeeze squeeze/multiple stack sub sum tanh to
    transpose unsqueeze var var/unbiased cat clamp clone
""".split()

ARRAYS = """
    acos acosh addcdiv addcmul addmm addmm/decomposed all allclose any argsort asin asinh atan atan2
    atanh baddbmm bincount bmm bmm/triton_optimized broadcast_tensors broadcast_to ceil chunk
    clamp_max clamp_min cosh count_nonzero cumprod cumsum diag diagonal div/floor_rounding
    div/trunc_rounding dot equal erf exp2 flip floor floor_divide fmod frac gather hstack index_add
    index_select isclose isfinite isinf isnan lerp log10 log2 logical_xor masked_fill masked_select
    max/binary median min/binary mm movedim multinomial mv nan_to_num narrow nonzero norm norm/fro
    norm/inf outer prod reciprocal remainder repeat repeat_interleave roll round round/decimals_0
    round/decimals_3 round/decimals_neg_3 rsqrt scatter scatter_add select sinh sort split
    split/list_args square std std/unbiased std_mean std_mean/unbiased take take_along_dim tan
    tensordot tile topk trace tril triu trunc unbind unique var_mean var_mean/unbiased vstack
""".split()

FUNCTIONAL = """
    adaptive_avg_pool1d adaptive_max_pool1d avg_pool1d celu channel_shuffle conv1d conv_transpose1d
    elu gelu glu group_norm hardshrink hardsigmoid hardswish hardtanh instance_norm
    interpolate/bicubic interpolate/bilinear interpolate/linear interpolate/nearest
    interpolate/nearest-exact interpolate/trilinear layer_norm local_response_norm logsigmoid
    max_pool1d mish normalize pixel_shuffle pixel_unshuffle prelu relu6 rms_norm
    scaled_dot_product_attention selu silu softmin softmin/with_dtype softshrink softsign tanhshrink
    threshold adaptive_avg_pool2d adaptive_max_pool2d avg_pool2d binary_cross_entropy_with_logits
    conv2d conv_transpose2d cross_entropy dropout dropout2d leaky_relu linear max_pool2d mse_loss
    nll_loss one_hot pad/circular pad/constant pad/reflect pad/replicate pad/replicate_negative relu
    softplus binary_cross_entropy cosine_similarity huber_loss kl_div l1_loss
    pairwise_distance smooth_l1_loss soft_margin_loss
""".split()

METHODS = """
    T mT __getitem__ __radd__ __rand__ __rmatmul__ __rmod__ __rmul__ __ror__ __rpow__ __rsub__
    __rxor__ contiguous expand_as item new_full new_ones new_zeros reshape_as t unflatten view
    view_as
""".split()
PROPERTIES = "T", "mT"

MAPPED = {
    **{name: Ours(name.split("/")[0], getattr(mg, name.split("/")[0]))
       for name in SAME_NAME + ARRAYS},
    **{f"nn.functional.{name}": Ours(f"nn.functional.{name.split('/')[0]}",
                                     getattr(F, name.split("/")[0])) for name in FUNCTIONAL},
    **{name: Ours(f"Tensor.{name}", getattr(Tensor, name)) for name in METHODS
       if name not in PROPERTIES},
    **{name: Ours(f"Tensor.{name}", attrgetter(name)) for name in PROPERTIES},
    **{name: Ours("cast", lambda x, dtype=dtype, **options: mg.cast(x, dtype, **options))
       for name, dtype in NUMBERS.items()},
    "__rdiv__": Ours("Tensor.__rtruediv__", Tensor.__rtruediv__),
    "einsum": Ours("einsum", lambda operands, equation: mg.einsum(equation, operands)),
    "constant_pad_nd": Ours("pad", lambda x, pad, value=0: mg.pad(x, pad, value=value)),
    "nn.functional.batch_norm": Ours("nn.functional.batch_norm", batch_norm),
    "nn.functional.embedding": Ours("nn.functional.embedding", embedding),
    "nn.functional.instance_norm": Ours("nn.functional.instance_norm", instance_norm),
    "nn.functional.upsample_nearest": Ours("upsample_nearest2d", mg.upsample_nearest2d),
    "rsub": Ours("sub", lambda x, other, **options: mg.sub(other, x, **options)),
    "sum_to_size": Ours("sum_to", lambda x, *shape: mg.sum_to(x, sizes(shape))),
    "true_divide": Ours("div", mg.div),
    "where": Ours("where", lambda x, condition, other: mg.where(condition, x, other)),
}

# How many samples there are, in all dtypes.
SAMPLES = 94733

# Public names that no entry above reaches.
NO_ENTRY = {"getitem": "compared as Tensor.__getitem__",
            **{f"nn.functional.{name}": "random" for name in ("dropout1d", "dropout3d")}}

# What else a Tensor has: what is no op, and operators that have no entry or are those above; and
# methods that tests/engine/test_torch_lines_parity.py and test_in_place_methods.py compare.
METHODS_NOT_COMPARED = set("""
    __array__ __bool__ __contains__ __copy__ __float__ __iadd__ __iand__ __ifloordiv__ __ilshift__
    __imod__ __imul__ __index__ __int__ __ior__ __ipow__ __irshift__ __isub__ __iter__ __itruediv__
    __ixor__ __len__ __pos__ __reversed__ __rfloordiv__ __rlshift__ __rrshift__ __setitem__ _parts
    abs_ add_ addcdiv_ addcmul_ addmm_ backward bernoulli_ bfloat16 bool ceil_ clamp_ clamp_max_
    clamp_min_ clip_ copy_ cos_ cpu cuda cumsum_ data_ptr detach detach_ dim div_ divide_ double
    element_size erf_ exp_ expm1_ fill_ float floor_ floor_divide_ fmod_ half index_add_ int
    is_contiguous is_floating_point lerp_ log10_ log1p_ log2_ log_ long masked_fill_ mul_ multiply_
    nan_to_num_ ndimension neg_ nelement new_empty new_tensor normal_ numel numpy pow_ reciprocal_
    register_hook relu_ remainder_ requires_grad_ retain_grad round_ rsqrt_ scatter_ scatter_add_
    short sigmoid_ sign_ sin_ size sqrt_ square_ stride sub_ subtract_ tan_ tanh_ tolist tril_ triu_
    trunc_ type type_as unfold uniform_ version_counter zero_
""".split())

# Entries all of whose samples are of a form that is not offered.
NOTHING_COMPARED = {"nn.functional.upsample_nearest"}

# Entries of a name of ours all of whose samples use what is not offered.
VARIANTS_NOT_OFFERED = {
    "nn.functional.interpolate/area": "the means of adaptive_avg_pool2d",
    "nn.functional.silu/complex": "complex numbers",
    "norm/nuc": "singular values",
    "nn.functional.batch_norm/without_cudnn": "the samples of nn.functional.batch_norm, for a GPU",
}
