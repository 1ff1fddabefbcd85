"""A host, and a machine on which there is no data."""

import hashlib
import sys
from pathlib import Path

import pytest

from mmbench.data.fetch import http

sys.path.insert(0, str(Path(__file__).parent))
from host import Host


@pytest.fixture
def host(monkeypatch):
    """A server that answers for every host, without pauses between tries."""
    served = Host()
    monkeypatch.setenv("MMBENCH_MIRROR", served.address)
    monkeypatch.setattr(http, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(http, "TIMEOUT", (2.0, 0.4))
    yield served
    served.close()


@pytest.fixture
def sha256():
    return lambda data: hashlib.sha256(data).hexdigest()
