import pytest

from mmbench.report import BoardError, read_results, stale, write_boards


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_boards_and_an_index_that_links_them(store, make_record, tmp_path):
    results = store([make_record(), make_record(dataset="books"), make_record(protocol="time@2")])
    out = tmp_path / "boards"
    paths = write_boards(read_results(results), out)
    names = ["README.md", "loo@2/books.md", "loo@2/toy-shop.md", "time@2/toy-shop.md"]
    assert [path.relative_to(out).as_posix() for path in paths] == names
    assert sorted(tree(out)) == names
    index = (out / "README.md").read_text(encoding="utf-8")
    assert "[loo@2/books](loo@2/books.md)" in index
    assert "images are drawn" in index


def test_writing_again_changes_no_byte(store, shop, tmp_path):
    results, out = store(shop), tmp_path / "boards"
    write_boards(read_results(results), out)
    before = tree(out)
    assert stale(read_results(results), out) == []
    write_boards(read_results(results), out)
    assert tree(out) == before


def test_where_the_results_lie_does_not_matter(store, shop, tmp_path):
    write_boards(read_results(store(shop)), tmp_path / "a")
    write_boards(read_results(store(shop[::-1], "elsewhere")), tmp_path / "b")
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_stale_names_what_would_change_and_touches_nothing(store, make_record, tmp_path):
    results, out = store([make_record()]), tmp_path / "boards"
    assert stale(read_results(results), out) == [out / "README.md", out / "loo@2" / "toy-shop.md"]
    assert not out.exists()
    write_boards(read_results(results), out)
    store([make_record("pop", ndcg=0.01), make_record(dataset="books")])
    before = tree(out)
    assert [path.relative_to(out).as_posix() for path in stale(read_results(results), out)] == [
        "README.md",
        "loo@2/books.md",
        "loo@2/toy-shop.md",
    ]
    assert tree(out) == before


def test_only_boards_without_results_are_removed(store, make_record, tmp_path):
    out = tmp_path / "boards"
    write_boards(read_results(store([make_record(dataset="books")])), out)
    (out / "loo@2" / "mine.md").write_text("my own notes", encoding="utf-8")
    results = store([make_record()], "others")
    assert out / "loo@2" / "books.md" in stale(read_results(results), out)
    write_boards(read_results(results), out)
    assert sorted(tree(out)) == ["README.md", "loo@2/mine.md", "loo@2/toy-shop.md"]


def test_a_file_of_somebody_else_is_not_overwritten(store, make_record, tmp_path):
    out = tmp_path / "project"
    out.mkdir()
    (out / "README.md").write_text("# My project", encoding="utf-8")
    with pytest.raises(BoardError, match=r"README\.md was not made by"):
        write_boards(read_results(store([make_record()])), out)
    assert tree(out) == {"README.md": b"# My project"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"environment": {"dirty": True}}, "from a dirty checkout"),
        ({"limit": 50}, r"a smoke run \(--limit 50\)"),
        ({"wall": "none"}, r"no wall \(--in-process\)"),
    ],
)
def test_a_published_board_refuses_what_nobody_can_stand_for(
    store, make_record, tmp_path, change, words
):
    record = make_record(**change)
    results, out = store([record, make_record("pop")]), tmp_path / "boards"
    named = rf"sasrec on toy-shop, seed 0 \(cell {record['cell']['id']}\): {words}"
    for refuse in (write_boards, stale):
        with pytest.raises(BoardError, match=named) as raised:
            refuse(read_results(results), out, published=True)
        assert str(raised.value).count("cell ") == 1
    assert not out.exists()
    write_boards(read_results(results), out)
    assert "sasrec [1]" in (out / "loo@2" / "toy-shop.md").read_text(encoding="utf-8")


def test_a_cell_that_had_no_need_of_a_wall_may_be_published(store, make_record, tmp_path):
    """A row that does not apply ran nothing."""
    record = make_record(status="not-applicable", reason="needs images", wall="none")
    write_boards(read_results(store([record])), tmp_path / "boards", published=True)


def test_unreadable_files_are_listed_and_never_published(store, make_record, tmp_path):
    results, out = store([make_record()]), tmp_path / "boards"
    (results / "half.json").write_text("{", encoding="utf-8")
    write_boards(read_results(results), out)
    assert "half.json is not valid JSON" in (out / "README.md").read_text(encoding="utf-8")
    with pytest.raises(BoardError, match=r"half\.json"):
        write_boards(read_results(results), out, published=True)


def test_no_results_yet(tmp_path):
    (tmp_path / "results").mkdir()
    (index,) = write_boards(read_results(tmp_path / "results"), tmp_path / "boards")
    assert "no results yet" in index.read_text(encoding="utf-8")


def test_two_preparations_of_a_dataset_have_a_board_each(store, make_record, tmp_path):
    results = store([make_record(), make_record(fingerprints={"events": "f" * 16})])
    write_boards(read_results(results), tmp_path / "boards")
    assert sorted(tree(tmp_path / "boards")) == [
        "README.md",
        "loo@2/toy-shop-0123456789abcdef.md",
        f"loo@2/toy-shop-{'f' * 16}.md",
    ]
