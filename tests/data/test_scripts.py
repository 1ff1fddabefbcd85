"""Scripts of titles."""

import pytest

from mmbench.data.scripts import script_of, scripts, unspaced


@pytest.mark.parametrize(
    ("letter", "script"),
    [
        *(("a", "latin"), ("é", "latin"), ("Ж", "cyrillic"), ("奶", "han"), ("の", "kana")),
        *(("カ", "kana"), ("ก", "thai"), ("ע", "hebrew"), ("한", "hangul"), ("1", ""), ("—", "")),
    ],
)
def test_letters(letter, script):
    assert script_of(letter) == script


def test_titles_count_where_they_have_letters():
    titles = ["Tea", "奶油蛋糕", "お茶の木の葉", "Чай", "", "12", "USB 数据线充电器"]
    assert scripts(titles) == {"han": 0.4, "latin": 0.2, "kana": 0.2, "cyrillic": 0.2}
    assert unspaced(scripts(titles)) == {"han": 0.4, "kana": 0.2}
    assert scripts([]) == scripts(["1"]) == {}
