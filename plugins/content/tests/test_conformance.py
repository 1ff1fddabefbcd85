"""The plugin's models keep mmbench's contract."""

from mmbench_content import models

from mmbench.testing import parametrize_with_checks

MODELS = [
    models.Markov,
    models.BM25Text,
    models.Tfidf,
    models.ColourHistogram,
    models.TextEncoder,
    models.ImageEncoder,
    # counting is quicker than miniatures, which are checked above
    "hybrid/counts",
    "hybrid-markov/counts",
    "vbpr/counts",
]


@parametrize_with_checks(MODELS)
def test_conformance(check):
    check()
