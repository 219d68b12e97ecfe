# %% [markdown]
# # Image pyramids: small, exact, and good for many things
#
# A pyramid is an image at ever smaller sizes, or, better, what each size adds to the next smaller
# one. We take a photograph apart, put it together again without losing a bit, find out why that
# alone proves little, and then use the pieces: to code, to join, to sharpen, to search, to learn.
#
# **You will learn**
#
# - to build and to collapse a Laplacian pyramid, and what its levels look like,
# - what aliasing is, how a kernel prevents it, and how to catch a pyramid that is wrong,
# - four things that are easy with a pyramid and hard without,
# - how to differentiate through one, and why the border makes that subtle.
#
# **You need** NumPy arrays and the idea of a filter; for section 8 the first walkthrough,
# [`01_autograd.py`](01_autograd.py). It runs in eight seconds. `python -m experiments pyramids
# YOUR_PHOTO` draws more of this, for a photograph of your own.

# %%
import numpy as np

import minigrad as mg
import pyramids
from experiments.photo import load_photo
from experiments.style import PALETTE, new_figure, show
from pyramids import differentiable as dp

photo = load_photo()
grey = np.rint(photo @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
rng = np.random.default_rng(0)
print("photograph:", photo.shape, photo.dtype)


def show_images(images, inches, low=0, high=255):
    """A row of images {title: array}; grey ones from black, `low`, to white, `high`."""
    figure = new_figure(7.5, inches)
    for ax, (title, image) in zip(figure.subplots(1, len(images)), images.items()):
        ax.imshow(image, cmap="gray", vmin=low, vmax=high)
        ax.set_title(title, fontsize=10)
        ax.axis("off")
    show(figure)


# %% [markdown]
# ## 1. Two filters
#
# `pyr_down` blurs with five taps and keeps every other sample. `pyr_up` goes the other way: it puts
# zeros between the samples, blurs, and makes up for the zeros. Odd sizes round up, so going up
# needs to be told the size. Colour images say which axes are height and width. Along one axis, with
# $w = (1, 4, 6, 4, 1) / 16$:
#
# $$\operatorname{down}(x)_i = \sum_{m=-2}^{2} w_m \, x_{2i+m}, \qquad
# \operatorname{up}(y)_i = 2 \sum_{m:\ i-m\ \text{even}} w_m \, y_{(i-m)/2}$$

# %%
small = pyramids.pyr_down(photo, axes=(0, 1))
large = pyramids.pyr_up(small, photo.shape, axes=(0, 1))
print("taps times 16:", 16 * pyramids.taps(0.375))
print(photo.shape, "->", small.shape, "->", large.shape)

# %% [markdown]
# ## 2. Take apart, put together
#
# Going down loses the fine detail. The Laplacian pyramid keeps it: $L_k = I_k -
# \operatorname{up}(I_{k+1})$ is what `pyr_up` of level $k + 1$ misses of level $k$. Add it back,
# from the 1x1 top upwards, and every bit returns: integers are subtracted and added without
# rounding, in a type twice as wide.

# %%
pyramid = pyramids.laplacian_pyramid(photo, axes=(0, 1))
print(pyramid)
print("numbers per sample:", round(sum(level.size for level in pyramid) / photo.size, 3))
wrong = np.count_nonzero(pyramids.collapse(pyramid) != photo)
print("wrong samples:", wrong)
assert wrong == 0

# %% [markdown]
# All levels at their true sizes: on the left the images $I_k$, on the right the differences $L_k$,
# where grey is 0. Each holds the edges of its own size, and most of it is nearly nothing, which
# section 5 will turn into money.

# %%
gaussian = pyramids.gaussian_pyramid(photo, axes=(0, 1))
centred = np.clip(128 + 2 * pyramids.mosaic(pyramid), 0, 255)
show_images({"$I_0, I_1, I_2, \\ldots$": pyramids.mosaic(gaussian),
             "$L_0, L_1, L_2, \\ldots$, contrast doubled": centred}, 3.2)
show_images({f"$I_{k}$": pyramids.expand_to(pyramid, k) for k in (5, 4, 3, 2, 1, 0)}, 1.8)

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
# Whatever predicts, $L$ holds the rest. So we may leave out the gain of `pyr_up`, a classic slip,
# and still rebuild the image. What gives the slip away: the $L$ of a constant image is not 0, and
# that of a photograph looks like the photograph. And with the default kernel, the $L$ of
# $x^2 + y^2$ is exactly $-4$, minus its Laplacian, which is where the name comes from.


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
face = grey[30:330, 90:390].astype(float)
rest = face - slip(pyramids.pyr_down(face), face.shape)
show_images({"the face": face - 128, "$L_0$": pyramids.laplacian_pyramid(face, 2)[0],
             "$L_0$ with the slip": rest,
             "rebuilt with the slip": rest + slip(pyramids.pyr_down(face), face.shape) - 128},
            2.2, -128, 128)

# %% [markdown]
# ## 4. How good is the kernel?
#
# Halving folds every frequency above $\pi/2$ onto a lower one. A kernel should remove them first;
# the report says how much of white noise it leaves. More blur is less aliasing: $a$ is a
# compromise. The family's response is
#
# $$H(\omega) = a + \tfrac12 \cos \omega + \left(\tfrac12 - a\right) \cos 2 \omega.$$

# %%
for a in (0.3, 0.375, 0.5):
    print(pyramids.report(a, levels=3))

# %% [markdown]
# A *zone plate* has every frequency at a place of its own: its rings become finer outwards, up to
# $\pi$ at the sides' ends. Halved without a filter, the outer rings come back as coarse ones that
# were never there. The filter makes them grey before they can.

# %%
y, x = np.mgrid[:257, :257]
plate = 0.5 + 0.5 * np.cos(np.pi * (x**2 + y**2) / 512)
show_images({"a zone plate": plate, "every other sample": plate[::2, ::2],
             "pyr_down, a = 0.5": pyramids.pyr_down(plate, 0.5),
             "pyr_down, a = 0.375": pyramids.pyr_down(plate)}, 2.2, 0, 1)
figure = new_figure(7.5, 2.6)
ax = figure.subplots()
omega = np.linspace(0, np.pi, 200)
for a, colour in ((0.3, "orange"), (0.375, "blue"), (0.5, "green")):
    ax.plot(omega, pyramids.response(omega, a), color=PALETTE[colour], label=f"a = {a}")
ax.axvspan(np.pi / 2, np.pi, color=PALETTE["grey"], alpha=0.15)
ax.text(0.54 * np.pi, 0.85, "what is left here, folds")
ax.set(xlabel="frequency", ylabel=r"$H(\omega)$", xlim=(0, np.pi),
       xticks=[0, np.pi / 2, np.pi], xticklabels=["0", "π/2", "π"], title="Three kernels")
ax.legend(frameon=False)
show(figure)

# %% [markdown]
# ## 5. Fewer bits
#
# Rounding the levels saves bits. If each is rounded by itself, all their errors reach the image. If
# each is the difference to what the decoder already has, the last one mends what the others broke:
# no pixel is off by more than half a step.

# %%
views = {}
for step in (4, 16, 48):
    levels = pyramids.quantise(pyramids.laplacian_pyramid(grey.astype(float), 6), step)
    code = pyramids.encode(grey, step, 6)
    for loop, bits, decoded in (
            ("open", pyramids.bits_per_pixel(levels.levels), pyramids.collapse(levels)),
            ("closed", code.bits_per_pixel, pyramids.decode(code))):
        error = np.abs(decoded - grey.astype(float)).max()
        print(f"step {step:2}, {loop:6} loop: {bits:.2f} bits per pixel, "
              f"{pyramids.psnr(grey, decoded):.1f} dB, largest error {error:g}")
        views[loop] = f"{loop}, {bits:.2f} bits", decoded[30:330, 90:390]
show_images({"8 bits a pixel": grey[30:330, 90:390], **dict(views.values()),
             **{f"{loop}: error × 3": np.clip(128 + 3 * (image - face), 0, 255)
                for loop, (_, image) in views.items()}}, 1.8)

# %% [markdown]
# Step 48, to see something: less than a bit for a pixel of eight, and one still knows her. The
# closed loop costs a tenth of a bit more. Its error is bounded, and looks like noise; that of the
# open loop looks like her.
#
# ## 6. No seam
#
# To join two images, join their levels, each along the mask blurred to that level:
#
# $$L_k = M_k \, L_k^A + (1 - M_k) \, L_k^B$$
#
# Coarse shading then changes slowly and fine texture quickly. Between two flat images, every level
# more halves the steepest step.

# %%
dark, bright = np.full((64, 256), 0.25), np.full((64, 256), 0.75)
mask = np.broadcast_to(np.arange(256) < 128, dark.shape)
for count in range(1, 8):
    row = pyramids.blend(dark, bright, mask, count)[32]
    print(f"{count} levels: steepest step {np.diff(row).max():.4f}, from {row.min():.3f} "
          f"to {row.max():.3f}")
    assert 0.25 <= row.min() < row.max() <= 0.75        # and no ripple beside the seam

dusk = np.rint(0.55 * photo[:, ::-1]).astype(np.uint8)
left = np.broadcast_to(np.arange(photo.shape[1]) < photo.shape[1] // 2, photo.shape[:2])
show_images({"cut and pasted": np.where(left[..., None], photo, dusk),
             "3 levels": pyramids.blend(photo, dusk, left, 3, axes=(0, 1)),
             "all levels": pyramids.blend(photo, dusk, left, axes=(0, 1))}, 3.2)

# %% [markdown]
# ## 7. Sharpen, and search
#
# Multiply a level and collapse: an equaliser for images. And since a small image can be searched
# everywhere in no time, a template is found at a coarse level and followed down.

# %%
sharp = pyramids.boost(pyramids.laplacian_pyramid(grey), [2.0, 1.5])
soft = pyramids.boost(pyramids.laplacian_pyramid(grey), [0, 0.3])
contrast = [np.abs(pyramids.laplacian_pyramid(image, 2)[0]).mean() for image in (grey, sharp)]
print(f"mean |L_0|: {contrast[0]:.2f} before, {contrast[1]:.2f} after")
row, column = 110, 165
found = pyramids.match_template(grey, grey[row:row + 90, column:column + 120])
print("template cut out at", (row, column), "and found at", found)
assert found == (row, column)
marked = photo // 3
inside = slice(found[0], found[0] + 90), slice(found[1], found[1] + 120)
marked[inside] = photo[inside]
show_images({"gains 0, 0.3": soft[30:330, 90:390], "as it was": grey[30:330, 90:390],
             "gains 2, 1.5": sharp[30:330, 90:390], "found": marked[30:330, 90:390]}, 2.2)

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
target = pyramids.gaussian_pyramid(grey)[2][8:72, 30:94] / 255
wanted = dp.laplacian_pyramid(mg.Tensor(target), 4)
guess = np.zeros_like(target)
views = {}
for step in range(201):
    x = mg.Tensor(guess, requires_grad=True)
    loss = sum(((level - goal) ** 2).sum()
               for level, goal in zip(dp.laplacian_pyramid(x, 4), wanted))
    if step % 50 == 0:
        print(f"step {step:3}: loss {loss.item():.6f}, error {np.abs(guess - target).max():.4f}")
    if step in (1, 5, 20, 60, 200):
        views[f"step {step}"] = guess
    (gradient,) = mg.grad(loss, x)
    guess = guess - 0.8 * gradient.numpy()
show_images({**views, "target": target}, 1.8, 0, 1)

# %% [markdown]
# ## Exercises
#
# **1. As good as new.** From about 40 dB on, nobody sees a difference. Which is the largest step of
# the closed loop that keeps 40 dB, and how many bits does a pixel then cost?
#
# <details><summary>Solution</summary>
#
# ```python
# for step in range(2, 20):
#     code = pyramids.encode(grey, step, 6)
#     quality = pyramids.psnr(grey, pyramids.decode(code))
#     if quality < 40:
#         break
#     print(f"step {step}: {code.bits_per_pixel:.2f} bits, {quality:.1f} dB")
# assert step == 10  # the first that is too large
# ```
#
# Nine: 2.68 of 8 bits, no pixel off by more than 4. (For a constant error $e$ the PSNR is
# $20 \log_{10}(255 / e)$, so 40 dB is an error of 2.55, all in all.)
#
# </details>

# %% [markdown]
# **2. Near and far.** Give the upright photograph's $L_0$ to $L_2$ to the image whose coarser
# levels stand on their head. Look at it from close by, then from the other end of the room.
#
# <details><summary>Solution</summary>
#
# ```python
# import dataclasses
#
# upright, reversed_ = (pyramids.laplacian_pyramid(x) for x in (grey, grey[::-1]))
# hybrid = dataclasses.replace(upright, levels=upright.levels[:3] + reversed_.levels[3:])
# image = pyramids.collapse(hybrid)
# seen, up, down = (pyramids.gaussian_pyramid(x)[3] for x in (image, grey, grey[::-1]))
# show_images({"from near": image, "from afar": seen}, 3.5)
# upright, reversed_ = (np.corrcoef(seen.ravel(), x.ravel())[0, 1] for x in (up, down))
# print(f"from afar: correlation {upright:.2f} with her, {reversed_:.2f} with her on her head")
# assert reversed_ > 0.9 > upright
# ```
#
# From near she looks at you; from afar, where the fine levels are too fine for the eye, she stands
# on her head. A. Oliva, A. Torralba and P. G. Schyns, "Hybrid images" (2006), do it with two faces.
#
# </details>

# %% [markdown]
# **3. Without the top.** Leave the last level out of the loss of section 8. Which part of the image
# can no longer be learnt?
#
# <details><summary>Solution</summary>
#
# ```python
# guess = np.zeros_like(target)
# for step in range(201):
#     x = mg.Tensor(guess, requires_grad=True)
#     levels = dp.laplacian_pyramid(x, 4)[:-1]
#     (gradient,) = mg.grad(sum(((a - b) ** 2).sum() for a, b in zip(levels, wanted)), x)
#     guess = guess - 0.8 * gradient.numpy()
# print(f"mean {guess.mean():.1e}, of the image {target.mean():.4f}")
# show_images({"learnt": guess, "wanted": target - target.mean()}, 2.5, -0.5, 0.5)
# assert abs(guess.mean()) < 1e-12 and np.corrcoef(guess.ravel(), target.ravel())[0, 1] > 0.9
# ```
#
# Only the mean. The $L$ of a constant is 0, so nothing pulls at it: it stays at the 0 that we began
# with. All else is found, since every other image has differences that are not 0.
#
# </details>

# %% [markdown]
# ## Where to go on
#
# - [`pyramids/filters.py`](../../pyramids/filters.py) is where the arithmetic happens, in slices
#   and without a zero inserted; [`pyramids/pyramid.py`](../../pyramids/pyramid.py) stacks it.
#   [`pyramids/adjoint.py`](../../pyramids/adjoint.py) is short and shows what borders do to a
#   transpose.
# - P. J. Burt, E. H. Adelson, "The Laplacian Pyramid as a Compact Image Code", IEEE Transactions on
#   Communications 31 (1983),
#   [doi:10.1109/TCOM.1983.1095851](https://doi.org/10.1109/TCOM.1983.1095851): sections 1, 2, 5.
# - P. J. Burt, E. H. Adelson, "A Multiresolution Spline With Application to Image Mosaics", ACM
#   Transactions on Graphics 2 (1983), [doi:10.1145/245.247](https://doi.org/10.1145/245.247):
#   section 6.
# - Next: [`04_convolution.py`](04_convolution.py): the same sums, with filters that are learnt.
