"""The plugin's models keep mmbench's contract; two of them in the quick tests."""

import pytest
from mmbench_content import models

from mmbench.testing import parametrize_with_checks

OTHERS = [
    models.Markov,
    models.TextEncoder,
    models.ImageEncoder,
    models.HybridMarkov,
    models.VBPR,
]


@parametrize_with_checks([models.BM25Text, models.Hybrid])
def test_conformance(check):
    check()


@pytest.mark.slow
@parametrize_with_checks(OTHERS)
def test_conformance_of_the_others(check):
    check()
