"""The plugin's models keep mmbench's contract; one of them in the quick tests."""

import pytest
from mmbench_recbole import models

from mmbench.testing import parametrize_with_checks

OTHERS = [models.Pop, models.ItemKNN, models.BPR, models.GRU4Rec, models.BERT4Rec]


@parametrize_with_checks([models.SASRec])
def test_conformance(check):
    check()


@pytest.mark.slow
@parametrize_with_checks(OTHERS)
def test_conformance_of_the_others(check):
    check()
