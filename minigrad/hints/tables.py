"""The tables: a line of PyTorch, and what to write here instead; and the names with nothing yet.

The most used come first. Both sides of every line run, and the tests compare what they give. In
them x, y (2, 3), v, w (3,), m (3, 3) and b (2, 3, 3) are floats, p and t between 0 and 1, i class
numbers, k (2, 1) columns, a an array; images (N, C, H, W), model a Sequential, parameter and
layer a Parameter and a Module, f a function of modules, state a state_dict, F nn.functional.
"""

TENSOR = """
x.size()                    x.shape
x.view(3, 2)                x.reshape(3, 2)
x.cpu()                     x.to("cpu")
x.cuda()                    x.to("cuda")
x.float()                   x.to("float32")
x.eq(y)                     x == y
x.type(torch.float64)       x.to("float64")
x.zero_()                   x[...] = 0
x.long()                    x.to("int64")
x.int()                     x.to("int32")
x.bool()                    x.to("bool")
x.double()                  x.to("float64")
x.half()                    x.to("float16")
x.type_as(i)                x.to(i.dtype)
x.ne(y)                     x != y
x.lt(y)                     x < y
x.le(y)                     x <= y
x.gt(y)                     x > y
x.ge(y)                     x >= y
x.view_as(y)                x.reshape(y.shape)
x.reshape_as(y)             x.reshape(y.shape)
x.expand_as(y)              x.expand(y.shape)
x.contiguous()              x
x.is_contiguous()           x.data.flags.c_contiguous
x.t()                       x.T
x.mT                        x.transpose(-1, -2)
x.swapaxes(0, 1)            x.transpose(0, 1)
x.ravel()                   x.flatten()
x.dim()                     x.ndim
x.nelement()                x.numel()
x.element_size()            x.data.itemsize
x.is_cuda                   x.device == "cuda"
x.is_floating_point()       x.dtype.kind == "f"
x.grad_fn                   x.node
x.requires_grad_()          x.requires_grad = True
x.data_ptr()                x.data.ctypes.data
x.tolist()                  x.data.tolist()
x.mm(m)                     x @ m
x.mv(v)                     x @ v
b.bmm(b)                    b @ b
v.dot(w)                    v @ w
v.outer(w)                  v[:, None] * w
x.add(y)                    x + y
x.sub(y)                    x - y
x.mul(y)                    x * y
x.div(y)                    x / y
x.neg()                     -x
x.square()                  x * x
x.reciprocal()              1 / x
p.rsqrt()                   1 / p.sqrt()
x.remainder(2)              mg.Tensor(x.data % 2)  # no gradient
x.round()                   mg.Tensor(x.data.round())  # no gradient
x.floor()                   mg.Tensor(np.floor(x.data))  # no gradient
x.ceil()                    mg.Tensor(np.ceil(x.data))  # no gradient
x.std()                     x.var().sqrt()
x.norm()                    (x * x).sum().sqrt()
x.cumsum(0)                 mg.Tensor(x.data.cumsum(0))  # no gradient
x.all()                     mg.Tensor(x.data.all())
x.any()                     mg.Tensor(x.data.any())
x.isnan()                   x != x
x.isinf()                   mg.Tensor(np.isinf(x.data))
x.isfinite()                mg.Tensor(np.isfinite(x.data))
x.equal(y)                  np.array_equal(x.data, y.data)
x.allclose(y)               np.allclose(x.data, y.data)
x.topk(2).indices           mg.Tensor(np.argsort(-x.data)[:, :2])
x.sort().values             mg.Tensor(np.sort(x.data))  # no gradient
x.argsort()                 mg.Tensor(x.data.argsort())
x.unique()                  mg.Tensor(np.unique(x.data))  # no gradient
x.nonzero()                 mg.Tensor(np.argwhere(x.data))
x.gather(1, k)              x[np.arange(2)[:, None], k]
x.masked_fill(y > 1, 0.0)   mg.where(y > 1, 0.0, x)
x.masked_select(y > 1)      x[y > 1]
x.index_select(0, i)        x[i]
x.select(0, 1)              x[1]
x.narrow(1, 0, 2)           x[:, 0:2]
x.unbind()                  tuple(x)
x.chunk(2)                  (x[:1], x[1:])
x.split(1)                  (x[:1], x[1:])
x.repeat(2, 1)              mg.cat([x, x])
x.flip(0)                   x[::-1]
x.roll(1, 0)                mg.cat([x[-1:], x[:-1]])
x.tril()                    x * np.tril(np.ones(x.shape, "float32"))
x.triu()                    x * np.triu(np.ones(x.shape, "float32"))
m.diag()                    m[np.arange(3), np.arange(3)]
m.trace()                   m[np.arange(3), np.arange(3)].sum()
x.fill_(0.5)                x[...] = 0.5
x.add_(y)                   x += y
x.sub_(y)                   x -= y
x.mul_(y)                   x *= y
x.div_(y)                   x /= y
x.clamp_(0, 1)              x[...] = x.clip(0, 1)
x.normal_()                 nn.init.normal_(x)
x.uniform_()                nn.init.uniform_(x)
x.new_zeros(2, 3)           mg.Tensor(np.zeros((2, 3), x.dtype))
x.new_ones(2, 3)            mg.Tensor(np.ones((2, 3), x.dtype))
"""
TENSOR_NOT_YET = """prod scatter scatter_ scatter_add_ cumprod median mode quantile erf log2 log10
tan atan asin acos sinh cosh atan2 fmod lerp logical_xor bincount histc multinomial detach_
retain_grad storage stride unfold pin_memory share_memory_ addmm baddbmm take kthvalue index_fill_
index_add_ masked_fill_ unflatten movedim tile repeat_interleave squeeze_ unsqueeze_ transpose_
inverse det"""

