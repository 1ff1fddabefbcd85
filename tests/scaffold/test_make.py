"""``mmbench new``: names, refusals, and what the templates become."""

import ast
import re
import tomllib

import pytest

from mmbench import scaffold
from mmbench.scaffold import ScaffoldError, make_names, make_package, render

KINDS = ("model", "dataset")


@pytest.mark.parametrize(
    ("plugin", "package", "module", "words"),
    [
        ("pop", "mmbench-pop", "mmbench_pop", "Pop"),
        ("fast-taste", "mmbench-fast-taste", "mmbench_fast_taste", "FastTaste"),
        ("fast_taste", "mmbench-fast-taste", "mmbench_fast_taste", "FastTaste"),
        ("a--b", "mmbench-a-b", "mmbench_a_b", "AB"),
        ("none", "mmbench-none", "mmbench_none", "None"),
        ("world-model", "mmbench-world-model", "mmbench_world_model", "World"),
        ("x2", "mmbench-x2", "mmbench_x2", "X2"),
    ],
)
def test_names_follow_from_one(plugin, package, module, words):
    names = make_names(plugin, "model")
    assert (names.plugin, names.package, names.module, names.words) == (
        *(plugin, package, module, words),
    )


@pytest.mark.parametrize(
    ("plugin", "hint"),
    [
        ("Fast Taste", "Perhaps fast-taste?"),
        ("2fast", "Perhaps fast?"),
        ("-x", "Perhaps x?"),
        ("x-", "Perhaps x?"),
        ("a/b", "Perhaps a-b?"),
        ("../up", "Perhaps up?"),
        ("naïve", "Perhaps na-ve?"),
        ("a.b", "Perhaps a-b?"),
        ("", "a letter or digit last."),
        ("ÄÖ", "a letter or digit last."),
        ("mmbench-fast", "leave out 'mmbench-'"),
        ("mmbench_fast", "leave out 'mmbench-'"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_can_be_none_is_refused(kind, plugin, hint, tmp_path):
    with pytest.raises(ScaffoldError) as error:
        make_package(kind, plugin, tmp_path)
    assert hint in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("plugin", ["none", "class", "model", "data", "interactions", "raw-data"])
def test_any_name_makes_python_that_defines_the_class(kind, plugin):
    names = make_names(plugin, kind)
    files = render(kind, names)
    project = tomllib.loads(files["pyproject.toml"])
    points = project["project"]["entry-points"][scaffold.GROUPS[kind]]
    module, class_name = points[plugin].split(":")
    assert module == names.module
    path = f"{module}.py" if kind == "model" else f"{module}/__init__.py"
    tree = ast.parse(files[path])
    assert class_name in {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert class_name not in imported
    for path, text in files.items():
        if path.endswith(".py"):
            ast.parse(text)


@pytest.mark.parametrize("kind", KINDS)
def test_no_placeholder_is_left(kind):
    for path, text in render(kind, make_names("fast-taste", kind)).items():
        assert "__module__" not in path
        assert not path.endswith(".in")
        left = text.replace("${{ matrix.python }}", "")
        assert not re.search(r"\$[a-z{]", left), path


def test_the_model_is_short():
    files = render("model", make_names("fast-taste", "model"))
    code = [line for line in files["mmbench_fast_taste.py"].splitlines() if line.strip()]
    assert 40 < len(code) <= 65


def test_the_package_is_complete(tmp_path):
    folder, files = make_package("model", "fast-taste", tmp_path)
    assert folder == tmp_path / "mmbench-fast-taste"
    assert files == [
        ".github/workflows/ci.yml",
        ".gitignore",
        "CHANGELOG.md",
        "README.md",
        "mmbench_fast_taste.py",
        "pyproject.toml",
        "tests/test_conformance.py",
        "tests/test_model.py",
    ]
    on_disk = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    assert sorted(on_disk) == files
    assert [path.name for path in tmp_path.iterdir()] == ["mmbench-fast-taste"]


def test_what_is_there_stays(tmp_path):
    (tmp_path / "mmbench-taste").mkdir()
    with pytest.raises(ScaffoldError, match="is there already"):
        make_package("model", "taste", tmp_path)
    assert not list((tmp_path / "mmbench-taste").iterdir())
    with pytest.raises(ScaffoldError, match="no such folder"):
        make_package("model", "taste", tmp_path / "nowhere")


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(scaffold, "render", lambda kind, names: {"a": "1", "a/b": "2"})
    with pytest.raises(ScaffoldError, match="cannot be written"):
        make_package("model", "taste", tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command_says_what_to_type_next(bench):
    done = bench.run("new", "model", "fast-taste", "--dir", str(bench.folder))
    assert done.code == 0
    assert done.err == ""
    assert "  mmbench_fast_taste.py\n" in done.out
    following = done.out[done.out.index("next:") :]
    assert f"cd {bench.folder / 'mmbench-fast-taste'}\n" in following
    assert "mmbench run --models fast-taste --data demo" in following


def test_a_clash_with_an_installed_model_is_told(bench):
    done = bench.run("new", "model", "counts")
    assert done.code == 0
    assert "warning: mmbench-shelf 1.0 already brings a model 'counts'" in done.err
    assert bench.run("new", "dataset", "counts", "--dir", "site").err == ""
    assert "brings a dataset 'demo'" in bench.run("new", "dataset", "demo").err


def test_a_refusal_is_one_line_and_code_2(bench):
    done = bench.run("new", "model", "Fast Taste")
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert done.err.startswith("error: 'Fast Taste' cannot be a model's name")
