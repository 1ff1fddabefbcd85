import random
from pathlib import Path

import pytest

from mmbench.report import make_boards, make_page, parse, to_markdown
from mmbench.report.words import SAMPLED

GOLDEN = Path(__file__).with_name("golden_board.md")


@pytest.fixture
def render():
    """The markdown of the one board that records make."""

    def make(records):
        (board,) = make_boards(map(parse, records))
        return to_markdown(make_page(board))

    return make


def section(page, title):
    return page.split(f"\n## {title}")[1].split("\n## ")[0]


def cells(page, model, title):
    """The texts of a row, by column title, in the table of a section."""
    lines = [line for line in section(page, title).splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    (row,) = (row for row in table if row[0] == model)
    return dict(zip(table[0], row, strict=True))


def test_the_golden_board(shop, render):
    assert render(shop) == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("seed", range(3))
def test_same_results_same_bytes(shop, render, seed):
    shuffled = shop.copy()
    random.Random(seed).shuffle(shuffled)
    assert render(shuffled) == render(shop)


def test_clock_and_scratch_fields_do_not_reach_the_page(make_record, render):
    early = make_record(started="2020-01-01", seconds=1.0, curves={})
    late = make_record(started="2030-01-01", seconds=9.0, curves={"loss": [[0, 1.0]]})
    assert render([early]) == render([late])


def test_hits_by_text_are_shown_where_items_share_texts(make_record, render):
    record = make_record()
    assert "text-equal" not in render([record])
    told = {"full": {**record["beyond"]["full"], "text-equal@10": 0.125}}
    page = render([make_record(beyond=told)])
    assert "text-equal@10" in page and "text-equal@1 " not in page
    assert "0.1250" in page


def test_seeds_show_a_deviation_and_one_seed_shows_none(make_record, render):
    page = render([make_record(seed=s, ndcg=v) for s, v in enumerate([0.03, 0.05])])
    # Deviations of 0.01 each side: sqrt(2 * 0.0001 / 1) = 0.0141.
    assert cells(page, "sasrec", "full")["ndcg@10"] == "0.0400 ± 0.0141"
    assert cells(page, "sasrec", "full")["seeds"] == "2"
    assert "0.0400 ±" not in render([make_record()])


def test_a_failed_cell_is_a_visible_row(make_record, render):
    page = render(
        [
            make_record(seed=0),
            make_record(seed=1, status="timeout", reason="too slow"),
            make_record(seed=2, status="timeout", reason="too slow"),
            make_record("prime", status="failed", reason="KeyError: 'x|y'\nsecond line"),
        ]
    )
    assert cells(page, "sasrec", "full")["seeds"] == "1 of 3"
    assert cells(page, "sasrec", "Without a figure")["seed"] == "1, 2"
    assert r"KeyError: 'x\|y'" in section(page, "Without a figure")
    assert "second line" not in page
    assert "Traceback" not in page


def test_a_board_of_failures_alone(make_record, render):
    page = render([make_record(status="out-of-memory", reason="killed at 8 GB")])
    assert "No cell has finished yet." in page
    assert "killed at 8 GB" in page
    assert "## full" not in page


def test_reasons_do_not_name_folders_of_the_machine(make_record, render):
    page = render([make_record(status="failed", reason="no file '/home/me/cache/w.bin'")])
    assert "/home" not in page
    assert "…/w.bin" in page


FOOTNOTES = [
    ("Tiny preset", {"preset": "tiny"}),
    ("only 200 users", {"limit": 200}),
    ("trained on at most 200,000 tokens", {"config": {"training_tokens": 200_000}}),
    ("No wall", {"wall": "none"}),
    ("A process alone for a wall", {"wall": "process"}),
    ("dirty checkout", {"environment": {"dirty": True}}),
    ("Went on from a checkpoint", {"environment": {"resumed": "from the checkpoint of attempt 1"}}),
    ("Unpublished", {"distribution": "not packaged", "environment": {"dirty": True}}),
    (
        "Fitted twice, it is not as if fitted once: a cache of the library.",
        {"known_failures": {"refit_forgets": "a cache of the library"}},
    ),
    (
        "Fails the conformance check its_own, as is known: it is odd.",
        {"known_failures": {"its_own": "it is odd"}},
    ),
]


@pytest.mark.parametrize(("text", "change"), FOOTNOTES)
def test_footnotes_appear_exactly_when_they_apply(make_record, render, text, change):
    page = render([make_record("plain"), make_record("marked", ndcg=0.01, **change)])
    assert text in section(page, "Footnotes")
    assert [other for other, _ in FOOTNOTES if other in page] == [text]
    assert "| marked [1] " in section(page, "full")
    assert "plain [" not in page


def test_a_clean_board_has_no_footnotes(make_record, render):
    page = render([make_record()])
    assert "Footnotes" not in page
    assert "[1]" not in page


def test_a_row_that_fails_the_gate_is_marked_and_shown(make_record, render, gate):
    gate(lambda figures: ["hit@5 > hit@10 by *much*"])
    page = render([make_record()])
    assert "arithmetic gate" in section(page, "Footnotes")
    assert r"full, seed 0: hit@5 > hit@10 by \*much\*" in page
    assert cells(page, "sasrec [1]", "full")["ndcg@10"] == "0.0400"


def test_many_impossible_figures_are_counted(make_record, render, gate):
    gate(lambda figures: ["first", "second"])
    page = render([make_record()])
    # Three candidate sets, two violations each: three are told.
    assert "(full, seed 0: first; full, seed 0: second; unseen, seed 0: first; and 3 more)" in page


def test_other_candidates_are_marked(make_record, render):
    records = [make_record(name, ndcg=0.01) for name in ("a", "b")]
    page = render([*records, make_record("odd", candidates_sha256="cd" * 32)])
    assert "odd [1]" in page
    assert "Other candidates" in section(page, "Footnotes")


def test_several_notes_are_numbered_by_first_need(make_record, render):
    page = render(
        [
            make_record("a", ndcg=0.03, wall="none"),
            make_record("b", ndcg=0.02, wall="none", preset="tiny"),
        ]
    )
    assert "| a [1] " in page
    assert "| b [1, 2] " in page


def test_foreign_text_is_shown_as_it_is(make_record, render):
    label = "we|ird*`_<b>[x](y)$~&in_word"
    page = render([make_record(label=label, data={"remarks": ["line\nbreak | *bold*"]})])
    assert r"we\|ird\*\`\_\<b>\[x](y)\$\~\&in_word" in page
    assert r"- Remark: line break \| \*bold\*" in page
    widths = {line.count(" | ") for line in section(page, "full").splitlines() if "|" in line}
    assert len(widths) == 1


def test_only_sampled_sets_have_the_banner(make_record, render):
    page = render([make_record()])
    assert SAMPLED in section(page, "neg100")
    assert page.count(SAMPLED) == 1


def test_a_sampled_set_says_where_fewer_were_drawn(make_record, render):
    asked = "not 100: the catalogue holds no more"
    for drawn, said in (({"least": 100, "most": 100}, False), ({"least": 11, "most": 14}, True)):
        page = render([make_record(drawn={"neg100": drawn})])
        assert (asked in section(page, "neg100")) == said
    assert "has only 11 to 14 of them" in page


def test_a_retired_protocol_says_what_took_its_place(make_record, render):
    assert "Replaced by loo@2: " in render([make_record(protocol="loo@1")])
    assert "Replaced" not in render([make_record()])


def test_the_banner_counts_pairs_in_another_order(make_record, render):
    first, second = make_record("a", ndcg=0.03), make_record("b", ndcg=0.02)
    assert "0 of 1 pair of rows" in render([first, second])
    second["metrics"]["neg100"]["ndcg@10"] = 0.9
    assert "1 of 1 pair of rows stands in the other order" in render([first, second])


def test_the_step_from_full_to_unseen_is_shown(make_record, render):
    page = render([make_record()])
    assert cells(page, "sasrec", "unseen")["against full"] == "+30%"


def test_a_set_that_a_row_was_not_asked_for(make_record, render):
    reranker = make_record("reranker")
    reranker["metrics"] = {"neg100": reranker["metrics"]["neg100"]}
    page = render([reranker, make_record("pop", ndcg=0.01)])
    assert cells(page, "reranker", "full")["ndcg@10"] == "not asked"
    assert cells(page, "reranker", "neg100")["ndcg@10"] == "0.1600"


def test_columns_that_would_be_empty_are_left_out(make_record, render):
    bare = section(render([make_record()]), "unseen")
    assert not any(title in bare for title in ("reads", "loss", "target excluded"))
    asked = {"full": 0.125, "unseen": 0.0}
    told = render([make_record(needs=["text"], loss="BPR", unanswered=asked)])
    row = cells(told, "sasrec", "unseen")
    assert (row["reads"], row["loss"]) == ("text", "BPR")
    assert cells(told, "sasrec", "full")["target excluded"] == "0.1250"


def test_long_losses_are_cut_to_words_that_are_told_in_full_below(make_record, render):
    losses = {
        "a": "softmax CE over the catalogue (a sample)",
        "b": "softmax CE of the retriever; more",
        "c": "BPR",
    }
    records = [
        make_record(name, ndcg=0.04 - 0.01 * place, loss=loss, needs=["image", "text"])
        for place, (name, loss) in enumerate(losses.items())
    ]
    page = render(records)
    found = [cells(page, name, "unseen")["loss"] for name in losses]
    assert found == ["softmax CE (1)", "softmax CE (2)", "BPR"]
    text = section(page, "unseen")
    assert f"softmax CE (1): {losses['a']}; softmax CE (2): {losses['b']}." in text
    assert "BPR:" not in text
    assert cells(page, "a", "unseen")["reads"] == "both"


def test_rows_are_ordered_on_unseen_where_nobody_buys_twice(make_record, render):
    """Of old records the queries without an answer tell, of newer ones the data."""

    def pair(**changes):
        one, other = make_record("a", **changes), make_record("b", ndcg=0.03, **changes)
        other["metrics"]["unseen"] = {m: 2 * v for m, v in other["metrics"]["unseen"].items()}
        return [one, other]

    def first(page):
        title = page.split("\n## ")[1].partition(":")[0]
        lines = [line for line in section(page, title).splitlines() if line.startswith("|")]
        return title, lines[2].split("|")[1].strip()

    page = render(pair())
    assert first(page) == ("unseen", "b")
    assert "Rows are ordered on unseen: no target here is in its user's history" in page
    again = render(pair(unanswered={"full": 0.0, "unseen": 0.25}))
    assert first(again) == ("full", "a")
    assert "Rows are ordered on full: here a user's target may be in the history" in again
    told = render(pair(data={"repeated_targets": 0.25}))
    assert first(told) == ("full", "a")
    assert first(render(pair(data={"repeated_targets": 0.0})))[0] == "unseen"


def test_papers_of_models_that_start_otherwise_are_no_pairs(make_record, papers, render):
    """A row that starts from another model's embeddings is held against such a published row."""
    upstream = make_record("vlm2rec")["cell"]
    started = make_record("sasrec", papers=papers, upstream=upstream, label="sasrec[init=vlm2rec]")
    assert "Paper and ours" not in render([started])
    arrows = [{**paper, "model": "VLM2Rec->SASRec"} for paper in papers]
    started["papers"] = arrows
    page = section(render([started]), "Paper and ours")
    assert "VLM2Rec-" in page and "+0.00" in page
    other = make_record("text-encoder")["cell"]
    wrong = make_record("sasrec", papers=arrows, upstream=other, label="sasrec[init=text-encoder]")
    assert "Paper and ours" not in render([wrong])
    assert "Paper and ours" not in render([make_record(papers=arrows)])
    own = [{**paper, "model": "SASRec->SASRec"} for paper in papers]
    assert "Paper and ours" in render([make_record(papers=own)])


@pytest.mark.parametrize(("preset", "told"), [("tiny", "a stand-in"), ("small", "on small")])
def test_no_difference_is_told_of_a_stand_in(make_record, papers, render, preset, told):
    page = section(render([make_record(papers=papers, preset=preset)]), "Paper and ours")
    assert "0.0364" in page and told in page
    assert "difference |" not in page
    assert "No difference is told where ours is a stand-in" in page


def test_paper_and_ours_are_side_by_side(make_record, papers, render, gate):
    records = [make_record(ndcg=0.04, papers=papers)]
    page = render(records)
    lines = section(page, "Paper and ours").splitlines()
    line = next(line for line in lines if "ndcg@10" in line)
    shown = [cell.strip() for cell in line.split("|")]
    assert shown[4:7] == ["0.0364", "0.0400", "+0.0036"]
    assert "negatives instead of full softmax" in line
    gate(lambda figures: ["no"] * (figures["ndcg@10"] == 0.0364))
    marked = render(records)
    assert "published row fails the arithmetic gate; no" in section(marked, "Paper and ours")


def test_facts_of_the_data(make_record, render):
    page = render([make_record(data={"ceilings": {"ndcg@10": 0.4123}})])
    assert "- Best possible ndcg@10: 0.4123" in page
    assert "12,101 items" in page
    assert "- Licence: CC0-1.0" in page
    assert "Best possible" not in render([make_record()])


def test_costs_of_several_machines_are_told_apart(make_record, render):
    other = {"cpu": "EPYC", "cores": 16, "threads": 4, "gpu": "H200"}
    here = {"threads": 2}  # as many as cores
    page = render([make_record("a", environment=here), make_record("b", environment=other)])
    costs = section(page, "Cost")
    assert "- A: 16 cores, 4 threads, EPYC, H200\n- B: 2 cores, Xeon" in costs
    assert cells(page, "b", "Cost")["machine"] == "A"
    assert "machine" not in section(render([make_record()]), "Cost").split("Measured")[0]


def test_what_made_the_board_is_told(make_record, render):
    page = render([make_record(), make_record("x", distribution="their-plugin", version="2.0")])
    made = section(page, "How it was made")
    for text in ("0123456789abcdef", "mmbench: 0.1.0", "their-plugin: 2.0", "abc1234"):
        assert text in made
    assert "- sasrec (mmbench-recbole 0.1.0): dim=64, epochs=30" in made
