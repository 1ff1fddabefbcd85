"""Several datasets as one: what trains is joined, what is asked is that of the part alone."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from mmbench.data.fingerprint import Fingerprints
from mmbench.data.log import Log
from mmbench.problems import UserError
from mmbench.protocol import (
    CANDIDATE_SETS,
    AnswerError,
    SplitError,
    evaluate,
    get_protocol,
    join_parts,
    shown_candidates,
    split,
)
from mmbench.protocol.apart import shared_events
from mmbench.protocol.join import ask_part, join_items
from mmbench.testing import make_images
from mmbench.views import Items, TopK, Vectors

PROTOCOLS = ("loo@2", "time@2", "pixrec-window@2")


def make_part(name, sequences, n_items):
    """A log of its own: ids are counted from 1 as everywhere, texts are the part's."""
    lengths = [len(items) for items in sequences]
    return Log(
        id=name,
        fingerprints=Fingerprints(name.rjust(16, "0")),
        secret=name.encode().rjust(32),
        user=np.repeat(np.arange(len(sequences)), lengths).astype(np.int32),
        item=np.array([item for items in sequences for item in items], dtype=np.int32),
        time=np.array([t for length in lengths for t in range(length)], dtype=np.int64),
        n_users=len(sequences),
        n_items=n_items,
        items=Items(n_items, {"title": ("", *(f"{name} {i}" for i in range(1, n_items + 1)))}),
        user_ids=tuple(str(1 + user) for user in range(len(sequences))),
        item_ids=("", *(str(item) for item in range(1, n_items + 1))),
    )


@st.composite
def parts(draw):
    """Two or three logs with enough users for each protocol."""
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    found = []
    for name in "abc"[: draw(st.integers(2, 3))]:
        n_items, n_users = draw(st.integers(3, 9)), draw(st.integers(12, 25))
        walks = [rng.integers(1, n_items + 1, rng.integers(1, 7)).tolist() for _ in range(n_users)]
        found.append(make_part(name, walks, n_items))
    return found


def split_each(logs, protocol):
    try:
        return [split(log, get_protocol(protocol)) for log in logs]
    except SplitError:
        assume(False)


@settings(max_examples=30, deadline=None)
@given(parts(), st.sampled_from(PROTOCOLS))
def test_what_trains_is_what_trains_of_each_part(logs, protocol):
    splits = split_each(logs, protocol)
    train = join_parts(logs, [one.train for one in splits])[0].train
    users = [(log.id, user) for log in logs for user in log.user_ids]
    items = [None, *((log.id, item) for log in logs for item in log.item_ids[1:])]
    assert (train.n_users, train.n_items) == (len(users), len(items) - 1)
    joined = [
        (users[user], items[item], time)
        for user, item, time in zip(train.user, train.item, train.time, strict=True)
    ]
    alone = [
        ((log.id, log.user_ids[user]), (log.id, log.item_ids[item]), time)
        for log, one in zip(logs, splits, strict=True)
        for user, item, time in zip(one.train.user, one.train.item, one.train.time, strict=True)
    ]
    assert joined == alone
    assert (np.diff(train.user) >= 0).all()


@settings(max_examples=30, deadline=None)
@given(parts(), st.sampled_from(PROTOCOLS))
def test_the_questions_are_those_of_the_part_alone(logs, protocol):
    splits = split_each(logs, protocol)
    users = [(log.id, user) for log in logs for user in log.user_ids]
    items = ["", *((log.id, item) for log in logs for item in log.item_ids[1:])]
    for log, one, joined in zip(
        logs, splits, join_parts(logs, [s.train for s in splits]), strict=True
    ):
        own = ["", *((log.id, item) for item in log.item_ids[1:])]
        for fold in (one.valid, one.test):
            asked = joined.place.queries(fold.queries)
            assert [items[i] for i in asked.history.ravel()] == [
                own[i] for i in fold.queries.history.ravel()
            ]
            assert [users[u] if u >= 0 else "" for u in asked.user] == [
                (log.id, log.user_ids[u]) if u >= 0 else "" for u in fold.queries.user
            ]
            np.testing.assert_array_equal(asked.time, fold.queries.time)
            shown = joined.place.items(fold.candidates["neg100"])
            assert [items[i] for i in shown.ravel()] == [
                own[i] for i in fold.candidates["neg100"].ravel()
            ]


def answer_as(form, scores, rng):
    """The same scores in each form that a model may answer in."""
    if form == "float64":
        return scores.astype(np.float64)
    if form == "topk":
        order = np.argsort(rng.random(scores.shape), axis=1).astype(np.int32)
        return TopK(order + 1, np.take_along_axis(scores, order, axis=1))
    if form == "vectors":
        columns = np.vstack([np.zeros(scores.shape[1], np.float32), np.eye(scores.shape[1])])
        return Vectors(scores, columns.astype(np.float32))
    return scores


