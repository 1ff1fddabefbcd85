"""The plugin's models keep mmbench's contract."""

from mmbench_recbole import models

from mmbench.testing import parametrize_with_checks

MODELS = [models.Pop, models.ItemKNN, models.BPR, models.GRU4Rec, models.SASRec, models.BERT4Rec]


@parametrize_with_checks(MODELS)
def test_conformance(check):
    check()
