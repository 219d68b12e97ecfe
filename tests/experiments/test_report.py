"""What a run leaves behind and how it looks: JSON, figures, the HTML report, terminal text."""

import html
import json
import os
import re
from fractions import Fraction
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from experiments import results
from experiments.claims import CORRECTED, HOLDS, WRONG, Answer, Claim, Table, check
from experiments.report.page import render
from experiments.report.terminal import Screen, answer_lines, summary_lines
from experiments.settings import Settings

HOSTILE = """<script>alert("x")</script> & 'quoted' </style> ∇²I"""
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path id="p" d="M0 0h9"/></svg>'
ROUTES = {"autograd": -0.011333757848161504, "single": np.float32(0.1), "broken": float("nan")}
NO, YES = check("no", 1.0, "<=", 0.5), check("yes", 0.25, "<=", 0.5)


def line_plot():
    figure = Figure(figsize=(3, 2))
    figure.subplots().plot([0, 1])
    return figure


def photo():
    figure = Figure(figsize=(3, 2))
    figure.subplots().imshow(np.zeros((4, 4)))
    return figure


@pytest.fixture
def answer():
    claims = (Claim("q1.a", "written", "measured", "why", HOLDS, YES, routes=ROUTES),
              Claim("q1.b", "written", "measured", "why", CORRECTED, NO, YES),
              Claim("q1.c", "written", "measured", "why", HOLDS, NO))
    return Answer(question="q1", title="First", story=("A story.",), claims=claims,
                  numbers={"inf": -np.inf, "array": np.arange(3), "count": np.int64(7),
                           "flag": np.bool_(True), "third": Fraction(1, 3)},
                  figures={"graph": lambda: SVG, "plot": line_plot, "photo": photo},
                  captions={"graph": "The graph & its edges"})


def finished(answer, folder):
    """A complete run of one question."""
    run = results.Run([answer.question], Settings(image="my photo.jpg"), folder)
    run.add(answer, seconds=1.5)
    run.complete = True
    return run


# --- the JSON document -------------------------------------------------------------------------

def test_json_is_strict_ascii_with_every_digit(answer):
    text = finished(answer, None).to_json()
    assert text.isascii() and "NaN" not in text and "Infinity" not in text
    document = json.loads(text)
    first = document["claims"][0]
    assert {key: first[key] for key in first if key not in ("checks", "routes")} == {
        "id": "q1.a", "question": "q1", "written": "written", "measured": "measured", "why": "why",
        "verdict": HOLDS, "documented": HOLDS, "as_documented": True}
    assert first["checks"] == [{"role": "as written", "name": "yes", "value": 0.25,
                                "relation": "<=", "bound": 0.5, "passed": True}]
    assert '"autograd": -0.011333757848161504' in text
    assert first["routes"] == {"autograd": -0.011333757848161504, "single": float(np.float32(0.1)),
                               "broken": "nan"}
    question = document["questions"][0]
    assert question["story"] == ["A story."] and question["seconds"] == 1.5
    assert question["numbers"] == {
        "inf": "-inf", "array": [0, 1, 2], "count": 7, "flag": True, "third": "1/3"}


def test_the_document_says_how_the_run_went_and_how_to_repeat_it(answer):
    document = finished(answer, None).document()
    assert document["command"] == "python -m experiments q1 --seed 0 --image 'my photo.jpg'"
    assert document["complete"] is True and document["as_documented"] is False
    assert document["verdicts"] == {HOLDS: 1, CORRECTED: 1, WRONG: 1}
    assert set(document["versions"]) == {"python", "numpy", "platform"}


