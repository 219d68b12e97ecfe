# %% [markdown]
# # Image pyramids: small, exact, and good for many things
#
# A pyramid is an image at ever smaller sizes, or, better, what each size adds to the next smaller
# one. We take a photograph apart, put it together again without losing a bit, find out why that
# alone proves little, and then use the pieces: to code, to join, to sharpen, to search, to learn.
# `python -m experiments pyramids` draws all of this. Run it as a script, or cell by cell in VS Code
# or Jupyter.

# %%
import numpy as np

import minigrad as mg
import pyramids
from experiments.photo import load_photo
from pyramids import differentiable as dp

photo = load_photo()
grey = np.rint(photo @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
rng = np.random.default_rng(0)
print("photograph:", photo.shape, photo.dtype)

# %% [markdown]
# ## 1. Two filters
#
# `pyr_down` blurs with five taps and keeps every other sample. `pyr_up` goes the other way: it puts
# zeros between the samples, blurs, and makes up for the zeros. Odd sizes round up, so going up
# needs to be told the size. Colour images say which axes are height and width.

# %%
small = pyramids.pyr_down(photo, axes=(0, 1))
large = pyramids.pyr_up(small, photo.shape, axes=(0, 1))
print("taps times 16:", 16 * pyramids.taps(0.375))
print(photo.shape, "->", small.shape, "->", large.shape)

# %% [markdown]
# ## 2. Take apart, put together
#
# Going down loses the fine detail. The Laplacian pyramid keeps it: L_k is what `pyr_up` of level
# k + 1 misses of level k. Add it back, from the 1x1 top upwards, and every bit returns: integers
# are subtracted and added without rounding, in a type twice as wide.

# %%
pyramid = pyramids.laplacian_pyramid(photo, axes=(0, 1))
print(pyramid)
print("numbers per sample:", round(sum(level.size for level in pyramid) / photo.size, 3))
wrong = np.count_nonzero(pyramids.collapse(pyramid) != photo)
print("wrong samples:", wrong)
assert wrong == 0

# %% [markdown]
# Floats round once when the prediction is subtracted and once when it is added. If that is too
# much, `exact=True` subtracts bit patterns instead, and even nan comes back.

# %%
image = rng.standard_normal((48, 37)).astype(np.float32)
error = np.abs(pyramids.collapse(pyramids.laplacian_pyramid(image)) - image).max()
print("float32, in eps max|I|:", error / (np.finfo(np.float32).eps * np.abs(image).max()))
image[3, 5] = np.nan
back = pyramids.collapse(pyramids.laplacian_pyramid(image, exact=True))
assert back.tobytes() == image.tobytes()

# %% [markdown]
# ## 3. Why that proves little
#
# Whatever predicts, L holds the rest. So we may leave out the gain of `pyr_up`, a classic slip, and
# still rebuild the image. What gives the slip away: the L of a constant image is not 0. And with
# the default kernel, the L of x^2 + y^2 is exactly -4, minus its Laplacian, which is where the name
# comes from.


# %%
def slip(x, shape):
    return pyramids.pyr_up(x, shape) / 4


image, flat = rng.random((64, 64)), np.full((64, 64), 0.7)
detail = image - slip(pyramids.pyr_down(image), image.shape)
rebuilt = detail + slip(pyramids.pyr_down(image), image.shape)
print("rebuilt with the slip, error:", np.abs(rebuilt - image).max())
print("L of 0.7 with the slip:", np.abs(flat - slip(pyramids.pyr_down(flat), flat.shape)).max())
print("L of 0.7 without:", np.abs(pyramids.laplacian_pyramid(flat, 2)[0]).max())
y, x = np.mgrid[:64.0, :64.0]
bowl = pyramids.laplacian_pyramid(x**2 + y**2, 2)[0]
print("L of x^2 + y^2 inside:", np.unique(bowl[8:-8, 8:-8]))

# %% [markdown]
# ## 4. How good is the kernel?
#
# Halving folds every frequency above pi/2 onto a lower one. A kernel should remove them first; the
# report says how much of white noise it leaves. More blur is less aliasing: a is a compromise.

# %%
for a in (0.3, 0.375, 0.5):
    print(pyramids.report(a, levels=3))

# %% [markdown]
# ## 5. Fewer bits
#
# Rounding the levels saves bits. If each is rounded by itself, all their errors reach the image. If
# each is the difference to what the decoder already has, the last one mends what the others broke:
# no pixel is off by more than half a step.

# %%
for step in (4, 16):
    levels = pyramids.quantise(pyramids.laplacian_pyramid(grey.astype(float), 6), step)
    code = pyramids.encode(grey, step, 6)
    for loop, bits, decoded in (
            ("open", pyramids.bits_per_pixel(levels.levels), pyramids.collapse(levels)),
            ("closed", code.bits_per_pixel, pyramids.decode(code))):
        error = np.abs(decoded - grey.astype(float)).max()
        print(f"step {step:2}, {loop:6} loop: {bits:.2f} bits per pixel, "
              f"{pyramids.psnr(grey, decoded):.1f} dB, largest error {error:g}")

# %% [markdown]
# ## 6. No seam
#
# To join two images, join their levels, each along the mask blurred to that level. Coarse shading
# then changes slowly and fine texture quickly. Between two flat images, every level more halves the
# steepest step.

# %%
dark, bright = np.full((64, 256), 0.25), np.full((64, 256), 0.75)
mask = np.broadcast_to(np.arange(256) < 128, dark.shape)
for count in range(1, 8):
    row = pyramids.blend(dark, bright, mask, count)[32]
    print(f"{count} levels: steepest step {np.diff(row).max():.4f}, from {row.min():.3f} "
          f"to {row.max():.3f}")

# %% [markdown]
# ## 7. Sharpen, and search
#
# Multiply a level and collapse: an equaliser for images. And since a small image can be searched
# everywhere in no time, a template is found at a coarse level and followed down.

# %%
sharp = pyramids.boost(pyramids.laplacian_pyramid(grey), [2.0, 1.5])
contrast = [np.abs(pyramids.laplacian_pyramid(image, 2)[0]).mean() for image in (grey, sharp)]
print(f"mean |L_0|: {contrast[0]:.2f} before, {contrast[1]:.2f} after")
row, column = 211, 153
found = pyramids.match_template(grey, grey[row:row + 90, column:column + 120])
print("template cut out at", (row, column), "and found at", found)
assert found == (row, column)

# %% [markdown]
# ## 8. Derivatives
#
# `pyramids.differentiable` makes the same levels, bit for bit, of minigrad Tensors. The gradient of
# a linear map is its transpose, and that of `pyr_down` is *almost* `pyr_up / 4`: at the border,
# where `pyr_down` reads reflected samples, it is not. `pyr_down_T` is the true one.

# %%
x = mg.Tensor(rng.standard_normal((17, 24)), requires_grad=True)
cotangent = rng.standard_normal((9, 12))
(dp.pyr_down(x) * mg.Tensor(cotangent)).sum().backward()
true = pyramids.pyr_down_T(cotangent, (17, 24))
guess = pyramids.pyr_up(cotangent, (17, 24)) / 4
print("gradient - pyr_down_T:", np.abs(x.grad.numpy() - true).max())
off = np.abs(true - guess)
print(f"gradient - pyr_up / 4: up to {off.max():.3f}, inside {off[4:-4, 4:-4].max():.1e}")
print("gradcheck:", mg.gradcheck(dp.pyr_down, [rng.standard_normal((5, 7))]))

# %% [markdown]
# So an image can be *learnt* from its pyramid. Gradient descent on the squared difference of two
# pyramids finds the image from nothing; the loss of each level pulls at its own size of detail.

# %%
target = grey[150:214, 200:264] / 255
wanted = dp.laplacian_pyramid(mg.Tensor(target), 4)
guess = np.zeros_like(target)
for step in range(401):
    x = mg.Tensor(guess, requires_grad=True)
    loss = sum(((level - goal) ** 2).sum()
               for level, goal in zip(dp.laplacian_pyramid(x, 4), wanted))
    if step % 100 == 0:
        print(f"step {step:3}: loss {loss.item():.6f}, error {np.abs(guess - target).max():.4f}")
    (gradient,) = mg.grad(loss, x)
    guess = guess - 0.8 * gradient.numpy()

# %% [markdown]
# ## Where to go on
#
# `pyramids/filters.py` is where the arithmetic happens, in slices and without a zero inserted;
# `pyramids/pyramid.py` stacks it. `pyramids/adjoint.py` is short and shows what borders do to a
# transpose. The sources are Burt and Adelson's two papers of 1983, named where they are used.
