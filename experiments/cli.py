"""The command line: `python -m experiments [NAME ...] [--json] [--out DIR] [--seed N] [--image F]`.

`python -m experiments pyramids FILE` is short for `python -m experiments pyramids --image FILE`.
The options of the tasks are in `tasks/options.py`. `python -m experiments summary MODEL`,
`classify IMAGE...`, `check FOLDER`, `runs` and `prepare` have options of their own, see their
`--help`.

Exit status: 0 every verdict is the documented one, 1 a verification came out differently, 2 a
mistake in the command or in the photos, or a disk that refused results (one line on stderr), 130
stopped by Ctrl-C; while training, 143 by SIGTERM, 129 by SIGHUP, 138 by SIGUSR1; 141 stdout was
closed. A stopped run still writes what it had finished, marked `"complete": false`;
`--resume FOLDER` goes on with its trainings. One process at a time is at work in a folder.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import itertools
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from experiments import pyramid_pictures, tasks, theory
from experiments.claims import Settings
from experiments.report import render
from experiments.results import Run, UserError, finished, new_folder, write
from experiments.tasks.options import (OPTIONS, add_arguments, checked, config, provide,
                                       refuse_trainings, resumed)
from experiments.terminal import Screen, answer_lines, progress, summary_lines, surprise

PAGES = {"pyramids": pyramid_pictures}          # more to verify than the theory questions
WITH_PHOTO = "q1", "pyramids"
COMMANDS = {"summary": "what a model costs, layer by layer",    # each is a module of experiments
            "classify": "what is in a photograph, by a model with weights from a file",
            "check": "whether every photo of a folder can be read, before training on it",
            "runs": "the runs that are kept, their best figures and their disk use",
            "prepare": "the photo folders of the tasks, made of the two published archives"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
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
        print(f"experiments: error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:                     # as in `python -m experiments | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        print("experiments: interrupted", file=sys.stderr)
        return 130


def _asked(args: argparse.Namespace) -> tuple[list[str], Settings]:
    """The questions and the settings; with --resume those of that run."""
    if args.resume is None:
        settings = Settings(**_given(args))
        names = _expand(args.names or ["all"])
    elif args.out is not None:
        raise UserError(f"--out {args.out} and --resume {args.resume}: a run goes on in its own "
                        "folder; leave out --out")
    else:
        names, settings = resumed(args.resume, _given(args))
        if args.names and _expand(args.names) != names:
            raise UserError(f"--resume {args.resume}: that run has {' '.join(names)}; leave the "
                            "names out, or start a new run")
    _check_image(settings.image, names)
    return names, settings


def _given(args: argparse.Namespace) -> dict:
    """The options of the settings that were typed."""
    values = {name: getattr(args, name) for name in ("seed", "image", *OPTIONS)}
    if values["weights"] is not None:
        values["weights"] = tuple(values["weights"])
    return {name: value for name, value in values.items() if value is not None}


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
    from minigrad.train.lock import Lock

    try:
        return Lock(folder)
    except OSError as error:
        raise UserError(str(error)) from error


@contextmanager
def _one_warning():
    """A block in which only the first training that the disk refuses to save says so."""
    log, told = logging.getLogger("minigrad.train.folder.disk"), []

    def first(record):
        told.append(record)
        return len(told) == 1

    log.addFilter(first)
    try:
        yield
    finally:
        log.removeFilter(first)


def _command(name: str, *argv: str) -> int:
    """Run another command than a verification."""
    module, subject = importlib.import_module(f"experiments.{name}"), COMMANDS[name]
    parser = _Parser(prog=f"python -m experiments {name}", allow_abbrev=False,
                     description=f"{subject[0].upper()}{subject[1:]}.")
    module.add_arguments(parser)
    return module.run(parser.parse_args(argv))


def _verify(run: Run, as_json: bool) -> int:
    """Ask the run's questions one after the other, telling and keeping each answer at once."""
    screen, stopped = Screen(sys.stdout), 0
    if not as_json:
        screen.print(screen.wrapped(
            f"Verifying {' '.join(run.names)} with seed {run.settings.seed}."))
    try:
        with _crew(run) as turn:
            for done, name in enumerate(run.names):
                question = _questions()[name]
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
                if run.folder and set(run.names) & set(tasks.TASKS) else "")
        print(f"experiments: interrupted; finished: {answered}{kept}{more}", file=sys.stderr)
        return stopped
    return 2 if run.lost else 1 if surprises else 0


def _not_kept(run: Run) -> str:
    """What the disk refused, and the way on."""
    more = f" and {len(run.lost) - 1} more" if len(run.lost) > 1 else ""
    again = (f"python -m experiments --resume {run.folder}" if run.folder and
             set(run.names) & set(tasks.TASKS) else "the same command")
    return (f"not kept{f' in {run.folder}' if run.folder else ''}: {run.lost[0]}{more}; mend that, "
            f"then: {again}")


def _crew(run: Run):
    """Processes that train beside this one, if any of the run's questions trains."""
    if not set(run.names) & set(tasks.TASKS):
        return nullcontext(run.settings.turn)
    from experiments.tasks.crew import crew

    return crew(run.names, run.settings)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):
        raise UserError(f"{message}; see {self.prog} --help")


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    subjects = "\n".join(f"  {name:10}{q.subject}" for name, q in _questions().items())
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
    parser.add_argument("--seed", type=_seed, metavar="N",
                        help="seed of everything random (default: 0)")
    parser.add_argument("--image", metavar="FILE", help="photograph for q1 and pyramids")
    add_arguments(parser)
    args = parser.parse_intermixed_args(argv)
    _take_photo(args)
    return args


def _take_photo(args: argparse.Namespace) -> None:
    """Make `--image FILE` of a FILE that follows the name pyramids."""
    for i, (name, file) in enumerate(itertools.pairwise(args.names), 1):
        if name == "pyramids" and file not in _groups():
            if args.image is not None:
                raise UserError(f"two photographs, {args.image} and {file}: give one")
            args.image = args.names.pop(i)
            return


def _seed(text: str) -> int:
    if not (text.isdecimal() and int(text) < 2**32):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 4294967295")
    return int(text)


def _questions() -> dict:
    """Everything that can be verified: name -> an object with `subject` and `verify(settings)`."""
    return {**theory.QUESTIONS, **PAGES, **tasks.TASKS}


def _groups() -> dict[str, list[str]]:
    """The questions that each name of the command line stands for."""
    return {"all": list(_questions()), "theory": list(theory.QUESTIONS),
            "tasks": list(tasks.TASKS),
            **{name: [name] for name in _questions()}}


def _expand(names: Sequence[str]) -> list[str]:
    """The questions that `names` stand for, in the order asked and each once."""
    groups = _groups()
    for name in names:
        if name not in groups:
            close = difflib.get_close_matches(name.lower(), groups, n=1)
            hint = f"did you mean {close[0]}?" if close else f"use one of {' '.join(groups)}"
            raise UserError(f"unknown name {name!r}: {hint}")
    return list(dict.fromkeys(question for name in names for question in groups[name]))


def _check_image(path: str | None, names: Sequence[str]) -> None:
    """Raise UserError unless `path`, if given, is an image that opens and decodes to its end."""
    if path is None:
        return
    if not set(WITH_PHOTO) & set(names):
        wanted = " or ".join(WITH_PHOTO)
        raise UserError(f"--image {path}: the photograph is for {wanted}, which was not asked for; "
                        f"add {wanted} or leave out --image")
    from experiments.photo import load_photo

    try:
        load_photo(path)
    except OSError as error:
        raise UserError(str(error)) from error
