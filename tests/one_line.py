"""How the tests ask for a clear error: the right type, and one line that says the right thing."""

from contextlib import contextmanager

import pytest


@contextmanager
def one_line(error, *words):
    """pytest.raises(error), with all `words` in a message of a single line."""
    with pytest.raises(error) as caught:
        yield caught
    message = str(caught.value)
    assert message and "\n" not in message, message
    assert all(word in message for word in words), message
