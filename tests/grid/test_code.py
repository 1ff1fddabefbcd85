"""Which code is part of a cell: what an edit of which file does to the digest of a model."""

import ast
import sys
import time
from pathlib import Path

import pytest

import mmbench
from mmbench.grid import code
from mmbench.grid.code import code_digest
from mmbench.grid.registry import list_plugins

HOUSE = Path(mmbench.__file__).parent
MODEL = '''"""A model."""
from . import losses
from mmbench import hookimpl

class Model:
    def score(self):
        import {other}
        return -1
'''


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder on the search path, and what writes files below it."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return Site(tmp_path / "site")


class Site:
    def __init__(self, folder):
        self.folder = folder

    def write(self, **texts):
        """``write(a__b="x = 1")`` writes a/b.py, and ``a__="x = 1"`` the package's own file."""
        for name, text in texts.items():
            parts = [part or "__init__" for part in name.split("__")]
            self.put(f"{'/'.join(parts)}.py", text)

    def put(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def install(self, distribution, *points, files=()):
        """Metadata of a distribution; ``files`` is what its RECORD lists."""
        info = f"{distribution}-1.0.dist-info"
        self.put(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        self.put(f"{info}/entry_points.txt", "\n".join(["[mmbench.models]", *points, ""]))
        if files:
            self.put(f"{info}/RECORD", "".join(f"{file},,\n" for file in files))

    def package(self, name, other="numpy"):
        for part, text in (("__init__", ""), ("losses", "LOSS = 1"), ("model", MODEL)):
            self.put(f"{name}/{part}.py", text.replace("{other}", other))
        return f"{name}.model:Model"


def moved(act, value, distribution=""):
    """Whether a change moves the digest."""
    before = code_digest(value, distribution)
    assert len(before) == 16
    assert code_digest(value, distribution) == before
    act()
    return code_digest(value, distribution) != before


def test_edits_in_the_package(site):
    value = site.package("acme")
    assert moved(lambda: site.put("acme/losses.py", "LOSS = -1"), value)
    assert not moved(lambda: site.put("acme/losses.py", '"""Says."""\nLOSS = -1  # so'), value)
    assert moved(lambda: site.put("acme/deep/tables.csv", "1,2\n"), value)
    assert moved(lambda: site.put("acme/deep/tables.csv", "1,2\n\n"), value)
    assert moved(lambda: site.put("acme/unused.py", "x = 1"), value)  # a name may be made of texts
    assert moved((site.folder / "acme/unused.py").unlink, value)
    assert moved(lambda: site.put("acme/prompt.md", "Say it"), value)
    for name in (
        *("acme/tests/test_it.py", "acme/README.md", "acme/LICENSE", "acme/py.typed"),
        *("acme/__pycache__/model.cpython-311.pyc", "acme/fast.cpython-311-x86.so", "acme/.swp"),
        *("acme/model.pyi", "beside.py", "acme/.git/HEAD"),
    ):
        assert not moved(lambda name=name: site.put(name, "other = 1"), value), name


def test_the_class_that_is_named_counts(site):
    site.package("acme")
    assert code_digest("acme.model:Model") != code_digest("acme.model:Other")


def test_same_time_and_size_but_other_content(site):
    import os

    value = site.package("acme")
    path = site.put("acme/losses.py", "LOSS = 1")
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    before = code_digest(value)
    path.write_text("LOSS = 2")
    os.utime(path, ns=times)
    assert code_digest(value) != before


def test_a_lone_module_and_the_ones_beside_that_it_imports(site):
    site.write(lone="import helper, absent\nclass Model: ...", helper="import more", more="x = 1")
    site.write(stranger="x = 1")
    assert moved(lambda: site.write(more="x = 2"), "lone:Model")
    assert not moved(lambda: site.write(stranger="x = 2"), "lone:Model")


def test_an_editable_install_and_a_wheel_of_the_same_code_agree(tmp_path, monkeypatch):
    digests = []
    for home, files in (("checkout", ()), ("site-packages", ("acme/model.py", "helper.py"))):
        site = Site(tmp_path / home)
        value = site.package("acme", other="helper, library")
        site.write(helper="x = 1", library=f"x = '{home}'")
        site.install("acme", f"acme = {value}", files=files)
        if home == "checkout":  # tests, papers and a library are not beside it in another's folder
            site.put("tests/test_acme.py", "")
            (site.folder / "library.py").unlink()
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(site.folder))
            digests.append(code_digest(value, "acme"))
            assert moved(lambda site=site: site.write(helper="x = 2"), value, "acme")
    assert digests[0] == digests[1]


def test_a_package_of_a_namespace(site):
    site.write(acme__one__model="import acme.two.net, acme.three", acme__one__="")
    site.write(acme__two__net="x = 1", acme__two__="", acme__three="x = 1")
    site.install("acme-one", "one = acme.one.model:Model")
    site.install("acme-two", "two = acme.two.net:Model")
    value = "acme.one.model:Model"
    assert moved(lambda: site.write(acme__one__more="x = 2"), value, "acme-one")
    assert moved(lambda: site.write(acme__two__net="x = 2"), value, "acme-one")
    assert not moved(lambda: site.write(acme__four="x = 2"), value, "acme-one")


def test_what_other_plugins_bring_counts_and_libraries_do_not(site):
    value = site.package("acme", other="networks, mmbench_tools, library")
    site.write(networks__layers="import base", networks__="", base__core="", library="x=1")
    site.write(base__="", mmbench_tools="x = 1")
    site.install("acme-networks", "nets = networks.layers:Net")
    site.install("acme-base", "base = base.core:Base")
    site.install("library", files=("library.py",))
    (site.folder / "site-packages").mkdir()
    for name in ("acme", "library.py"):
        (site.folder / name).rename(site.folder / "site-packages" / name)
    sys.path.insert(1, str(site.folder / "site-packages"))
    try:
        assert moved(lambda: site.write(networks__other="x = 2"), value)
        assert moved(lambda: site.write(base__core="x = 2"), value)
        assert moved(lambda: site.write(mmbench_tools="x = 2"), value)
        assert not moved(lambda: site.put("site-packages/library.py", "x = 2"), value)
    finally:
        sys.path.remove(str(site.folder / "site-packages"))


def test_packages_that_import_each_other_end(site):
    site.write(mmbench_a="import mmbench_b", mmbench_b="import mmbench_a")
    assert code_digest("mmbench_a:Model") != code_digest("mmbench_b:Model")
    assert moved(lambda: site.write(mmbench_a="import mmbench_b, sys"), "mmbench_b:Model")


@pytest.mark.parametrize("value", ["nowhere:Model", "nowhere.at.all:Model", "sys:Model", ":x"])
def test_code_that_is_not_found_has_a_digest_too(value):
    assert len(code_digest(value)) == 16


@pytest.fixture
def house(site, monkeypatch):
    """A copy of mmbench's own sources that a test may edit, for digests alone."""
    import shutil

    copy = site.folder.parent / "house" / "mmbench"
    shutil.copytree(HOUSE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "HOUSE", copy)
    return copy


@pytest.mark.parametrize(
    ("imports", "reached", "not_reached"),
    [
        ("from mmbench import EmbeddingModel", ["toolkit/embedding"], ["toolkit/training"]),
        ("import mmbench\nmmbench.EmbeddingModel", ["toolkit/embedding"], ["toolkit/encodings"]),
        ("from mmbench.toolkit import training", ["toolkit/training"], ["toolkit/encodings"]),
        (
            "def f():\n    from mmbench import vlm\n    vlm.Pictures",
            ["vlm/pictures", "toolkit/encodings"],
            ["vlm/generation", "vlm/training", "toolkit/training"],
        ),
        ("from mmbench.vlm import generate", ["vlm/generation"], ["vlm/training", "vlm/loading"]),
        ("from mmbench.vlm import load_backbone", ["vlm/tiny", "vlm/caption"], ["vlm/embedding"]),
        ("from mmbench.vlm import *", ["vlm/generation", "vlm/training"], ["toolkit/embedding"]),
        ("from mmbench import hookimpl", [], ["toolkit/embedding", "vlm/config"]),
    ],
)
def test_what_is_reached_of_the_toolkits(site, house, imports, reached, not_reached):
    site.write(lone=imports + "\nclass Model: ...")
    for name, wanted in [
        *((name, True) for name in reached),
        *((name, False) for name in not_reached),
        *((name, False) for name in ("views", "hookspecs", "protocol/rank", "grid/worker")),
    ]:
        path = house / f"{name}.py"
        edited = path.read_text() + "\nEDITED = 1\n"
        assert moved(lambda path=path, text=edited: path.write_text(text), "lone:Model") == wanted


def test_a_data_file_of_a_toolkit_counts(site, house):
    site.write(lone="from mmbench.vlm import generate")
    assert moved(lambda: (house / "vlm" / "prompt.txt").write_text("Say"), "lone:Model")


@pytest.mark.parametrize("table", ["__init__.py", "vlm/__init__.py"])
def test_tables_of_names_do_nothing_else(table, site, house):
    """They are left out of digests, so that a new public name leaves stored cells as they are."""
    tree = ast.parse((HOUSE / table).read_text())
    plain = (ast.Expr, ast.Import, ast.ImportFrom, ast.If, ast.Assign)
    others = [node for node in tree.body if not isinstance(node, plain)]
    assert [node.name for node in others] == ["__getattr__"]
    site.write(lone="from mmbench.vlm import generate")
    path = house / table
    assert not moved(lambda: path.write_text(path.read_text() + "\nX = 1\n"), "lone:Model")


def test_it_is_quick_and_imports_nothing(site):
    site.write(lone="raise SystemExit('imported')")
    assert code_digest("lone:Model")
    assert "lone" not in sys.modules
    value = site.package("mmbench_big", other="mmbench.vlm")
    site.put("mmbench_big/model.py", "from mmbench.vlm import *\n")
    began = time.process_time()
    code_digest(value)
    assert time.process_time() - began < 1  # benchmarks tell what it is; this tells a loop


@pytest.mark.parametrize("plugin", list_plugins(), ids=lambda plugin: plugin.name)
def test_installed_models_have_digests_of_their_own_packages(plugin):
    other = code_digest("nowhere:Model", plugin.distribution)
    assert code_digest(plugin.value, plugin.distribution) not in (other, code_digest(":"))
