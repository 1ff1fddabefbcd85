"""Published files as they are laid out: a small one of each, with the right events and titles."""

import gzip
import json
import zipfile

import pytest

from mmbench.data import folder as folders
from mmbench.data.guess import survey
from mmbench.data.log import DataError

T = 1_400_000_000  # 2014-05-13 16:53:20, of the first event
USERS = {"a": ("x", "y", "z"), "b": ("y", "z", "x"), "c": ("z", "x")}
TITLES = {"x": "Crème brûlée", "y": 'The "big" one, part 2', "z": "Zero"}


def rows(user=str, item=str, step=86_400):
    """(user, item, seconds) of all events, the latest of each user first, so that order is told."""
    found = []
    for n, (who, items) in enumerate(USERS.items()):
        found += [(user(who), item(one), T + step * k + n) for k, one in enumerate(items)]
    return found[::-1]


def read(folder, **given):
    """({user: items in order}, {item: title}, what was said, the spec, the events)."""
    notes = []
    found = survey(folder, **given)
    raw = folders.read(found.spec, notes.append)
    columns = [c for c in ("time", "nanosecond") if c in raw.events]
    ordered = raw.events.sort_values(columns, kind="stable")
    events = {u: tuple(g["item"]) for u, g in ordered.groupby("user", sort=True)}
    titles = {}
    if found.spec.items is not None:
        titles = dict(zip(raw.items["item"], raw.items[found.spec.items.text[0]], strict=True))
    return events, titles, [*found.notes, *notes], found.spec, raw.events


def check(folder, user=str, item=str, titles=True, seconds=True, **given):
    events, found, notes, spec, table = read(folder, **given)
    assert events == {user(u): tuple(map(item, items)) for u, items in USERS.items()}
    if titles:
        assert {k: found[item(k)] for k in TITLES for k in [k]} == TITLES
    if seconds:
        moments = sorted(table["time"])
        assert moments == sorted(time for _, _, time in rows())
        assert spec.info.remarks == ()
    return notes, spec


def write_lines(path, lines, encoding="utf-8", packed=False):
    data = ("\n".join(lines) + "\n").encode(encoding)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if packed else data)


ASINS = {"x": "B000000001", "y": "B000000002", "z": "0000000003"}
REVIEWERS = {"a": "A1AAAAAAAAAAAA", "b": "A2BBBBBBBBBBBB", "c": "A3CCCCCCCCCCCC"}


def number(letter):
    return str(ord(letter))


def test_recbole(tmp_path):
    head = "user_id:token\titem_id:token\trating:float\ttimestamp:float"
    write_lines(tmp_path / "r" / "x.inter", [head, *(f"{u}\t{i}\t3\t{t}.0" for u, i, t in rows())])
    names = [f"{i}\t{title}" for i, title in TITLES.items()]
    write_lines(tmp_path / "r" / "x.item", ["item_id:token\tmovie_title:token_seq", *names])
    write_lines(tmp_path / "r" / "x.user", ["user_id:token\tage:token", "a\t30", "b\t31"])
    check(tmp_path / "r")


def test_recboles_parts_are_not_taken_for_the_whole(tmp_path):
    head = "user_id:token\titem_id:token\ttimestamp:float"
    parts = {"train": rows()[4:], "valid": rows()[2:4], "test": rows()[:2]}
    for name, some in parts.items():
        write_lines(tmp_path / f"x.{name}.inter", [head, *(f"{u}\t{i}\t{t}" for u, i, t in some)])
    with pytest.raises(
        DataError, match=r"all look like interactions.*--join x\.train\.inter,x\.valid"
    ):
        read(tmp_path)
    check(tmp_path, titles=False, join=["*.inter"])
    spec = survey(tmp_path, join=["*.inter"]).spec.interactions
    assert (spec.file, spec.join) == ("x.train.inter", ("x.valid.inter", "x.test.inter"))
    kept = read(tmp_path, join=["*.inter"])[4]
    assert kept["split"].value_counts().to_dict() == {
        "x.train.inter": 4, "x.valid.inter": 2, "x.test.inter": 2,
    }  # fmt: skip


