"""``mmbench new``: names, refusals, and what the templates become."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mmbench
from mmbench import scaffold
from mmbench.scaffold import SORTS, ScaffoldError, make_names, make_package, render

HOUSE = Path(mmbench.__file__).parents[1]
KINDS = ("model", "dataset", "observer")


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
    path = f"{module}/__init__.py" if kind == "dataset" else f"{module}.py"
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


@pytest.mark.parametrize(
    ("kind", "sort"),
    [("dataset", "counts"), ("observer", "counts"), *(("model", s) for s in SORTS)],
)
def test_no_placeholder_is_left(kind, sort):
    for path, text in render(kind, make_names("fast-taste", kind), sort).items():
        assert "__module__" not in path
        assert not path.endswith(".in")
        left = text.replace("${{ matrix.python }}", "")
        assert not re.search(r"\$[a-z{]", left), path


def test_the_model_is_short():
    files = render("model", make_names("fast-taste", "model"))
    code = [line for line in files["mmbench_fast_taste.py"].splitlines() if line.strip()]
    assert 40 < len(code) <= 75


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """``packages(sort)``: a package of that sort, and an environment in which it is installed."""

    def make(sort, name="fast-taste", kind="model"):
        folder, _ = make_package(kind, name, tmp_path, sort)
        module = make_names(name, kind).module
        info = folder / f"{module}-0.1.0.dist-info"
        info.mkdir()
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        ((group, points),) = project["entry-points"].items()
        ((plugin, value),) = points.items()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0.1.0\n"
        )
        (info / "entry_points.txt").write_text(f"[{group}]\n{plugin} = {value}\n")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(HOUSE)])}
        return folder, environment | {"MMBENCH_CACHE": str(tmp_path / "cache")}

    return make


def run(words, packaged):
    folder, environment = packaged
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True
    )


QUICK = ["-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]


@pytest.mark.parametrize("sort", [sort for sort in SORTS if sort != "vlm"])
def test_the_quick_tests_of_every_sort_pass(sort, packages):
    done = run([*QUICK, "-m", "not slow"], packages(sort))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"[4-9] passed", done.stdout), done.stdout  # and none is skipped


def test_an_observer_s_tests_pass_and_it_is_told_of_a_run(packages, bench):
    folder, environment = packages("counts", "diary", "observer")
    done = run(QUICK, (folder, environment))
    assert done.returncode == 0, done.stdout + done.stderr
    bench.environment["PYTHONPATH"] += os.pathsep + str(folder)
    assert "diary" in bench.run("ls", "observers").out
    ran = bench.run("run", "-m", "noise", "-d", "shop", "--observer", "diary")
    assert ran.code == 0, ran.err
    (line,) = (bench.folder / "diary.jsonl").read_text().splitlines()
    assert '"status": "done"' in line


@pytest.mark.slow
def test_the_quick_tests_of_the_vlm_sort_pass(packages):
    done = run([*QUICK, "-m", "not slow"], packages("vlm"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("sort", SORTS)
def test_every_sort_keeps_the_contract(sort, packages):
    done = run([*QUICK, "-m", "slow"], packages(sort))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("sort", SORTS)
def test_every_sort_depends_on_what_it_imports(sort):
    files = render("model", make_names("fast-taste", "model"), sort)
    declared = {
        re.split(r"[\[>=]", one)[0]
        for one in tomllib.loads(files["pyproject.toml"])["project"]["dependencies"]
    }
    tree = ast.parse(files["mmbench_fast_taste.py"])
    imported = {
        (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom | ast.Import)
        for alias in node.names
    }
    assert imported - set(sys.stdlib_module_names) == declared


def test_a_renamed_class_fails_its_own_test(packages):
    folder, environment = packages("counts")
    for path in (folder / "mmbench_fast_taste.py", *(folder / "tests").glob("*.py")):
        path.write_text(path.read_text().replace("FastTasteModel", "Renamed"))
    done = run([*QUICK, "-m", "not slow"], (folder, environment))
    assert "test_the_entry_point_names_the_class" in done.stdout
    assert done.returncode == 1


def test_an_unknown_sort_is_told(tmp_path):
    with pytest.raises(ScaffoldError, match="--kind is one of counts, torch"):
        make_package("model", "taste", tmp_path, "tree")


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
    monkeypatch.setattr(scaffold, "render", lambda *given: {"a": "1", "a/b": "2"})
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
    assert "beside it, yours is mmbench-counts/counts" in done.err
    assert bench.run("new", "dataset", "counts", "--dir", "site").err == ""
    assert "brings a dataset 'demo'" in bench.run("new", "dataset", "demo").err


def test_a_refusal_is_one_line_and_code_2(bench):
    done = bench.run("new", "model", "Fast Taste")
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert done.err.startswith("error: 'Fast Taste' cannot be a model's name")
