"""A dataset's picture as models are shown it: its pixels encoded anew, and nothing else of it.

It is decoded, turned upright, brought to 8-bit RGB and to at most ``LONGEST`` pixels, and encoded
without loss. Names, sizes of files, times, comments, places and cameras stay behind.

Lossless WebP, at its fastest: a figure must not depend on who encoded a picture, so a picture of
at most ``LONGEST`` pixels keeps every pixel. ``LONGEST`` is what the largest of the vision towers
in ``mmbench.vlm`` takes (SmolVLM's 512; CLIP's and SigLIP's take 224 to 448): more is only read to
be thrown away.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import numpy as np

from mmbench.views import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

ENCODING = 1  # its version: more, when the same source shall give other bytes
LONGEST = 512  # pixels
MAX_PIXELS = 50_000_000
MAX_BYTES = 64 * 1024 * 1024

# what is drawn by running another program, as EPS is, is no picture
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
ORIENTATION = 0x0112  # in EXIF; its values by how the picture is turned upright
BITS = 0x0102  # in TIFF, of each sample
TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


def encode(picture: Picture) -> bytes:
    """An RGB picture's bytes; equal pixels give equal bytes."""
    from PIL import Image

    bare = Image.fromarray(np.asarray(picture))  # what Pillow knows of the file stays behind
    out = io.BytesIO()
    bare.save(out, "WEBP", lossless=True, method=0)
    return out.getvalue()


def decode(data: bytes) -> Picture:
    """The first frame of a picture file: upright, RGB, ``LONGEST`` pixels long at most.

    Raises ImageError for what is damaged, unknown, or larger than ``MAX_PIXELS``.
    """
    from PIL import Image

    Image.init()
    try:
        known = [name for name in FORMATS if name in Image.OPEN]
        with Image.open(io.BytesIO(data), formats=known) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ImageError(
                    f"has {image.width} x {image.height} pixels, more than the {MAX_PIXELS:,} that "
                    "are allowed"
                )
            image.load()
            upright = _upright(image)
            return _shrink(_to_rgb(upright))
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders raise many types on damaged files
        told = re.sub(r" <_io.BytesIO object at \w+>", "", str(error))  # differs in each process
        raise ImageError(f"is damaged: {told}") from error


def _upright(image: Picture) -> Picture:
    """Turned as its EXIF says."""
    from PIL import Image

    try:
        turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001  the pixels are whole, only what is said of them is not
        return image
    if turn is None:
        return image
    turned = image.transpose(Image.Transpose[turn])
    turned.info = image.info  # says which colour is transparent
    return turned


def _to_rgb(image: Picture) -> Picture:
    """8-bit RGB over white, whatever the mode. Raises ImageError where a mode has no known range.

    Pillow cuts greys of 16 bits off at 255; here they are scaled.
    """
    from PIL import Image

    if image.mode.startswith("I"):
        image = _from_deep_grey(image)
    elif image.mode == "F":
        raise ImageError("has greys that are fractions, and no known white")
    if image.has_transparency_data:
        above = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", above.size, "white"), above).convert("RGB")
    return image.convert("RGB")


def _from_deep_grey(image: Picture) -> Picture:
    """A picture of greys of 12 or 16 bits in 8; where one grey is transparent, with that."""
    from PIL import Image

    deep = np.asarray(image).astype(np.int64)
    if deep.min() < 0 or deep.max() > 0xFFFF:
        raise ImageError("has greys of more than 16 bits")
    white = white_of(image)
    grey = Image.fromarray(((deep * 0xFF + white // 2) // white).astype(np.uint8))
    clear = image.info.get("transparency")
    if clear is None:
        return grey
    there = Image.fromarray(np.where(deep == clear, 0, 0xFF).astype(np.uint8))
    return Image.merge("LA", (grey, there))


def white_of(image: Picture) -> int:
    """The largest grey that a picture's file may hold: of 12 bits, where it declares that many."""
    tags = getattr(image, "tag_v2", {})  # of TIFF
    bits = tags.get(BITS, (16,))
    return (1 << 12) - 1 if tuple(bits) == (12,) else 0xFFFF


def _shrink(picture: Picture) -> Picture:
    from PIL import Image

    scale = LONGEST / max(picture.size)
    if scale >= 1:
        return picture
    width, height = (max(1, round(scale * side)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)