def test_recboles_sessions(tmp_path):
    """``seq_benchmark``: every beginning of a session is a row."""
    head = "session_id:token\titem_id_list:token_seq\titem_id:token"
    beginnings = [
        (items[:k], items[k]) for items in USERS.values() for k in range(len(items) - 1, 0, -1)
    ]
    lines = [f"{n}\t{' '.join(before)}\t{last}" for n, (before, last) in enumerate(beginnings)]
    write_lines(tmp_path / "d.inter", [head, *lines])
    events, _, notes, spec, _ = read(tmp_path)
    assert sorted(events.values()) == sorted(USERS.values())
    assert any("2 of 5 rows are the beginning of the row beside them" in note for note in notes)
    assert spec.info.remarks == ("times are positions: the source tells only an order",)


def test_mmrec(tmp_path):
    lines = [f"{u}\t{i}\t5.0\t{t}\t{n % 3}" for n, (u, i, t) in enumerate(rows(number, number))]
    write_lines(tmp_path / "baby.inter", ["userID\titemID\trating\ttimestamp\tx_label", *lines])
    (tmp_path / "image_feat.npy").write_bytes(b"\x93NUMPY")
    _, spec = check(tmp_path, number, number, titles=False)
    assert spec.interactions.split == "x_label"


def test_amazon_2014(tmp_path):
    reviews = [
        json.dumps({"reviewerID": u, "asin": i, "overall": 5.0, "summary": "So", "helpful": [0, 1],
                    "unixReviewTime": t, "reviewTime": "05 13, 2014"})
        for u, i, t in rows(REVIEWERS.get, ASINS.get)
    ]  # fmt: skip
    meta = [
        repr({"asin": ASINS[i], "title": title, "categories": [["Beauty", "Bath"]], "price": 3.5,
              "related": {"also_bought": ["B000000009"]}, "imUrl": "http://x/y.jpg"})
        for i, title in TITLES.items()
    ]  # fmt: skip
    write_lines(tmp_path / "reviews_Beauty_5.json.gz", reviews, packed=True)
    write_lines(tmp_path / "meta_Beauty.json.gz", meta, packed=True)
    _, spec = check(tmp_path, REVIEWERS.get, ASINS.get)
    assert spec.interactions.time == "unixReviewTime"
    assert "related" not in spec.items.text and "imUrl" not in spec.items.text


def test_amazon_2014_ratings_alone_have_no_header(tmp_path):
    lines = [f"{u},{i},5.0,{t}" for u, i, t in rows(REVIEWERS.get, ASINS.get)]
    write_lines(tmp_path / "ratings_Beauty.csv", lines)
    check(tmp_path, REVIEWERS.get, ASINS.get, titles=False)


def test_amazon_2018(tmp_path):
    reviews = [
        json.dumps({"overall": 4.0, **({"vote": "3"} if n else {}), "verified": True,
                    "reviewTime": "05 13, 2014", "reviewerID": u, "asin": i, "reviewText": "Fine",
                    "style": {"Size:": " L"}, "unixReviewTime": t})
        for n, (u, i, t) in enumerate(rows(REVIEWERS.get, ASINS.get))
    ]  # fmt: skip
    meta = [
        json.dumps({"category": ["All"], "title": title, "also_buy": [], "asin": ASINS[i]})
        for i, title in TITLES.items()
    ]  # fmt: skip
    write_lines(tmp_path / "All_Beauty_5.json.gz", reviews, packed=True)
    write_lines(tmp_path / "meta_All_Beauty.json.gz", [*meta, meta[0]], packed=True)
    notes, _ = check(tmp_path, REVIEWERS.get, ASINS.get)
    assert any("1 rows repeat another one, word for word" in note for note in notes)


