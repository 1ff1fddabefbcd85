"""Photographs by address: polite, resumed, bounded, and every failure written down."""

import io
import json
import time

import numpy as np
import pytest
from PIL import Image

from mmbench.data import load
from mmbench.data.card import _facts
from mmbench.data.fetch import photographs
from mmbench.data.fetch.photographs import AT_ONCE, USED, Fetcher, Shelf, read_addresses
from mmbench.data.pixels import LONGEST

HOSTS = ("images.example",)


def picture(number=0, size=(40, 30), form="PNG"):
    shade = (number * 37 % 256, number * 91 % 256, 120)
    data = io.BytesIO()
    Image.new("RGB", size, shade).save(data, form)
    return data.getvalue()


def address(item):
    return f"https://images.example/I/{item}.png"


@pytest.fixture
def shelf():
    return Shelf.of("tea-shop[core=5]")


@pytest.fixture
def fetch(host, shelf):
    """``fetch({item: bytes})`` serves and fetches pictures; answers the count of outcomes."""

    def run(pictures, addresses=None, hosts=HOSTS):
        for item, data in pictures.items():
            if data is not None:
                host.put(address(item), data)
        wanted = addresses or {item: address(item) for item in pictures}
        return dict(Fetcher(shelf, hosts, pause=0.0).run(wanted))

    return run


def test_small_pictures_are_kept_as_they_are_and_large_ones_made_smaller(fetch, shelf):
    big = picture(2, (1200, 600), "JPEG")
    assert fetch({"a": picture(1), "b": big}) == {USED: 2}
    files = shelf.files()
    assert (shelf.folder / files["a"]).read_bytes() == picture(1)
    with Image.open(shelf.folder / files["b"]) as image:
        assert (image.format, max(image.size)) == ("WEBP", LONGEST)


def test_what_is_here_is_not_asked_for_again_and_what_is_dead_neither(fetch, host, shelf):
    found = {"a": picture(1), "dead": None, "text": b"<html>no</html>", "dot": picture(3, (1, 1))}
    first = fetch(found)
    assert first[USED] == 1 and first["HTTP 404"] == 1
    assert first["no picture: 1 x 1 pixels"] == 1
    assert sum(outcome.startswith("no picture: is damaged") for outcome in first) == 1
    asked = len(host.asked)
    assert fetch(found) == first
    assert len(host.asked) == asked
    (shelf.folder / shelf.files()["a"]).unlink()
    assert fetch(found)[USED] == 1
    assert len(host.asked) == asked + 1
    assert shelf.files().keys() == {"a"}


def test_what_only_failed_is_tried_again_by_the_next_run(fetch, host):
    path = host.put(address("a"), picture(1))
    host.faults[path] = [503] * photographs.TRIES
    assert fetch({"a": None}) == {"HTTP 503": 1}
    assert fetch({"a": None}) == {USED: 1}


def test_patience_that_a_host_asks_for_is_kept(host, shelf):
    path = host.put(address("a"), picture(1))
    host.faults[path] = [(429, 1)]
    start = time.monotonic()
    assert dict(Fetcher(shelf, HOSTS, pause=0.0).run({"a": address("a")})) == {USED: 1}
    assert time.monotonic() - start >= 1.0


def test_a_host_has_few_connections_at_once(fetch, host):
    host.pause = 0.02
    assert fetch({str(n): picture(n) for n in range(40)}) == {USED: 40}
    assert 1 < host.most <= AT_ONCE


def test_a_host_that_refuses_is_left_alone(fetch, host, monkeypatch):
    monkeypatch.setattr(photographs, "REFUSALS", 5)
    for n in range(40):
        host.faults[host.put(address(n), picture(n))] = [403]
    outcomes = fetch({str(n): None for n in range(40)})
    assert outcomes["HTTP 403"] + outcomes["left: the host refused too often"] == 40
    assert len(host.asked) <= 5 + AT_ONCE
    host.faults.clear()
    assert fetch({str(n): picture(n) for n in range(40)}) == {USED: 40}  # another day