MINIGRAD = """
torch.tensor([1.0, 2.0])        mg.Tensor([1.0, 2.0])
torch.save(state, "a.pt")   weights.save("a.safetensors", state)  # from minigrad import weights
torch.load("b.pt")              weights.load("b.pt")  # from minigrad import weights
torch.randn(2, 3)               mg.Tensor(np.random.randn(2, 3), dtype="float32")
torch.device("cuda")            "cuda"
torch.from_numpy(a)             mg.Tensor(a)
torch.inference_mode()          mg.no_grad()
torch.zeros(2, 3)               mg.Tensor(np.zeros((2, 3), "float32"))
torch.ones(2, 3)                mg.Tensor(np.ones((2, 3), "float32"))
torch.arange(6)                 mg.Tensor(np.arange(6))
torch.rand(2, 3)                mg.Tensor(np.random.rand(2, 3), dtype="float32")
torch.float32                   "float32"
torch.full((2, 3), 0.5)         mg.Tensor(np.full((2, 3), 0.5, "float32"))
torch.empty(2, 3)               mg.Tensor(np.empty((2, 3), "float32"))
torch.linspace(0, 1, 5)         mg.Tensor(np.linspace(0, 1, 5, dtype="float32"))
torch.eye(3)                    mg.Tensor(np.eye(3, dtype="float32"))
torch.randint(0, 10, (2, 3))    mg.Tensor(np.random.randint(0, 10, (2, 3)))
torch.randperm(6)               mg.Tensor(np.random.permutation(6))
torch.zeros_like(x)             mg.Tensor(np.zeros_like(x.data))
torch.ones_like(x)              mg.Tensor(np.ones_like(x.data))
torch.full_like(x, 0.5)         mg.Tensor(np.full_like(x.data, 0.5))
torch.empty_like(x)             mg.Tensor(np.empty_like(x.data))
torch.rand_like(x)              mg.Tensor(np.random.rand(*x.shape), dtype="float32")
torch.randn_like(x)             mg.Tensor(np.random.randn(*x.shape), dtype="float32")
torch.as_tensor([1.0, 2.0])     mg.Tensor([1.0, 2.0])
torch.FloatTensor([1, 2])       mg.Tensor([1, 2], dtype="float32")
torch.LongTensor([1, 2])        mg.Tensor([1, 2], dtype="int64")
torch.is_tensor(x)              isinstance(x, mg.Tensor)
torch.cuda.manual_seed(0)       mg.manual_seed(0)
torch.utils.data.DataLoader     data.DataLoader  # from minigrad import data
torch.Size([2, 3])              (2, 3)
torch.float64                   "float64"
torch.double                    "float64"
torch.float                     "float32"
torch.float16                   "float16"
torch.half                      "float16"
torch.bfloat16                  "bfloat16"
torch.int64                     "int64"
torch.long                      "int64"
torch.int32                     "int32"
torch.int                       "int32"
torch.uint8                     "uint8"
torch.bool                      "bool"
torch.set_printoptions(precision=4)     np.set_printoptions(precision=4)
"""
MINIGRAD_NOT_YET = """einsum enable_grad set_grad_enabled is_grad_enabled meshgrid vstack hstack
compile jit hub distributed backends distributions fft linalg sparse Generator get_rng_state
set_rng_state set_default_dtype complex64 normal bernoulli logspace tensordot kron cdist cross
searchsorted vmap func tril_indices triu_indices"""

