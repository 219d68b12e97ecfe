# %% [markdown]
# # A sheet of theory answers, checked
#
# Seven questions on image pyramids, back-propagation and convolutional networks, and what an engine
# and a few lines of NumPy say to the written answers. `python -m experiments theory` does the same
# with every detail, by several routes each; here is the heart of it.

# %%
import math

import numpy as np

import minigrad as mg
from minigrad import models, nn
from minigrad.profile import profile
from pyramids import collapse, gaussian_pyramid, laplacian_pyramid

rng = np.random.default_rng(0)

# %% [markdown]
# ## Question 1: what must be stored to rebuild an image?
#
# The differences L between each level and the next one blown up again, and the 1x1 top. Adding them
# back from the top down returns every bit, whatever the size of the image.

# %%
photo = rng.integers(0, 256, (37, 50), dtype=np.uint8)
pyramid = laplacian_pyramid(photo)
print("levels:", " ".join(str(level.shape) for level in pyramid))
print("bits lost:", int((collapse(pyramid) != photo).sum()))

# %% [markdown]
# The answer then *defines* L as the true Laplacian. That cannot be: L must be the difference. The
# name is still fair. With the binomial kernel the difference is exactly -2 on x^2, whose second
# derivative is 2, everywhere but at the border.

# %%
x = np.arange(33.0)
parabola = np.tile(x**2, (33, 1))
print("L of x^2 inside:", np.unique(laplacian_pyramid(parabola, levels=2)[0][8:-8, 8:-8]))
top = gaussian_pyramid(photo.astype(float))[-1].item()
print(f"the 1x1 top {top:.2f} is not the mean {photo.mean():.2f}")

# %% [markdown]
# ## Question 2: linear activations collapse
#
# y = W* x + b*: the Jacobian of the network is W*, and its value at 0 is b*. One tanh, and the
# Jacobian changes from point to point.

# %%
linear_net = nn.Sequential(nn.Linear(4, 7), nn.Linear(7, 5), nn.Linear(5, 3)).to("float64")
W = mg.jacobian(linear_net, np.zeros(4)).numpy()
b = linear_net(mg.Tensor(np.zeros(4))).detach().numpy()
x = rng.normal(size=4)
y = linear_net(mg.Tensor(x)).detach().numpy()
print("|net(x) - (W x + b)| =", abs(y - (W @ x + b)).max())
bent = nn.Sequential(nn.Linear(4, 7), nn.Tanh(), nn.Linear(7, 3)).to("float64")
print("with a tanh, the Jacobian moves by",
      abs(mg.jacobian(bent, x).numpy() - mg.jacobian(bent, -x).numpy()).max())

# %% [markdown]
# ## Question 3: dL/dw3 = -0.2651?
#
# Two of the written factors, 0.6908 and 0.8064, should be slopes of the logistic function. They are
# never above 1/4. The first walkthrough has the right chain.

# %%
z = np.linspace(-10, 10, 100_001)
slope = mg.sigmoid(z) * (1 - mg.sigmoid(z))
print("steepest slope:", slope.max())
w3 = mg.Tensor(np.float64(1.74), requires_grad=True)
z3 = -0.13 * mg.sigmoid(np.float64(-0.175)) + 0.93 * mg.sigmoid(w3 * 0.8 + 0.553)
((1 - mg.sigmoid(z3)) ** 2).backward()
print("dL/dw3 =", w3.grad.item())

# %% [markdown]
# ## Question 4: operations of a convolution and a pooling layer
#
# A general counter walks the model; one multiplication, addition or comparison is 1.

# %%
layer = nn.Sequential(nn.Conv2d(50, 20, 4, stride=2, padding=1), nn.MaxPool2d(3, stride=1))
print(profile(layer, (1, 50, 12, 12)))

# %% [markdown]
# ## Question 5: the parameters of LeNet-5
#
# Today's LeNet, and the one of 1998 with its sparse C3, its trainable subsampling and its fixed
# output codes.

# %%
for variant in ("modern", "1998"):
    net = models.lenet5(variant=variant)
    print(variant, sum(p.numel() for p in net.parameters() if p.requires_grad))

# %% [markdown]
# ## Question 6: the logistic layer needs only its output
#
# Overwrite the input before going back: nothing happens. Do the same to sin, which needs its input,
# and the engine refuses rather than computing nonsense.

# %%
for f in (mg.sigmoid, mg.sin):
    x = mg.Tensor(rng.normal(size=5), requires_grad=True)
    y = f(x)
    with mg.no_grad():
        x[...] = 0
    try:
        y.sum().backward()
        print(f"{f.__name__}: gradient right to",
              abs(x.grad.numpy() - (y * (1 - y)).detach().numpy()).max())
    except RuntimeError as error:
        print(f"{f.__name__}: {error}")

# %% [markdown]
# ## Question 7: tanh against the logistic function
#
# tanh'(x) = 4 (s(2x) - s(2x)^2): four times as steep at 0, flatter in the tails.

# %%
x = np.linspace(-20, 20, 4001)
s2 = mg.sigmoid(2 * x)
print("largest difference:", abs((1 - np.tanh(x) ** 2) - 4 * (s2 - s2**2)).max())
for at in (0.0, 1.0, 2.0, 4.0):
    ratio = (1 - math.tanh(at) ** 2) / (mg.sigmoid(np.float64(at)) * mg.sigmoid(np.float64(-at)))
    print(f"tanh'({at}) / s'({at}) = {ratio:.3f}")