def test_amazon_2018_ratings_alone_name_the_item_first(tmp_path):
    lines = [f"{i},{u},5.0,{t}" for u, i, t in rows(REVIEWERS.get, ASINS.get)]
    write_lines(tmp_path / "All_Beauty.csv", lines)
    notes, _ = check(tmp_path, REVIEWERS.get, ASINS.get, titles=False)
    assert any("no header: column 4" in note or "column 2 the user" in note for note in notes)


@pytest.mark.parametrize("form", ["csv.gz", "jsonl.gz"])
def test_amazon_2023(tmp_path, form):
    events = rows(str, ASINS.get)
    if form == "csv.gz":
        lines = [f"{u},{i},5.0,{t}000" for u, i, t in events]
        write_lines(
            tmp_path / "X.csv.gz", ["user_id,parent_asin,rating,timestamp", *lines], packed=True
        )
    else:
        lines = [
            json.dumps({"rating": 5.0, "title": f"My review {t}", "text": "Good", "images": [],
                        "asin": "B0OTHER000", "parent_asin": i, "user_id": u,
                        "timestamp": t * 1000})
            for u, i, t in events
        ]  # fmt: skip
        write_lines(tmp_path / "X.jsonl.gz", lines, packed=True)
    meta = [
        json.dumps({"main_category": None, "title": title, "average_rating": 4.5,
                    "rating_number": 12, "features": ["Soft"], "description": [], "price": None,
                    "images": [], "store": None,
                    "details": {"Brand": "OPI"}, "parent_asin": ASINS[i], "bought_together": None})
        for i, title in TITLES.items()
    ]  # fmt: skip
    write_lines(tmp_path / "meta_X.jsonl.gz", meta, packed=True)
    _, spec = check(tmp_path, item=ASINS.get)
    assert not {"average_rating", "rating_number", "bought_together"} & set(spec.items.text)


def test_amazon_2023_last_out(tmp_path):
    head = "user_id,parent_asin,rating,timestamp,history"
    parts = {"train": rows()[4:], "valid": rows()[2:4], "test": rows()[:2]}
    for name, some in parts.items():
        write_lines(
            tmp_path / f"X.{name}.csv", [head, *(f"{u},{i},5.0,{t}000,p q" for u, i, t in some)]
        )
    with pytest.raises(DataError, match="--join"):
        read(tmp_path)
    check(tmp_path, titles=False, join=["X.*.csv"])


def test_movielens_100k(tmp_path):
    lines = [f"{u}\t{i}\t3\t{t}" for u, i, t in rows(number, number)]
    write_lines(tmp_path / "ml-100k" / "u.data", lines)
    for part in ("u1.base", "u1.test", "ua.base"):
        write_lines(tmp_path / "ml-100k" / part, lines[:3])
    films = [f"{number(i)}|{t}|01-Jan-1995||http://x/{i}{'|0' * 19}" for i, t in TITLES.items()]
    write_lines(tmp_path / "ml-100k" / "u.item", films, "latin-1")
    write_lines(tmp_path / "ml-100k" / "u.user", ["1|24|M|technician|85711", "2|53|F|other|94043"])
    (tmp_path / "ml-100k" / "README").write_text("SUMMARY\nThese are data.\n")
    notes, spec = check(tmp_path, number, number)
    assert any("u.item: not UTF-8: read as latin-1" in note for note in notes)
    assert spec.interactions.rating == "rating"


def test_movielens_1m_in_its_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "ml-1m.zip", "w") as archive:
        ratings = [f"{u}::{i}::3::{t}" for u, i, t in rows(number, number)]
        films = [f"{number(i)}::{title}::Drama|War" for i, title in TITLES.items()]
        archive.writestr("ml-1m/ratings.dat", "\n".join(ratings) + "\n")
        archive.writestr("ml-1m/movies.dat", ("\n".join(films) + "\n").encode("latin-1"))
        archive.writestr("ml-1m/users.dat", "1::F::1::10::48067\n2::M::56::16::70072\n")
        archive.writestr("ml-1m/README", "SUMMARY\n")
    _, spec = check(tmp_path, number, number)
    assert spec.files() == ["ml-1m.zip"]
    assert spec.items.text == ("title", "genres")


