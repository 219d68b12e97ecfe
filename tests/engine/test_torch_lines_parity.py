"""Lines of PyTorch, run twice: `torch` is PyTorch the first time and minigrad the second.

Both give the same values, shapes and dtypes, or an error of the same type.
"""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import minigrad as mg  # noqa: E402

LINES = [line for line in Path(__file__).with_name("torch_lines.txt").read_text().splitlines()
         if line and not line.startswith("#")]


def outcome(library, line):
    """What a line gives, in plain types, or the type of its error."""
    torch_or_ours = {"torch": library, "np": np,
                     "x": library.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]),
                     "v": library.tensor([1.0, 2.0, 4.0]), "i": library.tensor([5, 8])}
    try:
        result = eval(line, torch_or_ours)
    except Exception as error:
        return type(error)
    return plain(result)


def plain(result):
    if isinstance(result, (list, tuple)):
        return [plain(item) for item in result]
    if hasattr(result, "detach"):
        name = str(result.dtype).removeprefix("torch.")
        numbers = result.detach().float() if name == "bfloat16" else result.detach()
        return name, tuple(result.shape), result.requires_grad, np.asarray(numbers.numpy())
    is_dtype = "dtype" in type(result).__name__.lower()
    return str(result).removeprefix("torch.") if is_dtype else result


def same(ours, theirs):
    if isinstance(theirs, type) or isinstance(ours, type):
        return isinstance(ours, type) and isinstance(theirs, type) and issubclass(ours, theirs)
    if isinstance(theirs, list):
        return isinstance(ours, list) and len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(theirs, tuple):
        *sort, values = theirs
        tolerance = 1e-3 if sort[0] == "float16" else 1e-2 if sort[0] == "bfloat16" else 3e-7
        return list(ours[:-1]) == sort and np.allclose(ours[-1], values, rtol=tolerance, atol=0,
                                                       equal_nan=True)
    return bool(ours == theirs)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("line", LINES)
def test_a_line_gives_what_pytorch_gives(line):
    theirs, ours = outcome(torch, line), outcome(mg, line)
    assert same(ours, theirs), f"{ours} instead of {theirs}"
