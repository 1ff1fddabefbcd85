"""The committed JSON Schema of a result is that of the code, and stored results keep to it."""

import json
from pathlib import Path

import mmbench.results
from mmbench.report import Record, parse

SCHEMA = Path(mmbench.results.__file__).with_name("result.schema.json")
RESULTS = Path(__file__).parents[2] / "leaderboards" / "results"


def test_the_schema_is_current():
    """When it is not: a new field is optional, or the schema wants a new number."""
    assert json.loads(SCHEMA.read_text("utf-8")) == Record.model_json_schema()


def test_every_committed_result_is_readable_and_none_has_failed():
    found = sorted(RESULTS.rglob("*.json"))
    assert found
    for path in found:
        record = parse(json.loads(path.read_text("utf-8")))
        assert record.done or record.status.kind == "not-applicable", path
