# %% [markdown]
# # From the chain rule to an autograd engine
#
# One small network, one question: how does its loss change with the weight $w_3$? We answer it five
# times, each time with less to do by hand, end at the engine in `minigrad/engine.py`, and use it.
#
# **You will learn**
#
# - why finite differences are a good test and a bad method,
# - how thirty lines of Python turn the chain rule into a program,
# - to read the graph that such a program leaves, and to differentiate it twice,
# - to write an op of your own, and to train a network.
#
# **You need** derivatives of functions of one variable, and Python with a little NumPy. It runs in
# five seconds: as a script, or cell by cell in VS Code or Jupyter.
#
# The network, with $s(z) = 1 / (1 + e^{-z})$:
#
# $$\begin{aligned}
# f_1 &= w_1 x_1, & f_2 &= w_2 x_2, & z_1 &= f_1 + f_2, & a_1 &= s(z_1) \\
# f_3 &= w_3 x_3, & f_4 &= w_4 x_4, & z_2 &= f_3 + f_4, & a_2 &= s(z_2) \\
# f_5 &= w_5 a_1, & f_6 &= w_6 a_2, & z_3 &= f_5 + f_6, & \hat y &= s(z_3), \quad
# L = (y - \hat y)^2 \end{aligned}$$

# %%
import math

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

import minigrad as mg
from experiments.style import PALETTE, new_figure, show
from minigrad import draw, nn, optim


def s(z):
    return 1 / (1 + math.exp(-z))


def loss(w3):
    a1, a2 = s(-0.78 + 0.605), s(w3 * 0.8 + 0.553)
    z3 = -0.13 * a1 + 0.93 * a2
    return (1 - s(z3)) ** 2


w3 = 1.74
print(f"L = {loss(w3):.6f}")

# %% [markdown]
# ## 1. Try it: finite differences
#
# Move $w_3$ a little, both ways, and see how far $L$ moves:
#
# $$\frac{dL}{dw_3} \approx \frac{L(w_3 + h) - L(w_3 - h)}{2h}$$
#
# One answer costs two runs of the network, so a million weights cost two million runs; and the step
# must be neither too large (the curve bends) nor too small (the digits cancel).


# %%
def difference(h):
    return (loss(w3 + h) - loss(w3 - h)) / (2 * h)


for h in (1e-1, 1e-3, 6e-6, 1e-9, 1e-13):
    print(f"h = {h:g}: dL/dw3 = {difference(h):.12f}")

# %% [markdown]
# ## 2. The chain rule by hand
#
# Every step of the network is simple enough to differentiate in one's head. The product of these
# local derivatives along the path $L \leftarrow \hat y \leftarrow z_3 \leftarrow f_6 \leftarrow a_2
# \leftarrow z_2 \leftarrow f_3 \leftarrow w_3$ is the answer:
#
# $$\frac{dL}{dw_3} = -2 (y - \hat y) \cdot \hat y (1 - \hat y) \cdot w_6 \cdot a_2 (1 - a_2)
# \cdot x_3$$
#
# Note what $s'$ needs: $s'(z) = s(z)\,(1 - s(z))$, so the *output* of $s$ is enough.

# %%
a1, a2 = s(-0.78 + 0.605), s(w3 * 0.8 + 0.553)
yhat = s(-0.13 * a1 + 0.93 * a2)
path = {
    "dL/dyhat = -2 (y - yhat)": -2 * (1 - yhat),
    "dyhat/dz3 = yhat (1 - yhat)": yhat * (1 - yhat),
    "dz3/da2 = w6": 0.93,
    "da2/dz2 = a2 (1 - a2)": a2 * (1 - a2),
    "dz2/dw3 = x3": 0.8,
}
for name, value in path.items():
    print(f"{name:30}{value: .6f}")
by_hand = math.prod(path.values())
print(f"{'product = dL/dw3':30}{by_hand: .12f}")

# %% [markdown]
# On the left, the loss along $w_3$, and the slope that we have just found. On the right, how wrong
# the differences are: a V. Its right arm falls with $h^2$, since the curve bends; its left one
# rises with $1/h$, since two equal numbers have few digits left once they are subtracted.

# %%
figure = new_figure(7.5, 3.2)
left, right = figure.subplots(1, 2)
along, h = np.linspace(-6, 8, 200), np.logspace(-15, 0.5, 200)
left.plot(along, [loss(w) for w in along], color=PALETTE["blue"], label="$L(w_3)$")
left.plot(along, loss(w3) + by_hand * (along - w3), "--", color=PALETTE["orange"],
          label=f"slope {by_hand:.4f}")
