"""Two rows against each other, from ranks on disk: who is paired with whom, and what is said."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest

from mmbench.problems import UserError
from mmbench.protocol.metrics import per_query
from mmbench.report import (
    ResultError,
    choose_rows,
    contrast,
    contrast_json,
    contrast_lines,
    make_boards,
)

USERS = 60


def table(seed, users=USERS, names=None, better=0):
    """Ranks of one seed; with ``names``, of these users."""
    rng = np.random.default_rng(seed)
    columns = {
        "query": np.arange(users, dtype=np.int32),
        "greater_unseen": (rng.integers(0, 40, users) // (1 + better)).astype(np.int32),
        "equal_unseen": rng.integers(0, 2, users, dtype=np.int32),
    }
    return pa.table(columns | ({} if names is None else {"user": names}))


def held(reading, a="a", b="b", across=False, boards=None, **asked):
    every = make_boards(reading.records)
    chosen = boards(every) if boards else (every, every)
    pair = choose_rows(*chosen, a, b, across=across)
    asked = {"candidates": "unseen", "metric": "ndcg@10"} | asked
    return contrast(reading, every, *pair, **asked)


def ndcg(part):
    return per_query("ndcg@10", *(part[f"{k}_unseen"].to_numpy() for k in ("greater", "equal")))


NAMES = [f"u{number}" for number in range(USERS)]


def test_users_are_told_by_their_ids_whatever_the_order(ranked, make_record):
    order = np.random.default_rng(1).permutation(USERS)
    one, other = table(1, names=NAMES), table(2, names=NAMES)
    mixed = other.take(order).set_column(0, "query", pa.array(np.arange(USERS)))
    found = held(ranked((make_record("a"), one), (make_record("b"), mixed)))
    assert (found.pairs, found.dropped, found.difference.paired) == ("user", 0, True)
    gaps = ndcg(one) - ndcg(other)
    assert found.difference.absolute.value == pytest.approx(gaps.mean())
    assert found.difference.user_error == pytest.approx(gaps.std(ddof=1) / math.sqrt(USERS))


def test_seeds_are_averaged_for_each_user(ranked, make_record):
    tables = [table(seed, names=NAMES) for seed in range(4)]
    reading = ranked(
        *((make_record("a", seed), tables[seed]) for seed in (0, 1, 2)),
        (make_record("b"), tables[3]),
    )
    told = held(reading).difference
    assert told.seeds == (3, 1)
    means = np.mean([ndcg(part) for part in tables[:3]], axis=0)
    assert told.user_error == pytest.approx((means - ndcg(tables[3])).std(ddof=1) / USERS**0.5)
    assert told.noise_known == (True, False)


def test_whom_only_one_was_asked_about_is_left_out_and_counted(ranked, make_record):
    one, other = table(1, names=NAMES), table(2, names=[*NAMES[10:], *(f"v{k}" for k in range(10))])
    found = held(ranked((make_record("a"), one), (make_record("b"), other)))
    assert found.difference.users == (50, 50)
    assert found.dropped == 20
    gaps = ndcg(one)[10:] - ndcg(other)[:50]
    assert found.difference.absolute.value == pytest.approx(gaps.mean())
    assert any("20 whom only one of the two" in line for line in contrast_lines(found))


def test_ids_may_be_any_text(ranked, make_record):
    odd = ["", "\0", "a\0", "A", "ä", "a", "\U0001f600", "1", "01", "1.0"]
    found = held(
        ranked(
            (make_record("a"), table(1, 10, names=odd)),
            (make_record("b"), table(2, 10, names=odd[::-1])),
        )
    )
    assert found.difference.users == (10, 10)
    gaps = ndcg(table(1, 10)) - ndcg(table(2, 10))[::-1]
    assert found.difference.absolute.value == pytest.approx(gaps.mean())


def test_ranks_without_users_are_paired_by_query_where_the_fold_is_one(ranked, make_record):
    one, other = table(1), table(2)
    found = held(ranked((make_record("a"), one), (make_record("b"), other)))
    assert (found.pairs, found.difference.paired) == ("query", True)
    gaps = ndcg(one) - ndcg(other)
    assert found.difference.user_error == pytest.approx(gaps.std(ddof=1) / math.sqrt(USERS))


@pytest.mark.parametrize(
    "change", [{"candidates_sha256": "cd" * 32}, {"limit": 60}], ids=["candidates", "limit"]
)
def test_other_folds_are_not_paired_by_query(ranked, make_record, change):
    found = held(ranked((make_record("a"), table(1)), (make_record("b", **change), table(2))))
    assert (found.pairs, found.difference.paired) == ("", False)
    assert any("do not name their users" in line for line in contrast_lines(found))


def test_other_users_are_two_groups(ranked, make_record):
    others = [f"v{number}" for number in range(USERS)]
    reading = ranked(
        (make_record("a"), table(1, names=NAMES)), (make_record("b"), table(2, names=others))
    )
    found = held(reading)
    assert not found.difference.paired
    assert found.unpaired == "the rows have other users"
    assert found.difference.user_error == pytest.approx(
        math.sqrt(sum(ndcg(table(seed)).var(ddof=1) / USERS for seed in (1, 2)))
    )


def test_a_model_whose_seeds_are_equal_elsewhere_needs_one(ranked, make_record):
    same = table(5, names=NAMES)
    reading = ranked(
        (make_record("a"), table(1, names=NAMES)),
        (make_record("b"), table(2, names=NAMES)),
        *((make_record("a", seed, dataset="books"), same) for seed in (0, 1)),
        *((make_record("b", seed, dataset="books"), table(seed)) for seed in (0, 1)),
    )
    boards = make_boards(reading.records)
    shop = [board for board in boards if board.dataset == "toy-shop"]
    found = contrast(
        reading,
        boards,
        *choose_rows(shop, shop, "a", "b", across=False),
        candidates="unseen",
        metric="hit@10",
    )
    assert found.difference.noise_known == (True, False)
    lines = contrast_lines(found)
    assert "a: one seed, and every seed of its model gives equal ranks" in lines
    assert "b: one seed, so that its seed noise is unknown, and not in the interval" in lines


def test_ranks_that_nobody_asked_for_may_be_gone(ranked, make_record):
    """Whether another row tells of a model's seeds is looked up, and may stay open."""
    reading = ranked(
        (make_record("a"), table(1, names=NAMES)),
        (make_record("b"), table(2, names=NAMES)),
        *((make_record("a", seed, dataset="books"), table(5)) for seed in (0, 1)),
    )
    for record in reading.records:
        if record.cell.dataset == "books":
            reading.paths[record.cell.id].with_suffix(".ranks.parquet").write_bytes(b"")
    boards = make_boards(reading.records)
    shop = [board for board in boards if board.dataset == "toy-shop"]
    pair = choose_rows(shop, shop, "a", "b", across=False)
    found = contrast(reading, boards, *pair, candidates="unseen", metric="ndcg@10")
    assert found.difference.noise_known == (False, False)


