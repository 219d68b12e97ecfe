"""What the commands can be told: their options, and what the user gives by them.

`verification.py` holds the options of the verification itself, `weights.py` says how a file of
weights is read, `own_network.py` runs a network of the user's own, `values.py` reads the values.
"""
