"""The audit of figures that others printed."""

import os
from collections import Counter
from pathlib import Path

import pytest

from mmbench.audit.published import audit, read_published, several_targets

HEAD = "paper,table,dataset,protocol,model,metric,value\n"


@pytest.fixture
def write(tmp_path):
    def make(text, head=HEAD):
        path = tmp_path / "figures.csv"
        path.write_text(head + text, encoding="utf-8")
        return path

    return make


def row(model, figures, paper="A", protocol="loo"):
    lines = (f'{paper},2,Toys,"{protocol}, all",{model},{m},{v}\n' for m, v in figures.items())
    return "".join(lines)


def test_rows_are_grouped_and_judged(write):
    path = write(
        row("fine", {"H@10": 0.3591, "H@20": 0.4596, "N@10": 0.2295, "N@20": 0.2548})
        + row("bad", {"H@10": 0.3109, "H@20": 0.5836, "N@10": 0.2388, "N@20": 0.281})
        + row("alone", {"N@20": 0.2})
        + row("lucky", {"Recall@1": 0.0026, "Recall@10": 0.0104, "MRR": 0.112}, paper="B")
    )
    got = audit(read_published(path))
    assert [r.model for r in got.rows] == ["fine", "bad", "alone", "lucky"]
    assert [r.model for r in got.unchecked] == ["alone"]
    assert [(f.row.model, f.kind) for f in got.findings] == [("bad", "gate"), ("lucky", "mrr")]
    assert [f.row.model for f in got.of("gate")] == ["bad"]
    assert "hit@20 - hit@10 = 0.2727" in got.of("gate")[0].messages[0]


def test_a_figure_is_judged_by_itself_too(write):
    path = write(
        row("much", {"HR@10": 1.2})
        + row("little", {"N@20": -0.2})
        + row("seven", {"MRR": 7})
        + row("falls", {"N@10": 0.3, "N@20": 0.2})
        + row("several", {"P@5": 1.5, "HR@5": 0.5}, paper="C")
        + row("of several", {"N@5": 0.3, "N@10": 0.2}, paper="C")
    )
    got = audit(read_published(path))
    assert [(f.row.model, f.kind) for f in got.findings] == [
        *((name, "range") for name in ("much", "little", "seven", "falls", "several")),
        *(("several", "outside"), ("of several", "outside")),  # with several targets it may fall
    ]
    assert "HR@10 = 1.2000 does not lie between 0 and 1" in got.findings[0].messages[0]


def test_several_targets_put_the_whole_protocol_outside(write):
    path = write(
        row("many", {"HR@5": 0.833, "P@5": 0.297, "NDCG@5": 0.9}, paper="C")
        + row("like one", {"HR@5": 0.049, "P@5": 0.01, "NDCG@5": 0.047}, paper="C")
        + row("elsewhere", {"HR@5": 0.049, "NDCG@5": 0.9}, paper="C", protocol="other")
    )
    got = audit(read_published(path))
    assert [(f.row.model, f.kind) for f in got.findings] == [
        ("many", "outside"),
        ("like one", "outside"),
        ("elsewhere", "gate"),
    ]
    assert "0.297, but hit@5 / 5 = 0.1666" in got.findings[0].messages[0]
    assert "same protocol as many" in got.findings[1].messages[0]


@pytest.mark.parametrize(
    ("figures", "outside"),
    [
        ({"HR@5": 0.137, "P@5": 0.031}, True),
        ({"HR@5": 0.049, "P@5": 0.01}, False),
        ({"HR@5": 0.5, "P@5": 0.1}, False),
        ({"HR@10": 0.0565, "Recall@10": 0.0536}, True),
        ({"HR@10": 0.0565, "Recall@10": 0.0565}, False),
        ({"MAP@5": 0.1}, True),
        ({"HR@5": 0.3, "NDCG@5": 0.2, "MRR": 0.2}, False),
        ({"P@5": 0.3}, False),
    ],
)
def test_what_shows_several_targets(figures, outside):
    assert bool(several_targets(figures)) is outside


@pytest.mark.parametrize(
    ("text", "head", "said"),
    [
        ("", "paper,model,metric,value\n", "no column table, dataset, protocol"),
        ("", "", "no column paper"),
        ("A,2,T,loo,m,H@10,many\n", HEAD, "line 2: the value 'many' is not a number"),
        ("A,2,T,loo,m,H@5,.1\nA,2,T,loo,m,H@10,nan\n", HEAD, "line 3: the value 'nan'"),
        ("A,2,T,loo,m,H@10,\n", HEAD, "line 2: the value ''"),
        ("A,2,T,loo,m,H@10\n", HEAD, "line 2: not as many fields"),
        ("A,2,T,loo, all,m,H@10,.1\n", HEAD, "line 2: not as many fields"),
        ("A,2,T,loo,m,H@5,.1\nA,2,T,loo,m,H@5,.2\n", HEAD, "line 3: H@5 of m is there twice"),
        ('A,2,"T,loo,m,H@5,.1\n', HEAD, "is not a CSV file"),
    ],
)
def test_bad_files_are_told_where(write, text, head, said):
    with pytest.raises(ValueError, match=said):
        read_published(write(text, head))


def test_other_encodings_are_told(tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes(HEAD.encode() + b"A,2,T,loo,Caf\xe9,H@5,.1\n")
    with pytest.raises(ValueError, match="UTF-8"):
        read_published(path)


def test_a_byte_order_mark_and_other_columns_do_no_harm(write):
    text = "A,2,T,loo,m,H@5,.1,a note\n"
    path = write(text, "﻿" + HEAD.strip() + ",remark\n")
    assert read_published(path)[0].metrics == {"H@5": 0.1}


@pytest.mark.realdata
def test_the_published_tables_of_the_field():
    folder = os.environ.get("MMBENCH_DATA")
    path = Path(folder or ".").resolve().parent / "published.csv"
    if not folder or not path.exists():
        pytest.skip("needs published.csv beside MMBENCH_DATA")
    got = audit(read_published(path))
    failed = Counter((f.row.paper, f.row.table) for f in got.of("gate"))
    assert failed == {("VLM2Rec", "2"): 5, ("VLM2Rec", "4"): 23, ("PRIME", "2"): 3}
    rows = Counter((r.paper, r.table) for r in got.rows)
    assert rows["VLM2Rec", "2"] + rows["VLM2Rec", "4"] == 196
    assert rows["PRIME", "2"] == 60
    assert {f.row.paper for f in got.of("mrr")} == {"PixRec"}
    outside = {(f.row.paper.partition("-repo")[0], f.row.table) for f in got.of("outside")}
    assert {"I", "II", "text"} <= {table for paper, table in outside if paper == "MM-GPT2Rec"}
    assert {paper for paper, _ in outside} == {"MM-GPT2Rec"}
