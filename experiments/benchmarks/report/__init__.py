"""What a run leaves: `record.py` keeps its rows, `tables.py`, `figures.py` and `page.py` show them.
"""
