"""The command line: `python -m experiments [NAME ...] [--json] [--out DIR] [--seed N] [--image F]`.

`python -m experiments pyramids FILE` is short for `python -m experiments pyramids --image FILE`.
The options of the tasks are in `options/verification.py`. `python -m experiments summary MODEL`,
`train FOLDER`, `classify PHOTO...`, `check FOLDER`, `runs` and `prepare` have options of their own,
see their `--help`.

Exit status: 0 every verdict is the documented one, 1 a verification came out differently, 2 a
mistake in the command or in the photos, or a disk that refused results (one line on stderr), 130
stopped by Ctrl-C; while training, 143 by SIGTERM, 129 by SIGHUP, 138 by SIGUSR1; 141 stdout was
closed. A stopped run still writes what it had finished, marked `"complete": false`;
`--resume FOLDER` goes on with its trainings. One process at a time is at work in a folder.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

from experiments import questions
from experiments.commands import COMMANDS
from experiments.errors import UserError, name_hint
from experiments.options import values
from experiments.options.verification import (OPTIONS, add_arguments, checked, config, joined,
                                              provide, refuse_trainings, resumed)
from experiments.report.page import render
from experiments.report.terminal import (Screen, answer_lines, escaped, progress, shown,
                                         summary_lines, surprise)
from experiments.results import Run, finished, new_folder, write
from experiments.settings import Settings

MAY_BE_EMPTY = "entry", "prefix", "images"      # of photographs, the others are looked at first


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    _open_closed_streams()
    try:
        if argv and argv[0] in COMMANDS:
            return _command(*argv)
        args = _parse(argv)
        names, settings = _asked(args)
        settings = checked(settings, names, _given(args))
        folder = _folder(args)
        with _locked(folder), _one_warning():
            if folder is not None and args.resume is None:
                refuse_trainings(folder)
            before = finished(folder) if args.resume is not None else 0
            provide(settings, names)
            if folder is not None:
                write(folder / "config.json", json.dumps(config(settings, names), indent=2) + "\n")
            with nullcontext(folder) if folder else tempfile.TemporaryDirectory() as trainings:
                settings = replace(settings, folder=Path(trainings))
                return _verify(Run(names, settings, folder, before), args.json)
    except UserError as error:
        return _mistake(str(error))
    except BrokenPipeError:                     # as in `python -m experiments | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        print("experiments: interrupted", file=sys.stderr)
        return 130
    except OSError as error:                    # a place that is not what it was, a full disk ...
        named = isinstance(error.filename, (str, bytes))
        place = shown(os.fsdecode(error.filename)) if named else "a file"
        return _mistake(f"cannot use {place}: {error.strerror or error}")
    except MemoryError as error:
        reason = str(error) or "the system gives no more"
        return _mistake(f"not enough memory: {reason}; ask for less at a time, as by a smaller "
                        "--size or --batch")


def _open_closed_streams() -> None:
    """Open the null device for each standard stream that the process was started without, as by
    `>&-`: Python has None in its place, and the next file opened would get its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8", errors="backslashreplace"))


def _mistake(text: str) -> int:
    """Print a mistake in one line, unless stderr is closed; returns the exit status."""
    with suppress(OSError):
        print(f"experiments: error: {escaped(text)}", file=sys.stderr)
    return 2


def _asked(args: argparse.Namespace) -> tuple[list[str], Settings]:
    """The questions and the settings; with --resume those of that run."""
    if args.resume is None:
        names = _expand(args.names or ["all"])
        settings = joined(Settings(**_given(args)), names)
    elif args.out is not None:
        raise UserError(f"--out {args.out} and --resume {args.resume}: a run goes on in its own "
                        "folder; leave out --out")
    else:
        names, settings = resumed(args.resume, _given(args))
        names = _expand(names)
        if args.names and _expand(args.names) != names:
            raise UserError(f"--resume {args.resume}: that run has {' '.join(names)}; leave the "
                            "names out, or start a new run")
    _check_image(settings.image, names)
    return names, settings