left.plot(w3, loss(w3), "o", color=PALETTE["orange"])
left.set(xlabel="$w_3$", ylabel="$L$", title="The question")
left.legend(frameon=False)
right.loglog(h, [abs(difference(step) - by_hand) + 1e-18 for step in h], ".", markersize=3,
             color=PALETTE["blue"])
right.loglog(h, 1.5e-17 / h, h, 3e-3 * h**2, color=PALETTE["grey"], linewidth=1)
right.text(1e-13, 2e-3, "digits cancel: 1/h", fontsize=9)
right.text(2e-10, 1e-5, "the curve bends: h²", fontsize=9)
right.set(xlabel="step $h$", ylabel="error of dL/d$w_3$", title="The differences' answer",
          ylim=(1e-15, 1e-1))
show(figure)

# %% [markdown]
# ## 3. Let each number remember where it came from
#
# A `Node` is a number, the nodes it was made from, and the local derivative with respect to each.
# Nothing else is needed: going back through the nodes, later ones first, every node passes what it
# has received, times its local derivatives. That is reverse-mode differentiation,
#
# $$\bar p \mathrel{+}= \bar n \, \frac{\partial n}{\partial p}
# \quad\text{for each parent } p \text{ of } n, \qquad \bar n = \frac{dL}{dn},$$
#
# and it gives the derivative with respect to *every* weight in one walk.