@settings(max_examples=30, deadline=None)
@given(
    parts(),
    st.sampled_from(("float32", "float64", "topk", "vectors")),
    st.integers(0, 99),
    st.integers(1, 5),
)
def test_scores_of_other_parts_cannot_change_a_rank(logs, form, seed, most):
    rng = np.random.default_rng(seed)
    protocol = get_protocol("loo@2")
    splits = split_each(logs, "loo@2")
    for one, joined in zip(splits, join_parts(logs, [s.train for s in splits]), strict=True):
        place, fold = joined.place, one.test
        own = rng.integers(0, 4, (len(fold), place.n_items)).astype(np.float32)  # with ties

        def alone(what, slices, own=own):
            return (own[rows] for rows in slices)

        expected = evaluate(fold, place.n_items, alone, protocol)
        for other in (-1e30, 2.5, 1e30):
            scores = np.full((len(fold), place.n_joined), other, np.float32)
            place.columns(scores)[:] = own
            seen = []

            def ask(what, slices, scores=scores, seen=seen):
                assert what == "catalogue"
                for rows in slices:
                    seen.append(rows)
                    yield answer_as(form, scores[rows], rng)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("mmbench.protocol.join.chunk_rows", lambda n_items: most)
                found = evaluate(fold, place.n_items, ask_part(ask, place, 0), protocol)
            assert max(rows.stop - rows.start for rows in seen) <= most
            assert [i for rows in seen for i in range(rows.start, rows.stop)] == [*range(len(fold))]
            for name in ("full", "unseen", "neg100"):
                np.testing.assert_array_equal(found.greater[name], expected.greater[name])
                np.testing.assert_array_equal(found.equal[name], expected.equal[name])
            for name, top in expected.top.items():
                np.testing.assert_array_equal(found.top[name], top)


@pytest.fixture
def pair():
    """Two logs, their splits and joins, 5 and 7 items."""
    rng = np.random.default_rng(3)
    logs = [
        make_part(n, rng.integers(1, k + 1, (20, 5)).tolist(), k) for n, k in (("a", 5), ("b", 7))
    ]
    splits = [split(log, get_protocol("loo@2")) for log in logs]
    return logs, splits, join_parts(logs, [one.train for one in splits])


def test_a_silent_list_is_silent_about_the_part_too(pair):
    _logs, splits, joins = pair
    fold, place = splits[1].test, joins[1].place
    best = np.tile(np.array([[1, 6, 7]], np.int32), (len(fold), 1))  # items 1 and 2 of the part

    def ask(what, slices):
        return (
            TopK(best[rows], np.ones((rows.stop - rows.start, 3), np.float32)) for rows in slices
        )

    (found,) = ask_part(ask, place, 0)("catalogue", [slice(0, len(fold))])
    assert found.shape == (len(fold), 7)
    assert (found[:, :2] == 1).all() and (found[:, 2:] == -np.inf).all()


@pytest.mark.parametrize("rating", ["candidates", "catalogue"])
def test_a_reranker_may_rate_candidates_or_all(pair, rating):
    _logs, splits, joins = pair
    fold, place = splits[0].test, joins[0].place
    own_shown = shown_candidates(fold, [CANDIDATE_SETS["neg100"]], 5)
    assert (fold.candidates["neg100"] == 0).any()
    width = own_shown.shape[1]
    weights = np.random.default_rng(0).random(place.n_joined + 1).astype(np.float32)
    shown = place.items(own_shown)

    def ask(what, slices):
        assert what == "candidates"
        for rows in slices:
            whole = np.tile(weights[1:], (rows.stop - rows.start, 1))
            yield weights[shown[rows]] if rating == "candidates" else whole

    def alone(what, slices):
        own = weights[1 + place.items_before :][: place.n_items]
        return (own[own_shown[rows] - 1] for rows in slices)

    protocol = get_protocol("loo@2")
    found = evaluate(
        fold, 5, ask_part(ask, place, width), protocol, sets=[CANDIDATE_SETS["neg100"]]
    )
    expected = evaluate(fold, 5, alone, protocol, sets=[CANDIDATE_SETS["neg100"]])
    np.testing.assert_array_equal(found.greater["neg100"], expected.greater["neg100"])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_score_that_is_none_is_an_error_wherever_it_stands(pair, bad):
    _logs, splits, joins = pair
    scores = np.zeros((20, 12), np.float32)
    scores[4, 11] = bad  # of part b

    def ask(what, slices):
        return (scores[rows] for rows in slices)

    with pytest.raises(AnswerError, match="query 4: column 11"):
        evaluate(splits[0].test, 5, ask_part(ask, joins[0].place, 0), get_protocol("loo@2"))


