"""Texts are written once for each content and description."""

import json

import pytest

from mmbench.toolkit import encodings, texts

ABOUT = {"by": "test", "prompt": "say"}


@pytest.fixture
def write():
    """Writes a text of each place, and remembers which were asked for."""

    def make(places):
        make.asked.append(list(places))
        return [f"text {place} é" for place in places]

    make.asked = []
    return make


def test_what_is_there_is_not_written_again(tmp_path, write):
    contents = [encodings.digest(word) for word in ("a", "b", "a")]
    first = texts.kept(tmp_path, ABOUT, contents, write)
    assert first == ["text 0 é", "text 1 é", "text 0 é"]
    assert write.asked == [[0, 1]]
    more = [*contents, encodings.digest("c")]
    assert texts.kept(tmp_path, ABOUT, more, write) == [*first, "text 3 é"]
    assert write.asked == [[0, 1], [3]]
    (about,) = tmp_path.glob("*/about.json")
    assert json.loads(about.read_text()) == ABOUT


def test_another_description_has_other_texts(tmp_path, write):
    texts.kept(tmp_path, ABOUT, ["x"], write)
    texts.kept(tmp_path, {**ABOUT, "prompt": "tell"}, ["x"], write)
    assert write.asked == [[0], [0]]


def test_it_is_kept_chunk_by_chunk(tmp_path, write):
    def stop(places):
        if len(write.asked) == 2:
            raise KeyboardInterrupt
        return write(places)

    with pytest.raises(KeyboardInterrupt):
        texts.kept(tmp_path, ABOUT, ["a", "b", "c"], stop, chunk=1)
    steps = []
    texts.kept(
        *(tmp_path, ABOUT, ["a", "b", "c"], write),
        progress=lambda done, total: steps.append((done, total)),
    )
    assert write.asked == [[0], [1], [2]]
    assert steps == [(2, 3), (3, 3)]


@pytest.mark.parametrize("harm", ["no json", '{"sha256": "0", "texts": "{}"}', "[]"])
def test_a_damaged_file_is_written_again(tmp_path, write, harm, caplog):
    texts.kept(tmp_path, ABOUT, ["a"], write)
    (path,) = tmp_path.glob("*/texts/*.json")
    path.write_text(harm)
    assert texts.kept(tmp_path, ABOUT, ["a"], write) == ["text 0 é"]
    assert write.asked == [[0], [0]]
    assert "damaged" in caplog.text


def test_too_few_texts_are_an_error(tmp_path):
    with pytest.raises(ValueError, match="0 texts came for 1 contents"):
        texts.kept(tmp_path, ABOUT, ["a"], lambda places: [])
