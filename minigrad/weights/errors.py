"""The one error for weights files, and how text from such a file is quoted in it."""

_LONGEST = 60


class WeightsError(ValueError):
    """A weights file that cannot be used. The message is one line: the file, and what is wrong."""


def demand(condition: object, complaint: str) -> None:
    """Raise WeightsError unless it holds."""
    if not condition:
        raise WeightsError(complaint)


def quote(text: str) -> str:
    """A quotation of text from a file: printable ASCII, one line, not too long."""
    return ascii(text) if len(text) <= _LONGEST else f"{ascii(text[:_LONGEST])}..."
