"""Views and answers in files: they come back as they were, and lies about them are refused."""

import json
import os

import numpy as np
import psutil
import pytest

from mmbench.grid import exchange
from mmbench.grid.exchange import Room
from mmbench.grid.question import ask_question
from mmbench.grid.replies import Layout
from mmbench.protocol import get_protocol
from mmbench.views import TopK, Vectors

ROOM = Room(3, 9)


@pytest.fixture
def room(tmp_path):
    """A cell's folder, with a place for answers."""
    (tmp_path / "answers").mkdir()
    return tmp_path


def load(folder, slot, described, memory=None, room=ROOM):
    """An answer by its description, which has crossed as JSON."""
    layouts = {name: Layout(**part) for name, part in json.loads(json.dumps(described)).items()}
    return exchange.load_answer(folder, slot, layouts, {} if memory is None else memory, room)


def test_views_cross_to_the_child_unchanged_and_read_only(log, tmp_path):
    question = ask_question(log, get_protocol("loo@2"))
    exchange.save_train(tmp_path, question.split.train)
    exchange.save_items(tmp_path, log.items)
    exchange.save_queries(tmp_path, "test", question.split.test.queries)
    train = exchange.load_train(tmp_path)
    queries = exchange.load_queries(tmp_path, "test")
    for loaded, original in (
        (train.item, question.split.train.item),
        (train.user, question.split.train.user),
        (queries.history, question.split.test.queries.history),
        (queries.time, question.split.test.queries.time),
    ):
        np.testing.assert_array_equal(loaded, original)
        assert loaded.dtype == original.dtype
        assert not loaded.flags.writeable
    items = exchange.load_items(tmp_path)
    assert items.fields == log.items.fields


@pytest.mark.parametrize(
    "answer",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.arange(6, dtype=np.float64).reshape(3, 2).T,
        np.empty((0, 3), np.float32),
        TopK(np.array([[1, 2]], np.int32), np.array([[0.5, -np.inf]], np.float32)),
        Vectors(np.array([[1, 2]], np.float32)),
    ],
)
def test_answers_come_back_as_they_were(room, answer):
    exchange.save_answer(room, 1, np.ones((9, 9)))  # a longer one lay there before
    described = exchange.save_answer(room, 1, answer)
    found = load(room, 1, described)
    if isinstance(answer, TopK):
        np.testing.assert_array_equal(found.items, answer.items)
        np.testing.assert_array_equal(found.scores, answer.scores)
    elif isinstance(answer, Vectors):
        np.testing.assert_array_equal(found.queries, answer.queries)
        assert found.items is None
    else:
        np.testing.assert_array_equal(found, answer)


def test_the_memory_of_an_answer_is_filled_again(room):
    memory = {}

    def through(answer):
        return load(room, 0, exchange.save_answer(room, 0, answer), memory)

    long, short = np.arange(8, dtype=np.float32), np.ones(3, np.float32)
    first = through(long)
    held = memory["scores"]
    second = through(short)
    assert np.array_equal(second, short)
    assert np.array_equal(first, [1, 1, 1, 3, 4, 5, 6, 7])
    assert memory["scores"] is held
    assert np.array_equal(through(np.arange(9.0)), np.arange(9.0))
    assert memory["scores"] is not held


@pytest.mark.parametrize("answer", [None, [[1.0]], np.array([[object()]]), "scores"])
def test_an_answer_that_is_no_array_of_numbers_is_refused(room, answer):
    with pytest.raises(TypeError, match="numeric numpy array"):
        exchange.save_answer(room, 0, answer)


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        ({"shape": [3, 8]}, r"shape \(3, 8\) and type float32 in 24 bytes"),
        ({"shape": [2, 2]}, r"shape \(2, 2\) and type float32 in 24 bytes"),
        ({"shape": [-1, -6]}, "greater than or equal to 0"),
        ({"shape": [2.5, 3]}, "valid integer"),
        ({"shape": [float("inf")]}, "valid integer"),
        ({"dtype": "|O"}, "an answer of type object"),
        ({"dtype": "(3,)f8"}, "an answer of type"),
        ({"dtype": "no type"}, "an answer of type 'no type'"),
        ({"dtype": "f" * 9}, "at most 8 characters"),
        ({"more": 1}, "more"),
    ],
)
def test_a_message_that_lies_about_an_answer_is_refused(room, lie, message):
    described = exchange.save_answer(room, 0, np.zeros((2, 3), np.float32))
    described["scores"] |= lie
    with pytest.raises(ValueError, match=message):
        load(room, 0, described)


def test_a_part_of_an_answer_is_no_path(room):
    np.save(room / "targets.npy", np.arange(3))
    (room / "answers" / "0-x").mkdir()
    path, layout = "x/../../targets.npy", {"dtype": "<i8", "shape": [19]}
    assert (room / "answers" / f"0-{path}").stat().st_size == 8 * 19
    for described in ({path: layout}, {"scores": layout, path: layout}, {"items": layout}):
        with pytest.raises(ValueError, match=r"an answer of \["):
            load(room, 0, described)


def test_a_link_in_the_place_of_an_answer_is_not_followed(room):
    (room / "targets").write_bytes(bytes(8))
    described = exchange.save_answer(room, 0, np.zeros(1))
    (room / "answers" / "0-scores").unlink()
    (room / "answers" / "0-scores").symlink_to(room / "targets")
    with pytest.raises(OSError, match="symbolic"):
        load(room, 0, described)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.zeros((4, 10)), r"\(4, 10\) as scores of 3 rows: 3 x 10 is the most"),
        (TopK(np.zeros((3, 11), int), np.zeros((3, 11))), "as items of 3 rows: 3 x 10"),
        (Vectors(np.zeros((3, exchange.WIDEST + 1))), "as queries of 3 rows: 3 x 16384"),
    ],
    ids=["scores", "list", "vectors"],
)
def test_an_answer_larger_than_any_good_one_is_not_read(room, answer, message):
    described = exchange.save_answer(room, 0, answer)
    with pytest.raises(ValueError, match=message):
        load(room, 0, described)


def test_vectors_may_have_a_column_for_each_item(room):
    wide = Room(1, exchange.WIDEST + 5)
    described = exchange.save_answer(room, 0, Vectors(np.zeros((1, exchange.WIDEST + 6))))
    assert load(room, 0, described, room=wide).queries.shape == (1, exchange.WIDEST + 6)


def test_an_answer_that_the_memory_does_not_hold_is_not_read(room):
    """A file with a hole in it is as long as one likes, and costs nothing."""
    rows = psutil.virtual_memory().total // 8 // 10 + 1
    with open(room / "answers" / "0-scores", "wb") as file:
        os.truncate(file.fileno(), 8 * 10 * rows)
    described = {"scores": {"dtype": "<f8", "shape": [rows, 10]}}
    with pytest.raises(ValueError, match="of memory are free"):
        load(room, 0, described, room=Room(rows, 9))


def test_embeddings_are_read_by_the_names_of_spaces(room):
    described = exchange.save_embeddings(room, {"text": np.zeros((3, 2), np.float32)})
    layout = Layout(**described["text"])
    assert exchange.load_embeddings(room, {"text": layout}, ROOM)["text"].shape == (3, 2)
    with pytest.raises(ValueError, match="unknown spaces"):
        exchange.load_embeddings(room, {"../views/train": layout}, ROOM)
    with pytest.raises(ValueError, match="of 2 rows"):
        exchange.load_embeddings(
            room, {"text": Layout(dtype="<f4", shape=[3, exchange.WIDEST])}, Room(2, 9)
        )
