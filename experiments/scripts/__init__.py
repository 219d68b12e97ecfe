"""Programs written once, in PyTorch's manner, that run on minigrad by changing their imports.

    python -m experiments.scripts.tiny_gpt          trains it, and shows what came out

With `import torch` in the place of `import minigrad as torch`, and `torch` in that of `minigrad` in
the other imports, each is a PyTorch program, and has the same losses. The tests run both. Noise and
the order of the samples are drawn with NumPy, because the two libraries' own generators differ.

Each has `build(dtype)`, the network, and `train(model, steps)`, which yields the loss of each step.
"""
