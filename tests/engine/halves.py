"""The 16-bit dtypes for tests; bfloat16 skips where ml_dtypes, which defines it, is missing."""

import pytest

from minigrad.dtypes import number_type

try:
    BFLOAT16, _missing = number_type("bfloat16"), ()
except RuntimeError as error:
    BFLOAT16, _missing = None, (pytest.mark.skip(reason=str(error)),)

HALVES = ["float16", pytest.param("bfloat16", marks=_missing)]
EPS = {"float16": 2.0**-11, "bfloat16": 2.0**-8}    # the largest relative error of a rounding
needs_bfloat16 = pytest.mark.skipif(BFLOAT16 is None, reason="ml_dtypes is not installed")
