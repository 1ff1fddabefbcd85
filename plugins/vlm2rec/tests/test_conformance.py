"""The plugin keeps mmbench's contract."""

import pytest
from mmbench_vlm2rec.models import VLM2Rec

from mmbench.testing import parametrize_with_checks


@pytest.mark.slow
@parametrize_with_checks([VLM2Rec])
def test_conformance(check):
    check()