def _given(args: argparse.Namespace) -> dict:
    """The options of the settings that were typed."""
    options = {name: getattr(args, name) for name in ("seed", "image", *OPTIONS)}
    if options["weights"] is not None:
        options["weights"] = tuple(options["weights"])
    return {name: value for name, value in options.items() if value is not None}


def _folder(args: argparse.Namespace) -> Path | None:
    """The folder of the run, which can be written; None if nothing is to be kept."""
    if args.resume is not None:
        return new_folder("", args.resume)
    if args.json and args.out is None:
        return None
    return new_folder("-".join(args.names or ["all"]), args.out)


def _locked(folder: Path | None):
    """A block in which no other process is at work in the folder. UserError if one is already."""
    if folder is None:
        return nullcontext()
    from minigrad.train.folder.lock import Lock

    try:
        return Lock(folder)
    except OSError as error:
        raise UserError(str(error)) from error


@contextmanager
def _one_warning():
    """A block in which only the first training that the disk refuses to save says so."""
    log, records = logging.getLogger("minigrad.train.folder.disk"), []

    def first(record):
        records.append(record)
        return len(records) == 1

    log.addFilter(first)
    try:
        yield
    finally:
        log.removeFilter(first)


def _command(name: str, *argv: str) -> int:
    """Run another command than a verification."""
    module, subject = importlib.import_module(f"experiments.commands.{name}"), COMMANDS[name]
    parser = _Parser(prog=f"python -m experiments {name}", allow_abbrev=False,
                     description=f"{subject[0].upper()}{subject[1:]}.")
    module.add_arguments(parser)
    return module.run(parser.filled(parser.parse_args(argv)))


def _verify(run: Run, as_json: bool) -> int:
    """Ask the run's questions one after the other, telling and keeping each answer at once."""
    screen, stopped = Screen(sys.stdout), 0
    if not as_json:
        screen.print(screen.wrapped(
            f"Verifying {' '.join(run.names)} with seed {run.settings.seed}."))
    try:
        with _crew(run) as turn:
            for done, name in enumerate(run.names):
                question = questions.every()[name]
                with progress(f"{name}: {question.subject}", done, len(run.names)) as tell:
                    start = time.monotonic()
                    answer = question.verify(replace(run.settings, tell=tell, turn=turn,
                                                     lost=run.lost.append))
                    run.add(answer, time.monotonic() - start)
                if not as_json:
                    screen.print(answer_lines(screen, answer))
        run.complete = True
    except KeyboardInterrupt:
        stopped = 130
    except SystemExit as stop:                  # SIGTERM, which a training turns into this
        stopped = stop.code
    finally:
        run.save()
        if run.on_disk:
            run.keep("report.html", render(run.document(), run.folder))

    if as_json:
        screen.print([run.to_json()])
    elif run.complete:
        report = [f"Report: {run.folder / 'report.html'}"] if run.has("report.html") else []
        screen.print([*summary_lines(screen, run.claims), *report])
    surprises = [surprise(claim) for claim in run.claims if not claim.as_documented]
    for line in surprises:
        print(f"experiments: {line}", file=sys.stderr)
    if run.lost:
        print(f"experiments: error: {_not_kept(run)}", file=sys.stderr)
    if stopped:
        answered = ", ".join(answer.question for answer in run.answers) or "no question"
        kept = f", kept in {run.folder}" if run.folder else ""
        more = (f"; to go on: python -m experiments --resume {run.folder}"
                if run.folder and questions.tasks_among(run.names) else "")
        print(f"experiments: interrupted; finished: {answered}{kept}{more}", file=sys.stderr)
        return stopped
    return 2 if run.lost else 1 if surprises else 0


