"""Steps of optimizers, and norms and limits of gradients, over many arrays at once."""
