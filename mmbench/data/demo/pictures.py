"""The shop's pictures: a shape in a colour on neutral ground, alike for equal style and colour."""

from __future__ import annotations

import io
import os
import uuid
import zipfile
from collections.abc import Iterable
from pathlib import Path

from PIL import Image, ImageDraw

from mmbench.data.demo.world import COLOURS, STYLES, World

SIDE = 48
GROUND = (236, 236, 236)
PALETTE = {
    "red": (214, 39, 40),
    "orange": (245, 133, 24),
    "yellow": (240, 210, 30),
    "green": (44, 150, 60),
    "teal": (30, 175, 185),
    "blue": (45, 90, 200),
    "purple": (150, 80, 185),
    "brown": (120, 75, 45),
}


def write_pictures(path: Path, world: World, names: Iterable[str]) -> Path:
    """A zip with a picture an item, called by ``names`` in item order; written at once or not.

    An equal file stays as it is. Answers ``path``.
    """
    drawn = [png(style, colour) for style in STYLES for colour in COLOURS]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, picture in zip(names, world.picture, strict=True):
            archive.writestr(zipfile.ZipInfo(name), drawn[picture], zipfile.ZIP_DEFLATED)
    if path.is_file() and path.read_bytes() == packed.getvalue():
        return path
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        temporary.write_bytes(packed.getvalue())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def png(style: str, colour: str) -> bytes:
    """The PNG of a style and a colour, uncompressed: its size is the same with every zlib."""
    image = Image.new("RGB", (SIDE, SIDE), GROUND)
    draw = ImageDraw.Draw(image)
    fill = PALETTE[colour]
    match style:
        case "disc":
            draw.ellipse((8, 8, 39, 39), fill=fill)
        case "square":
            draw.rectangle((10, 10, 37, 37), fill=fill)
        case "triangle":
            draw.polygon(((24, 7), (41, 39), (6, 39)), fill=fill)
        case "diamond":
            draw.polygon(((24, 5), (43, 24), (24, 43), (5, 24)), fill=fill)
        case "cross":
            draw.rectangle((18, 6, 29, 41), fill=fill)
            draw.rectangle((6, 18, 41, 29), fill=fill)
        case "ring":
            draw.ellipse((6, 6, 41, 41), fill=fill)
            draw.ellipse((16, 16, 31, 31), fill=GROUND)
        case _:
            raise ValueError(f"no such style: {style!r}")
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=0)
    return file.getvalue()
