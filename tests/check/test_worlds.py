"""The checks' worlds differ in what they say they differ in, and in nothing else."""

import numpy as np
import pytest
from PIL import Image

from mmbench.check import worlds
from mmbench.grid.question import ask_question
from mmbench.protocol import get_protocol


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return worlds.make_world(tmp_path_factory.mktemp("world"))


def steps(log):
    inside = log.user[1:] == log.user[:-1]
    return set(zip(log.item[:-1][inside].tolist(), log.item[1:][inside].tolist(), strict=True))


def test_each_item_has_one_successor_and_the_last_is_cold(world):
    pairs = steps(world)
    assert len({first for first, _ in pairs}) == len(pairs)
    assert len({second for _, second in pairs}) == len(pairs)
    assert worlds.ITEMS not in world.item
    assert world.item.min() == 1


def test_neighbours_share_a_word_and_a_colour(world):
    titles = world.items.fields["title"]
    images = world.items.images
    unlike = 0
    for first, second in steps(world):
        shared = titles[first].split()[1] == titles[second].split()[0]
        colours = (images.open(first).getpixel((13, 2)), images.open(second).getpixel((2, 2)))
        assert (colours[0] == colours[1]) == shared
        unlike += not shared
    assert unlike <= 1  # where the cold item stands between them
    assert len(set(titles[1:])) == worlds.ITEMS


def test_only_the_test_targets_differ_between_twins(world):
    ours, theirs = (
        ask_question(log, get_protocol("loo@2")).split
        for log in (world, worlds.with_other_targets(world))
    )
    assert world.secret == worlds.with_other_targets(world).secret
    assert (ours.test.target != theirs.test.target).all()
    for name in ("user", "item", "time"):
        np.testing.assert_array_equal(getattr(ours.train, name), getattr(theirs.train, name))
    for one, other in ((ours.valid, theirs.valid), (ours.test, theirs.test)):
        np.testing.assert_array_equal(one.queries.history, other.queries.history)
        np.testing.assert_array_equal(one.queries.user, other.queries.user)
    np.testing.assert_array_equal(ours.valid.target, theirs.valid.target)
    np.testing.assert_array_equal(
        ours.valid.candidates["neg100"], theirs.valid.candidates["neg100"]
    )


@pytest.mark.parametrize("modality", ["text", "image"])
def test_permuting_a_modality_moves_that_and_leaves_the_other(world, modality):
    other = worlds.permuted(world, modality).items
    texts = (world.items.fields["title"], other.fields["title"])
    pictures = tuple(
        [images.read(item) if item in images else b"" for item in range(worlds.ITEMS + 1)]
        for images in (world.items.images, other.images)
    )
    moved, kept = (texts, pictures) if modality == "text" else (pictures, texts)
    assert kept[0] == kept[1]
    assert moved[0] != moved[1]
    assert moved[0][0] == moved[1][0]
    assert sorted(moved[0][1:]) == sorted(moved[1][1:])


def test_a_world_without_a_modality_has_none_of_it(world):
    bare = worlds.without(world, {"text", "image"}).items
    assert not any(bare.fields["title"])
    assert bare.images is None
    assert worlds.without(world, set()).items == world.items


def test_seeds_make_different_worlds(world, tmp_path):
    other = worlds.make_world(tmp_path, seed=1)
    assert steps(other) != steps(world)
    assert other.n_items == world.n_items


def test_chosen_candidates_ascend_and_are_distinct():
    chosen = worlds.choose_candidates(50, 7)
    assert chosen.shape == (50, 7)
    assert (np.diff(chosen, axis=1) > 0).all()
    assert chosen.min() >= 1
    assert chosen.max() <= worlds.ITEMS


def test_in_the_random_world_the_source_tells_the_target_and_numbers_do_not(tmp_path):
    log = worlds.make_random_world(tmp_path)
    fold = ask_question(log, get_protocol("loo@2")).split.test
    raw = np.array([0, *map(int, log.item_ids[1:])])
    following = np.maximum.reduceat(raw[fold.seen], fold.seen_offsets[:-1]) + 1
    assert 0.8 < (following == raw[fold.target]).mean() < 1
    assert abs(np.corrcoef(raw[1:], np.arange(log.n_items))[0, 1]) < 0.2
    for item in (1, log.n_items):
        with Image.open(tmp_path / f"{log.item_ids[item]}.png") as drawn:
            assert log.items.images.open(item).tobytes() == drawn.tobytes()