def _not_kept(run: Run) -> str:
    """What the disk refused, and the way on."""
    more = f" and {len(run.lost) - 1} more" if len(run.lost) > 1 else ""
    command = (f"python -m experiments --resume {run.folder}" if run.folder and
               questions.tasks_among(run.names) else "the same command")
    return (f"not kept{f' in {run.folder}' if run.folder else ''}: {run.lost[0]}{more}; mend that, "
            f"then: {command}")


def _crew(run: Run):
    """Processes that train beside this one, if any of the run's questions trains."""
    if not questions.tasks_among(run.names):
        return nullcontext(run.settings.turn)
    from experiments.tasks.crew import crew

    return crew(run.names, run.settings)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):
        raise UserError(f"{message}; see {self.prog} --help")

    def filled(self, args: argparse.Namespace) -> argparse.Namespace:
        """The arguments. UserError for a file, folder or name that is an empty text: `--out "$DIR"`
        is one where DIR is not set, and would be taken for the current folder."""
        for action in self._actions:
            value = getattr(args, action.dest, None)
            if "" in (value if isinstance(value, list) else [value]) and (
                    action.dest not in MAY_BE_EMPTY):
                name = action.option_strings[-1] if action.option_strings else action.metavar
                self.error(f"{name} is an empty text: give a value, or leave it out")
        return args


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    subjects = "\n".join(f"  {name:10}{q.subject}" for name, q in questions.every().items())
    commands = "\n".join(f"  {name:10}{subject}" for name, subject in COMMANDS.items())
    parser = _Parser(
        prog="python -m experiments", allow_abbrev=False,
        description="Verify the theory answers of the coursework, each by independent routes, what "
                    "is written of image pyramids, and the five tasks on photos of dogs.",
        epilog="names:\n  all       everything (the default)\n"
               "  theory    q1 to q7 and errata\n"
               f"  tasks     task1 to task5\n{subjects}\n\n"
               f"other commands, each with its own --help:\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="what to verify, see below; a FILE after pyramids is its photograph")
    parser.add_argument("--json", action="store_true",
                        help="print one JSON document; files are written only with --out")
    parser.add_argument("--out", metavar="DIR",
                        help="folder for claims.json, figures and report.html, files of the same "
                             "name being replaced (default: a new results/NAME-TIME)")
    parser.add_argument("--seed", type=values.seed, metavar="N",
                        help="seed of everything random (default: 0)")
    parser.add_argument("--image", metavar="FILE", help="photograph for q1 and pyramids")
    add_arguments(parser)
    args = parser.parse_intermixed_args(argv)
    _take_photo(args)
    return parser.filled(args)


def _take_photo(args: argparse.Namespace) -> None:
    """Make `--image FILE` of a FILE that follows the name pyramids."""
    for i, (name, file) in enumerate(itertools.pairwise(args.names), 1):
        if name == "pyramids" and file not in questions.groups():
            if args.image is not None:
                raise UserError(f"two photographs, {args.image} and {file}: give one")
            args.image = args.names.pop(i)
            return


def _expand(names: Sequence[str]) -> list[str]:
    """The questions that `names` stand for, in the order asked and each once."""
    groups = questions.groups()
    for name in names:
        if name not in groups:
            raise UserError(f"unknown name {name!r}: {name_hint(name, groups)}")
    return list(dict.fromkeys(question for name in names for question in groups[name]))


def _check_image(path: str | None, names: Sequence[str]) -> None:
    """Raise UserError unless `path`, if given, is an image that opens and decodes to its end."""
    if path is None:
        return
    if not set(questions.WITH_PHOTO) & set(names):
        wanted = " or ".join(questions.WITH_PHOTO)
        raise UserError(f"--image {path}: the photograph is for {wanted}, which was not asked for; "
                        f"add {wanted} or leave out --image")
    from experiments.photo import load_photo

    try:
        load_photo(path)
    except OSError as error:
        raise UserError(str(error)) from error
