"""Write the numbers that the parity tests compare with where PyTorch is not installed.

    python -m tests.ops.freeze_fixtures        needs PyTorch; writes tests/fixtures/*.json

Everything is computed in float64 on inputs that are exact in float32. ops.json lists the ops that
have a case, so that none can lose it unseen.
"""

import json

import torch

from minigrad.ops import REGISTRY
from tests.fixtures.cases import FAMILIES
from tests.fixtures.compare import Listening, outcome, torch_api
from tests.fixtures.descents import DESCENTS, descend
from tests.places import FIXTURES

FOLDER = FIXTURES


def plain(results):
    """Lists of numbers in place of arrays."""
    return [[None if a is None else a.tolist() for a in arrays] for arrays in results]


def write(family, results):
    lines = [f"{json.dumps(name)}: {json.dumps(result)}" for name, result in results.items()]
    (FOLDER / f"{family}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main():
    torch.set_num_threads(1)
    api = Listening(torch_api(torch))
    for family, cases in FAMILIES.items():
        write(family, {name: plain(outcome(name, case, api, "float64"))
                       for name, case in cases.items()})
    write("optim", {name: [a.tolist() for a in descend(name, torch.optim, api, "float64")]
                    for name in DESCENTS})
    called = sorted(api.used & set(REGISTRY))
    (FOLDER / "ops.json").write_text(json.dumps(called, indent=0) + "\n")


if __name__ == "__main__":
    main()
