"""Every walkthrough is a lecture that runs from top to bottom, its solutions too, and opens as a
notebook: cells in jupytext's percent format, Markdown that Jupyter renders as it is meant.

`test_notebooks.py` executes them as notebooks.
"""

import os
import re
import runpy
from pathlib import Path

import pytest

import experiments
from minigrad.kernels.testing import emulator

SCRIPTS = sorted((Path(experiments.__file__).parent / "walkthroughs").glob("*.py"))
SOLUTION = re.compile(r"<details><summary>Solution</summary>\n\n(.*?)\n\n</details>", re.S)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)

each = pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)


def cells(source):
    """[(whether it is Markdown, its text)] of a script in percent format."""
    found = []
    for cell in re.split(r"^# %%", source, flags=re.M)[1:]:
        head, _, body = cell.partition("\n")
        markdown = head == " [markdown]"
        assert markdown or not head, f"a cell begins with # %%{head}"
        if markdown:
            assert all(line == "#" or line.startswith("# ") for line in body.strip().splitlines())
            body = re.sub(r"^# ?", "", body, flags=re.M)
        found.append((markdown, body.strip("\n")))
    return found


def markdown(path):
    return [text for is_markdown, text in cells(path.read_text(encoding="utf-8")) if is_markdown]


def solutions(texts):
    """The Python code of each solution, its fenced blocks joined."""
    return ["\n".join(code for language, code in FENCE.findall(text) if language == "python")
            for cell in texts for text in SOLUTION.findall(cell)]


def prose(text):
    """Markdown without its fenced blocks."""
    return FENCE.sub("", text)


def test_they_are_numbered_from_one():
    assert [int(path.name[:2]) for path in SCRIPTS] == list(range(1, len(SCRIPTS) + 1))


LONG = "08", "09"       # they train several networks, for up to a minute and a half


@each
def test_walkthrough_runs_and_so_do_its_solutions(path, capsys, monkeypatch, tmp_path):
    if path.stem == "07_gpu_kernels" and emulator.MISSING:
        pytest.skip(emulator.MISSING)
    if path.stem[:2] in LONG and os.environ.get("MINIGRAD_FULL") != "1":
        pytest.skip("needs MINIGRAD_FULL=1")
    monkeypatch.chdir(tmp_path)  # where pictures go
    names = runpy.run_path(str(path), run_name="__main__")
    out, err = capsys.readouterr()
    assert out and not err
    for number, code in enumerate(solutions(markdown(path)), 1):
        exec(compile(code, f"{path.stem}, solution {number}", "exec"), names)
        out, err = capsys.readouterr()
        assert out and not err, f"solution {number}"


def test_without_a_compiler_the_one_on_kernels_says_what_to_install(monkeypatch):
    monkeypatch.setattr(emulator, "MISSING", "needs g++: install it")
    with pytest.raises(SystemExit, match=r"^this walkthrough needs g\+\+: install it$"):
        runpy.run_path(str(SCRIPTS[6]))


@each
def test_walkthrough_is_made_of_cells(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# %% [markdown]"
    assert lines.count("# %%") >= 5
    assert len(lines) <= 400


@each
def test_it_begins_with_a_title_goals_and_what_it_takes(path):
    first = markdown(path)[0]
    assert re.match(r"# \w.*\n\n", first)
    goals = re.search(r"^\*\*You will learn\*\*\n\n((?:[- ] .*\n)+)\n", first, re.M)
    assert 3 <= len(re.findall(r"^- ", goals[1], re.M)) <= 4
    needed = re.search(r"^\*\*You need\*\* .*?(?=\n\n|\Z)", first, re.M | re.S)
    assert re.search(r"\w+\s+seconds", needed[0])


@each
def test_it_ends_with_three_exercises_and_links(path):
    texts = markdown(path)
    (start,) = [i for i, text in enumerate(texts) if text.startswith("## Exercises\n")]
    exercises, last = texts[start:-1], texts[-1]
    assert len(exercises) == 3 and len(solutions(texts)) == 3
    for number, text in enumerate(exercises, 1):
        assert re.search(rf"^\*\*{number}\. [^*]+\*\* \S", text, re.M)
        (solution,) = SOLUTION.findall(text)
        assert text.endswith(solution + "\n\n</details>")  # nothing unfolded behind it
        code = "\n".join(solutions([text]))
        assert re.search(r"^ *assert ", code, re.M), f"solution {number} checks nothing"
        assert re.search(r"\w.*\.\)?$", prose(solution)), f"solution {number} says no answer"
    assert last.startswith("## Where to go on\n") and "\n- " in last
    if path != SCRIPTS[-1]:
        assert f"({SCRIPTS[SCRIPTS.index(path) + 1].name})" in last


@each
def test_its_links_lead_somewhere(path):
    links = re.findall(r"\]\(([^)\s]+)\)", prose("\n\n".join(markdown(path))))
    local = [link for link in links if not re.match(r"https://\w", link)]
    assert local and len(local) < len(links)
    for link in local:
        assert (path.parent / link.partition("#")[0]).exists(), link


PAIRS = ("{", "}"), (r"\\begin\b", r"\\end\b"), (r"\\left\b", r"\\right\b")  # patterns


def unbalanced(text):
    """The paragraphs of a Markdown text with a formula that does not end, or not where it should.
    """
    return [paragraph for paragraph in prose(text).split("\n\n")
            if not well_formed(re.sub(r"`[^`]*`", "", paragraph).split("$$"))]


def well_formed(parts):
    """Whether every second part of a paragraph, cut at $$, is a formula; the others may have $."""
    around, displayed = parts[::2], parts[1::2]
    inline = [formula for part in around for formula in part.split("$")[1::2]]
    return (len(parts) % 2 == 1 and all(part.count("$") % 2 == 0 for part in around)
            and all(formula == formula.strip() for formula in inline)
            and all(len(re.findall(rf"(?<!\\){a}", f)) == len(re.findall(rf"(?<!\\){b}", f))
                    for f in displayed + inline for a, b in PAIRS))


@each
def test_its_formulas_are_latex(path):
    texts = markdown(path)
    assert sum(map(unbalanced, texts), []) == []
    assert re.search(r"\$[^$]*[_^\\][^$]*\$", prose("\n\n".join(texts)))


def test_a_formula_that_does_not_end_is_noticed():
    assert unbalanced("so $x_1$ and\n\n$$\\frac{a}{b}$$\n\nand `$HOME`\n\n```\n$ ls\n```\n") == []
    for text in ("half $x", "$$x$", "$$x", "$ x$", "$\\frac{a}{b$", "$$\\begin{aligned} a$$",
                 "$$\\left($$"):
        assert unbalanced(f"before\n\n{text}\n\nafter") == [text]


def as_code(text):
    """Lines of a Markdown text that Jupyter would show as code though nobody has fenced them."""
    return [line for line in prose(text).splitlines() if re.match(r" {4}|\t", line)]


@each
def test_no_line_turns_into_code_by_accident(path):
    texts = markdown(path)
    assert sum(map(as_code, texts), []) == []
    for text in texts:
        assert "```" not in prose(text)                         # every fence is closed
        assert text.count("<details>") == len(SOLUTION.findall(text)) == text.count("</details>")


def test_indented_lines_are_found():
    assert as_code("a list:\n\n- one\n  more\n\n    y = 2 x\n") == ["    y = 2 x"]
    assert as_code("```python\nif x:\n    y = 1\n```\n") == []
