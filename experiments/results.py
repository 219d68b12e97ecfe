"""What a run leaves behind: one JSON document, the figures, and the report that shows them.

A run folder holds `config.json` (what was asked for), `claims.json`, `figures/` (SVG, PNG, GIF and
JPEG), `report.html`, and a folder for each training. Every file is written under another name first
and renamed when whole, and `claims.json` is rewritten after each question, so that a run may be
stopped at any time without leaving half a file behind.
"""

from __future__ import annotations

import io
import json
import math
import os
import platform
import re
import shlex
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timezone
from pathlib import Path
from typing import get_origin, get_type_hints

from experiments.claims import Answer, Claim
from experiments.errors import UserError
from experiments.settings import Settings

PNG_DPI = 144
JPEG_QUALITY = 85
FIGURE_STYLE = {
    "font.size": 10, "axes.titlesize": 11, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": False, "grid.color": "#dddddd", "legend.frameon": False, "lines.linewidth": 1.6,
    "savefig.bbox": "tight", "savefig.facecolor": "white",
}
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Run:
    """The answers of one run, kept in memory and, unless `folder` is None, on disk.

    finished: how many answers the folder of a resumed run holds; they are not overwritten until as
    many questions are answered again. The run goes on where the disk refuses a file: `lost` has a
    line for each that is missing.
    """

    def __init__(self, names: Sequence[str], settings: Settings, folder: Path | None,
                 finished: int = 0):
        self.names, self.settings, self.folder = list(names), settings, folder
        self.finished = finished
        self.started = datetime.now(timezone.utc)
        self.complete = False
        self.lost: list[str] = []
        self.answers: list[Answer] = []
        self._questions: list[dict] = []

    @property
    def claims(self) -> list[Claim]:
        return [claim for answer in self.answers for claim in answer.claims]

    @property
    def on_disk(self) -> bool:
        """Whether the folder holds the answers so far."""
        return self.folder is not None and len(self.answers) >= self.finished

    def add(self, answer: Answer, seconds: float) -> None:
        """Keep one finished question: draw its figures, then list it in claims.json."""
        figures = []
        for stem, draw in answer.figures.items():
            name = stem if stem.startswith(answer.question) else f"{answer.question}-{stem}"
            files = self._figure(draw, name) if self.folder else []
            caption = answer.captions.get(stem, stem.replace("_", " "))
            figures.append({"name": name, "caption": caption, "files": files})
        self.answers.append(answer)
        tables = [{"caption": t.caption, "header": list(t.header), "rows": list(map(list, t.rows))}
                  for t in answer.tables]
        self._questions.append({"question": answer.question, "title": answer.title,
                                "story": list(answer.story), "tables": tables,
                                "numbers": plain(answer.numbers), "figures": figures,
                                "seconds": round(seconds, 3)})
        self.save()

    def save(self) -> None:
        """Write claims.json as things stand."""
        if self.on_disk:
            self.keep("claims.json", self.to_json() + "\n")

    def keep(self, name: str, text: str) -> None:
        """Write a file into the folder, or note in `lost` why it cannot be."""
        self.lost = [line for line in self.lost if not line.startswith(f"{name}: ")]
        self._attempt(name, lambda: write(self.folder / name, text))

    def has(self, name: str) -> bool:
        """Whether `keep` has written that file."""
        return not any(line.startswith(f"{name}: ") for line in self.lost)

    def _figure(self, draw, name):
        return self._attempt(name, lambda: save_figure(draw, name, self.folder)) or []

    def _attempt(self, name, action):
        try:
            return action()
        except UserError as error:
            self.lost.append(f"{name}: {error.__cause__.strerror}")
            return None

    def document(self) -> dict:
        """Everything that is known about the run, in JSON types."""
        return {
            "command": command_line(self.names, self.settings),
            "date": self.started.isoformat(timespec="seconds"),
            "versions": versions(),
            **options(self.settings),
            "requested": self.names,
            "complete": self.complete,
            "as_documented": all(claim.as_documented for claim in self.claims),
            "verdicts": dict(Counter(claim.verdict for claim in self.claims)),
            "questions": self._questions,
            "claims": [claim_record(claim, answer.question)
                       for answer in self.answers for claim in answer.claims],
        }

    def to_json(self) -> str:
        """The document as strict JSON in ASCII, floats with all their digits."""
        return json.dumps(self.document(), indent=2, allow_nan=False)


