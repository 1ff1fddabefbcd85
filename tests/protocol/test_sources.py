"""Who may touch a target: read from the sources themselves."""

import ast
from pathlib import Path

import mmbench

PACKAGE = Path(mmbench.__file__).parent
ALLOWED = {
    "protocol/evaluate.py",
    "protocol/split.py",
    "protocol/candidates.py",
    "protocol/geometry.py",
    "protocol/same_text.py",
    "report/lists.py",  # of finished cells, for exports
}


def touches(source):
    """Whether code reads an attribute called ``target``, directly or by its name as a string."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr == "target":
            return True
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "getattr"
            and any(isinstance(arg, ast.Constant) and arg.value == "target" for arg in node.args)
        ):
            return True
    return False


def test_only_these_modules_read_a_target():
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if touches(path.read_text(encoding="utf-8"))
    }
    assert "protocol/evaluate.py" in found
    assert found <= ALLOWED


def test_the_search_finds_what_it_looks_for():
    assert touches("fold.target[0]")
    assert touches("getattr(fold, 'target')")
    assert not touches("target = 3; fold.queries")
