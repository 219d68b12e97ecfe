"""Lines of code: neither blank, nor comment, nor docstring.

    python -m tests.project.count_code [FOLDER ...]     of .py, .cu, .cuh and .h files; minigrad/
"""

import ast
import io
import sys
import tokenize
from pathlib import Path

NO_CODE = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
           tokenize.ENCODING, tokenize.ENDMARKER)


def of_python(text: str) -> int:
    """Lines of a Python file that hold a token of code."""
    lines = {line for token in tokenize.generate_tokens(io.StringIO(text).readline)
             if token.type not in NO_CODE for line in range(token.start[0], token.end[0] + 1)}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            if ast.get_docstring(node) is not None:
                lines -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(lines)


def of_cuda(text: str) -> int:
    """Lines of a CUDA file that are not blank and do not begin with //."""
    return sum(bool(line.strip()) and not line.lstrip().startswith("//")
               for line in text.splitlines())


def count(folder: Path) -> int:
    counts = {".py": of_python, ".cu": of_cuda, ".cuh": of_cuda, ".h": of_cuda}
    return sum(counts[path.suffix](path.read_text(encoding="utf-8"))
               for path in folder.rglob("*") if path.suffix in counts)


if __name__ == "__main__":
    for name in sys.argv[1:] or ["minigrad"]:
        print(f"{count(Path(name))} {name}")
