"""Presets, overrides and types."""

from dataclasses import dataclass, field

import pydantic
import pytest

from mmbench.grid.config import (
    STAND_IN,
    as_dict,
    auto_presets,
    choose_preset,
    resolve,
    shown_size,
    stand_in_size,
)
from mmbench.grid.registry import UsageError, parse_ref


@dataclass(frozen=True)
class Flat:
    dim: int = 64
    rate: float = 0.1
    name: str = "a"
    layers: tuple[int, ...] = (1, 2)
    extra: dict = field(default_factory=dict)


class Typed(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)
    dim: int = 64
    rate: float = 0.1


class Model:
    Config = Flat
    family = "name"
    presets = {
        "paper": Flat(),
        "tiny": Flat(dim=8),
        "wide": Flat(dim=256),
        "wide/tiny": Flat(dim=9),
    }


class TypedModel:
    Config = Typed
    presets = {"paper": Typed()}


@pytest.mark.parametrize(
    ("ref", "size", "expected"),
    [
        ("m", "paper", "paper"),
        ("m", "tiny", "tiny"),
        ("m/wide", "paper", "wide"),
        ("m/wide", "tiny", "wide/tiny"),
        ("m/tiny", "paper", "tiny"),
        ("m", STAND_IN, "tiny"),
        ("m/wide", STAND_IN, "wide/tiny"),
        ("m/lone", STAND_IN, "lone"),
        ("m/lone", "tiny", "lone"),
    ],
)
def test_presets_by_variant_and_size(ref, size, expected):
    presets = {**Model.presets, "lone": Flat()}
    assert choose_preset(presets, parse_ref(ref), size, ("small", "tiny")) == expected


def test_without_stand_ins_a_small_preset_is_taken_where_it_is_asked_for():
    for size, expected in ((STAND_IN, "paper"), ("paper", "paper"), ("tiny", "tiny")):
        assert choose_preset(Model.presets, parse_ref("m"), size) == expected


def test_the_first_stand_in_that_there_is_is_taken():
    presets = {**Model.presets, "small": Flat()}
    for order, expected in ((("small", "tiny"), "small"), (("tiny", "small"), "tiny")):
        assert choose_preset(presets, parse_ref("m"), STAND_IN, order) == expected


SIZED = [*Model.presets, "small", "lone", "deep", "deep/small", "deep/tiny"]


@pytest.mark.parametrize(
    ("ref", "stand_ins", "expected"),
    [
        ("m", ("tiny",), ["paper", "small", "tiny"]),
        ("m", ("small", "tiny"), ["paper", "small", "tiny"]),
        ("m/wide", ("tiny",), ["wide", "wide/tiny"]),
        ("m/deep", ("tiny",), ["deep", "deep/small", "deep/tiny"]),
        ("m/lone", ("tiny",), ["lone"]),
        ("m", (), ["paper"]),  # every preset is the model itself
        ("m/small", ("tiny",), ["small"]),  # asked for by name
        ("m/tiny", ("tiny",), ["tiny"]),
        ("m/deep/small", ("tiny",), ["deep/small"]),
        ("m/deep/tiny", ("tiny",), ["deep/tiny"]),
    ],
)
def test_auto_chooses_from_the_sizes_that_there_are(ref, stand_ins, expected):
    assert auto_presets(dict.fromkeys(SIZED, Flat()), parse_ref(ref), stand_ins) == expected


def test_a_small_row_says_so():
    assert shown_size("small", "") == shown_size("deep/small", "") == "small"
    assert shown_size("deep/tiny", "tiny") == "tiny"
    assert shown_size("paper", "") == shown_size("deep", "") == ""


def test_a_model_without_a_tiny_preset_runs_its_paper_preset():
    assert choose_preset(TypedModel.presets, parse_ref("m"), "tiny") == "paper"


def test_an_unknown_variant_is_refused():
    with pytest.raises(UsageError, match="Did you mean wide"):
        choose_preset(Model.presets, parse_ref("m/wyde"), "paper")


@dataclass(frozen=True)
class Told:
    """Settings that a text may be, though it is JSON, or a list without quotes."""

    revision: str = ""
    settings: str = "{}"
    names: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    count: int = 1
    none: str | None = "x"


