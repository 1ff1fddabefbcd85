"""The plugin's models keep mmbench's contract; two of them in the quick tests.

What mixes several parts is checked by counting, which is quicker than the encoders' tiny models.
"""

import pytest
from mmbench_content import models

from mmbench.testing import parametrize_with_checks

OTHERS = [
    models.Markov,
    models.Tfidf,
    models.ColourHistogram,
    models.TextEncoder,
    models.ImageEncoder,
    "hybrid-markov/counts",
    "vbpr/counts",
]


@parametrize_with_checks([models.BM25Text, "hybrid/counts"])
def test_conformance(check):
    check()


@pytest.mark.slow
@parametrize_with_checks(OTHERS)
def test_conformance_of_the_others(check):
    check()