def test_one_user_is_too_few(ranked, make_record):
    reading = ranked(
        (make_record("a"), table(1, 1, names=["u"])), (make_record("b"), table(2, names=NAMES))
    )
    with pytest.raises(UserError, match="a on toy-shop, loo@2 asks fewer than two users"):
        held(reading)


def test_across_protocols_only_when_asked(ranked, make_record):
    reading = ranked(
        (make_record("a", protocol="loo@1"), table(1)),
        (make_record("a", protocol="loo@2"), table(2, names=NAMES)),
    )
    split = lambda boards: ([boards[0]], [boards[1]])  # noqa: E731
    with pytest.raises(UserError, match="--across holds answers to different questions"):
        held(reading, "a", "a", boards=split)
    found = held(reading, "a", "a", across=True, boards=split)
    assert found.across
    assert found.unpaired == "one row's ranks do not name their users"
    lines = contrast_lines(found)
    assert lines[0].startswith("a (loo@1) against a (loo@2): ndcg@10, unseen")
    assert "They answer different questions" in lines[2]
    assert "is better than" not in "\n".join(lines)


def test_across_protocols_users_are_paired_by_their_ids(ranked, make_record):
    reading = ranked(
        (make_record("a", protocol="loo@2"), table(1, names=NAMES)),
        (make_record("b", protocol="time@2"), table(2, 30, names=NAMES[30:])),
    )
    found = held(reading, across=True)
    assert (found.pairs, found.difference.users, found.dropped) == ("user", (30, 30), 30)


