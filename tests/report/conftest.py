import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmbench.report import read_results
from mmbench.results.cell import Cell
from mmbench.results.record import SCHEMA

PAPERS = [
    {
        "dataset": "toy-shop",
        "candidates": "full",
        "metric": metric,
        "value": value,
        "source": "PRIME, Table 2",
        "model": "SASRec",
        "differs": "negatives instead of full softmax",
    }
    for metric, value in {"ndcg@10": 0.0364, "hit@10": 0.0734}.items()
]


def figures(ndcg):
    """Figures of one candidate set that no arithmetic forbids."""
    return {
        "hit@5": 1.5 * ndcg,
        "hit@10": 2 * ndcg,
        "ndcg@5": 0.84 * ndcg,
        "ndcg@10": ndcg,
        "mrr": 0.7 * ndcg,
    }


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of figures for each test."""
    monkeypatch.setenv("MMBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def make_record():
    """A factory of result records, as the grid stores them."""

    def make(model="sasrec", seed=0, ndcg=0.04, status="done", reason="", **changes):
        done = status == "done"
        told = {
            "model": model,
            "distribution": "mmbench-recbole",
            "version": "0.1.0",
            "config": {"dim": 64, "epochs": 30},
            "dataset": "toy-shop",
            "fingerprints": {"events": "0123456789abcdef"},
            "protocol": "loo@2",
            "seed": seed,
        }
        fields = [name for name in Cell.model_fields if name in changes]
        cell = Cell(**told | {name: changes.pop(name) for name in fields}).to_json()
        metrics = {
            "full": figures(ndcg),
            "unseen": figures(1.3 * ndcg),
            "neg100": figures(4 * ndcg),
        }
        beyond = {"coverage@10": 0.5, "diversity@10": 0.9, "novelty@10": 11.25}
        record = {
            "schema": SCHEMA,
            "cell": cell,
            "label": model,
            "preset": "paper",
            "loss": None,
            "needs": [],
            "known_failures": {},
            "status": {"kind": status, "reason": reason, "traceback": "Traceback ..." * (not done)},
            "metrics": metrics if done else {},
            "beyond": {"full": beyond, "unseen": beyond} if done else {},
            "tie_rate": {"full": 0.0, "unseen": 0.0, "neg100": 0.25} if done else {},
            "unanswered": {"full": 0.0, "unseen": 0.0, "neg100": 0.0} if done else {},
            "ranks_sha256": "ab" * 32 if done else "",
            "drawn": {"neg100": {"least": 100, "most": 100}} if done else {},
            "queries": 22363,
            "catalogue": 12101,
            "users": 22363,
            "events": 198502,
            "candidates_sha256": "ab" * 32,
            "data": {
                "name": "Toy shop",
                "remarks": ["images are drawn"],
                "licence": "CC0-1.0",
                "ceilings": {},
            },
            "cost": {
                "fit_seconds": 192.0 if done else None,
                "score_seconds": 2.5 if done else None,
                "score_seconds_per_1000": 0.12 if done else None,
                "peak_memory_mb": 1234.4 if done else None,
                "parameters": 812544 if done else None,
            },
            "curves": {"valid ndcg@10": [[0, 0.01], [1, 0.02]]},
            "papers": [],
            "environment": {
                "python": "3.12.3",
                "platform": "Linux",
                "cpu": "Xeon",
                "cores": 2,
                "gpu": None,
                "packages": {"mmbench": "0.1.0", "numpy": "2.1.0"},
                "commit": "abc1234",
                "dirty": False,
            },
            "device": "cpu",
            "wall": "landlock:7",
            "started": "2026-01-01T00:00:00+00:00",
            "seconds": 200.0,
        }
        for key, value in changes.items():
            record[key] = {**record[key], **value} if isinstance(value, dict) else value
        return record

    return make


@pytest.fixture
def papers():
    """Two published figures of one printed row, on the records' dataset."""
    return PAPERS


@pytest.fixture
def shop(make_record, papers):
    """Records of a board with one of everything: seeds, variants, failures, caveats."""
    return [
        *(
            make_record("sasrec", seed, ndcg, loss="full-softmax CE", papers=papers)
            for seed, ndcg in enumerate([0.0410, 0.0420, 0.0430])
        ),
        make_record("pop", ndcg=0.0051, config={}, cost={"fit_seconds": 0.04, "parameters": None}),
        make_record("itemknn", ndcg=0.0236, config={"neighbours": None}),
        make_record("itemknn", ndcg=0.0200, config={"neighbours": 100}),
        make_record(
            "vlm2rec",
            ndcg=0.0312,
            label="vlm2rec/sft-ext (tiny)",
            preset="sft-ext/tiny",
            needs=["text", "image"],
            distribution="mmbench-vlm2rec",
            wall="none",
        ),
        make_record("bert4rec", 0, 0.0301, loss="cloze CE"),
        make_record("bert4rec", 1, status="timeout", reason="fit took longer than 3600 s"),
        make_record(
            "prime",
            status="failed",
            reason="FileNotFoundError: /home/me/cache/weights.bin\nsecond line",
        ),
        make_record("vbpr", status="not-applicable", reason="needs image, the dataset has none"),
        make_record("gru4rec", ndcg=0.05, limit=500, users=500, queries=500),
    ]


@pytest.fixture
def gate(monkeypatch):
    """``gate(function)``: what the arithmetic gate says of figures from now on."""

    def put(verdict):
        monkeypatch.setattr("mmbench.report.aggregate.violations", verdict)
        monkeypatch.setattr("mmbench.report.papers.violations", verdict)

    return put


def ranks_like(record):
    """Ranks whose ndcg@10 is that of the record to three digits: who has the target has it first.

    They are those of records of schema 1, which did not name users.
    """
    columns = {
        "query": np.arange(1000, dtype=np.int32),
        "frequency": np.full(1000, 5, dtype=np.int32),
        "history_length": np.full(1000, 5, dtype=np.int32),
    }
    for name, told in record["metrics"].items():
        first = np.arange(1000) < round(1000 * told["ndcg@10"])
        columns[f"greater_{name}"] = np.where(first, 0, 5000).astype(np.int32)
        columns[f"equal_{name}"] = np.zeros(1000, dtype=np.int32)
    return pa.table(columns)


@pytest.fixture
def store(tmp_path):
    """Write records as files, as the grid lays them out, and give the folder.

    Finished ones have ranks beside them, ``ranks_like`` or what ``tables`` holds by their ids.
    """

    def write(records, folder="results", tables=None):
        root = tmp_path / folder
        root.mkdir(exist_ok=True)
        for record in records:
            cell = record["cell"]
            path = root / cell["dataset"] / cell["protocol"] / cell["model"] / f"{cell['id']}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            if record["status"]["kind"] == "done":
                table = (tables or {}).get(cell["id"])
                ranks = path.with_suffix(".ranks.parquet")
                pq.write_table(ranks_like(record) if table is None else table, ranks)
                record = record | {"ranks_sha256": hashlib.sha256(ranks.read_bytes()).hexdigest()}
            path.write_text(json.dumps(record), encoding="utf-8")
        return root

    return write


@pytest.fixture
def ranked(store, make_record):
    """``ranked(record, ...)``: a folder's reading; each record with the ranks it is given."""

    def make(*pairs):
        tables = {record["cell"]["id"]: table for record, table in pairs}
        return read_results(store([record for record, _ in pairs], tables=tables))

    return make
