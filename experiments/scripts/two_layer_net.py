"""A network of two layers without any layer: weights, a loss, and gradient descent by hand.

    python -m experiments.scripts.two_layer_net

It learns the sum of two random sines. The update is written out, inside `no_grad`, because it is
not part of what is differentiated.
"""

import numpy as np

import minigrad as torch


def build(dtype=torch.float32):
    """The parameters: w1 (1, 64), b1 (64), w2 (64, 1), b2 (1)."""
    rng = np.random.default_rng(0)
    shapes = {"w1": (1, 64), "b1": (64,), "w2": (64, 1), "b2": (1,)}
    return {name: torch.tensor(rng.standard_normal(shape), dtype=dtype, requires_grad=True)
            for name, shape in shapes.items()}


def data(dtype):
    x = torch.linspace(-2, 2, 200, dtype=dtype).view(-1, 1)
    return x, torch.sin(3 * x) + 0.5 * torch.sin(7 * x)


def train(model, steps, learning_rate=1e-2):
    w1, b1, w2, b2 = model.values()
    x, y = data(w1.dtype)
    for _ in range(steps):
        hidden = x.mm(w1).add(b1).clamp(min=0)
        predicted = hidden.mm(w2) + b2
        loss = (predicted - y).pow(2).mean()
        loss.backward()
        with torch.no_grad():
            for w in (w1, b1, w2, b2):
                w.sub_(learning_rate * w.grad)
                w.grad.zero_()
        yield loss.item()


def main():
    for step, loss in enumerate(train(build(), 2000)):
        if step % 250 == 0:
            print(f"step {step:4d}  loss {loss:.4f}")
    print(f"           loss {loss:.4f}")


if __name__ == "__main__":
    main()
