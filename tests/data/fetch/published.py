"""Small files in the layouts that others publish, and recipes that expect them."""

import gzip
import hashlib
import html
import io
import json
import tomllib
import zipfile
from importlib import resources

import numpy as np


def sequences(users=60, items=24, seed=0):
    """``user item item ...`` lines in which each item has five events or more."""
    rng = np.random.default_rng(seed)
    rows = [rng.permutation(items)[: 8 + user % 5] + 1 for user in range(users)]
    text = "".join(f"{u} {' '.join(map(str, row))}\n" for u, row in enumerate(rows, 1))
    return text.encode()


def items_table(items=24, untitled=(3,)):
    """``(item, asin, title, attributes)`` of each."""
    shops = ["Hair Care", "Skin Care", "Make & Up"]
    return [
        (
            str(item),
            f"B{item:09d}",
            "" if item in untitled else f'The "{item}" Crème & Co <{item}>',
            ["Beauty", shops[item % 3], f"leaf {item % 5}"],
        )
        for item in range(1, items + 1)
    ]


def beauty_sources(text, table):
    """The sources of amazon2014-beauty, as they would be published for such a table."""
    names = sorted({word for *_, words in table for word in words})
    # attributes that are used rarely have numbers in the maps, and none among the attributes
    every = {str(n): name for n, name in enumerate(names, 1)} | {"900": "rare"}
    counts = dict.fromkeys(every, 9) | {"900": 1}
    number = {name: int(key) for key, name in every.items()}
    maps = {
        "user2id": {f"A{u}": str(u) for u in range(1, 10_000)},
        "item2id": {asin: item for item, asin, *_ in table},
        "id2item": {item: asin for item, asin, *_ in table},
        "id2attribute": every,
        "attributeid2num": counts,
    }
    integers = {asin: place for place, (_, asin, *_) in enumerate(reversed(table))}
    lookup = io.StringIO()
    lookup.write(",global_product_id,name\n")
    for row, (_, asin, title, _) in enumerate(table):
        if title:
            told = html.escape(html.escape(title)).replace('"', '""')
            lookup.write(f'{row},{integers[asin]},"{told}"\n')
    attributes = {item: [number[word] for word in words] for item, _, _, words in table}
    meta = [
        {"asin": asin, "title": title, "imUrl": f"http://ecx.images-amazon.com/images/I/{item}.jpg"}
        for item, asin, title, _ in table
    ]
    return {
        "Beauty.txt": text,
        "datamaps.json": json.dumps(maps).encode(),
        "item_id_to_int.json": json.dumps(integers).encode(),
        "products_lookup.csv": lookup.getvalue().encode(),
        "Beauty_item2attributes.json": json.dumps(attributes).encode(),
        "meta_Beauty.json.gz": literals(meta),
    }


def toys_sources(text, table):
    """The sources of amazon2014-toys: the log, the same in other numbers, and who these are."""
    rng = np.random.default_rng(3)
    number = dict(
        zip([item for item, *_ in table], map(str, rng.permutation(len(table))), strict=True)
    )
    rows = [line.split() for line in text.decode().splitlines()]
    others = [[row[0], *(number[item] for item in row[1:])] for row in rows]
    maps = {"id2item": {number[item]: asin for item, asin, *_ in table}}
    return {
        "Toys_and_Games.txt": text,
        "sequential.txt": "".join(f"{' '.join(row)}\n" for row in reversed(others)).encode(),
        "datamaps.json": json.dumps(maps).encode(),
        "meta_Toys_and_Games.json.gz": literals(metadata(table)),
    }


def clothing_sources(text, table):
    """The sources of amazon2014-clothing: the log, its reviews in another order, the metadata."""
    asin_of = {item: asin for item, asin, *_ in table}
    reviews = []
    for line in text.decode().splitlines():
        user, *items = line.split()
        moment = 1_400_000_000
        for before, item in zip(["", *items], items, strict=False):
            # a new day, unless the product numbers ascend as they do inside one
            moment += 86_400 * (not before or asin_of[item] < asin_of[before])
            reviews.append(
                {"reviewerID": f"A{user}", "asin": asin_of[item], "unixReviewTime": moment}
            )
    reviews.sort(key=lambda one: (one["asin"], one["reviewerID"]))
    text_of = "".join(f"{json.dumps(one)}\n" for one in reviews)
    return {
        "Clothing.txt": text,
        "reviews_Clothing_Shoes_and_Jewelry_5.json.gz": gzip.compress(text_of.encode()),
        "meta_Clothing_Shoes_and_Jewelry.json.gz": literals(metadata(table)),
    }


def metadata(table):
    """The crawl's rows, without some keys where there is nothing to tell."""
    return [
        {
            "asin": asin,
            **({"title": html.escape(title)} if title else {}),
            "categories": [words],
            "brand": "OPI",
            "imUrl": f"http://ecx.images-amazon.com/images/I/{item}.jpg",
        }
        for item, asin, title, words in table
    ]


def literals(rows):
    return gzip.compress("".join(f"{row!r}\n" for row in rows).encode())


def zipped(**members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return packed.getvalue()


def films(users=30, films=20, seed=1):
    """``ml-1m.zip``: ratings and films with ``::`` between fields, in latin-1."""
    rng = np.random.default_rng(seed)
    ratings, stamp = [], 978_000_000
    for user in range(1, users + 1):
        for film in rng.permutation(films)[: 8 + user % 4] + 1:
            stamp += int(rng.integers(0, 2))
            ratings.append(f"{user}::{film}::{rng.integers(1, 6)}::{stamp}\n")
    titles = [f"{film}::Amélie {film} (2001)::Drama|Comedy\n" for film in range(1, films + 1)]
    return zipped(
        **{
            "ml-1m/ratings.dat": "".join(ratings).encode(),
            "ml-1m/movies.dat": "".join(titles).encode("latin-1"),
        }
    )


def publish(host, folder, identity, files, **expected):
    """Serve the sources of a dataset, and write the shipped recipe with their digests.

    ``expected`` replaces the counts. Returns ``{source: path on the host}``.
    """
    table = shipped(identity)
    paths = {}
    for source in table["source"]:
        data = files.get(source["name"])
        if data is None:
            continue
        for address in source.get("addresses", [])[:1]:
            paths[source["name"]] = host.put(address, data)
        source.pop("md5", None)
        if "bytes" in source:
            source["bytes"] = len(data)
        if "sha256" in source:
            source["sha256"] = hashlib.sha256(data).hexdigest()
    table["expected"] = {**expected, "seen": expected.get("seen", True)} if expected else {}
    folder.mkdir(exist_ok=True)
    (folder / f"{identity}.toml").write_text(dump(table))
    return paths


def shipped(identity):
    file = resources.files("mmbench.data.fetch") / "recipes" / f"{identity}.toml"
    return tomllib.loads(file.read_text("utf-8"))


def dump(table, prefix=""):
    """A table as toml: scalars and lists first, then tables, then lists of tables."""
    lines, later = [], []
    for key, value in table.items():
        if isinstance(value, dict):
            later.append(f"[{prefix}{key}]\n{dump(value, f'{prefix}{key}.')}")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            later += [f"[[{prefix}{key}]]\n{dump(one)}" for one in value]
        else:
            lines.append(f"{key} = {json.dumps(value)}")
    return "\n".join(lines + later) + "\n"