def test_only_known_hosts_are_asked_and_no_redirect_is_followed(fetch, host):
    wanted = {
        "inner": "http://169.254.169.254/latest",
        "file": "file:///etc/passwd",
        "like": "https://evilimages.example/a.png",
        "sub": "https://eu.images.example/a.png",
    }
    host.put(wanted["sub"], picture(1))
    host.put(wanted["like"], picture(1))
    outcomes = fetch({}, wanted)
    assert outcomes.pop(USED) == 1
    assert sum(outcomes.values()) == 3 and all(o.startswith("not asked") for o in outcomes)
    assert len(host.asked) == 1
    path = host.put(address("moved"), picture(1))
    host.faults[path] = [302]
    assert fetch({"moved": None}) == {"HTTP 302": 1}


def test_too_many_bytes_or_pixels_are_no_picture(fetch, monkeypatch):
    monkeypatch.setattr(photographs, "MAX_BYTES", 1000)
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    data = io.BytesIO()
    Image.fromarray(noise).save(data, "PNG")
    bomb = io.BytesIO()
    Image.new("1", (8000, 8000)).save(bomb, "PNG")
    assert fetch({"a": data.getvalue()}) == {"no picture: more than 1,000 bytes": 1}
    monkeypatch.setattr(photographs, "MAX_BYTES", 10**7)
    ((outcome, count),) = fetch({"b": bomb.getvalue()}).items()
    assert outcome.startswith("no picture: ") and "pixels" in outcome and count == 1


def test_equal_addresses_are_asked_once(fetch, host):
    assert fetch({"x": picture(1)}, {"a": address("x"), "b": address("x")}) == {USED: 2}
    assert len(host.asked) == 1


def test_a_run_that_was_cut_off_goes_on_from_its_journal(fetch, host, shelf):
    fetch({str(n): picture(n) for n in range(6)})
    lines = shelf.journal.read_text().splitlines()
    assert set(json.loads(lines[0])) == {"item", "address", "outcome", "sha256", "file"}
    shelf.journal.write_text("\n".join([*lines[:3], lines[3][:20]]))
    asked = len(host.asked)
    assert fetch({str(n): picture(n) for n in range(6)}) == {USED: 6}
    assert len(host.asked) == asked + 3


def test_photographs_are_a_datasets_pictures_with_their_share_of_dead_addresses(
    fetch, host, tmp_path
):
    folder = tmp_path / "tea-shop"
    folder.mkdir()
    rows = [f"u{u},{i},{1000 * u + 7 * i * i}" for u in range(9) for i in range(4)]
    (folder / "events.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]))
    (folder / "dataset.toml").write_text(
        'id = "tea-shop"\n[interactions]\nfile = "events.csv"\ntime = "timestamp"\n'
    )
    fetch({"0": picture(0), "1": picture(1), "2": picture(2), "3": None})
    bare, shown = load(str(folder)), load(str(folder), pictures="photographs")
    assert shown.fingerprints.events == bare.fingerprints.events
    assert len(shown.items.images.items()) == 3
    assert "3 of 4 items, 25.0% of the addresses gave none" in shown.card["remarks"][0]
    told = {"asked": 4, "used": 3, "dead": 0.25, "why": {"HTTP 404": 1}}
    assert shown.card["addresses"] == told and "addresses" not in bare.card
    text = str(dict(_facts(shown.card)))
    assert "3 of 4 gave a photograph, 25.00% none (HTTP 404 1)" in text
    pixels = np.asarray(shown.items.images.open(shown.item_ids.index("1")))
    assert pixels[0, 0].tolist() == [37, 91, 120]
    host.put(address("3b"), picture(9))
    fetch({}, {"3": address("3b")})
    assert load(str(folder), pictures="photographs").fingerprints != shown.fingerprints


def test_addresses_are_read_from_their_table(tmp_path):
    table = tmp_path / "addresses.tsv"
    table.write_text("item_id\taddress\na\thttps://x/1\na\thttps://x/2\n")
    assert read_addresses(table) == {"a": "https://x/1"}
