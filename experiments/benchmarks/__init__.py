"""Speed, measured beside the peers in one run: `python -m experiments.benchmarks NAME ...`.

Each benchmark is a module of this folder: its `run(peers)` gives rows, which `harness.py` measures.
`networks/` has what several of them run, `report/` keeps and shows the rows, and `cuda/` is what
`gpu --smoke` and `gpu --kernels` run.
"""
