"""The plugin's models keep mmbench's contract."""

from mmbench_sequential import models

from mmbench.testing import parametrize_with_checks

MODELS = [models.SASRecCE, models.GRU4RecCE, models.LRURec, models.FMLPRec]


@parametrize_with_checks(MODELS)
def test_conformance(check):
    check()
