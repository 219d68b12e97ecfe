"""`python -m experiments check FOLDER`: whether every photograph can be read, before training."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter

from experiments.errors import UserError
from experiments.report.terminal import Screen, progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="FOLDER",
                        help="a folder for each class, in it the photos; or two levels of folders")
    parser.add_argument("--workers", type=int, default=2, metavar="N",
                        help="threads that read (default: 2)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    """Print what was found. Returns 0 if every photograph can be read, 1 if not.

    Raises UserError for a folder that is not there or has no classes.
    """
    from minigrad.data import ImageFolder, check
    from minigrad.data.images import shown

    try:
        dataset = ImageFolder(args.folder)
        with progress(f"checking {shown(args.folder)}", 0, 1) as tell:
            found = check(dataset, args.workers,
                          lambda done, total: tell(f"{done} of {total} photos"))
    except (OSError, ValueError) as error:
        raise UserError(str(error)) from error
    counts, loose = _counts(dataset, found), _loose(dataset.root)
    screen = Screen(sys.stdout)
    if args.json:
        screen.print([json.dumps({
            "folder": args.folder, "good": found.good, "bad": found.bad, "ignored": found.ignored,
            "beside": loose, "classes": counts, "smallest": found.smallest,
            "largest": found.largest}, indent=2)])
    else:
        screen.print(part for line in _report(found, counts, loose)
                     for part in screen.wrapped(line))
    return 1 if found.bad else 0


def _counts(dataset, found):
    """{class: {"photos", "unreadable"}}; of two levels, the classes are those of the second."""
    names = [os.path.relpath(path, dataset.root).split(os.sep)[:-1] for path, _ in dataset.samples]
    level = min([2, *map(len, names)])
    bad = {path for path, _ in found.bad}
    photos, unreadable = Counter(), Counter()
    for (path, _), folders in zip(dataset.samples, names):
        name = os.path.join(*folders[:level])
        photos[name] += 1
        unreadable[name] += path in bad
    return {name: {"photos": photos[name], "unreadable": unreadable[name]} for name in photos}


def _loose(root):
    """How many photographs lie beside the folders of classes, and so are in none."""
    from minigrad.data import EXTENSIONS

    with os.scandir(root) as entries:
        return sum(entry.name.lower().endswith(EXTENSIONS) and not entry.name.startswith(".")
                   and not entry.is_dir() for entry in entries)


def _report(found, counts, loose):
    from minigrad.data.folder import advice, kinds
    from minigrad.data.images import shown

    files = found.good + len(found.bad)
    lines = ["  photos  unreadable  class"]         # names come last: they may be long
    for name, count in [*counts.items(), ("all", {"photos": files, "unreadable": len(found.bad)})]:
        lines.append(f"  {count['photos']:6}  {count['unreadable'] or '':>10}  {shown(name)}")
    if found.bad:
        lines += ["", "Cannot be read:"]
        lines += [f"  {shown(path)}: {reason}" for path, reason in found.bad]
    if found.ignored or loose:
        lines += ["", "Left out:"]
        lines += [f"  for their extension: {kinds(found.ignored)}"] if found.ignored else []
        lines += [f"  {advice(found.ignored)}"] if advice(found.ignored) else []
        lines += [f"  beside the folders of classes: {loose}; move them into one"] * (loose > 0)
    lines.append("")
    if found.bad:
        lines += [f"{len(found.bad)} of {files} photos cannot be read. Mend or remove them, or go "
                  "on without them:", '  --on-error skip, in Python DataLoader(..., '
                  'on_error="skip")']
    else:
        (width, height), (most_wide, most_high) = found.smallest, found.largest
        lines.append(f"Every photo can be read: {files}, from {width} x {height} to {most_wide} x "
                     f"{most_high} pixels.")
    return lines
