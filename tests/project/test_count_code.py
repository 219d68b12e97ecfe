"""The count of lines of code: what it leaves out."""

from tests.project.count_code import count, of_cuda, of_python

TEXT = '''"""A docstring
of two lines."""

# a comment
x = """a text
of two lines"""  # and a comment


def f():
    """Docstring."""
    return (1,

            2)
'''


def test_docstrings_comments_and_blank_lines_do_not_count(tmp_path):
    assert of_python(TEXT) == 2 + 1 + 2
    assert of_cuda("// a\n\n  // b\nint x;  // c\n") == 1
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "a.py").write_text(TEXT)
    (tmp_path / "a.cuh").write_text("int x;\n")
    (tmp_path / "a.txt").write_text("int x;\n")
    assert count(tmp_path) == 6
