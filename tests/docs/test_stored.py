"""What the documents say is what the code and the stored results say."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("folder", sorted((ROOT / "plugins").iterdir()), ids=lambda path: path.name)
def test_every_plugin_has_its_page_licence_and_tests(folder):
    for name in ("README.md", "LICENSE", "pyproject.toml", "tests"):
        assert (folder / name).exists()


def test_every_committed_rank_file_is_small():
    files = list((ROOT / "leaderboards" / "results").rglob("*.parquet"))
    assert files
    assert max(path.stat().st_size for path in files) < 500_000
