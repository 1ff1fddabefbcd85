"""What the ranker reads, word for word."""

import json

import pytest
from mmbench_prime.configs import ATTRIBUTES
from mmbench_prime.prompts import LABEL, Writer, find_columns

from mmbench import Items
from mmbench.vlm import Image, Span


def flat(parts):
    return "".join(f"<{part.item}>" if isinstance(part, Image) else part for part in parts)


@pytest.fixture
def shop():
    """Two whole items, and one that has a title alone."""
    columns = {
        "title": ("", 'Hand "soft" cream', "Cleanser", "Комб"),
        "categories": ("", "Beauty, Skin", "", ""),
        "price": ("", "9.99", "3", ""),
        "brand": ("", "Ulvik", "Brekka", ""),
    }
    return Items(3, columns)


def writer(shop, attributes=ATTRIBUTES, style="prime", pictured=(1, 2), cut=str):
    return Writer(shop, attributes, style, cut, lambda item: item in pictured)


def test_a_prompt_is_the_instruction_the_history_and_labelled_candidates(shop):
    prompt = writer(shop).write((3,), ("A", "B"), (2, 1), "B")
    assert flat(prompt.parts) == (
        "Based on the user's browsing history and a collection of candidate items (both provided "
        "in JSON format), recommend the most suitable item by specifying its index letter.\n\n"
        'Browsing history:\n{\n    "title": "Комб"\n}\n\nCandidate items:\n'
        '(A) {\n    "image": <2>,\n    "title": "Cleanser",\n    "price": "3",\n'
        '    "brand": "Brekka"\n}\n'
        '(B) {\n    "image": <1>,\n    "title": "Hand \\"soft\\" cream",\n    "price": "9.99",\n'
        '    "brand": "Ulvik",\n    "categories": "Beauty, Skin"\n}\n'
    )
    (label,) = prompt.answer
    assert label == Span(LABEL, "B")


def test_what_a_dataset_writes_is_escaped(shop):
    text = flat(writer(shop, pictured=()).describe(1))
    assert json.loads(text)["title"] == 'Hand "soft" cream'
    assert flat(writer(shop, ("image",), pictured=()).describe(1)) == "{}"


def test_attributes_are_those_of_the_variant_in_its_order(shop):
    assert (
        flat(writer(shop, ("title",)).describe(1)) == '{\n    "title": "Hand \\"soft\\" cream"\n}'
    )
    no_title = flat(writer(shop, ("image", "price")).describe(1))
    assert no_title == '{\n    "image": <1>,\n    "price": "9.99"\n}'


def test_an_attribute_is_cut_before_it_is_escaped(shop):
    text = flat(writer(shop, ("title",), cut=lambda text: text[:6]).describe(1))
    assert text == '{\n    "title": "Hand \\""\n}'


def test_columns_go_by_their_name_and_the_first_is_the_title():
    films = Items(1, {"name": ("", "Heat"), "genres": ("", "Crime")})
    found = find_columns(films, ATTRIBUTES)
    assert found == {"title": ("", "Heat"), "categories": ("", "Crime")}


def test_llamarec_shows_titles_in_its_own_words(shop):
    prompt = writer(shop, ("title",), "llamarec").write((1, 2), ("A",), (3,), "A")
    assert flat(prompt.parts) == (
        "Given user history in chronological order, recommend an item from the candidate pool "
        'with its index letter.\n\nUser history: "Hand \\"soft\\" cream"\n"Cleanser"\n'
        '; \n Candidate pool: (A) "Комб"\n'
    )


def test_plain_words_are_the_values_alone(shop):
    prompt = writer(shop, ("image", "title", "price"), "plain").write((3,), ("A", "B"), (2, 1), "B")
    soft = r"Hand \"soft\" cream"
    assert flat(prompt.parts) == (
        f"History:\nКомб\nCandidates:\nA <2>Cleanser, 3\nB <1>{soft}, 9.99\n"
    )


def test_the_corpus_holds_all_that_a_prompt_is_made_of(shop):
    made = writer(shop)
    corpus = "".join(made.corpus(["A", "B"]))
    for part in made.write((1,), ("A", "B"), (2, 3), "A").parts:
        assert isinstance(part, Image) or part.strip() in corpus.replace("<", "")
    assert "(B) " in corpus