NN = """
nn.Softmax(dim=1)(x)            x.softmax(1)
nn.L1Loss()(x, y)               mg.mean(mg.abs(x - y))
nn.BCELoss()(p, t)              -mg.mean(t * mg.log(p) + (1 - t) * mg.log(1 - p))
nn.ModuleList([layer])          nn.Sequential(layer)
nn.Upsample(scale_factor=2)(images)     nn.UpsamplingNearest2d(2)(images)
nn.utils.clip_grad_norm_(model.parameters(), 1.0)   optim.clip_grad_norm_(model.parameters(), 1.0)
nn.LogSoftmax(dim=1)(x)         x.log_softmax(1)
nn.GELU("tanh")(x)  0.5 * x * (1 + mg.tanh(0.79788456 * (x + 0.044715 * x ** 3)))
nn.SiLU()(x)                    x * mg.sigmoid(x)
nn.Mish()(x)                    x * mg.tanh(mg.softplus(x))
nn.ReLU6()(x)                   x.clip(0, 6)
nn.Hardtanh()(x)                x.clip(-1, 1)
nn.Hardsigmoid()(x)             (x + 3).clip(0, 6) / 6
nn.Hardswish()(x)               x * (x + 3).clip(0, 6) / 6
nn.ELU()(x)                     mg.maximum(x, 0) + mg.expm1(mg.minimum(x, 0))
nn.LogSigmoid()(x)              -mg.softplus(-x)
nn.Softsign()(x)                x / (1 + mg.abs(x))
nn.ZeroPad2d(1)(images)         mg.pad(images, (1, 1, 1, 1))
nn.ConstantPad2d(1, 0.5)(images)        mg.pad(images, (1, 1, 1, 1), 0.5)
nn.Unflatten(1, (3, 1))(x)      x.reshape(2, 3, 1)
nn.PixelUnshuffle(1)(images)    images
"""
NN_NOT_YET = """Embedding InstanceNorm2d LSTM LayerNorm ModuleDict ParameterList MultiheadAttention
PReLU GroupNorm PixelShuffle TransformerEncoderLayer TransformerEncoder Transformer Conv1d Conv3d
ConvTranspose1d GRU RNN LSTMCell GRUCell RNNCell EmbeddingBag SmoothL1Loss HuberLoss KLDivLoss
CosineSimilarity CosineEmbeddingLoss TripletMarginLoss CTCLoss MaxPool1d AvgPool1d AdaptiveAvgPool1d
BatchNorm3d SyncBatchNorm InstanceNorm1d LocalResponseNorm RMSNorm ReflectionPad2d ReplicationPad2d
Dropout1d Dropout3d AlphaDropout SELU CELU GLU Bilinear Fold Unfold DataParallel
UpsamplingBilinear2d MaxUnpool2d CircularPad2d LazyLinear parallel"""

