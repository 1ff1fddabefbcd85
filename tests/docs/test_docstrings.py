"""Every public name says what it is, what it takes and returns, and what it raises."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import mmbench

ROOT = Path(mmbench.__file__).parents[1]
CONF = ROOT / "docs" / "conf.py"
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def public():
    """The modules of the API, as the site's configuration lists them; nothing is imported."""
    for node in ast.parse(CONF.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "PUBLIC":
            return ast.literal_eval(node.value)
    raise AssertionError("docs/conf.py lists no PUBLIC modules")


@cache
def tree(module):
    folder = ROOT / module.replace(".", "/")
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    return ast.parse(file.read_text("utf-8"))


def definition(module, name):
    """Where a name is defined, a class or function; None of anything else."""
    for node in ast.walk(tree(module)):
        if isinstance(node, (ast.ClassDef, *FUNCTION)) and node.name == name:
            return node
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mmbench"):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return definition(node.module, alias.name)
    return None


def names(module):
    """The public names of a module: its ``__all__``, or what it defines."""
    for node in tree(module).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "__all__":
            found = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)}
            return sorted(found - {"__version__"})
    defined = (ast.ClassDef, *FUNCTION)
    return [n.name for n in tree(module).body if isinstance(n, defined) and n.name[0] != "_"]


def own(node):
    """What stands in a function, without what stands in functions inside it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (*FUNCTION, ast.Lambda, ast.ClassDef)):
            yield child
            yield from own(child)


def raised(function):
    """The exceptions that a function raises by name, and does not catch itself."""
    caught = {
        name.id
        for node in own(function)
        if isinstance(node, ast.ExceptHandler) and node.type
        for name in ast.walk(node.type)
        if isinstance(name, ast.Name)
    }
    for node in own(function):
        if isinstance(node, ast.Raise) and node.exc is not None:
            what = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(what, ast.Name) and what.id[0].isupper() and what.id not in caught:
                yield what.id


def parts(node):
    """A public function, or a class with its public methods."""
    yield node
    if isinstance(node, ast.ClassDef):
        bare = {"__init__", "__post_init__"}
        yield from (
            part
            for part in node.body
            if isinstance(part, FUNCTION) and (part.name[0] != "_" or part.name in bare)
        )


@pytest.mark.parametrize("module", public())
def test_each_public_name_has_a_docstring_that_tells_its_errors(module):
    wrong, looked_at = [], 0
    for name in names(module):
        node = definition(module, name)
        if node is None:
            continue
        looked_at += 1
        whole = ast.get_docstring(node) or ""
        for part in parts(node):
            told = ast.get_docstring(part) or ""
            label = name if part is node else f"{name}.{part.name}"
            listed = re.search(rf"^ *{part.name}(, \w+)*:", whole, re.M)  # below Attributes
            if not told and not listed and part.name not in ("__init__", "__post_init__"):
                wrong.append(f"{label} has no docstring")
            if isinstance(part, ast.ClassDef):
                continue
            text = f"{told}\n{whole}" if part.name.startswith("__") else told
            wrong += [
                f"{label} raises {error} and does not say so"
                for error in sorted(set(raised(part)))
                if not re.search(rf"\b{error}\b", text)
            ]
    assert not wrong, "\n".join(wrong)
    assert looked_at
