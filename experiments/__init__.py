"""The coursework as programs: `python -m experiments` verifies every theory answer.

Reading order: `claims.py` (what a verification returns), any module of `theory/` (one question
each), `cli.py` (the command), then `results.py`, `report.py` and `terminal.py`, which keep the
answers and show them.
"""
