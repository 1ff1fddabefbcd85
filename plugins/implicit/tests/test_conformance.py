"""The plugin's models keep mmbench's contract; one of them in the quick tests."""

import pytest
from mmbench_implicit import models

from mmbench.testing import parametrize_with_checks


@parametrize_with_checks([models.UserKNN])
def test_conformance(check):
    check()


@pytest.mark.slow
@parametrize_with_checks([models.ALS])
def test_conformance_of_the_other(check):
    check()
