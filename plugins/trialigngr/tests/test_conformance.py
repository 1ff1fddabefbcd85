"""The plugin keeps mmbench's contract."""

import pytest
from mmbench_trialigngr.models import TriAlignGR

from mmbench.testing import parametrize_with_checks


@pytest.mark.slow
@parametrize_with_checks([TriAlignGR])
def test_conformance(check):
    check()
