"""Losses and distances; torch's names, reductions and definitions. Nearly all are composed of ops.

`reduction` is "mean" (default), "sum" or "none". In the formulas x is the input and t the target.
"""
