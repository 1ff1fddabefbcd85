"""What of a cache nothing needs, and what a cleaning takes."""

import os
import shutil

from mmbench.data import load, places
from mmbench.data.tidy import choose, entries, remove


def idle():
    return {f"{one.kind}/{one.name}": one.idle for one in entries(places.cache_home()) if one.idle}


def age(path, days=2):
    for one in (*path.rglob("*"), path):
        then = os.stat(one).st_mtime - 86_400 * days
        os.utime(one, (then, then))


def test_a_log_that_was_prepared_anew_is_idle_and_so_are_its_pictures(shop):
    load(str(shop))
    assert idle() == {}
    (first,) = (places.cache_home() / "prepared").iterdir()
    (pictures,) = (places.cache_home() / "pictures").iterdir()
    age(first)
    with (shop / "ratings.csv").open("a") as file:
        file.write("u0,7,3,1400009999\nu0,7,3,1400009998\n")
    load(str(shop))
    assert idle() == {f"prepared/{first.name}": "prepared anew since"}
    for _ in range(2):  # the log, then its pictures
        for one in choose(entries(places.cache_home())):
            remove(one)
    assert not first.exists() and not pictures.exists() and idle() == {}
    assert len(list((places.cache_home() / "prepared").iterdir())) == 1


def test_a_log_with_other_pictures_does_not_take_the_place_of_one(shop):
    load(str(shop))
    (first,) = (places.cache_home() / "prepared").iterdir()
    age(first)
    (shop / "pictures.zip").unlink()
    load(str(shop))
    assert idle() == {}


def test_what_a_killed_process_left_is_idle_after_an_hour(shop):
    home = places.cache_home()
    for name in (".tmp-host-1-a", ".tmp-host-2-b"):
        (home / "prepared" / name).mkdir(parents=True)
    (home / "downloads" / "x").mkdir(parents=True)
    age(home / "prepared" / ".tmp-host-1-a")
    assert idle() == {"prepared/.tmp-host-1-a": "left by a process that ended"}


def test_a_damaged_log_is_idle(shop):
    load(str(shop))
    (entry,) = (places.cache_home() / "prepared").iterdir()
    (entry / "meta.json").write_text("{")
    assert idle()[f"prepared/{entry.name}"] == "damaged"
    shutil.rmtree(entry)
    assert len(idle()) == 1  # its pictures


def test_a_cleaning_takes_what_is_old_large_or_of_a_kind(shop):
    load(str(shop))
    home = places.cache_home()
    (home / "models").mkdir()
    (home / "models" / "big").write_bytes(b"x" * 100_000)
    (home / "models" / "old").write_bytes(b"x")
    age(home / "models" / "old", 40)
    found = entries(home)
    names = lambda chosen: {one.name for one in chosen}  # noqa: E731
    assert choose(found) == []
    assert names(choose(found, larger=90_000)) == {"big"}
    assert names(choose(found, older=30 * 86_400)) == {"old"}
    assert names(choose(found, kinds=("models",))) == {"big", "old"}
    assert choose(found, kinds=("models",), older=30 * 86_400, larger=10) == []
    assert found[0].name == "big"  # the largest first
