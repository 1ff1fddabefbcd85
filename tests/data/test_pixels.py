"""Every kind of picture file becomes the right RGB pixels, and nothing of the file stays."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from mmbench.data import pixels
from mmbench.data.pixels import LONGEST, decode, encode
from mmbench.views import ImageError

WHITE, RED, BLUE = (255, 255, 255), (255, 0, 0), (0, 0, 255)


def saved(image, form="PNG", **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def seen(data):
    """The pixels of the first row, as tuples."""
    picture = decode(data)
    assert picture.mode == "RGB"
    return [tuple(pixel) for pixel in np.asarray(picture)[0].tolist()]


def row(mode, *values):
    image = Image.new(mode, (len(values), 1))
    for place, value in enumerate(values):
        image.putpixel((place, 0), value)
    return image


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def deep_png(values, depth, colour, extra=b""):
    """A PNG of one row whose samples are big-endian numbers of 16 bits."""
    channels = {0: 1, 4: 2, 2: 3, 6: 4}[colour]
    head = struct.pack(">IIBBBBB", len(values) // channels, 1, depth, colour, 0, 0, 0)
    line = b"\0" + np.array(values, ">u2").tobytes()
    body = chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(line)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def greys(*values):
    return [(value,) * 3 for value in values]


def test_greys_of_16_bits_are_scaled_and_not_cut_off():
    values, expected = [0, 128, 257, 300, 32_768, 65_535], greys(0, 0, 1, 1, 128, 255)
    assert seen(deep_png(values, 16, 0)) == expected
    deep = Image.fromarray(np.array([values], np.uint16))
    assert seen(saved(deep, "TIFF")) == expected
    whole = Image.fromarray(np.array([values], np.int32))
    assert whole.mode == "I"
    assert seen(saved(whole, "TIFF")) == expected


def tiff_of_12_bits(values):
    """A TIFF of one row whose greys declare 12 bits, two in three bytes."""
    packed = int("".join(f"{value:03x}" for value in values), 16).to_bytes(len(values) * 3 // 2)
    tags = {256: len(values), 257: 1, 258: 12, 259: 1, 262: 1, 273: 0, 277: 1, 278: 1}
    tags |= {279: len(packed), 273: 8 + 2 + 12 * 9 + 4}
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items())]
    return struct.pack("<2sHIH", b"II", 42, 8, 9) + b"".join(entries) + bytes(4) + packed


def test_greys_of_12_bits_reach_white():
    assert seen(tiff_of_12_bits([0, 4095, 2048, 16])) == greys(0, 255, 128, 1)


def test_a_transparent_grey_of_16_bits_is_white():
    extra = chunk(b"tRNS", struct.pack(">H", 300))
    assert seen(deep_png([300, 301, 65_535], 16, 0, extra)) == greys(255, 1, 255)


def test_other_pictures_of_16_bits():
    assert seen(deep_png([65_535, 0, 0, 0, 32_768, 65_535], 16, 2)) == [RED, (0, 128, 255)]
    assert seen(deep_png([0, 65_535, 0, 0, 65_535, 0], 16, 4)) == greys(0, 255, 255)
    assert seen(deep_png([65_535, 0, 0, 65_535, 0, 0, 0, 0], 16, 6)) == [RED, WHITE]


@pytest.mark.parametrize("values", [[0, 65_536], [-1, 5]])
def test_greys_without_a_known_white_are_refused(values):
    deeper = Image.fromarray(np.array([values], np.int32))
    with pytest.raises(ImageError, match="greys of more than 16 bits"):
        decode(saved(deeper, "TIFF"))
    fractions = Image.fromarray(np.array([[0.0, 0.5]], np.float32))
    with pytest.raises(ImageError, match="greys that are fractions"):
        decode(saved(fractions, "TIFF"))


def test_grey_and_black_and_white():
    assert seen(saved(row("L", 0, 77, 255))) == greys(0, 77, 255)
    assert seen(saved(row("1", 0, 1))) == greys(0, 255)
    assert seen(saved(row("1", 0, 1), "TIFF")) == greys(0, 255)
    assert seen(saved(row("1", 0, 1), transparency=0)) == greys(255, 255)


def test_alpha_is_laid_over_white():
    assert seen(saved(row("RGBA", (*RED, 255), (*RED, 0), (0, 0, 0, 128)))) == [
        *(RED, WHITE),
        (127, 127, 127),
    ]
    assert seen(saved(row("LA", (0, 255), (0, 0), (255, 255)))) == greys(0, 255, 255)
    assert seen(saved(row("RGBA", (*RED, 255), (*BLUE, 0)), "WEBP", lossless=True)) == [RED, WHITE]
    assert seen(saved(row("L", 9, 10), transparency=9)) == greys(255, 10)
    assert seen(saved(row("RGB", RED, BLUE), transparency=BLUE)) == [RED, WHITE]


def palette(*values):
    image = row("P", *values)
    image.putpalette([*RED, *BLUE, 0, 128, 0])
    return image


def test_palettes():
    assert seen(saved(palette(0, 1, 2))) == [RED, BLUE, (0, 128, 0)]
    assert seen(saved(palette(0, 1), transparency=1)) == [RED, WHITE]
    assert seen(saved(palette(0, 1), transparency=bytes([255, 0, 255]))) == [RED, WHITE]
    assert seen(saved(palette(0, 1), "GIF")) == [RED, BLUE]
    assert seen(saved(palette(0, 1), "GIF", transparency=1)) == [RED, WHITE]
    assert seen(saved(palette(0, 1), "BMP")) == [RED, BLUE]


def test_cmyk():
    inks = {(0, 255, 255, 0): RED, (255, 255, 0, 0): BLUE, (0, 0, 0, 0): WHITE}
    for ink, colour in inks.items():
        flat = Image.new("CMYK", (16, 16), ink)
        assert seen(saved(flat, "TIFF"))[0] == colour
        found = np.array(seen(saved(flat, "JPEG", quality=100))[0])
        assert np.abs(found - colour).max() <= 2
    half = seen(saved(Image.new("CMYK", (1, 1), (0, 0, 0, 128)), "TIFF"))[0]
    assert half == (127, 127, 127)


def test_a_jpeg_has_the_pixels_that_its_decoder_gives():
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), "JPEG", quality=60)
    plain = Image.open(io.BytesIO(data)).convert("RGB")
    handed = Image.open(io.BytesIO(encode(decode(data)))).convert("RGB")
    assert handed.tobytes() == plain.tobytes()


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_counts(form):
    frames = [Image.new("RGB", (3, 3), colour) for colour in (RED, BLUE)]
    options = {"lossless": True} if form == "WEBP" else {}
    data = saved(frames[0], form, save_all=True, append_images=frames[1:], **options)
    assert getattr(Image.open(io.BytesIO(data)), "n_frames", 1) == 2
    assert seen(data) == [RED] * 3


def upright():
    """Two rows of three pixels, all different."""
    return Image.fromarray(np.arange(0, 180, 10, dtype=np.uint8).reshape(2, 3, 3))


# how a camera that was turned lays the picture down
LAID = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: np.rot90(x, 1),
    7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
    8: lambda x: np.rot90(x, -1),
}


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", LAID)
def test_a_picture_is_turned_upright(orientation, form):
    exif = Image.Exif()
    exif[0x0112] = orientation
    laid = Image.fromarray(np.ascontiguousarray(LAID[orientation](np.asarray(upright()))))
    options = {"lossless": True} if form == "WEBP" else {}
    found = decode(saved(laid, form, exif=exif, **options))
    assert np.array_equal(np.asarray(found), np.asarray(upright()))


def test_a_turned_palette_keeps_its_transparent_colour():
    exif = Image.Exif()
    exif[0x0112] = 3
    assert seen(saved(palette(0, 1), transparency=1, exif=exif)) == [WHITE, RED]


def test_damaged_exif_does_not_cost_the_picture():
    data = saved(Image.new("RGB", (8, 8), RED), "JPEG", quality=100, exif=b"Exif\0\0MM\0*\xff\xff")
    assert np.abs(np.array(seen(data)[0]) - RED).max() <= 2


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((LONGEST, 3), (LONGEST, 3)),
        ((2 * LONGEST, LONGEST), (LONGEST, LONGEST // 2)),
        ((LONGEST + 1, 1), (LONGEST, 1)),
        ((300, 3 * LONGEST), (100, LONGEST)),
    ],
)
def test_the_longest_side_is_bounded(size, expected):
    found = decode(saved(Image.new("RGB", size, RED)))
    assert found.size == expected
    assert found.getpixel((0, 0)) == RED


def test_a_smaller_picture_is_an_average_and_no_sample():
    lines = np.zeros((4, 4 * LONGEST, 3), np.uint8)
    lines[:, ::2] = 255
    found = np.asarray(decode(saved(Image.fromarray(lines)))).astype(int)
    assert np.abs(found - 128).max() <= 16


def test_nothing_of_the_file_stays_but_its_pixels():
    exif = Image.Exif()
    exif[0x010E] = "item 4711"
    plain = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    from PIL.PngImagePlugin import PngInfo

    said = PngInfo()
    said.add_text("Title", "item 4711")
    files = [
        saved(Image.fromarray(plain)),
        saved(Image.fromarray(plain), compress_level=0, dpi=(300, 300), pnginfo=said, exif=exif),
        saved(Image.fromarray(plain), icc_profile=b"item 4711") + b"item 4711",
        saved(Image.fromarray(plain), "BMP"),
        saved(Image.fromarray(plain), "WEBP", lossless=True, exif=exif, xmp=b"item 4711"),
        saved(Image.fromarray(plain).convert("RGBA")),
    ]
    assert len({len(data) for data in files}) == len(files)
    handed = {encode(decode(data)) for data in files}
    assert len(handed) == 1
    (only,) = handed
    assert only[:4] + only[8:16] == b"RIFFWEBPVP8L"  # one chunk, of pixels
    assert len(only) == 8 + int.from_bytes(only[4:8], "little")
    assert 20 + int.from_bytes(only[16:20], "little") in (len(only), len(only) - 1)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_half_a_picture_is_damaged(form):
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), form)
    with pytest.raises(ImageError, match="is damaged"):
        decode(data[: len(data) // 2])


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"no picture", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_what_is_no_picture_is_damaged(data):
    with pytest.raises(ImageError, match="is damaged"):
        decode(data)


@pytest.mark.parametrize("side", [8_000, 60_000])
def test_a_bomb_is_not_decoded(side):
    shape = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    data = chunk(b"IHDR", shape) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with pytest.raises(ImageError, match=r"8000 x 8000 pixels|decompression bomb"):
            decode(b"\x89PNG\r\n\x1a\n" + data)


def test_where_memory_lacks_no_picture_is_called_damaged(monkeypatch):
    def full(image):
        raise MemoryError

    monkeypatch.setattr(pixels, "_to_rgb", full)
    with pytest.raises(MemoryError):
        decode(saved(Image.new("L", (10, 10))))


def test_the_bound_on_pixels_is_exact(monkeypatch):
    monkeypatch.setattr(pixels, "MAX_PIXELS", 100)
    assert decode(saved(Image.new("L", (10, 10)))).size == (10, 10)
    with pytest.raises(ImageError, match="11 x 10 pixels, more than the 100"):
        decode(saved(Image.new("L", (11, 10))))