def test_without_a_folder_nothing_is_drawn_or_written(answer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    figures = finished(answer, None).document()["questions"][0]["figures"]
    assert [f["files"] for f in figures] == [[], [], []] and not os.listdir()


# --- files -------------------------------------------------------------------------------------

def test_figures_are_svg_and_png_and_the_same_every_time(answer, tmp_path):
    for folder in ("a", "b"):
        finished(answer, tmp_path / folder)
    names = sorted(os.listdir(tmp_path / "a" / "figures"))
    assert names == ["q1-graph.svg", "q1-photo.png", "q1-photo.svg", "q1-plot.png", "q1-plot.svg"]
    for name in names:
        a, b = ((tmp_path / folder / "figures" / name).read_bytes() for folder in "ab")
        assert a == b


def test_a_failing_write_keeps_the_old_file_and_leaves_no_part(tmp_path, monkeypatch):
    path = tmp_path / "f"
    results.write(path, "old")

    def fail(*paths):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(results.UserError, match="cannot write .*f: No space left on device"):
        results.write(path, "new")
    assert os.listdir(tmp_path) == ["f"] and path.read_text() == "old"


def test_runs_of_the_same_second_get_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len({results.new_folder("all", None) for _ in range(5)}) == 5


# --- the report --------------------------------------------------------------------------------

class Page(HTMLParser):
    """The tags with their attributes, and the text; what opens must close, in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, attribute):
        return [attrs[attribute] for _, attrs in self.tags if attribute in attrs]


def test_report_loads_nothing_and_is_accessible(answer, tmp_path):
    text = render(finished(answer, tmp_path).document(), tmp_path)
    page = Page(text)
    names = [tag for tag, _ in page.tags]
    assert not {"script", "link", "iframe", "object"} & set(names)
    assert not any(s in text for s in ("http://", "https://", "@import", "url("))
    assert [src.split(",")[0] for src in page.all("src")] == [
        "data:image/svg+xml;base64", "data:image/svg+xml;base64", "data:image/png;base64"]
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    assert page.all("href") and all(href[1:] in ids for href in page.all("href"))
    assert page.all("lang") == ["en"] and names.count("h1") == 1
    assert page.all("alt") == ["The graph & its edges", "plot", "photo"]


def test_report_shows_verdicts_routes_and_what_came_out_differently(answer, tmp_path):
    text = Page(render(finished(answer, tmp_path).document(), tmp_path)).text
    for words in ("✓ 1 holds", "≈ 1 holds after correction", "✗ 1 wrong", "-0.011333757848161504",
                  "Came out differently: documented as holds.", "as written: no", "✗\xa0false"):
        assert words in text


def test_tables_and_photographs_are_shown_and_kept(tmp_path):
    table = Table("Accuracies <of> photos", ("", "written", "measured"), (("SDD", "0.3", "0.4"),))
    answer = Answer(question="task3", title="Third", story=("Story.",), claims=(), tables=(table,),
                    figures={"sheet": lambda: Image.new("RGB", (40, 30), "red")},
                    captions={"sheet": "Photos"})
    document = finished(answer, tmp_path).document()
    question = document["questions"][0]
    assert question["tables"] == [{"caption": "Accuracies <of> photos", "rows": [["SDD", "0.3",
                                   "0.4"]], "header": ["", "written", "measured"]}]
    assert question["figures"][0]["files"] == ["figures/task3-sheet.jpg"]
    text = render(document, tmp_path)
    assert "<td>0.4</td>" in text and 'src="data:image/jpeg;base64,' in text
    assert "Accuracies <of> photos" in Page(text).text
    lines = "\n".join(answer_lines(Screen(fake_stream(False)), answer))
    assert "SDD  0.3      0.4" in lines and "Accuracies <of> photos" in lines


def test_a_claim_without_a_documented_verdict_is_no_surprise():
    claim = Claim("task3.digits", "0.5", "0.7", "why", None, NO)
    assert claim.verdict == WRONG and claim.as_documented


def test_the_command_repeats_all_that_was_typed():
    settings = Settings(seed=3, data="my photos", weights=("a.pth", "b.pth"), seeds=2)
    assert results.command_line(["task4"], settings) == (
        "python -m experiments task4 --seed 3 --data 'my photos' --weights a.pth --weights b.pth "
        "--seeds 2")


def test_the_command_to_repeat_breaks_between_options_only(answer, tmp_path):
    run = results.Run(["q1"], Settings(seed=3, data="my <photos>-2024", weights=("a-b.pth",),
                                       profile="paper"), tmp_path)
    run.add(answer, seconds=1.5)
    text = render(run.document(), tmp_path)
    code = re.search("<dt>To repeat</dt><dd>(.*?)</dd>", text)[1]
    parts = [re.sub("<.*?>", "", part) for part in code.split('<span class="part">')]
    assert [html.unescape(part).strip() for part in parts] == [
        "", "python -m experiments", "q1", "--seed 3", "--data 'my <photos>-2024'",
        "--weights a-b.pth", "--profile paper"]
    copied = html.unescape(re.sub("<.*?>", "", code))
    assert copied == run.document()["command"], "a copy is the command itself"
    assert code.count('<span class="whole">--') == 4 and copied.isascii()


def test_report_escapes_everything(tmp_path):
    claim = Claim(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOLDS,
                  check(HOSTILE, HOSTILE, "==", HOSTILE), routes={HOSTILE: 1.0})
    answer = Answer(question="q1", title=HOSTILE, story=(HOSTILE,), claims=(claim,),
                    numbers={HOSTILE: HOSTILE}, figures={"f": lambda: SVG},
                    captions={"f": HOSTILE})
    text = render(finished(answer, tmp_path).document(), tmp_path)
    assert "<script" not in text and text.count("</style>") == 1
    # title (2), story, caption, claim (4), route, check (3), number (2)
    assert Page(text).text.count(HOSTILE) == 14


# --- the terminal ------------------------------------------------------------------------------

def fake_stream(tty, encoding="utf-8"):
    return SimpleNamespace(isatty=lambda: tty, encoding=encoding)


def test_colour_only_on_a_terminal_and_not_against_the_users_wish(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert Screen(fake_stream(True)).paint("x", "red") == "\x1b[31mx\x1b[0m"
    assert Screen(fake_stream(False)).paint("x", "red") == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Screen(fake_stream(True)).paint("x", "red") == "x"


def test_ticks_fall_back_to_ascii():
    assert Screen(fake_stream(False)).badge(WRONG) == "✗ wrong"
    assert Screen(fake_stream(False, "ascii")).badge(WRONG) == "x wrong"


def test_summary_counts_what_came_out_differently(answer):
    assert summary_lines(Screen(fake_stream(False)), answer.claims)[1:] == [
        "3 claims: 1 ✓ holds, 1 ≈ holds after correction, 1 ✗ wrong",
        "1 came out differently from what is documented."]


WIDTHS = [(10, 32), (32, 32), (40, 40), (59, 59), (60, 60), (80, 80), (120, 120), (500, 140)]
WORDS = "a claim that takes quite a few words to write down " * 6


def long_answer():
    long = Claim("q1.an-identifier-of-some-length", WORDS, WORDS + "9" * 200, "why", CORRECTED,
                 NO, YES)
    table = Table(WORDS, ("", "DBI, written", "DBI test, all of it", "SDD"),
                  (("ResNet-18 from scratch", "0.5", WORDS, ""), ("ResNeXt", "", "x\ny", "0.25")))
    return Answer(question="q1", title=WORDS, story=(WORDS,), claims=(long, long), tables=(table,))


@pytest.mark.parametrize("columns, widest", WIDTHS)
def test_lines_fit_the_screen(columns, widest, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    answer, screen = long_answer(), Screen(fake_stream(False))
    lines = answer_lines(screen, answer)
    assert max(map(len, lines)) <= widest
    assert "".join(lines).count("9") == 400
    assert max(map(len, summary_lines(screen, answer.claims * 5))) <= widest
    assert max(map(len, screen.wrapped(WORDS))) <= widest


def test_a_narrow_table_is_a_block_for_each_row(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    table = Table("Caption.", ("", "written", "DBI"), (("ResNet", "0.5", "x\ny"), ("all", "", "1")))
    claim = Claim("q1.a", "a statement of some length, so that it wraps", "0", "w", WRONG, NO)
    answer = Answer(question="q1", title="T", story=(), claims=(claim,), tables=(table,))
    plain = answer_lines(Screen(fake_stream(False)), answer)
    assert plain[4:] == ["  ResNet", "    written: 0.5", "    DBI: x", "      y", "", "  all",
                         "    DBI: 1", "  Caption.", "", "  claim: q1.a", "    verdict: ✗ wrong",
                         "    written: a statement of some length,", "      so that it wraps",
                         "    measured: 0"]
    painted = answer_lines(Screen(fake_stream(True)), answer)
    assert "\x1b[31m    verdict: ✗ wrong\x1b[0m" in painted
    assert "\x1b[1m  claim: q1.a\x1b[0m" in painted


def test_totals_that_do_not_fit_a_line_have_one_each(monkeypatch, answer):
    monkeypatch.setenv("COLUMNS", "40")
    assert summary_lines(Screen(fake_stream(False)), answer.claims)[1:] == [
        "3 claims:", "  1 ✓ holds", "  1 ≈ holds after correction", "  1 ✗ wrong",
        "1 came out differently from what is", "documented."]
