"""Colour histograms."""

import numpy as np
import pytest
from mmbench_content.pictures import BINS, SIDE, colour_histogram
from PIL import Image


def plain(colour, size=(40, 20)):
    return Image.new("RGB", size, colour)


def halves(left, right):
    picture = plain(left, (SIDE, SIDE))
    picture.paste(plain(right, (SIDE // 2, SIDE)), (SIDE // 2, 0))
    return picture


def test_a_plain_picture_fills_one_bin_of_each_cell():
    found = colour_histogram(plain((255, 0, 0)))
    assert found.dtype == np.float32
    assert found.shape == (5 * BINS,)
    assert np.linalg.norm(found) == pytest.approx(1)
    cells = found.reshape(5, BINS)
    # hue 0, the stronger saturation, the brightest value
    assert np.flatnonzero(cells[0]).tolist() == [(0 * 2 + 1) * 3 + 2]
    np.testing.assert_allclose(cells, cells[:1].repeat(5, axis=0))


def test_two_halves_share_the_whole_and_split_the_quarters():
    red, blue = ((0 * 2 + 1) * 3 + 2), ((5 * 2 + 1) * 3 + 2)
    cells = colour_histogram(halves((255, 0, 0), (0, 0, 255))).reshape(5, BINS) ** 2 * 5
    np.testing.assert_allclose(cells[0][[red, blue]], [0.5, 0.5], rtol=1e-5)
    for cell, colour in zip(cells[1:], (red, blue, red, blue), strict=True):
        assert np.flatnonzero(cell).tolist() == [colour]


@pytest.mark.parametrize(
    ("grey", "level"), [((0, 0, 0), 0), ((100, 100, 100), 1), ((100, 90, 95), 1), ((255,) * 3, 3)]
)
def test_greys_have_no_hue(grey, level):
    cells = colour_histogram(plain(grey)).reshape(5, BINS)
    assert np.flatnonzero(cells[0]).tolist() == [8 * 2 * 3 + level]


def test_every_colour_has_a_bin():
    rng = np.random.default_rng(0)
    for _ in range(20):
        pixels = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        cells = colour_histogram(Image.fromarray(pixels)).reshape(5, BINS)
        np.testing.assert_allclose((cells**2).sum(axis=1), 0.2, rtol=1e-5)


def test_size_and_form_do_not_matter():
    picture = halves((200, 40, 90), (30, 120, 60))
    found = colour_histogram(picture)
    np.testing.assert_array_equal(colour_histogram(picture.resize((64, 64), 0)), found)
    np.testing.assert_array_equal(colour_histogram(picture.convert("RGBA")), found)


def test_like_colours_are_alike():
    red, crimson, blue = (
        colour_histogram(plain(c)) for c in ((230, 20, 20), (220, 25, 22), (20, 20, 230))
    )
    assert red @ crimson == pytest.approx(1)
    assert red @ blue == 0
    mixed = colour_histogram(halves((230, 20, 20), (20, 20, 230)))
    assert 0.3 < red @ mixed < 0.9
