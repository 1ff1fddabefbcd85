"""A file over HTTP: every fault of a host, what is said of it, and that the next try goes on."""

import os

import pytest

from mmbench.data.fetch import http
from mmbench.data.fetch.http import FetchError, _short, download
from mmbench.data.fetch.recipe import Proof

DATA = bytes(range(256)) * 4000  # 1,024,000 bytes, no two neighbours equal
ONE, OTHER = "https://one.example/data/a.bin", "https://other.example/a.bin"


@pytest.fixture
def served(host, tmp_path, sha256):
    """``get(...)`` downloads the file; ``get.path`` is where, ``get.waits`` how long it paused."""
    host.path = host.put(ONE, DATA)

    def get(*addresses, proof=None, at_most=10**7, data=DATA, progress=lambda *_: None):
        known = Proof(len(data), "sha256", sha256(data)) if proof is None else proof
        download(
            addresses or (ONE,),
            get.path,
            known,
            at_most=at_most,
            progress=progress,
            sleep=get.waits.append,
        )
        return get.path.read_bytes()

    get.path, get.waits = tmp_path / "cache" / "a.bin", []
    get.part = get.path.with_name("a.bin.part")
    return get


def test_a_file_comes_whole_with_progress_and_is_not_asked_for_twice(host, served):
    told = []
    assert served(progress=lambda *step: told.append(step)) == DATA
    assert told[-1] == (len(DATA), len(DATA), "bytes") and len(told) > 1
    assert served() == DATA
    assert len(host.asked) == 1
    assert os.listdir(served.path.parent) == ["a.bin"]
    assert host.headers[0]["User-Agent"].startswith("mmbench/")


def test_a_file_that_was_changed_on_the_disk_is_fetched_again(host, served):
    served()
    served.path.write_bytes(b"x" * len(DATA))
    assert served() == DATA
    assert len(host.asked) == 2


def test_a_broken_connection_is_resumed_where_it_broke(host, served):
    host.faults[host.path] = [("break", 300_000), ("break", 100_000)]
    assert served() == DATA
    ranges = [asked for _, asked in host.asked]
    assert ranges == [None, "bytes=300000-", "bytes=400000-"]


def test_a_host_without_ranges_sends_all_again(host, served):
    host.ranges = False
    host.faults[host.path] = [("break", 300_000)]
    assert served() == DATA
    assert len(host.asked) == 2


def test_another_range_than_was_asked_for_is_not_appended(host, served):
    host.faults[host.path] = [("break", 300_000), ("shift", 7)]
    assert served() == DATA
    assert [asked for _, asked in host.asked] == [None, "bytes=300000-", None]


def test_it_gives_up_with_a_reason_and_the_next_call_goes_on(host, served):
    host.faults[host.path] = [("break", 500_000), *[("break", 0)] * 4]
    with pytest.raises(FetchError, match=r"the connection broke.*500,000 bytes of it are kept.*ag"):
        served()
    assert not served.path.exists()
    assert served() == DATA
    assert host.asked[-1][1] == "bytes=500000-"


def test_pauses_grow_and_a_host_may_ask_for_longer_ones(host, served, monkeypatch):
    monkeypatch.setattr(http, "PAUSES", (1.0, 2.0, 4.0))
    host.faults[host.path] = [503, (429, 9), (429, 1000)]
    assert served() == DATA
    assert served.waits == [1.0, 9.0, http.LONGEST_PAUSE]


def test_a_silent_host_is_left_and_resumed(host, served):
    host.faults[host.path] = [("stall", 2.0)]
    assert served() == DATA
    assert host.asked[1][1] == f"bytes={len(DATA) // 2}-"


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_host_that_has_it_not_is_not_asked_again_but_the_mirror_is(host, served, status):
    host.faults[host.path] = [status]
    host.put(OTHER, DATA)
    assert served(ONE, OTHER) == DATA
    assert [path for path, _ in host.asked] == ["/one.example/data/a.bin", "/other.example/a.bin"]
    assert served.waits == []


