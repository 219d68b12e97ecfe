"""Each kernel on a GPU, without peers: `smoke.py` checks them, `kernels.py` measures them."""
