import pytest
from mmbench_recbole import families, models
from mmbench_recbole.configs import FamilyConfig


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("FM", "context-aware"),
        ("KGAT", "knowledge graph"),
        ("SASRecF", "side features"),
        ("S3Rec", "side features"),
        ("LDiffRec", "pretrained item embeddings"),
        ("RecVAE", "training schedule of its own"),
        ("XGBoost", "decision tree"),
        ("Random", "depend on the batch"),
    ],
)
def test_models_that_need_more_are_refused_with_the_reason(name, reason, fitted):
    model = models.RecBole(FamilyConfig(model=name))
    with pytest.raises(ValueError, match=reason) as error:
        fitted(model)
    assert "LightGCN" in str(error.value)
    assert "NARM" in str(error.value)


def test_names_with_a_plugin_of_their_own_point_there():
    with pytest.raises(ValueError, match="is the model 'itemknn' here"):
        families.find("ItemKNN")


def test_unknown_names_get_a_suggestion():
    with pytest.raises(ValueError, match="Did you mean recbole:LightGCN"):
        families.find("Lightgcn")


def test_supported_names_are_sorted_by_recboles_types():
    names = families.supported()
    assert set(names) == {"general", "sequential", "traditional"}
    assert {"LightGCN", "NGCF", "NeuMF"} <= set(names["general"])
    assert {"NARM", "CORE", "FPMC", "STAMP"} <= set(names["sequential"])
    every = set(families.every_model())
    assert not set(sum(names.values(), [])) & set(families.REFUSED)  # noqa: RUF017
    assert families.REFUSED.keys() - every <= {"LightGBM", "XGBoost"}
    assert families.OWN_NAME.keys() <= every


def test_settings_reach_recbole(fitted, world):
    config = FamilyConfig(
        model="LightGCN", settings='{"n_layers": 1, "embedding_size": 8}', epochs=1
    )
    network = fitted(models.RecBole(config)).network.model
    assert network.n_layers == 1
    assert network.item_embedding.weight.shape == (world.n_items + 1, 8)


def test_a_setting_that_the_model_lacks_is_refused(fitted):
    with pytest.raises(ValueError, match="no setting 'n_layer'; did you mean n_layers"):
        fitted(models.RecBole(FamilyConfig(model="LightGCN", settings='{"n_layer": 1}')))


def test_losses_by_pairs_get_negatives(fitted):
    config = FamilyConfig(model="NARM", settings='{"loss_type": "BPR"}', epochs=1, max_history=10)
    network = fitted(models.RecBole(config)).network
    assert network.negatives is not None
    assert type(network.model.loss_fct).__name__ == "BPRLoss"
