"""Write the numbers that the parity tests compare with where PyTorch is not installed.

    python -m tests.freeze_fixtures        needs PyTorch; writes tests/fixtures/*.json

Everything is computed in float64 on inputs that are exact in float32.
"""

import json
from pathlib import Path

import torch

from tests.fixtures.cases import FAMILIES
from tests.fixtures.compare import outcome, torch_api
from tests.fixtures.descents import DESCENTS, descend

FOLDER = Path(__file__).parent / "fixtures"


def plain(results):
    """Lists of numbers in place of arrays."""
    return [[None if a is None else a.tolist() for a in arrays] for arrays in results]


def write(family, results):
    lines = [f"{json.dumps(name)}: {json.dumps(result)}" for name, result in results.items()]
    (FOLDER / f"{family}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main():
    torch.set_num_threads(1)
    api = torch_api(torch)
    for family, cases in FAMILIES.items():
        write(family, {name: plain(outcome(name, case, api, "float64"))
                       for name, case in cases.items()})
    write("optim", {name: [a.tolist() for a in descend(name, torch.optim, api, "float64")]
                    for name in DESCENTS})


if __name__ == "__main__":
    main()
