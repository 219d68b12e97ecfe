"""What is trained and evaluated: `cases.py` lists the networks and makes their steps, `twins.py`
copies a network to torch, `numpy_peers.py` has the workloads of MyGrad, HIPS autograd and tinygrad.
"""
