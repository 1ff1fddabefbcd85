"""The shared cache of encodings: what is encoded, what is kept, and what damage does."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

from mmbench import Run
from mmbench.toolkit import encodings

ENCODER = {"id": "toy", "revision": "1", "size": 3}


class Toy:
    """An encoder of texts that remembers what it was asked."""

    def __init__(self, texts, factor=1.0):
        self.texts, self.factor, self.asked = texts, factor, []

    def __call__(self, places):
        self.asked.append([self.texts[place] for place in places])
        rows = [[len(self.texts[p]), sum(map(ord, self.texts[p])), 0.1] for p in places]
        return np.array(rows, np.float32) * self.factor

    def cached(self, folder, encoder=ENCODER, **options):
        digests = [encodings.digest(text) for text in self.texts]
        return encodings.cached(folder, encoder, digests, self, **options)


def expected(texts):
    return Toy(texts)(range(len(texts)))


def files(folder, suffix):
    return sorted(folder.glob(f"*/shards/*{suffix}"))


def test_a_content_is_encoded_once_whatever_the_dataset(tmp_path):
    first, second = Toy(["a", "bb", "a", "ccc"]), Toy(["dddd", "ccc", "a"])
    np.testing.assert_array_equal(first.cached(tmp_path), expected(first.texts))
    np.testing.assert_array_equal(second.cached(tmp_path), expected(second.texts))
    assert first.asked == [["a", "bb", "ccc"]]
    assert second.asked == [["dddd"]]
    again = Toy(["bb", "dddd", "bb"])
    answer = again.cached(tmp_path)
    np.testing.assert_array_equal(answer, expected(again.texts))
    assert answer.dtype == np.float32
    assert again.asked == []


@pytest.mark.parametrize("change", [{"revision": "2"}, {"size": 4}, {"id": "other"}, {"new": None}])
def test_another_encoder_shares_nothing(tmp_path, change):
    Toy(["a"]).cached(tmp_path)
    other = Toy(["a"], factor=2.0)
    np.testing.assert_array_equal(other.cached(tmp_path, ENCODER | change), 2 * expected(["a"]))
    assert other.asked == [["a"]]
    described = [json.loads(path.read_text()) for path in tmp_path.glob("*/encoder.json")]
    assert len(described) == 2
    assert all(encoder in described for encoder in (ENCODER, ENCODER | change))


def test_the_order_of_an_encoders_settings_does_not_matter(tmp_path):
    Toy(["a"]).cached(tmp_path)
    again = Toy(["a"])
    again.cached(tmp_path, dict(reversed(ENCODER.items())))
    assert again.asked == []


def test_digests_differ_where_contents_do():
    contents = [("ab", "c"), ("a", "bc"), ("abc",), (b"abc",), (b"ab", "c"), ("ab", b"c"), ()]
    assert len({encodings.digest(*parts) for parts in contents}) == len(contents)
    assert encodings.digest("é") == encodings.digest("é")


def test_chunks_are_kept_as_they_come_and_progress_tells(tmp_path):
    class Stop(Exception):
        pass

    told = []

    def progress(done, total):
        told.append((done, total))
        if done == 4:
            raise Stop

    texts = ["a" * n for n in range(1, 8)]
    with pytest.raises(Stop):
        Toy(texts).cached(tmp_path, chunk=2, progress=progress)
    assert told == [(0, 7), (2, 7), (4, 7)]
    rest, told = Toy(texts), []
    answer = rest.cached(tmp_path, chunk=2, progress=lambda *step: told.append(step))
    assert rest.asked == [texts[4:6], texts[6:]]
    assert told == [(4, 7), (6, 7), (7, 7)]
    np.testing.assert_array_equal(answer, expected(texts))


def test_no_content_is_no_row(tmp_path):
    assert Toy([]).cached(tmp_path).shape == (0, 0)


def cut(path):
    path.write_bytes(path.read_bytes()[:-5])


def flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def empty(path):
    path.write_bytes(b"")


def remove(path):
    path.unlink()


@pytest.mark.parametrize(
    ("suffix", "harm"),
    [
        *((".safetensors", harm) for harm in (cut, flip, empty, remove)),
        *((".json", harm) for harm in (cut, empty)),
    ],
)
def test_a_damaged_shard_is_dropped_and_made_again(tmp_path, caplog, suffix, harm):
    texts = ["a", "bb", "ccc", "dddd"]
    Toy(texts).cached(tmp_path, chunk=2)
    whole = {path.name: path.read_bytes() for path in files(tmp_path, "")}
    harm(files(tmp_path, suffix)[0])
    mending = Toy(texts)
    with caplog.at_level(logging.WARNING, logger="mmbench.toolkit.encodings"):
        np.testing.assert_array_equal(mending.cached(tmp_path, chunk=2), expected(texts))
    assert mending.asked in ([texts[:2]], [texts[2:]])
    assert "is damaged" in caplog.text
    assert {path.name: path.read_bytes() for path in files(tmp_path, "")} == whole


def test_a_shard_whose_rows_are_not_those_of_its_manifest_is_dropped(tmp_path):
    texts = ["a", "bb"]
    Toy(texts).cached(tmp_path)
    (path,) = files(tmp_path, ".json")
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"contents": [*manifest["contents"], "c"]}))
    again = Toy(texts)
    np.testing.assert_array_equal(again.cached(tmp_path), expected(texts))
    assert again.asked == [texts]


def test_a_shard_without_manifest_is_nothing(tmp_path):
    Toy(["a"]).cached(tmp_path)
    (path,) = files(tmp_path, ".json")
    path.unlink()
    again = Toy(["a"])
    np.testing.assert_array_equal(again.cached(tmp_path), expected(["a"]))
    assert again.asked == [["a"]]


def test_shards_are_plain_safetensors(tmp_path):
    Toy(["a", "bb"]).cached(tmp_path)
    (path,) = files(tmp_path, ".safetensors")
    np.testing.assert_array_equal(load_file(path)["encodings"], expected(["a", "bb"]))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.zeros((1, 3)), r"answered \(1, 3\) for 2 contents"),
        (np.zeros(2), r"answered \(2,\) for 2 contents"),
        (np.array([[1.0], [np.nan]]), "NaN or infinity"),
        (np.array([[1.0], [np.inf]]), "NaN or infinity"),
    ],
)
def test_a_wrong_answer_is_refused_and_not_kept(tmp_path, answer, message):
    contents = [encodings.digest(text) for text in "ab"]
    with pytest.raises(ValueError, match=message):
        encodings.cached(tmp_path, ENCODER, contents, lambda places: answer)
    assert files(tmp_path, "") == []


def test_an_incomplete_description_is_noticed(tmp_path):
    Toy(["a"]).cached(tmp_path)
    contents = [encodings.digest(text) for text in ("a", "b")]
    with pytest.raises(ValueError, match=r"vectors of \[3, 5\] columns"):
        encodings.cached(tmp_path, ENCODER, contents, lambda places: np.ones((1, 5), np.float32))


@pytest.mark.parametrize("bad", [{"id": object()}, {"id": float("nan")}, {"id": b"x"}])
def test_a_description_is_plain_data(tmp_path, bad):
    with pytest.raises(ValueError, match="JSON"):
        Toy(["a"]).cached(tmp_path, bad)


def test_threads_on_one_folder_agree(tmp_path):
    texts = [f"text {n}" for n in range(40)]
    answers = {}

    def work(name):
        answers[name] = Toy(texts).cached(tmp_path, chunk=3)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in range(4):
        np.testing.assert_array_equal(answers[name], expected(texts))
    late = Toy(texts)
    late.cached(tmp_path)
    assert late.asked == []


WORKER = """
import sys, time
from pathlib import Path
import numpy as np
from mmbench.toolkit import encodings
folder, pause, count = Path(sys.argv[1]), float(sys.argv[2]), 30
texts = [f"text {n}" for n in range(count)]
def encode(places):
    print("encoding", flush=True)
    time.sleep(pause)
    return np.array([[p, 2 * p] for p in places], np.float32)
