"""The plugin keeps mmbench's contract."""

import pytest
from mmbench_prime.models import Prime

from mmbench.testing import parametrize_with_checks


@pytest.mark.slow
@parametrize_with_checks([Prime])
def test_conformance(check):
    check()
