"""JSON as its standard has it."""

import json


def strict(text):
    """The JSON document, which must not use the NaN and Infinity that only Python knows."""
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")
    return json.loads(text, parse_constant=refuse)
