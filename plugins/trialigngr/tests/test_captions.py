"""Captions: of which items, by what, and that each is written once."""

from dataclasses import replace

import mmbench_trialigngr.captions as captions
import pytest
from mmbench_trialigngr.pixels import describe

from mmbench import vlm

EVERY = range(1, 13)


def test_stand_ins_are_words_for_the_pixels(small, items, make_run):
    config, run = small(), make_run()
    found = captions.make_captions(config, items, run, EVERY)
    assert found[0] == found[12] == ""  # padding, and an item without a picture
    assert found[1] == describe(items.images.open(1))
    assert captions.about(config, items, run)["by"] == "tiny:pixels"


def test_a_reader_is_told_how_they_were_made(seeing, items, make_run):
    told = []
    run = make_run(example=lambda title, /, **texts: told.append((title, texts)))
    captions.make_captions(seeing, items, run, EVERY)
    ((title, texts),) = told
    assert title == "how captions were made"
    assert texts["prompt"] == captions.PROMPT
    assert texts["by"] == "tiny:qwen2-vl" and texts["tokens"] == "3"


def test_only_the_chosen_are_captioned(small, items, make_run):
    found = captions.make_captions(small(), items, make_run(), [2, 5])
    assert [item for item, text in enumerate(found) if text] == [2, 5]


def test_a_shop_without_pictures_has_no_captions(small, items, make_run):
    blind = replace(items, images=None)
    assert captions.make_captions(small(), blind, make_run(), EVERY) == [""] * 13


@pytest.fixture
def seeing(small):
    return small(
        caption_backbone="tiny:qwen2-vl", caption_pixels=28, caption_tokens=3, asset_batch=4
    )


def test_a_model_writes_each_caption_once(seeing, items, make_run, monkeypatch):
    run, prompts = make_run(), []
    generate = vlm.generate

    def watched(backbone, asked, pictures, **options):
        prompts.extend(asked)
        assert options["temperature"] == 0 and options["new_tokens"] == 3
        return generate(backbone, asked, pictures, **options)

    monkeypatch.setattr(vlm, "generate", watched)
    one = captions.make_captions(seeing, items, run, EVERY)
    assert len(prompts) == 11
    assert {prompt.parts[0].item for prompt in prompts} == set(range(1, 12))
    assert all(prompt.parts[1] == captions.PROMPT for prompt in prompts)
    assert captions.make_captions(seeing, items, run, EVERY) == one
    assert len(prompts) == 11  # all were kept
    longer = replace(seeing, caption_tokens=4)
    monkeypatch.setattr(vlm, "generate", lambda *a, **o: prompts.append(0) or generate(*a, **o))
    captions.make_captions(longer, items, run, EVERY)
    assert len(prompts) == 12  # another setting, other captions


def test_what_an_asset_depends_on_is_told(seeing, items, make_run):
    run = make_run()
    told = captions.about(seeing, items, run)
    assert told["prompt"] == captions.PROMPT and told["decoding"] == "greedy"
    assert told["by"] == "tiny:qwen2-vl" and told["catalogue"] and told["seed"] == 0
    assembled = replace(seeing, caption_backbone="assembled:effnet-smollm2", caption_pixels=96)
    assert captions._prompt(assembled, 3) == vlm.Prompt([captions.LEAD, vlm.Image(3)])


def test_a_model_that_only_reads_is_refused(seeing, items, make_run):
    with pytest.raises(ValueError, match="sees no pictures"):
        captions.make_captions(
            replace(seeing, caption_backbone="tiny:qwen2.5", caption_pixels=0),
            *(items, make_run(), EVERY),
        )