# %%
class Node:
    made = 0

    def __init__(self, value, parents=()):
        self.value, self.parents, self.grad = value, parents, 0.0
        self.order = Node.made = Node.made + 1

    def __add__(self, other):
        return Node(self.value + other.value, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return Node(self.value * other.value, [(self, other.value), (other, self.value)])

    def sigmoid(self):
        y = s(self.value)
        return Node(y, [(self, y * (1 - y))])

    def backward(self):
        self.grad = 1.0
        nodes, stack = {self}, [self]
        while stack:
            for parent, _ in stack.pop().parents:
                if parent not in nodes:
                    nodes.add(parent)
                    stack.append(parent)
        for node in sorted(nodes, key=lambda n: -n.order):
            for parent, derivative in node.parents:
                parent.grad += node.grad * derivative


w = {"w3": Node(1.74), "w5": Node(-0.13), "w6": Node(0.93)}
z2 = w["w3"] * Node(0.8) + Node(0.553)
z3 = w["w5"] * Node(a1) + w["w6"] * z2.sigmoid()
error = Node(1.0) + Node(-1.0) * z3.sigmoid()
(error * error).backward()
for name, node in w.items():
    print(f"dL/d{name} = {node.grad:.12f}")
assert math.isclose(w["w3"].grad, by_hand, rel_tol=1e-12)

# %% [markdown]
# ## 4. The same in minigrad
#
# `Tensor` is that node, for whole arrays. Each op is a `Function` with a forward and a backward;
# what its backward asks for by name is all that is kept. The sigmoid keeps `y`, not `x`.

# %%
w3 = mg.Tensor(np.float64(1.74), requires_grad=True)
z2 = w3 * 0.8 + 0.553
a2 = mg.sigmoid(z2)
yhat = mg.sigmoid(-0.13 * a1 + 0.93 * a2)
L = (1 - yhat) ** 2
print("a2 was made by", type(a2.node).__name__, "which needs", a2.node.needs)
L.backward()
print(f"dL/dw3 = {w3.grad.item():.12f}")
assert math.isclose(w3.grad.item(), by_hand, rel_tol=1e-12)

# %% [markdown]
# The graph can be drawn: every value, every local derivative on its arrow, every gradient, and the
# chain of section 2 in orange. `graph.save("graph.svg")` writes the picture to a file.

# %%
w6 = mg.Tensor(np.float64(0.93), requires_grad=True)
with draw.record() as graph:
    z2 = w3 * 0.8 + 0.553
    a2 = mg.sigmoid(z2)
    z3 = w6 * a2 - 0.13 * a1
    yhat = mg.sigmoid(z3)
    L = (1 - yhat) ** 2
show(graph.svg(750, names=locals(), highlight=w3, title="From w3 to the loss, and back"))

# %% [markdown]
# ## 5. Derivatives of derivatives
#
# A backward formula is written with the same ops as everything else, so the walk back can be
# recorded too (`create_graph=True`), and differentiated again: here $d^2L/dw_3^2$. With an array of
# 200 weights we get both curves in two walks, since no loss depends on another one's weight.


# %%
def derivatives(w):
    w = mg.Tensor(w, requires_grad=True)
    L = (1 - mg.sigmoid(-0.13 * a1 + 0.93 * mg.sigmoid(w * 0.8 + 0.553))) ** 2
    (first,) = mg.grad(mg.sum(L), w, create_graph=True)
    (second,) = mg.grad(mg.sum(first), w)
    return L.detach().numpy(), first.detach().numpy(), second.numpy()


h = 1e-4
print(f"d2L/dw3^2 = {derivatives(np.float64(1.74))[2]:.9f}, "
      f"by differences {(loss(1.74 + h) - 2 * loss(1.74) + loss(1.74 - h)) / h**2:.9f}")
figure = new_figure(7.5, 2.6)
for ax, curve, title in zip(figure.subplots(1, 3), derivatives(along),
                            ("$L$", r"$dL/dw_3$", r"$d^2L/dw_3^2$")):
    ax.plot(along, curve, color=PALETTE["blue"])
    ax.axvline(1.74, color=PALETTE["orange"], linestyle="--", linewidth=1)
    ax.set(xlabel="$w_3$", title=title)
show(figure)

# %% [markdown]
# ## 6. An op of your own
#
# Forward on arrays, backward as a formula, and `gradcheck` to keep you honest: it compares with
# numerical derivatives (section 1 is a good *test*), and refuses the version with the slip.


# %%
class Cube(mg.Function):
    """y = x^3."""

    def forward(self, x):
        return x * x * x

    def backward(self, gy, x):
        return gy * 3 * x * x


class WrongCube(Cube):
    def backward(self, gy, x):
        return gy * 3 * x


x = np.array([0.5, -1.0, 2.0])
print("Cube:", mg.gradcheck(lambda x: Cube()(x), [x]), mg.gradgradcheck(lambda x: Cube()(x), [x]))
try:
    mg.gradcheck(lambda x: WrongCube()(x), [x])
except mg.GradcheckError as error:
    print(error)

# %% [markdown]
# ## 7. What it is for
#
# Two spirals, wound around each other: no straight line tells them apart. A network of some
# thousand weights starts with no idea. All it ever gets is the gradient of one number, 600 times:
#
# $$L = -\frac1N \sum_i \bigl( y_i \log s(f(x_i)) + (1 - y_i) \log (1 - s(f(x_i))) \bigr)$$


# %%
def spirals(n=100, turns=1.75, noise=0.02):
    random = np.random.default_rng(0)
    t = np.sqrt(np.linspace(0.02, 1, n))
    angle = 2 * np.pi * turns * t
    arm = np.stack([t * np.cos(angle), t * np.sin(angle)], axis=1)
    points = np.concatenate([arm, -arm]) + noise * random.standard_normal((2 * n, 2))
    return points.astype(np.float32), np.repeat([0, 1], n).astype(np.float32)[:, None]


def train(net, points, labels, steps, keep=()):
    """The answers on a grid at the steps in `keep`, all losses, and the share of points right."""
    side = np.linspace(-1.2, 1.2, 97, dtype=np.float32)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    optimizer = optim.Adam(net.parameters(), lr=0.01)
    kept, losses = {}, []
    for step in range(steps + 1):
        if step in keep:
            with mg.no_grad():
                kept[step] = mg.sigmoid(net(mg.Tensor(grid))).numpy().reshape(97, 97)
        scores = net(mg.Tensor(points))
        L = mg.binary_cross_entropy_with_logits(scores, mg.Tensor(labels))
        optimizer.zero_grad()
        L.backward()
        optimizer.step()
        losses.append(L.item())
    return kept, losses, ((scores.detach().numpy() > 0) == labels).mean()


mg.manual_seed(0)
points, labels = spirals()
normals = [[math.cos(t), math.sin(t)] for t in np.linspace(0, 2 * math.pi, 360)]
assert ((points @ np.transpose(normals) > 0) == labels).mean(axis=0).max() < 0.7    # no line does
net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
kept, losses, right = train(net, points, labels, 600, keep=(0, 50, 80, 120, 200, 600))
print(f"{sum(p.numel() for p in net.parameters())} weights, loss {losses[0]:.3f} -> "
      f"{losses[-1]:.4f}, {right:.1%} of the points right")
shades = LinearSegmentedColormap.from_list("sides", [PALETTE["blue"], "#ffffff", PALETTE["orange"]])
figure = new_figure(7.5, 5.3)
for ax, (step, score) in zip(figure.subplots(2, 3).flat, kept.items()):
    ax.imshow(score, cmap=shades, vmin=0, vmax=1, extent=(-1.2, 1.2, -1.2, 1.2), origin="lower",
              interpolation="bilinear", alpha=0.6)
    ax.contour(score, levels=[0.5], extent=(-1.2, 1.2, -1.2, 1.2), colors="black", linewidths=1)
    for side, colour, marker in ((0, "blue", "o"), (1, "orange", "s")):
        arm = points[labels[:, 0] == side]
        ax.plot(*arm.T, marker, color=PALETTE[colour], markersize=3.2, markeredgecolor="white")
    ax.set(xticks=[], yticks=[], title=f"step {step}, loss {losses[step]:.3f}")
show(figure)

# %% [markdown]
# On the black line the network cannot decide: soon it is nearly straight, then bent round the arms.

# %% [markdown]
# ## Exercises
#
# **1. One side only.** $(L(w_3 + h) - L(w_3)) / h$ saves one of the two runs if $L(w_3)$ is known
# anyway. What does it cost? Find the smallest error, and its step, for both forms.
#
# <details><summary>Solution</summary>
#
# ```python
# steps, best = np.logspace(-12, 0, 400), []
# for name, form in (("two sides", lambda h: (loss(1.74 + h) - loss(1.74 - h)) / (2 * h)),
#                    ("one side", lambda h: (loss(1.74 + h) - loss(1.74)) / h)):
#     smooth = [max(abs(form(k * h) - by_hand) for k in (0.8, 0.9, 1, 1.1, 1.2)) for h in steps]
#     best.append(min(smooth))
#     print(name, f"error {best[-1]:.0e} at h = {steps[np.argmin(smooth)]:.0e}")
# assert best[1] > 100 * best[0]
# ```
#
# The error of the one-sided form falls with $h$ and not with $h^2$, so the arms of its V meet much
# higher: $4 \cdot 10^{-10}$ at $h \approx 6 \cdot 10^{-8}$, against $10^{-12}$ at
# $h \approx 3 \cdot 10^{-5}$. (The largest of five neighbours counts, so that no lucky step wins.)
#
# </details>

# %% [markdown]
# **2. A node that divides.** Teach `Node` the reciprocal, $y = 1/x$. Its derivative, like that of
# the sigmoid, needs nothing but its output. Check it against a difference.
#
# <details><summary>Solution</summary>
#
# ```python
# def reciprocal(node):
#     y = 1 / node.value
#     return Node(y, [(node, -y * y)])
#
# x = Node(0.8)
# y = reciprocal(x * x + Node(1.0))
# y.backward()
# f = lambda x: 1 / (x * x + 1)
# print(x.grad, (f(0.8 + 6e-6) - f(0.8 - 6e-6)) / 1.2e-5)
# assert math.isclose(x.grad, -2 * 0.8 * f(0.8) ** 2, rel_tol=1e-12)
# ```
#
# $(1/x)' = -1/x^2 = -y^2$. That `x` is used twice needs no care: both uses add to its `grad`.
#
# </details>

# %% [markdown]
# **3. Spirals without a bend.** Leave the two `nn.Tanh()` out, train as long, and say how many
# points come out right. What shape must the black line have, and why?
#
# <details><summary>Solution</summary>
#
# ```python
# mg.manual_seed(0)
# flat = nn.Sequential(nn.Linear(2, 32), nn.Linear(32, 32), nn.Linear(32, 1))
# kept, losses, right = train(flat, points, labels, 600)
# print(f"loss {losses[-1]:.3f}, {right:.1%} of the points right")
# assert 0.6 < right < 0.7
# ```
#
# Two points of three, at a loss of 0.62, where a coin gets 0.69. Three linear maps in a row are one
# linear map, so the line is straight. Question 2 of the next walkthrough shows it in pictures.
#
# </details>

# %% [markdown]
# ## Where to go on
#
# - [`minigrad/engine.py`](../../minigrad/engine.py) and
#   [`minigrad/function.py`](../../minigrad/function.py) are section 3 for arrays: read `propagate`
#   beside `Node.backward`. [`minigrad/ops/activation.py`](../../minigrad/ops/activation.py) has the
#   shortest ops.
# - D. E. Rumelhart, G. E. Hinton, R. J. Williams, "Learning representations by back-propagating
#   errors", Nature 323 (1986), [doi:10.1038/323533a0](https://doi.org/10.1038/323533a0).
# - A. G. Baydin, B. A. Pearlmutter, A. A. Radul, J. M. Siskind, "Automatic differentiation in
#   machine learning: a survey", [arXiv:1502.05767](https://arxiv.org/abs/1502.05767): forward mode,
#   reverse mode, and what neither of them is.
# - Next: [`02_theory.py`](02_theory.py) uses the engine to check a whole sheet of written answers.