class Asked:
    Config = Told
    presets = {"paper": Told()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("revision=12345678", "12345678"),  # a commit that is all digits
        ("revision=1e5", "1e5"),
        ("revision=true", "true"),
        ("revision=main", "main"),
        ('settings={"n_layers": 3}', '{"n_layers": 3}'),
        ("names=title,price", ("title", "price")),
        ("names=title", ("title",)),
        ('names=["title", "price"]', ("title", "price")),
        ("sizes=8,4", (8, 4)),
        ("sizes=[8, 4]", (8, 4)),
        ("count=7", 7),
        ("none=null", None),
    ],
)
def test_a_text_is_read_as_what_its_setting_is(text, expected):
    name, _, value = text.partition("=")
    assert getattr(resolve(Asked, parse_ref("m"), "paper", {name: value}), name) == expected
    # beside another that is wrong, which alone is named
    with pytest.raises(UsageError) as error:
        resolve(Asked, parse_ref("m"), "paper", {name: value} | {"count": "x"})
    assert str(error.value).startswith("m: count: ") and "; " not in str(error.value)


@pytest.mark.parametrize("value", ["x", "2.5", "[1]", "1,2"])
def test_a_text_that_nothing_makes_fit_is_refused(value):
    with pytest.raises(UsageError, match="m: count: Input should be a valid integer"):
        resolve(Asked, parse_ref("m"), "paper", {"count": value})


@dataclass(frozen=True)
class Larger:
    backbone: str = "org/large"


@dataclass(frozen=True)
class Backed:
    backbone: str = "org/real"
    text_encoder: str = "org/words@1"
    schedule: str = "constant"
    larger: Larger | None = None


BACKED = {
    "paper": Backed(),
    "routed": Backed(larger=Larger()),
    "tiny": Backed("tiny:a", "counts", "linear"),
    "routed/tiny": Backed("tiny:a", "counts", "linear", Larger("tiny:b")),
}


@pytest.mark.parametrize(
    ("preset", "overrides", "size"),
    [
        ("paper", {}, ""),
        ("tiny", {}, "tiny"),
        ("routed/tiny", {"backbone": "org/real"}, "tiny"),  # its other settings are small too
        ("paper", {"backbone": "tiny:a"}, "tiny"),
        ("paper", {"backbone": "tiny:another"}, "tiny"),
        ("paper", {"backbone": "org/another"}, ""),
        ("paper", {"text_encoder": "counts"}, "tiny"),
        ("paper", {"text_encoder": "org/words@2"}, ""),
        ("routed", {"larger": '{"backbone": "tiny:b"}'}, "tiny"),
        ("paper", {"schedule": "linear"}, ""),  # names no weights
    ],
)
def test_a_stand_in_s_weights_make_a_stand_in(preset, overrides, size):
    model = type("M", (), {"Config": Backed, "presets": BACKED})
    config = as_dict(resolve(model, parse_ref("m"), preset, overrides))
    assert stand_in_size(BACKED, ("tiny",), preset, config) == size
    assert stand_in_size(BACKED, (), preset, config) == ""


@pytest.mark.parametrize("model", [Model, TypedModel])
def test_overrides_take_the_field_s_type(model):
    config = resolve(model, parse_ref("m"), "paper", {"dim": "32", "rate": "1"})
    assert config.dim == 32
    assert config.rate == 1.0
    assert isinstance(config.rate, float)


def test_texts_that_look_like_json_are_parsed():
    config = resolve(Model, parse_ref("m"), "paper", {"layers": "[3,4]", "extra": '{"a": 1}'})
    assert config.layers == (3, 4)
    assert config.extra == {"a": 1}


def test_a_family_sets_its_field():
    assert resolve(Model, parse_ref("m:NeuMF"), "paper", {}).name == "NeuMF"
    with pytest.raises(UsageError, match="nothing after a colon"):
        resolve(TypedModel, parse_ref("m:NeuMF"), "paper", {})


def test_a_wrong_key_and_a_wrong_type_are_refused():
    with pytest.raises(UsageError, match="Did you mean dim"):
        resolve(Model, parse_ref("m"), "paper", {"dims": "32"})
    with pytest.raises(UsageError, match=r"dim: .*not 'many'"):
        resolve(Model, parse_ref("m"), "paper", {"dim": "many"})


@dataclass(frozen=True)
class Bound:
    heads: int = 2
    dim: int = 8

    def __post_init__(self):
        if self.dim % self.heads:
            raise ValueError(f"dim={self.dim} is no multiple of heads={self.heads}")


def test_settings_that_do_not_go_together_are_told_in_the_config_s_words():
    model = type("M", (), {"Config": Bound, "presets": {"paper": Bound()}})
    with pytest.raises(UsageError, match=r"^m: dim=8 is no multiple of heads=3$"):
        resolve(model, parse_ref("m"), "paper", {"heads": "3"})


def test_plain_data_round_trips():
    assert as_dict(Flat()) == {
        "dim": 64, "rate": 0.1, "name": "a", "layers": [1, 2], "extra": {},
    }  # fmt: skip
    assert as_dict(Typed()) == {"dim": 64, "rate": 0.1}
    with pytest.raises(TypeError, match="dataclass or a pydantic"):
        as_dict({"dim": 1})
