"""The prompts are the paper's, letter by letter, and spans stand where they should."""

import pytest
from mmbench_pixrec.prompts import Prompts, item_texts

from mmbench import Items
from mmbench.vlm import Image, Span

FIELDS = {
    "title": ("", "Funko Box, L", "WWE T-Shirt"),
    "categories": ("", "SUBSCRIPTION BOXES", "SUBSCRIPTION BOXES"),
    "brand": ("", "Funko", " "),
    "price_range": ("", "", "9"),
}


def written(parts):
    """The parts as the paper prints them."""
    texts = {Image: lambda part: "<image>", str: str, Span: lambda part: written(part.parts)}
    return "".join(texts[type(part)](part) for part in parts)


@pytest.fixture
def texts():
    return item_texts(Items(2, FIELDS))


def test_an_items_text(texts):
    assert texts[1:] == [
        "Title: Funko Box, L. Category: SUBSCRIPTION BOXES. Brand: Funko. Price range: Unknown.",
        "Title: WWE T-Shirt. Category: SUBSCRIPTION BOXES. Brand: Unknown. Price range: 9.",
    ]


def test_fields_are_chosen_ordered_and_cut():
    found = item_texts(Items(2, FIELDS), ("brand", "title"), lambda text: text[:3])
    assert found[1:] == ["Brand: Fun. Title: Fun.", "Brand: Unknown. Title: WWE."]


def test_a_column_that_is_not_there():
    with pytest.raises(ValueError, match=r"'color'.*'brand'"):
        item_texts(Items(2, FIELDS), ("color",))


def test_items_without_any_text():
    with pytest.raises(ValueError, match="no item has a text"):
        item_texts(Items(2, {"title": ("", "", "")}))


def test_the_papers_prompt(texts):
    prompt = Prompts(texts, {1, 2}).tell([1, 2], 1)
    funko, wwe = texts[1], texts[2]
    assert written(prompt.parts) == (
        "This is the summary of a user's purchase history. "
        f"The first item bought is as follows. {funko} Image: <image>\n"
        f"The next item bought is as follows. {wwe} Image: <image>\n"
        "The next item bought is as follows.\n"
    )
    assert written(prompt.answer) == f"{funko} Image: <image>"
    assert prompt.answer[0] == Span("text", funko)


def test_an_open_prompt_is_the_same_up_to_the_answer(texts):
    prompts = Prompts(texts, {1})
    told, asked, draft = prompts.tell([2], 1), prompts.ask([2]), prompts.draft([2], "Title: x")
    assert told.parts == asked.parts == draft.parts
    assert asked.answer is None
    assert draft.answer == ["Title: x"]


def test_items_without_a_picture_are_shown_without_one(texts):
    prompts = Prompts(texts, {1})
    assert written(prompts.alone(2).parts) == texts[2]
    assert written(prompts.alone(1).parts) == texts[1] + " Image: <image>"
    assert "<image>" not in written(prompts.ask([2]).parts)


def test_a_user_without_history_is_asked_all_the_same(texts):
    assert written(Prompts(texts, ()).ask([]).parts) == (
        "This is the summary of a user's purchase history.\nThe next item bought is as follows.\n"
    )
