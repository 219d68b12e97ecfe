"""Every line of array_table.py: values, gradients of first and second order, manners, float32."""

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.ops.array_table import ARRAYS
from tests.ops.op_checks import (check_float32, check_gradients, check_manners,
                                 check_second_derivatives, check_values)

few = settings(max_examples=max(3, settings.default.max_examples // 10), phases=[Phase.generate])
CHECKS = check_gradients, check_second_derivatives, check_manners, check_float32


@pytest.mark.parametrize("name", ARRAYS)
@few
@given(data=st.data())
def test_an_array_function(name, data):
    op = ARRAYS[name]
    sample = data.draw(op.samples)
    check_values(op, sample)
    for check in CHECKS if op.kind != "constant" else ():
        check(op, sample)
