"""What the documents say is what the code and the stored results say."""

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from mmbench.grid.code import code_digest
from mmbench.report import unpublishable
from mmbench.results.read import read_results

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "leaderboards" / "results"
# made by code that has changed since; whoever makes them anew takes them off this list
OF_EARLIER_CODE = {("ml-latest-small", "prime (small)")}


@pytest.mark.parametrize("folder", sorted((ROOT / "plugins").iterdir()), ids=lambda path: path.name)
def test_every_plugin_has_its_page_licence_and_tests(folder):
    for name in ("README.md", "LICENSE", "pyproject.toml", "tests"):
        assert (folder / name).exists()


def test_every_committed_rank_file_is_small():
    files = list(RESULTS.rglob("*.parquet"))
    assert files
    assert max(path.stat().st_size for path in files) < 500_000


@pytest.fixture(scope="module")
def reading():
    return read_results(RESULTS)


def test_every_committed_row_is_one_that_a_reader_can_check(reading):
    assert reading.records and not reading.problems
    for record in reading.records:
        assert record.done and record.seal and not unpublishable(record), record.label
        assert record.wall.startswith("landlock:"), record.label
        assert record.environment.commit and record.cost, record.label
        assert len(reading.ranks(record)) == record.queries  # and their digest is the record's


def test_every_committed_row_is_of_the_code_that_is_here(reading):
    places = {one.name: one for one in entry_points(group="mmbench.models")}
    here = {name: code_digest(one.value, one.dist.name) for name, one in places.items()}
    earlier = set()
    for record in reading.records:
        cell = record.cell
        while cell is not None:
            if cell.model.partition("/")[0] not in here:
                pytest.skip(f"{cell.distribution} is not installed")
            if cell.code != here[cell.model.partition("/")[0]]:
                earlier.add((record.cell.dataset, record.label))
            cell = cell.upstream
    assert earlier == OF_EARLIER_CODE
