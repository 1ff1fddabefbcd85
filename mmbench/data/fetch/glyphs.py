"""Letters of 5 x 7 dots, so that a word looks the same whatever fonts a machine has."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.bool_]

HEIGHT, WIDTH = 7, 5
# rows from top to bottom, each a number of five bits
_ROWS: Mapping[str, str] = {
    "A": "0e11111f111111", "B": "1e11111e11111e", "C": "0e11101010110e", "D": "1e11111111111e",
    "E": "1f10101e10101f", "F": "1f10101e101010", "G": "0e11101713110f", "H": "1111111f111111",
    "I": "0e04040404040e", "J": "0702020202120c", "K": "11121418141211", "L": "1010101010101f",
    "M": "111b1515111111", "N": "11191513111111", "O": "0e11111111110e", "P": "1e11111e101010",
    "Q": "0e11111115120d", "R": "1e11111e141211", "S": "0f10100e01011e", "T": "1f040404040404",
    "U": "1111111111110e", "V": "11111111110a04", "W": "1111111515150a", "X": "11110a040a1111",
    "Y": "11110a04040404", "Z": "1f01020408101f", "0": "0e11131519110e", "1": "040c040404040e",
    "2": "0e11010204081f", "3": "1f02040201110e", "4": "02060a121f0202", "5": "1f101e0101110e",
    "6": "0608101e11110e", "7": "1f010204080808", "8": "0e11110e11110e", "9": "0e11110f01020c",
}  # fmt: skip


def glyph(character: str) -> Bits:
    """bool[7, 5]: a letter or digit; accents are dropped, and other characters are dots of a hash.

    The dots say nothing, but equal characters have equal ones.
    """
    plain = unicodedata.normalize("NFKD", character).upper()[:1]
    if plain in _ROWS:
        rows = bytes.fromhex(_ROWS[plain])
    else:
        rows = hashlib.sha256(f"mmbench: glyph {character}".encode()).digest()[:HEIGHT]
    bits = [[(row >> (WIDTH - 1 - column)) & 1 for column in range(WIDTH)] for row in rows]
    return np.array(bits, dtype=bool)


def word(text: str, most: int) -> Bits:
    """bool[7, 6 n - 1]: the letters of a text, ``most`` at most, a column between two."""
    letters = [one for one in text if one.isalnum()][:most]
    if not letters:
        return np.zeros((HEIGHT, 0), dtype=bool)
    found = np.zeros((HEIGHT, (WIDTH + 1) * len(letters) - 1), dtype=bool)
    for place, letter in enumerate(letters):
        start = place * (WIDTH + 1)
        found[:, start : start + WIDTH] = glyph(letter)
    return found
