"""Files of train, valid and test: joined, and their split kept as a local protocol."""

import numpy as np
import pytest

from mmbench import data
from mmbench.data.log import DataError
from mmbench.data.several import Several, fold_of
from mmbench.protocol.local import read_local
from mmbench.protocol.protocols import get_protocol
from mmbench.protocol.split import split

FOLDS = ("train", "valid", "test")


@pytest.mark.parametrize(
    ("name", "fold"),
    [
        ("Beauty.train.csv", "train"),
        ("ml-100k.valid.inter", "valid"),
        ("validation-00000.parquet", "valid"),
        ("x_dev.tsv", "valid"),
        ("val.csv", "valid"),
        ("test/part-0.csv", "test"),
        ("test/train.csv", "train"),
        ("train_test.csv", ""),
        ("interval.csv", ""),
        ("latest.csv", ""),
        ("constrained.csv", ""),
        ("events.csv", ""),
    ],
)
def test_names_tell_folds_by_whole_words(name, fold):
    assert fold_of(name) == fold


def shares(visits, repeated=False):
    """Each user's first three events, the fourth and the fifth, by fold."""
    users = sorted({user for user, *_ in visits})
    of = {user: [row for row in visits if row[0] == user] for user in users}
    cut = {"train": slice(0, 3), "valid": slice(3, 4), "test": slice(4, 5)}
    folds = {fold: [row for user in users for row in of[user][cut[fold]]] for fold in FOLDS}
    if repeated:  # the first item once more, as a test event
        folds["test"] = [
            (user, of[user][0][1], time) for user, _, time in folds["test"] if user in of
        ]
    return folds


def targets(log, fold):
    return {
        (log.user_ids[u], log.item_ids[i])
        for u, i in zip(fold.user.tolist(), fold.target.tolist(), strict=True)
    }


@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("form", ["amazon", "recbole", "headless", "no times", "folders"])
def test_a_published_split_becomes_a_local_protocol(
    tmp_path, visits, write_events, imported, form, repeated
):
    names = {fold: f"shop.{fold}.csv" for fold in FOLDS}
    head = "user_id,parent_asin,timestamp"
    if form == "recbole":
        names = {fold: f"shop.{fold}.inter" for fold in FOLDS}
    if form == "folders":
        names = {fold: f"{fold}/part.csv" for fold in FOLDS}
    folds = shares(visits, repeated)
    for fold, rows in folds.items():
        path = tmp_path / names[fold]
        path.parent.mkdir(exist_ok=True)
        if form == "recbole":
            lines = ["user_id:token\titem_id:token\ttimestamp:float"]
            path.write_text("\n".join([*lines, *("\t".join(map(str, row)) for row in rows)]) + "\n")
        elif form == "headless":
            path.write_text("".join(f"{u},{i},{t}\n" for u, i, t in rows))
        elif form == "no times":
            write_events(path, "user_id,parent_asin", [row[:2] for row in rows])
        else:
            write_events(path, head, rows)
    with pytest.raises(Several) as caught:
        imported(tmp_path)
    assert caught.value.folds and caught.value.names == tuple(names.values())
    assert "--local-split" in str(caught.value)
    done, _ = imported(tmp_path, join=list(caught.value.names), local_split=True)
    assert done.protocol == tmp_path / "split.toml"
    log = data.load(str(tmp_path))
    parts = split(log, get_protocol(str(done.protocol)))
    assert targets(log, parts.valid) == {(u, i) for u, i, _ in folds["valid"]}
    assert targets(log, parts.test) == {(u, i) for u, i, _ in folds["test"]}
    assert len(parts.train.user) == len(folds["train"])
    told = read_local(done.protocol)
    assert told["name"].startswith(f"local:{tmp_path.name[:40]}@")
    assert any(time is not None for *_, time in told["given"].marks) is repeated
    again, said = imported(tmp_path, join=list(caught.value.names), replace_existing=True)
    assert again.card["events"] == 30
    assert "split.parquet: not used: the published split, as a protocol (--protocol)" in said


@pytest.mark.parametrize("words", [("training", "dev", "test"), (0, 1, 2)], ids=["words", "MMRec"])
def test_a_column_of_folds_becomes_one_too(tmp_path, words, visits, write_events, imported):
    rows = [
        (*row, dict(zip(FOLDS, words, strict=True))[fold])
        for fold, part in shares(visits).items()
        for row in part
    ]
    write_events(tmp_path / "e.csv", "user_id,item_id,timestamp,split", rows)
    done, said = imported(tmp_path, local_split=True)
    assert "named protocols make their own, --local-split makes it one" in said
    log = data.load(str(tmp_path))
    parts = split(log, get_protocol(str(done.protocol)))
    assert np.array_equal([len(parts.train.user), len(parts.valid), len(parts.test)], [18, 6, 6])


def test_what_is_no_whole_split_is_refused_before_anything_is_written(
    tmp_path, visits, write_events, imported
):
    write_events(tmp_path / "train.csv", rows=visits[:20])
    write_events(tmp_path / "test.csv", rows=visits[20:])
    with pytest.raises(Several) as caught:
        imported(tmp_path)
    assert not caught.value.folds and "--local-split" not in str(caught.value)
    with pytest.raises(DataError, match="has no fold 'valid'"):
        imported(tmp_path, join=["train.csv", "test.csv"], local_split=True)
    with pytest.raises(DataError, match="no split is published with these events"):
        imported(tmp_path, interactions="train.csv", local_split=True)
    (tmp_path / "train.csv").rename(tmp_path / "january.csv")
    with pytest.raises(DataError, match=r"'january\.csv' tells no fold"):
        imported(tmp_path, join=["january.csv", "test.csv"], local_split=True)
    assert sorted(path.name for path in tmp_path.glob("*.*")) == ["january.csv", "test.csv"]


def test_rows_with_their_own_histories_make_no_local_split(tmp_path, imported):
    for k, fold in enumerate(FOLDS):
        rows = [f"s{k}{n}\ti1 i2 i{3 + n}\ti{1 + n}" for n in range(4)]
        head = "session_id:token\titem_id_list:token_seq\titem_id:token"
        (tmp_path / f"x.{fold}.inter").write_text("\n".join([head, *rows]) + "\n")
    with pytest.raises(DataError, match="lists the items before its own"):
        imported(tmp_path, join=["*.inter"], local_split=True)


def test_files_of_other_columns_are_not_offered_as_one_log(tmp_path, visits, write_events):
    write_events(tmp_path / "yoochoose-clicks.dat", "user_id,item_id,timestamp")
    write_events(tmp_path / "yoochoose-buys.dat", "user_id,item_id,price,timestamp",
                 [(u, i, 5, t) for u, i, t in visits])  # fmt: skip
    from mmbench.data.guess import guess

    with pytest.raises(Several) as caught:
        guess(tmp_path)
    assert not caught.value.joinable
    assert "as far as they have the same columns" in str(caught.value)
