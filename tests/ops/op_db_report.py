"""python -m tests.ops.op_db_report [ENTRY | OP | DTYPE ...]: what became of PyTorch's samples.

    python -m tests.ops.op_db_report relu float16   one entry in one dtype, each failure on a line
    python -m tests.ops.op_db_report --all          all entries and dtypes, counts only
"""

from __future__ import annotations

import sys
from collections import Counter

import torch

from tests.ops.op_db_compare import FAILURES, KINDS, compare_all
from tests.ops.op_db_mapping import MAPPED
from tests.ops.op_db_samples import DTYPES, dtypes_of


def main(words):
    torch.set_num_threads(1)
    details = "--all" not in words
    dtypes = [word for word in words if word in DTYPES] or DTYPES
    wanted = [word for word in words if word not in DTYPES and word != "--all"]
    names = [name for name in MAPPED if not wanted or any(
        word in (name, name.split("/")[0], name.split(".")[-1].split("/")[0], MAPPED[name].name)
        for word in wanted)]
    total = Counter()
    print(f"{'entry':40} {'dtype':9}" + "".join(f"{kind:>11}" for kind in KINDS))
    for name in names:
        for dtype in (d for d in dtypes_of(name) if d in dtypes):
            results = compare_all(name, dtype)
            counts = Counter(result.kind for result in results)
            total += counts
            print(f"{name:40} {dtype:9}" + "".join(f"{counts[k] or '.':>11}" for k in KINDS))
            lines = dict.fromkeys(str(r) for r in results if r.kind in FAILURES)
            for line in lines if details else ():
                print(f"    {line}")
    print(f"{'all':50}" + "".join(f"{total[k]:>11}" for k in KINDS))


if __name__ == "__main__":
    main(sys.argv[1:])
