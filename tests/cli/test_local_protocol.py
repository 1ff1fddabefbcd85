"""``mmbench run --protocol mine.toml``: cells and boards of their own, with another set."""


def test_a_local_protocol_has_cells_and_boards_of_its_own(bench):
    (bench.folder / "mine.toml").write_text(
        'name = "mine"\nsplit = "ratio"\nratios = [0.6, 0.2, 0.2]\n'
        'candidates = ["full", "unseen", "neg1000", "neg7"]\n'
    )
    words = ["run", "-m", "counts", "-d", "shop"]
    assert bench.run(*words).code == 0
    done = bench.run(*words, "--protocol", "mine.toml")
    assert done.code == 0, done.err
    assert "neg1000" in done.out
    again = bench.run(*words, "--protocol", "mine.toml", "--json")
    (record,) = again.json
    name = record["cell"]["protocol"]
    assert name.startswith("local:mine@") and len(name) == len("local:mine@") + 16
    assert set(record["metrics"]) == {"full", "unseen", "neg1000", "neg7"}
    assert len(bench.stored()) == 2  # the second run found the first one's cell
    assert bench.run("leaderboard", "results", "-o", "boards").code == 0
    pages = sorted(p.parent.name for p in (bench.folder / "boards").glob("*/shop.md"))
    assert pages == [name.replace(":", "-"), "loo@2"]
    text = (bench.folder / "boards" / name.replace(":", "-") / "shop.md").read_text()
    assert "A local protocol" in text and "## neg7: the target and 7 sampled items" in text
    recommended = ["recommend", "counts", "-d", "shop", "--users", "u3", "--json"]
    (told,) = bench.run(*recommended, "--protocol", "mine.toml").json
    assert told["next"] == "i28" and len(told["items"]) == 10
    cell = record["cell"]["id"]
    lacking = bench.run("export", "trec", cell)
    assert lacking.code == 2 and "is a local protocol: say its file" in lacking.err
    assert bench.run("export", "trec", cell, "--protocol", "mine.toml").code == 0
    assert bench.run("export", "trec", "counts", "-o", "public").code == 0
    assert [path.name for path in bench.folder.glob("public/shop/*")] == ["loo@2"]
    mine = bench.run("export", "trec", "counts", "-o", "own", "--protocol", "mine.toml")
    assert mine.code == 0 and [*bench.folder.glob("own/shop/local-mine*/counts*.run")]
    other = bench.run("export", "trec", "counts", "--protocol", "time@2")
    assert other.code == 2 and "no such row was asked time@2, but local:mine" in other.err
    with (bench.folder / "mine.toml").open("a") as file:
        file.write("max_history = 3\n")
    assert bench.run(*words, "--protocol", "mine.toml").code == 0
    assert len(bench.stored()) == 3
    bad = bench.run(*words, "--protocol", "other.toml")
    assert bad.code != 0 and "other.toml" in bad.err and "Traceback" not in bad.err
