"""What a project has beside its code: whole, parseable, and true to the code."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import mmbench

ROOT = Path(__file__).parents[1]
PLUGINS = sorted((ROOT / "plugins").glob("*/pyproject.toml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))


def load(path):
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


def test_the_citation_is_of_this_version():
    cited = load("CITATION.cff")
    assert cited["version"] == mmbench.__version__
    assert {"cff-version", "message", "title", "authors", "license"} <= cited.keys()


@pytest.mark.parametrize("project", PLUGINS, ids=lambda path: path.parent.name)
def test_every_distribution_says_that_it_has_types(project):
    (package,) = project.parent.glob("mmbench_*")
    assert (package / "py.typed").exists()
    assert (ROOT / "mmbench" / "py.typed").exists()


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_every_form_asks_for_something(form):
    asked = yaml.safe_load(form.read_text("utf-8"))
    assert {"name", "description", "body"} <= asked.keys()
    assert any(part.get("validations", {}).get("required") for part in asked["body"])
    assert len({part["id"] for part in asked["body"]}) == len(asked["body"])


def test_pre_commit_runs_the_tested_ruff():
    hooks = [hook for repo in load(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    tested = re.search(r"^ruff==.*$", (ROOT / "constraints.txt").read_text("utf-8"), re.M)[0]
    assert [hook["additional_dependencies"] for hook in hooks] == [[tested], [tested]]


def test_a_release_publishes_without_a_password():
    jobs = load(".github/workflows/release.yml")["jobs"]
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    text = (ROOT / ".github/workflows/release.yml").read_text("utf-8")
    assert "secrets." not in text
    assert "run: make wheels" in text
    recipe = (ROOT / "Makefile").read_text("utf-8").partition("\nwheels:")[2].partition("\n\n")[0]
    assert "for folder in . plugins/*/" in recipe and "mmbench demo" in recipe


def test_every_workflow_and_dependabot_parse():
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        assert yaml.safe_load(path.read_text("utf-8"))["jobs"]
    assert load(".github/dependabot.yml")["version"] == 2


def test_each_system_that_the_readme_claims_is_tested():
    readme = (ROOT / "README.md").read_text("utf-8")
    claimed = re.search(r"nothing else, on ([\w ]+);", readme)[1].split(" or ")
    jobs = load(".github/workflows/ci.yml")["jobs"].values()
    runners = {"Linux": "ubuntu-latest", "macOS": "macos-latest"}
    assert {runners[name] for name in claimed} <= {job["runs-on"] for job in jobs}


def test_changes_are_of_kinds_that_a_release_tells():
    """towncrier passes over files of other names, so that their changes would be told nowhere."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["towncrier"]
    kinds = "|".join(one["directory"] for one in project["type"])
    assert project["start_string"] in (ROOT / project["filename"]).read_text("utf-8")
    for path in (ROOT / project["directory"]).iterdir():
        assert path.name == "README.md" or re.fullmatch(rf"\+[\w-]+\.({kinds})\.md", path.name)


def test_what_people_look_for_is_there():
    for name in ("SECURITY.md", "CODE_OF_CONDUCT.md", ".github/pull_request_template.md"):
        assert (ROOT / name).read_text("utf-8").strip()