contents = [encodings.digest(text) for text in texts]
found = encodings.cached(folder, {"id": "slow"}, contents, encode, chunk=2)
assert (found == np.array([[p, 2 * p] for p in range(count)])).all()
"""


def start(folder, pause):
    command = [sys.executable, "-c", WORKER, str(folder), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_processes_on_one_folder_and_one_that_is_killed(tmp_path):
    killed = start(tmp_path, 0.05)
    while len(files(tmp_path, ".json")) < 2:
        assert killed.poll() is None
        time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    kept = len(files(tmp_path, ".json"))
    both = [start(tmp_path, 0.005) for _ in range(2)]
    for process in both:
        printed, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert printed.count("encoding") <= 15 - kept
    late = start(tmp_path, 0)
    assert late.communicate(timeout=60) == ("", "")


def test_a_full_disk_is_named(tmp_path):
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "import numpy as np; from pathlib import Path; from mmbench.toolkit import encodings;"
        "encodings.cached(Path(sys.argv[1]), {'id': 'x'}, ['a'], lambda p: np.ones((1, 999)))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True)
    assert "File too large" in done.stderr
    assert ".safetensors'" in done.stderr.splitlines()[-1]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == list(
        tmp_path.glob("*/encoder.json")
    )


def test_a_run_built_by_hand_keeps_encodings_in_its_cache(tmp_path):
    rest = {"scratch": tmp_path, "preset": "p", "validate": None, "log": None, "progress": None}
    assert Run(0, "cpu", cache=tmp_path, **rest).encodings == tmp_path / "encodings"
    named = Run(0, "cpu", cache=tmp_path, encodings=tmp_path / "shared", **rest)
    assert named.encodings == tmp_path / "shared"


def test_the_cache_needs_no_torch():
    code = (
        "import sys, tempfile, pathlib, numpy; from mmbench.toolkit import encodings;"
        "folder = pathlib.Path(tempfile.mkdtemp());"
        "[encodings.cached(folder, {}, ['a'], lambda p: numpy.ones((1, 2))) for _ in range(2)];"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
