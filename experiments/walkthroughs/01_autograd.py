# %% [markdown]
# # From the chain rule to an autograd engine
#
# One small network, one question: how does its loss change with the weight w3? We answer it five
# times, each time with less to do by hand, and end at the engine in `minigrad/tensor.py`.
#
#     f1 = w1 x1, f2 = w2 x2, z1 = f1 + f2, a1 = s(z1)
#     f3 = w3 x3, f4 = w4 x4, z2 = f3 + f4, a2 = s(z2)
#     f5 = w5 a1, f6 = w6 a2, z3 = f5 + f6, yhat = s(z3), L = (y - yhat)^2
#
# with s(z) = 1 / (1 + e^-z). Run it as a script, or cell by cell in VS Code or Jupyter.

# %%
import math

import numpy as np

import minigrad as mg
from minigrad import draw


def s(z):
    return 1 / (1 + math.exp(-z))


def loss(w3):
    z1 = -0.78 + 0.605
    z2 = w3 * 0.8 + 0.553
    z3 = -0.13 * s(z1) + 0.93 * s(z2)
    return (1 - s(z3)) ** 2


w3 = 1.74
print(f"L = {loss(w3):.6f}")

# %% [markdown]
# ## 1. Try it: finite differences
#
# Move w3 a little, both ways, and see how far L moves. One answer costs two runs of the network, so
# a million weights cost two million runs; and the step must be neither too large (the curve bends)
# nor too small (the digits cancel).

# %%
for h in (1e-1, 1e-3, 6e-6, 1e-9, 1e-13):
    print(f"h = {h:g}: dL/dw3 = {(loss(w3 + h) - loss(w3 - h)) / (2 * h):.12f}")

# %% [markdown]
# ## 2. The chain rule by hand
#
# Every step of the network is simple enough to differentiate in one's head. The product of these
# local derivatives along the path L <- yhat <- z3 <- f6 <- a2 <- z2 <- f3 <- w3 is the answer.
# Note what s' needs: s'(z) = s(z) (1 - s(z)), so the *output* of s is enough.

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
# ## 3. Let each number remember where it came from
#
# A `Node` is a number, the nodes it was made from, and the local derivative with respect to each.
# Nothing else is needed: going back through the nodes, later ones first, every node passes what it
# has received, times its local derivatives. That is reverse-mode differentiation, and it gives the
# derivative with respect to *every* weight in one walk.


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
# The graph can be drawn: every value, every local derivative on its arrow, every gradient. A
# notebook shows the picture below the cell; `graph.save("graph.svg")` writes it to a file.

# %%
with draw.record() as graph:
    L = (1 - mg.sigmoid(-0.13 * a1 + 0.93 * mg.sigmoid(w3 * 0.8 + 0.553))) ** 2
print(len(graph.picture(names=locals()).boxes), "boxes in the picture")
graph

# %% [markdown]
# ## 5. Derivatives of derivatives
#
# A backward formula is written with the same ops as everything else, so the walk back can be
# recorded too (`create_graph=True`), and differentiated again: here d^2L/dw3^2.

# %%
w3 = mg.Tensor(np.float64(1.74), requires_grad=True)
L = (1 - mg.sigmoid(-0.13 * a1 + 0.93 * mg.sigmoid(w3 * 0.8 + 0.553))) ** 2
(first,) = mg.grad(L, w3, create_graph=True)
(second,) = mg.grad(first, w3)
h = 1e-4
print(f"d2L/dw3^2 = {second.item():.9f}, "
      f"by differences {(loss(1.74 + h) - 2 * loss(1.74) + loss(1.74 - h)) / h**2:.9f}")

# %% [markdown]
# ## 6. An op of your own
#
# Forward on arrays, backward as a formula, and `gradcheck` to keep you honest: it compares with
# numerical derivatives, and refuses the version with the slip.


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
# ## Where to go on
#
# `minigrad/tensor.py` and `minigrad/function.py` are section 3 for arrays, in under 500 lines: read
# `propagate` beside `Node.backward`. `minigrad/ops/activation.py` has the shortest ops. The next
# walkthrough, `02_theory.py`, uses the engine to check a whole sheet of written answers.