def test_mind(tmp_path):
    shown = {"a": "y-0 z-1", "b": "x-1 y-0", "c": "x-1"}
    for name in ("behaviors.tsv", "news.tsv"):
        (tmp_path / name).write_text("")
    lines = [
        f"{n}\t{u}\t11/13/2019 8:36:57 AM\t{' '.join(items[:-1])}\t{shown[u]}"
        for n, (u, items) in enumerate(USERS.items())
    ]
    write_lines(tmp_path / "behaviors.tsv", lines)
    news = [
        f"{i}\tnews\tworld\t{title}\tAn abstract\thttp://x\t[]\t[]" for i, title in TITLES.items()
    ]
    write_lines(tmp_path / "news.tsv", news)
    notes, spec = check(tmp_path, seconds=False)
    assert any("2 news that were shown and not clicked are no events" in note for note in notes)
    assert spec.items.text == ("title", "category", "subcategory", "abstract")


def test_hm(tmp_path):
    articles = {"x": "0108775015", "y": "0108775044", "z": "0663713001"}
    days = [
        (u, i, f"2018-09-{20 + k:02}") for u, items in USERS.items() for k, i in enumerate(items)
    ]
    lines = [f"{day},{u},{articles[i]},0.05,2" for u, i, day in days[::-1]]
    head = "t_dat,customer_id,article_id,price,sales_channel_id"
    write_lines(tmp_path / "transactions_train.csv", [head, *lines])
    names = [
        f'{articles[i]},123,"{t.replace(chr(34), chr(34) * 2)}",Dress' for i, t in TITLES.items()
    ]
    write_lines(
        tmp_path / "articles.csv", ["article_id,product_code,prod_name,product_type_name", *names]
    )
    write_lines(tmp_path / "customers.csv", ["customer_id,FN,age", "a,1,49"])
    _, spec = check(tmp_path, item=articles.get, seconds=False)
    assert spec.interactions.time == "t_dat"
    assert spec.items.text[0] == "prod_name"


def test_steam(tmp_path):
    """Lines of Python, with most of ``user_id`` absent."""
    days = [(u, i, f"2017-12-{10 + k}") for u, items in USERS.items() for k, i in enumerate(items)]
    lines = [
        repr({"username": u, **({"user_id": "7656"} if n == 0 else {}), "hours": 1.5, "products": 3,
              "product_id": number(i), "page_order": 0, "date": day, "text": "Nice",
              "early_access": False})
        for n, (u, i, day) in enumerate(days[::-1])
    ]  # fmt: skip
    games = [
        repr(
            {
                "publisher": "Kotoshiro",
                "genres": ["Action", "Indie"],
                "app_name": t,
                "id": number(i),
            }
        )
        for i, t in TITLES.items()
    ]
    write_lines(tmp_path / "steam_reviews.json.gz", lines, packed=True)
    write_lines(tmp_path / "steam_games.json.gz", games, packed=True)
    notes, spec = check(tmp_path, item=number, seconds=False)
    assert spec.interactions.time == "date"
    assert any("'user_id' is empty in 88% of the first rows" in note for note in notes)


def test_yelp(tmp_path):
    lines = [
        json.dumps({"review_id": f"r{n}", "user_id": u, "business_id": i, "stars": 4.0, "useful": 0,
                    "text": "Good food", "date": f"2014-05-{13 + k} 16:53:{20 + m}"})
        for n, (u, i, k, m) in enumerate(
            (u, i, k, m) for m, (u, items) in enumerate(USERS.items()) for k, i in enumerate(items)
        )
    ]  # fmt: skip
    places = [
        json.dumps({"business_id": i, "name": t, "stars": 4.5, "review_count": 12,
                    "attributes": None, "categories": "Bars, Pubs"})
        for i, t in TITLES.items()
    ]  # fmt: skip
    write_lines(tmp_path / "yelp_academic_dataset_review.json", lines[::-1])
    write_lines(tmp_path / "yelp_academic_dataset_business.json", places)
    tip = {"user_id": "a", "business_id": "x", "text": "Try it", "date": "2014-01-01 00:00:00"}
    write_lines(tmp_path / "yelp_academic_dataset_tip.json", [json.dumps(tip)] * 2)
    found = survey(tmp_path)
    assert "looks more like the events" in found.reasons["yelp_academic_dataset_tip.json"]
    check(tmp_path)