def finished(folder: Path) -> int:
    """How many questions the claims.json of a run holds; 0 if there is none that can be read."""
    try:
        return len(json.loads(read_text(folder / "claims.json"))["questions"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return 0


def claim_record(claim: Claim, question: str) -> dict:
    """A claim in JSON types; the `role` of each check says what hangs on it (see `Claim`)."""
    roles = ["as written", *["corrected"] * (claim.corrected is not None),
             *["evidence"] * len(claim.evidence)]
    return {
        "id": claim.id,
        "question": question,
        "written": claim.written,
        "measured": claim.measured,
        "why": claim.why,
        "verdict": claim.verdict,
        "documented": claim.documented,
        "as_documented": claim.as_documented,
        "checks": [{"role": role, "name": c.name, "value": plain(c.value), "relation": c.relation,
                    "bound": plain(c.bound), "passed": c.passed}
                   for role, c in zip(roles, claim.checks)],
        "routes": plain(claim.routes),
    }


def plain(value: object) -> object:
    """The same value in JSON types.

    NumPy scalars and arrays become numbers and lists; nan and the infinities, which JSON lacks,
    the strings "nan", "inf" and "-inf"; any other object its text, as `Fraction(1, 3)` to "1/3".
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return str(value)


def restored(kind: type, values: Mapping[str, object]) -> object:
    """A dataclass of the values that JSON has kept. Raises ValueError or TypeError, in one line,
    for a value of another type and a name that it does not have."""
    made = kind(**values)
    for name, hint in get_type_hints(kind).items():
        allowed = tuple if get_origin(hint) is tuple else hint
        if allowed == float | None:
            allowed |= int
        if name in values and not isinstance(values[name], allowed):
            raise ValueError(f"{name} is {values[name]!r}")
    return made


def options(settings: Settings) -> dict:
    """The settings that the command line gave, in JSON types."""
    return {f.name: plain(getattr(settings, f.name)) for f in fields(settings) if f.compare}


def command_line(names: Sequence[str], settings: Settings) -> str:
    """The command that repeats a run."""
    words = ["python", "-m", "experiments", *names, "--seed", str(settings.seed)]
    usual = options(Settings())
    for name, value in options(settings).items():
        if value != usual[name] and name != "seed":
            for one in value if isinstance(value, list) else [value]:
                words += [f"--{name}", str(one)]
    return shlex.join(words)


def versions() -> dict[str, str]:
    import numpy

    return {"python": platform.python_version(), "numpy": numpy.__version__,
            "platform": f"{platform.system()} {platform.machine()}"}


def save_figure(draw: Callable[[], object], name: str, folder: Path) -> list[str]:
    """Draw a figure into `folder`/figures and return its files relative to `folder`, SVG first.

    A matplotlib Figure is saved as SVG and PNG. SVG source text is saved as it is and has no PNG
    twin: turning it into pixels would take one more dependency. Bytes are those of a GIF. A Pillow
    image, which is one of photographs, is saved as JPEG.
    """
    import matplotlib
    from cycler import cycler
    from PIL import Image

    from minigrad.figures import PALETTE

    colours = cycler(color=[colour for key, colour in PALETTE.items() if key != "grey"])
    with (matplotlib.rc_context({**FIGURE_STYLE, "axes.prop_cycle": colours, "svg.hashsalt": name}),
          warnings.catch_warnings()):
        # a name in letters that the font lacks, which are drawn as boxes
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = draw()
        if isinstance(figure, str):
            pictures = {"svg": figure.encode()}
        elif isinstance(figure, bytes):
            pictures = {"gif": figure}
        elif isinstance(figure, Image.Image):
            buffer = io.BytesIO()
            figure.save(buffer, format="JPEG", quality=JPEG_QUALITY)
            pictures = {"jpg": buffer.getvalue()}
        else:
            pictures = {}
            for kind, metadata in (("svg", {"Date": None}), ("png", {})):
                buffer = io.BytesIO()
                figure.savefig(buffer, format=kind, dpi=PNG_DPI, metadata=metadata)
                pictures[kind] = buffer.getvalue()
    for kind, data in pictures.items():
        write(folder / "figures" / f"{name}.{kind}", data)
    return [f"figures/{name}.{kind}" for kind in pictures]


def new_folder(label: str, out: str | None) -> Path:
    """The folder of a run, made and found writable: `out`, or a new `results/<label>-<UTC time>`.

    Raises UserError, before anything is computed, where nothing can be written.
    """
    if out is None:
        stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%SZ")
        folder = Path("results", f"{label}-{stamp}")
        copies = (folder.with_name(f"{folder.name}-{i}") for i in range(2, 1000))
        while folder.exists():
            folder = next(copies)
    else:
        folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            return folder
    except OSError as error:
        reason = "it is a file" if os.path.isfile(folder) else error.strerror
        raise UserError(f"cannot write results to {folder}: {reason}; "
                        "give a folder that can be written with --out DIR") from error


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """The text of a file. OSError for a pipe or device, which might never end, too."""
    from minigrad.data.images import refuse_special

    refuse_special(path)
    return Path(path).read_text(encoding=encoding)


def write(path: Path, data: str | bytes) -> None:
    """Write a file whole or not at all. Text becomes UTF-8; control characters in it, which names
    of files may have, and bytes that are no UTF-8 are escaped."""
    from minigrad.files import write_file

    if isinstance(data, str):
        text = _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], data)
        data = text.encode("utf-8", "backslashreplace")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, [data])
    except OSError as error:
        cause = error.__cause__ or error        # `write_file` says of it which file it is about
        raise UserError(f"cannot write {path}: {cause.strerror}; "
                        "free the place or give another folder with --out DIR") from cause
