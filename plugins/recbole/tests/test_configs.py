import pytest
from mmbench_recbole.configs import (
    BERT4RecConfig,
    BPRConfig,
    FamilyConfig,
    GRU4RecConfig,
    ItemKNNConfig,
    SASRecConfig,
)


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        (SASRecConfig, {"epochs": 0}, "epochs is 0; it must be above 0"),
        (SASRecConfig, {"dropout": 1.0}, "dropout is 1.0"),
        (SASRecConfig, {"dim": 65}, "heads must divide dim"),
        (SASRecConfig, {"train": "all"}, "'positions' or 'prefixes'"),
        (GRU4RecConfig, {"stride": 51}, "stride is 51"),
        (BPRConfig, {"weight_decay": -1.0}, "weight_decay is -1.0; it must be at least 0"),
        (BERT4RecConfig, {"max_history": 3}, "less than one event"),
        (BERT4RecConfig, {"stride": 51}, "stride is 51"),
        (ItemKNNConfig, {"neighbours": -1}, "neighbours is -1"),
        (FamilyConfig, {"settings": "{"}, "settings is not JSON"),
        (FamilyConfig, {"settings": "[1]"}, "must be a JSON object"),
        (FamilyConfig, {"settings": '{"epochs": 3}'}, "cannot hold epochs"),
    ],
)
def test_what_cannot_work_is_refused(kind, fields, words):
    with pytest.raises(ValueError, match=words):
        kind(**fields)


def test_family_settings_have_one_spelling():
    left = FamilyConfig(settings='{"b": 1, "a": [2]}')
    assert left == FamilyConfig(settings='{ "a":[2],"b":1 }')
    assert left.parsed() == {"a": [2], "b": 1}