def test_last_fm_1k(tmp_path):
    lines = []
    for u, i, t in rows():
        stamp = f"2014-05-{13 + (t - T) // 86_400}T16:53:{20 + (t - T) % 86_400:02}Z"
        lines.append(f"{u}\t{stamp}\tmb-{i}\tAn artist of {i}\t\t{i}")
    write_lines(tmp_path / "userid-timestamp-artid-artname-traid-traname.tsv", lines)
    check(tmp_path, titles=False)


def test_last_fm_2k(tmp_path):
    lines = [f"{number(u)}\t{number(i)}\t{t % 997}" for u, i, t in rows()[::-1]]
    write_lines(tmp_path / "user_artists.dat", ["userID\tartistID\tweight", *lines])
    artists = [f"{number(i)}\t{t}\thttp://x\thttp://y.jpg" for i, t in TITLES.items()]
    write_lines(tmp_path / "artists.dat", ["id\tname\turl\tpictureURL", *artists])
    _, spec = check(tmp_path, number, number, seconds=False)
    assert "the source has no times" in spec.info.remarks[0]
    assert spec.items.text[0] == "name"


def test_gowalla(tmp_path):
    lines = []
    for u, i, t in rows(number, number):
        stamp = f"2014-05-{13 + (t - T) // 86_400}T16:53:{20 + (t - T) % 86_400:02}Z"
        lines.append(f"{u}\t{stamp}\t30.2359091167\t-97.7951395833\t{i}")
    write_lines(tmp_path / "loc-gowalla_totalCheckins.txt.gz", lines, packed=True)
    write_lines(tmp_path / "loc-gowalla_edges.txt.gz", ["97\t98", "98\t97"], packed=True)
    check(tmp_path, number, number, titles=False)


def test_kuairand_is_told_in_milliseconds_and_not_in_days(tmp_path):
    head = "user_id,video_id,date,hourmin,time_ms,is_click,play_time_ms,duration_ms"
    lines = [f"{u},{i},20140513,1653,{t}123,1,5000,90000" for u, i, t in rows(number, number)]
    write_lines(tmp_path / "log_standard_4_08_to_4_21_pure.csv", [head, *lines])
    write_lines(
        tmp_path / "video_features_basic_pure.csv",
        ["video_id,author_id,video_type,tag", *(f"{number(i)},3,NORMAL,39" for i in TITLES)],
    )
    _, spec = check(tmp_path, number, number, titles=False)
    assert spec.interactions.time == "time_ms"


def test_kuairec(tmp_path):
    head = "user_id,video_id,play_duration,video_duration,time,date,timestamp,watch_ratio"
    lines = [
        f"{u},{i},100,200,2014-05-13 16:53:20.438,20140513,{t}.438,0.5"
        for u, i, t in rows(number, number)
    ]
    for name in ("big_matrix.csv", "small_matrix.csv"):
        write_lines(tmp_path / "data" / name, [head, *lines])
    names = [f'{number(i)},"{t.replace(chr(34), chr(34) * 2)}"' for i, t in TITLES.items()]
    write_lines(tmp_path / "data" / "kuairec_caption_category.csv", ["video_id,caption", *names])
    with pytest.raises(DataError, match=r"big_matrix\.csv and data/small_matrix\.csv both"):
        read(tmp_path)
    with pytest.raises(DataError, match="joined, they would count twice"):
        read(tmp_path, join=["data/*_matrix.csv"])
    _, spec = check(tmp_path, number, number, interactions="data/big_matrix.csv", seconds=False,
                    columns={"time": "timestamp"})  # fmt: skip
    assert spec.interactions.unit == ""