def test_names_that_mean_nothing_or_too_much(ranked, make_record):
    reading = ranked(
        (make_record("a"), table(1)),
        (make_record("b"), table(2)),
        (make_record("a", dataset="books"), table(3)),
        (make_record("b", dataset="books"), table(4)),
        (make_record("c", dataset="books"), table(4)),
    )
    with pytest.raises(UserError, match=r"several such pairs .* choose with --data"):
        held(reading)
    with pytest.raises(UserError, match=r"no row is called 'd'\. Known: a, b, c"):
        held(reading, "a", "d")
    with pytest.raises(UserError, match="are one row"):
        held(reading, "c", "c")
    assert held(reading, "a", "c").a.board.dataset == "books"
    ids = [record.cell.id for record in reading.records if record.cell.dataset == "toy-shop"]
    assert held(reading, *ids).a.board.dataset == "toy-shop"


def test_what_cannot_be_compared_is_said(ranked, make_record):
    reading = ranked(
        (make_record("a"), table(1)),
        (make_record("b"), table(2)),
        (make_record("c", status="failed"), table(2)),
    )
    with pytest.raises(UserError, match="c on toy-shop, loo@2 has no finished cell"):
        held(reading, b="c")
    with pytest.raises(UserError, match="no ranks against neg100, but against unseen"):
        held(reading, candidates="neg100")
    with pytest.raises(UserError, match="unknown metric"):
        held(reading, metric="auc")
    for path in reading.paths.values():
        path.with_suffix(".ranks.parquet").unlink(missing_ok=True)
    with pytest.raises(ResultError, match="No such file"):
        held(reading)


def test_a_clear_winner_a_draw_and_nothing_to_tell(ranked, make_record):
    many = 20_000
    names = [str(number) for number in range(many)]
    twin = table(1, many, names=names)
    above = twin["greater_unseen"].to_numpy().copy()
    above[np.flatnonzero(above == 0)[0]] = 30
    nudged = twin.set_column(1, "greater_unseen", pa.array(above))
    reading = ranked(
        (make_record("good"), table(1, many, names=names, better=1)),
        (make_record("plain"), twin),
        (make_record("near"), nudged),
        (make_record("same"), twin),
        (make_record("luck"), table(8, 50, names=names[:50])),
    )

    def says(a, b, **asked):
        return contrast_lines(held(reading, a, b, **asked))[-3]

    assert says("good", "plain").startswith("good is better than plain: for other users, with")
    assert says("plain", "good").startswith("good is better than plain: for other users, with")
    assert "plain minus good is between -0." in says("plain", "good")
    assert says("near", "plain").startswith("near and plain are equivalent")
    assert says("same", "plain").endswith("there is nothing to choose.")
    assert says("luck", "plain").startswith("These data do not tell luck from plain")


def test_lines_name_all_that_a_reader_must_know(ranked, make_record):
    reading = ranked(
        (make_record("a", label="a (tiny)", preset="tiny"), table(1, names=NAMES)),
        (make_record("b", wall="none"), table(2, names=NAMES)),
    )
    lines = contrast_lines(held(reading))
    text = "\n".join(lines)
    assert lines[0] == "a (tiny) against b: ndcg@10, unseen (without the user's history)"
    assert lines[1] == "on toy-shop, loo@2"
    for words in ("60 users, each held", "95% interval", "users won", "equivalent within 1%"):
        assert words in text
    assert "a (tiny): Tiny preset" in text
    assert "b: No wall" in text
    alike = ranked(
        (make_record("a", wall="none"), table(1)), (make_record("b", wall="none"), table(2))
    )
    assert "a and b: No wall" in "\n".join(contrast_lines(held(alike)))


def test_json_holds_the_statistics(ranked, make_record):
    reading = ranked((make_record("a"), table(1)), (make_record("b"), table(2)))
    found = held(reading, margin=0.02)
    told = json.loads(json.dumps(contrast_json(found), allow_nan=False))
    assert told["a"]["name"] == "a" and told["b"]["seeds"] == [0]
    assert told["difference"]["margin"] == 0.02
    assert told["difference"]["absolute"]["value"] == found.difference.absolute.value
    assert told["difference"]["users"] == [60, 60]