FUNCTIONAL = """
F.one_hot(i, 3)                 mg.Tensor(np.eye(3, dtype="int64")[i.data])
F.interpolate(images, scale_factor=2)   mg.upsample_nearest2d(images, 2)
F.gelu(x, approximate="tanh")   0.5 * x * (1 + mg.tanh(0.79788456 * (x + 0.044715 * x ** 3)))
F.normalize(x)                  x / (x * x).sum(1, keepdim=True).sqrt()
F.l1_loss(x, y)                 mg.mean(mg.abs(x - y))
F.binary_cross_entropy(p, t)    -mg.mean(t * mg.log(p) + (1 - t) * mg.log(1 - p))
F.embedding(i, m)               m[i]
F.silu(x)                       x * mg.sigmoid(x)
F.mish(x)                       x * mg.tanh(mg.softplus(x))
F.relu6(x)                      x.clip(0, 6)
F.hardtanh(x)                   x.clip(-1, 1)
F.hardswish(x)                  x * (x + 3).clip(0, 6) / 6
F.elu(x)                        mg.maximum(x, 0) + mg.expm1(mg.minimum(x, 0))
F.logsigmoid(x)                 -mg.softplus(-x)
F.softsign(x)                   x / (1 + mg.abs(x))
"""
FUNCTIONAL_NOT_YET = """smooth_l1_loss huber_loss kl_div layer_norm group_norm instance_norm
scaled_dot_product_attention conv1d conv3d max_pool1d avg_pool1d adaptive_avg_pool1d unfold fold
grid_sample affine_grid cosine_similarity triplet_margin_loss ctc_loss prelu selu celu glu
pixel_shuffle gumbel_softmax bilinear local_response_norm max_unpool2d relu_ rms_norm"""

MODULE = """
model.cuda()                        model.to("cuda")
model.cpu()                         model.to("cpu")
model.apply(f)                      for _, module in model.named_modules(): f(module)
model.register_buffer("a", torch.from_numpy(a))     model.a = a
model.children()                    [child for _, child in model.named_children()]
model.modules()                     [module for _, module in model.named_modules()]
model.buffers()                     [array for _, array in model.named_buffers()]
model.float()                       model.to("float32")
model.double()                      model.to("float64")
model.half()                        model.to("float16")
model.add_module("last", layer)     model.last = layer
model.register_module("last", layer)        model.last = layer
model.register_parameter("scale", parameter)    model.scale = parameter
model.get_submodule("0")            dict(model.named_modules())["0"]
model.get_parameter("0.weight")     dict(model.named_parameters())["0.weight"]
model.append(layer)                 model = nn.Sequential(*model, layer)
"""
MODULE_NOT_YET = """register_forward_hook register_forward_pre_hook register_full_backward_hook type
bfloat16 share_memory compile to_empty get_buffer xpu insert extend"""

INIT = """
init.zeros_(parameter)              nn.init.constant_(parameter, 0.0)
init.ones_(parameter)               nn.init.constant_(parameter, 1.0)
"""
INIT_NOT_YET = "trunc_normal_ orthogonal_ eye_ dirac_ sparse_"

OPTIM = ""
OPTIM_NOT_YET = "RMSprop Adagrad Adadelta Adamax NAdam RAdam LBFGS Rprop ASGD SparseAdam swa_utils"

LR_SCHEDULER = """
lr_scheduler.ExponentialLR(optimizer, 0.9)  lr_scheduler.StepLR(optimizer, 1, 0.9)
"""
LR_SCHEDULER_NOT_YET = """MultiStepLR LambdaLR LinearLR SequentialLR ReduceLROnPlateau
CosineAnnealingWarmRestarts ConstantLR PolynomialLR CyclicLR MultiplicativeLR ChainedScheduler"""

# What is public here but no name of PyTorch's in that place.
OURS = {
    "Tensor": "changes counter node",
    "minigrad": """Function GradcheckError adaptive_avg_pool2d adaptive_max_pool2d avg_pool2d
        cast cross_entropy dropout2d expand getitem grad gradcheck gradgradcheck hessian jacobian
        jvp leaky_relu linear mse_loss nll_loss pad softplus sum_to to upsample_nearest2d""",
    "minigrad.nn": "batch_norm_relu",
    "minigrad.nn.init": "fans",
    "minigrad.optim": "GradScaler clip_grad_norm_ clip_grad_value_",
}
