"""Words for pictures, by counting pixels."""

import pytest
from mmbench_trialigngr.pixels import describe
from PIL import Image, ImageDraw


def draw(colour, points=None, box=None):
    picture = Image.new("RGB", (64, 64), (240, 240, 240))
    pen = ImageDraw.Draw(picture)
    if points:
        pen.polygon(points, fill=colour)
    else:
        pen.rectangle(box or (12, 12, 51, 51), fill=colour)
    return picture


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (draw((210, 40, 40)), "red solid flat on white"),
        (draw((40, 80, 205), [(32, 8), (56, 56), (8, 56)]), "blue half cut below on white"),
        (Image.new("RGB", (20, 20), (10, 10, 10)), "plain black"),
    ],
)
def test_colour_and_shape_are_told(picture, words):
    assert describe(picture) == words


def test_a_ring_is_hollow():
    picture = draw((40, 150, 60))
    ImageDraw.Draw(picture).rectangle((22, 22, 41, 41), fill=(240, 240, 240))
    assert "hollow" in describe(picture).split()


def test_size_and_place_change_nothing():
    large, small = draw((210, 40, 40)), draw((210, 40, 40), box=(2, 2, 17, 17))
    assert describe(large) == describe(small)