def test_an_answer_about_the_part_alone_is_refused(pair):
    _logs, splits, joins = pair

    def ask(what, slices):
        return (np.zeros((rows.stop - rows.start, 5), np.float32) for rows in slices)

    with pytest.raises(AnswerError, match=r"not \(20, 12\)"):
        evaluate(splits[0].test, 5, ask_part(ask, joins[0].place, 0), get_protocol("loo@2"))


def test_the_rows_of_a_matrix_over_the_join(pair):
    _logs, _splits, joins = pair
    matrix = np.arange(13, dtype=np.float32)[:, None]
    assert joins[0].place.rows(matrix).ravel().tolist() == [0, 1, 2, 3, 4, 5]
    assert joins[1].place.rows(matrix).ravel().tolist() == [0, 6, 7, 8, 9, 10, 11, 12]


def test_columns_join_by_name_and_titles_join():
    parts = [
        Items(2, {"title": ("", "A", "B"), "price": ("", "1", "2")}),
        Items(1, {}),
        Items(1, {"name": ("", "C"), "brand": ("", "x"), "price": ("", "3")}),
        Items(1, {"brand": ("", "y"), "title": ("", "D")}),
    ]
    joined = join_items(parts)
    assert joined.n_items == 5 and joined.images is None
    assert {name: [*column] for name, column in joined.fields.items()} == {
        "title": ["", "A", "B", "", "C", "D"],
        "price": ["", "1", "2", "", "3", ""],
        "brand": ["", "", "", "", "x", "y"],
    }
    assert [*joined.fields] == ["title", "price", "brand"]


def test_no_text_at_all_is_no_column():
    assert join_items([Items(1, {}), Items(2, {})]) == Items(3, {})


def test_pictures_are_joined_in_one_file_that_is_made_once(tmp_path, monkeypatch):
    red, green, blue = (Image.new("RGB", (2, 2), name) for name in ("red", "green", "blue"))
    parts = [
        Items(1, {}),
        Items(2, {}, make_images(tmp_path / "one" / "pictures", [red, None])),
        Items(1, {}),
        Items(1, {}, make_images(tmp_path / "two", [green])),
        Items(1, {}, make_images(tmp_path / "three", [blue])),
    ]
    images = join_items(parts).images
    assert images.items().tolist() == [2, 5, 6]
    assert len(images.offsets) == 6 + 2
    assert [images.open(item).getpixel((0, 0)) for item in (2, 5, 6)] == [
        (255, 0, 0), (0, 128, 0), (0, 0, 255),
    ]  # fmt: skip
    assert images.path.parent == tmp_path / "one"
    other = join_items([parts[0], *parts[:0:-1]]).images
    assert other.path != images.path
    assert other.items().tolist() == [2, 3, 5]
    monkeypatch.setattr("mmbench.data.picture_file.write_pictures", None)
    assert join_items(parts).images == images


def test_without_pictures_there_is_nothing_to_join():
    assert join_items([Items(1, {}), Items(2, {})]).images is None


def test_the_same_data_twice_is_refused(pair):
    log, one = pair[0][0], pair[1][0]
    with pytest.raises(UserError, match="a is named twice"):
        join_parts([log, log], [one.train, one.train])
    copy = replace(log, id="copy")
    with pytest.raises(UserError, match="a and copy are the same data"):
        join_parts([log, copy], [one.train, one.train])


def test_a_part_of_another_is_refused(pair):
    log, one = pair[0][0], pair[1][0]
    kept = log.user < 5
    few = replace(
        log, id="few", fingerprints=Fingerprints("f" * 16),
        user=log.user[kept], item=log.item[kept], time=log.time[kept],
        n_users=5, user_ids=log.user_ids[:5],
    )  # fmt: skip
    assert shared_events(log, few) == shared_events(few, log) == 1
    with pytest.raises(UserError, match="100% of the events"):
        join_parts([log, few], [one.train, split(few, get_protocol("loo@2")).train])


def test_equal_numbers_are_not_equal_events(pair):
    log = pair[0][0]
    texts = Items(5, {"title": ("", *"vwxyz")})
    assert shared_events(log, replace(log, items=texts)) == 0
    bare = replace(log, items=Items(5, {}))
    assert shared_events(bare, bare) == 0
    half = Items(5, {"title": ("", "a 1", "a 2", "", "", "")})
    expected = np.isin(log.item, (1, 2)).mean()
    assert shared_events(log, replace(log, items=half)) == pytest.approx(expected)
