"""The plugin's models keep mmbench's contract; one of them in the quick tests."""

import pytest
from mmbench_sequential import models

from mmbench.testing import parametrize_with_checks


@parametrize_with_checks([models.SASRecCE])
def test_conformance(check):
    check()


@pytest.mark.slow
@parametrize_with_checks([models.GRU4RecCE, models.LRURec, models.FMLPRec])
def test_conformance_of_the_others(check):
    check()
