"""Our ops on the samples that PyTorch tests its own operators with: values, dtypes and gradients.

`op_db_mapping` says which of PyTorch's entries is which callable of ours, `op_db_compare` how a
sample becomes a comparison, `op_db_differences` which differences are accepted and why, and
`op_db_not_offered` which forms of calls are refused. `python -m tests.ops.op_db_report exp` prints
what became of the samples of one op.
"""

from collections import Counter, defaultdict
from functools import cache

import pytest

torch = pytest.importorskip("torch", "2.13")
if not torch.__version__.startswith("2.13."):
    pytest.skip("the counts are those of PyTorch 2.13", allow_module_level=True)
pytest.importorskip("expecttest", reason="torch.testing's samples need it")

import minigrad as mg  # noqa: E402
from minigrad import ops  # noqa: E402
from minigrad.engine import Tensor  # noqa: E402
from minigrad.nn import functional as F  # noqa: E402
from tests.fixtures.cases import called  # noqa: E402
from tests.ops import op_db_mapping as mapping  # noqa: E402
from tests.ops.op_db_compare import FAILURES, compare_all  # noqa: E402
from tests.ops.op_db_differences import REASONS  # noqa: E402
from tests.ops.op_db_not_offered import FORMS  # noqa: E402
from tests.ops.op_db_samples import ENTRIES, dtypes_of  # noqa: E402

CASES = [(name, dtype) for name in mapping.MAPPED for dtype in dtypes_of(name)]
results = cache(compare_all)  # the tests of one entry and those of all share them


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name, dtype", CASES)
def test_as_torch(name, dtype):
    wrong = [str(result) for result in results(name, dtype) if result.kind in FAILURES]
    assert not wrong, f"{len(wrong)} of {len(results(name, dtype))}:\n" + "\n".join(wrong[:20])


def tally(kind):
    """{detail: {entry: how many samples}} of the results of this kind."""
    counts = defaultdict(Counter)
    for name, dtype in CASES:
        for result in results(name, dtype):
            if result.kind == kind:
                counts[result.detail][name] += 1
    return counts


def test_refused_forms_are_those_that_are_listed():
    assert tally("not offered") == {form.name: form.counts for form in FORMS}


def test_accepted_differences_are_those_that_are_listed():
    assert tally("excused") == {reason.why: reason.counts for reason in REASONS
                                if not reason.by_value}
    by_value = tally("by float64")
    for reason in REASONS:
        for name, count in by_value[reason.why].items():
            assert count <= reason.at_most(name), (reason.why, name)
    assert len(REASONS) <= 15


def test_few_samples_are_excused():
    """2 % of all that are not of a form that is not offered, and 10 % of any entry."""
    kinds = {name: Counter(result.kind for dtype in dtypes_of(name)
                           for result in results(name, dtype)) for name in mapping.MAPPED}
    for name, counts in [("all", sum(kinds.values(), Counter())), *kinds.items()]:
        allowed = 0.02 if name == "all" else 0.1
        compared = counts.total() - counts["not offered"]
        assert counts["excused"] + counts["refused"] <= allowed * compared, name


def test_entries_without_a_comparison_are_listed():
    none = {name for name in mapping.MAPPED if not any(
        result.kind == "ok" for dtype in dtypes_of(name) for result in results(name, dtype))}
    assert none == mapping.NOTHING_COMPARED


def test_every_sample_is_there():
    assert sum(len(results(*case)) for case in CASES) == mapping.SAMPLES


def test_every_public_op_is_mapped():
    public = {*ops.__all__, *(f"nn.functional.{name}" for name in F.__all__)}
    mapped = {ours.name for ours in mapping.MAPPED.values()}
    aliases = {name for name in public if name not in mapped
               and any(value(name) is value(other) for other in mapped & public)}
    # `test_parity` compares an op that has no frozen case yet
    assert public - mapped - aliases - (set(ops.REGISTRY) - called()) == set(mapping.NO_ENTRY)


def value(name):
    """The function of that public name."""
    return getattr(F if name.startswith("nn.functional.") else mg, name.rpartition(".")[2])


def test_every_method_and_operator_is_mapped():
    """A method is the op itself, mapped by its own name, or listed as no op."""
    functions = {id(value(name)) for name in ops.__all__}
    mapped = {ours.name for ours in mapping.MAPPED.values()}
    others = {name for name, member in vars(Tensor).items()
              if callable(member) and id(member) not in functions
              and f"Tensor.{name}" not in mapped and not hasattr(object, name)
              and hasattr(Tensor, name)}
    assert others == set(mapping.METHODS_NOT_COMPARED)


def test_every_variant_of_a_mapped_entry_is_mapped_or_listed():
    bases = {name.split("/")[0] for name in mapping.MAPPED}
    variants = {name for name in ENTRIES if name.split("/")[0] in bases}
    assert variants - set(mapping.MAPPED) == set(mapping.VARIANTS_NOT_OFFERED)


@pytest.mark.parametrize("name, dtype, wrong, kind", [
    ("exp", "float32", lambda x: mg.exp(x) * 1.001, "value"),
    ("exp", "float32", lambda x: mg.exp(x).to("float64"), "dtype"),
    ("exp", "float32", lambda x: mg.exp(x).reshape(-1), "shape"),
    ("exp", "float32", lambda x: mg.exp(x.detach()), "gradient"),
    ("exp", "float32", lambda x: mg.exp(x * 1.001 - x.detach() * 0.001), "gradient"),
    ("exp", "float32", lambda x: mg.matmul(x, None), "refused"),
    ("cat", "int8", lambda xs, dim=0: mg.cat(xs[::-1], dim), "value"),
    ("pow", "float16", lambda a, b: mg.pow(a, b) * 1.01, "value"),
    ("pow", "bfloat16", lambda a, b: mg.pow(a, b) * 1.05, "value"),
])
def test_a_fault_is_noticed(monkeypatch, name, dtype, wrong, kind):
    monkeypatch.setitem(mapping.MAPPED, name, mapping.Ours(name, wrong))
    assert kind in {result.kind for result in compare_all(name, dtype)}


def test_an_argument_that_is_changed_is_noticed(monkeypatch):
    def careless(x):
        y = mg.exp(x)
        x.data += 1
        return y
    monkeypatch.setitem(mapping.MAPPED, "exp", mapping.Ours("exp", careless))
    assert any("afterwards" in result.detail for result in compare_all("exp", "float32"))
