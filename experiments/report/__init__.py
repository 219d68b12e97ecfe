"""Showing what was found: `terminal.py` on the terminal, `page.py` and `cards.py` as web pages."""