def test_all_addresses_failing_are_told_each_with_its_reason(host, served):
    host.faults[host.path] = [404]
    with pytest.raises(FetchError) as caught:
        served(ONE, OTHER)
    assert "one.example/data/a.bin: HTTP 404" in str(caught.value)
    assert "other.example/a.bin: HTTP 404" in str(caught.value)
    assert "MMBENCH_MIRROR" in str(caught.value)


def test_wrong_bytes_are_refused_and_never_kept(host, served, sha256):
    wrong = DATA[:-1] + b"x"
    host.faults[host.path] = [("bytes", wrong)]
    with pytest.raises(FetchError, match=f"another file: its sha256 is {sha256(wrong)} instead"):
        served()
    assert os.listdir(served.path.parent) == []
    assert served() == DATA


def test_a_part_of_another_file_is_thrown_away_once(host, served):
    served.path.parent.mkdir()
    served.part.write_bytes(b"x" * 1000)
    assert served() == DATA
    assert [asked for _, asked in host.asked] == ["bytes=1000-", None]


def test_a_file_of_another_size_is_refused_before_it_is_read(host, served):
    host.faults[host.path] = [("bytes", DATA * 2)]
    with pytest.raises(FetchError, match=r"it gives 2,048,000 bytes instead of 1,024,000"):
        served()
    with pytest.raises(FetchError, match="instead of 1,000 at most"):
        served(proof=Proof(), at_most=1000)


def test_a_file_that_tells_no_length_is_bounded_too(host, served):
    host.faults[host.path] = [("unsized",), ("unsized",)]
    with pytest.raises(FetchError, match="more than 1,000 at most bytes"):
        served(proof=Proof(), at_most=1000)
    assert served(proof=Proof()) == DATA


def test_a_part_that_is_longer_than_the_file_is_begun_again(host, served):
    served.path.parent.mkdir()
    served.part.write_bytes(DATA + b"more")
    assert served() == DATA


def test_without_a_digest_only_a_part_of_the_same_version_is_continued(host, served):
    host.faults[host.path] = [("break", 300_000), *[("break", 0)] * 4]
    with pytest.raises(FetchError):
        served(proof=Proof())
    newer = DATA[::-1]
    host.files[host.path] = newer
    assert served(proof=Proof()) == newer
    host.faults[host.path] = [("break", 300_000)]
    served.path.unlink()
    host.tags = False
    host.asked.clear()
    assert served(proof=Proof()) == newer
    assert [asked for _, asked in host.asked] == [None, None]


def test_md5_proves_where_no_other_is_published(host, served):
    import hashlib

    good = Proof(None, "md5", hashlib.md5(DATA).hexdigest())
    assert served(proof=good) == DATA
    served.path.unlink()
    with pytest.raises(FetchError, match="its md5 is"):
        served(proof=Proof(None, "md5", "0" * 32))


def test_a_proxy_is_used_where_the_environment_names_one(host, served, monkeypatch):
    monkeypatch.delenv("MMBENCH_MIRROR")
    monkeypatch.setenv("http_proxy", host.address)
    monkeypatch.setenv("no_proxy", "")
    host.files["http://far.invalid/a.bin"] = DATA
    assert served("http://far.invalid/a.bin") == DATA
    assert host.asked == [("http://far.invalid/a.bin", None)]


def test_what_is_no_address_is_told(served, monkeypatch):
    monkeypatch.delenv("MMBENCH_MIRROR")
    with pytest.raises(FetchError, match="no address"):
        served("ftp//nowhere")


def test_a_full_disk_says_so_before_anything_is_written(host, served, monkeypatch):
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(http.shutil, "disk_usage", lambda path: usage(1, 1, 1000))
    with pytest.raises(OSError, match="No space left"):
        served()


@pytest.mark.parametrize(
    ("said", "short"),
    [
        (
            "HTTPSConnectionPool(host='h', port=443): Max retries (Caused by NameError(\"x: "
            "Failed to resolve 'h' ([Errno -2] Name or service not known)\"))",
            "Failed to resolve 'h' ([Errno -2] Name or service not known)",
        ),
        ("('Connection aborted.', RemoteDisconnected('closed'))", None),
        ("", "OSError"),
    ],
)
def test_the_innermost_reason_is_told_with_its_brackets_closed(said, short):
    found = _short(OSError(said))
    assert found.count("(") == found.count(")")
    assert short is None or found == short
