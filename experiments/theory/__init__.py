"""The theory questions, a module for each: `verify(settings: Settings) -> Answer`.

`experiments/questions.py` lists them in the order in which they were asked.
"""
