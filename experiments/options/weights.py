"""How a file of weights is read, as the commands that take `--weights` let one say it.

    add_arguments(parser)               # --entry, --prefix
    load(path, **reading(args))         # of minigrad.weights, or of minigrad.models
    raise UserError(message(error))     # with the options in place of the arguments of `load`
"""

from __future__ import annotations

import argparse

from experiments.errors import UserError, one_line

OPTIONS = ("entry", "prefix")
_NONE = "none"
_SAID = {       # what an error advises: in Python, at the command line
    "entry=NAME": "--entry NAME",
    "give the network, or its name in MODELS, as model=":
        "say which it is with --arch NAME or --arch FILE.py:NAME",
    "damaged, or renamed (then pass verify=False)":
        "damaged, or renamed (then give it a name without these digits)",
    "to load it unchecked, pass verify=False":
        "to load it unchecked, minigrad.weights.load(FILE, verify=False) in Python, then save"}


def add_arguments(parser) -> None:
    """`parser`: an ArgumentParser or a group of its options; without one its value is None."""
    parser.add_argument("--entry", metavar="NAME",
                        help="which entry of the file the weights are, as net, ema.model or 0, the "
                             "first of a list (default: state_dict, model, model_state_dict, or "
                             "the whole file)")
    parser.add_argument("--prefix", metavar="TEXT",
                        help="what to remove from the front of their names, or none (default: "
                             "module., _orig_mod. and, if all have it, model.)")


def check(options: argparse.Namespace | object, of_a_file: bool) -> None:
    """Raise UserError for these options where the weights are not of a file."""
    for name in OPTIONS:
        if getattr(options, name) is not None and not of_a_file:
            raise UserError(f"--{name} is for weights of a file; give that with --weights FILE, or "
                            f"leave out --{name}")


def reading(options: argparse.Namespace | object) -> dict:
    """The arguments of `load` for these options, the attributes `entry` and `prefix`."""
    prefix = options.prefix
    return {"entry": options.entry,
            "strip_prefix": True if prefix is None else prefix != _NONE and prefix}


def message(error: Exception) -> str:
    """An error of `load` in one line, for the command line."""
    text = one_line(error)
    for of_python, of_command in _SAID.items():
        text = text.replace(of_python, of_command)
    return text