def test_microlens(tmp_path):
    lines = [f"{u},{i},{t}000" for u, i, t in rows(number, number)]
    write_lines(tmp_path / "MicroLens-100k_pairs.csv", ["user,item,timestamp", *lines])
    orders = [f"{number(u)}\t{' '.join(map(number, items))}" for u, items in USERS.items()]
    write_lines(tmp_path / "MicroLens-100k_pairs.tsv", orders)
    names = [f'{number(i)},"{t.replace(chr(34), chr(34) * 2)}"' for i, t in TITLES.items()]
    write_lines(tmp_path / "MicroLens-100k_title_en.csv", names)
    check(tmp_path, number, number)
    assert "MicroLens-100k_pairs.tsv" in survey(tmp_path).reasons


def test_diginetica_is_ordered_inside_a_day(tmp_path):
    lines = []
    for n, (u, items) in enumerate(USERS.items()):
        for k, i in enumerate(items):
            lines.append(f"{number(u)};{'' if n else 7};{number(i)};{1000 * k + n};2016-05-09")
    head = "sessionId;userId;itemId;timeframe;eventdate"
    write_lines(tmp_path / "train-item-views.csv", [head, *lines[::-1]])
    names = [f"{number(i)};3;{t}" for i, t in TITLES.items()]
    write_lines(tmp_path / "products.csv", ["itemId;pricelog2;product.name.tokens", *names])
    _, spec = check(tmp_path, number, number, titles=False, seconds=False)
    assert spec.interactions.time == "eventdate+timeframe"
    assert spec.items.text[-1] == "product.name.tokens"


def test_retailrocket(tmp_path):
    lines = [f"{t}123,{u},view,{i}," for u, i, t in rows(number, number)]
    write_lines(tmp_path / "events.csv", ["timestamp,visitorid,event,itemid,transactionid", *lines])
    properties = [f"{T}000,{number(i)},790,n{k}" for k in range(2) for i in TITLES]
    for part in (1, 2):
        write_lines(
            tmp_path / f"item_properties_part{part}.csv",
            ["timestamp,itemid,property,value", *properties],
        )
    check(tmp_path, number, number, titles=False)


def test_yoochoose(tmp_path):
    lines = []
    for u, i, t in rows(number, number):
        stamp = f"2014-05-{13 + (t - T) // 86_400}T16:53:{20 + (t - T) % 86_400:02}.277Z"
        lines.append(f"{u},{stamp},{i},0")
    write_lines(tmp_path / "yoochoose-clicks.dat", lines)
    check(tmp_path, number, number, titles=False)
    write_lines(tmp_path / "yoochoose-buys.dat", [f"{line},1" for line in lines[:3]])
    with pytest.raises(DataError, match="both look like interactions"):
        read(tmp_path)
    check(tmp_path, number, number, titles=False, interactions="yoochoose-clicks.dat")


def test_book_crossing(tmp_path):
    quoted = {k: t.replace('"', '\\"') for k, t in TITLES.items()}
    lines = [f'"{number(u)}";"{number(i)}";"5"' for u, i, _ in rows()[::-1]]
    head = '"User-ID";"ISBN";"Book-Rating"'
    write_lines(tmp_path / "BX-Book-Ratings.csv", [head, *lines], "latin-1")
    books = [f'"{number(i)}";"{t}";"Someone; else";"2002"' for i, t in quoted.items()]
    head = '"ISBN";"Book-Title";"Book-Author";"Year-Of-Publication"'
    write_lines(tmp_path / "BX-Books.csv", [head, *books], "latin-1")
    write_lines(tmp_path / "BX-Users.csv", ['"User-ID";"Location";"Age"', '"97";"nyc, usa";NULL'])
    notes, spec = check(tmp_path, number, number, seconds=False)
    assert any("read as latin-1" in note for note in notes)
    assert spec.interactions.rating == "Book-Rating"
