"""Each bad model is caught by exactly the checks that should catch it, and good ones by none."""

import gc
import time
from pathlib import Path

import psutil
import pytest

from mmbench.check import CHECKS, Lab, find_subject, judge_all
from mmbench.grid import landlock
from mmbench.grid.family import Limits

HERE = str(Path(__file__).parent)
RUNS = "runs_from_a_cold_cache_without_network"

GOOD = (
    "Follows",
    "Retrieves",
    "Multiplies",
    "Reranks",
    "ReranksFew",
    "Shortlists",
    "Ease",
    "Looks",
)

BAD = [
    # the answers
    ("Constant", {"learns_which_item_follows_which": "ndcg@10"}),
    ("NotANumber", {RUNS: "query 1: column 2 is nan"}),
    ("Infinite", {RUNS: "query 3: column 0 is inf"}),
    ("ItemNotANumber", {RUNS: "embed_items: the vector of item 7 holds nan in column 2"}),
    ("QueryInfinite", {RUNS: "Vectors.queries: the vector of query 5 holds inf in column 1"}),
    ("ForgetsThePadding", {RUNS: "embed_items must return (31, d) as 'fused', row 0 for padding"}),
    ("OnlyQueries", {RUNS: "score answered Vectors, so embed_items must return"}),
    ("NoItems", {RUNS: "NoItems has no embed_items"}),
    ("WrongShape", {RUNS: "drop the column of padding"}),
    ("Padding", {RUNS: "the padding item 0"}),
    ("RaisesInScore", {RUNS: "RuntimeError: no score today"}),
    ("KnowsItsUsers", {"unknown_user_and_one_item_history_are_answered": "KeyError"}),
    (
        "PrefersTheFirst",
        {
            "candidates_order_does_not_matter": "",
            "catalogue_answer_equals_candidate_answer": "",
        },
    ),
    ("ComparesCandidates", {"catalogue_answer_equals_candidate_answer": "fewer candidates"}),
    ("AsksForNothing", {"declares_itself": "names neither candidates nor excluded"}),
    ("NotToldWhatIsExcluded", {"declares_itself": "told to a class with per_set = True alone"}),
    ("DeafToWhatIsExcluded", {"heeds_what_is_excluded": "changes no other item's score"}),
    ("EmbedsOtherwise", {"embeddings_agree_with_scores": "-0.99"}),
    # memory of what it should not know
    ("Unseeded", {"deterministic_under_a_seed": "between two runs with one seed"}),
    ("DrawsAfterAll", {"deterministic_under_a_seed": "declares draws = False"}),
    ("KeepsHalf", {"kept_fit_scores_the_same": "once it is restored"}),
    ("Remembers", {"refit_forgets": "after an earlier fit"}),
    ("CountsQueries", {"company_of_queries_does_not_matter": "asked again"}),
    ("ScoresInCompany", {"company_of_queries_does_not_matter": "asked alone"}),
    ("WritesIntoViews", {RUNS: "read-only"}),
    # the class
    ("Misspells", {"declares_itself": "query"}),
    ("MisspellsHook", {"declares_itself": "Did you mean embed_items"}),
    ("Unmarked", {"declares_itself": "mark score with @mmbench.hookimpl"}),
    ("WorksInInit", {"init_only_stores": "weights"}),
    ("NotFrozen", {"default_config_is_whole": "frozen"}),
    ("BrokenPreset", {"presets_build": "'huge': ValueError: k must be at least 1"}),
    ("NeedsTextSilently", {"runs_without_what_it_does_not_need": "without image and text"}),
    ("NeedsForShow", {"uses_the_titles_it_needs": "", "uses_the_pictures_it_needs": ""}),
    ("KnowsTooMuch", {"learns_which_item_follows_which": "take it out there"}),
    ("KnowsANonCheck", {"known_failures_name_checks": "Did you mean learns_which"}),
    # the machine
    ("Exits", {RUNS: "failed: the process ended with exit code 3"}),
    ("ExitsPolitely", {RUNS: "failed: SystemExit: enough"}),
    ("Phones", {"opens_nothing_outside_its_folders": "network of 127.0.0.1 in fit"}),
    ("Downloads", {RUNS: "PermissionError: no network in fit"}),
    ("ReadsItsNeighbour", {"opens_nothing_outside_its_folders": "valid-history.npy in score"}),
]

# what the wall stops, and what sees it where there is none
STOPPED = [
    (
        "RemembersOnDisk",
        "table.npy",
        {
            "refit_forgets": "after an earlier fit",
            "carries_nothing_from_another_protocol": "in which targets train",
            "opens_nothing_outside_its_folders": "table.npy in fit",
        },
    ),
    (
        "WritesBehindViews",
        "train-time.npy",
        {
            "views_stay_unchanged": "train",
            "opens_nothing_outside_its_folders": "train-time.npy in fit",
        },
    ),
    (
        "WritesBesideItsFolders",
        "notes.txt",
        {"opens_nothing_outside_its_folders": "notes.txt in fit"},
    ),
]

needs_landlock = pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")


@pytest.fixture(autouse=True)
def _gallery_on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(HERE)


def look(model, module="bad_models", **circumstances):
    """The lab and what the checks say against the model."""
    lab = Lab(find_subject(f"{module}:{model}"), **circumstances)
    verdicts = list(judge_all(lab, CHECKS, CHECKS))
    assert [verdict.check for verdict in verdicts] == [check.name for check in CHECKS]
    return lab, {verdict.check: verdict.reason for verdict in verdicts if verdict.bad}


def cell_of(lab):
    return lab.cells["first"].outcome.record


@pytest.mark.parametrize("model", GOOD)
def test_a_good_model_passes(model):
    lab, caught = look(model, "good_models")
    assert caught == {}
    assert cell_of(lab).status.kind == "done"


def test_encodings_are_kept_in_a_folder_that_is_no_plugins_own():
    lab = Lab(find_subject("good_models:Looks"))
    assert lab.cell("first").findings == []
    assert lab.cell("bare").findings == []
    for cache in ("cache", "other-cache"):
        assert any(lab.folder.glob(f"{cache}/encodings/*/*/shards/*.safetensors"))
        assert not any(lab.folder.glob(f"{cache}/models/*/*"))
    lab.leave()


@pytest.mark.parametrize(("model", "by"), BAD, ids=[model for model, _ in BAD])
def test_a_bad_model_is_caught_by_these_checks_and_no_other(model, by):
    _, caught = look(model)
    assert caught.keys() == by.keys(), caught
    for check, reason in by.items():
        assert reason in caught[check]


@needs_landlock
@pytest.mark.parametrize(("model", "path", "by"), STOPPED, ids=[model for model, *_ in STOPPED])
def test_the_wall_stops_it(model, path, by):
    _, caught = look(model)
    assert caught.keys() == {RUNS}, caught
    assert "PermissionError" in caught[RUNS] and path in caught[RUNS]


@pytest.mark.parametrize(("model", "path", "by"), STOPPED, ids=[model for model, *_ in STOPPED])
def test_without_the_wall_a_check_sees_it(model, path, by):
    _, caught = look(model, walled=False)
    assert caught.keys() == by.keys(), caught
    for check, reason in by.items():
        assert reason in caught[check]


def test_a_model_that_hangs_is_a_timeout():
    lab, caught = look("Hangs", limits=Limits(seconds=4))
    assert caught.keys() == {RUNS}
    assert cell_of(lab).status.kind == "timeout"


def test_a_model_that_allocates_without_end_is_out_of_memory():
    lab, caught = look("Allocates", limits=Limits(seconds=60, memory=600 * 2**20))
    assert caught.keys() == {RUNS}
    assert cell_of(lab).status.kind == "out-of-memory"
    assert cell_of(lab).cost.peak_memory_mb < 1200


def test_a_model_that_prints_without_end_costs_the_parent_nothing():
    before = psutil.Process().memory_info().rss
    lab, caught = look("Prints")
    assert caught.keys() == {"prints_little"}
    assert lab.cells["first"].printed > 300_000_000
    assert psutil.Process().memory_info().rss - before < 100 * 2**20


def test_processes_left_behind_are_named_and_ended():
    begun = time.time()
    _, caught = look("LeavesProcesses")
    assert caught.keys() == {"leaves_no_process_behind"}
    assert caught["leaves_no_process_behind"].count("sleep 600") == 2
    deadline = time.monotonic() + 5
    while (left := sleepers(begun)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def sleepers(since):
    return [
        process
        for process in psutil.process_iter(["cmdline", "status", "create_time"])
        if process.info["cmdline"] == ["sleep", "600"]
        and process.info["status"] != psutil.STATUS_ZOMBIE
        and process.info["create_time"] >= since - 1
    ]


@pytest.mark.parametrize("isolated", [True, False], ids=["process", "thread"])
def test_a_walk_through_run_finds_no_target(isolated):
    lab, caught = look("Walks", isolated=isolated)
    assert caught == {}
    curves = cell_of(lab).curves
    assert curves["found"] == [(0, 0.0)]
    assert curves["walked"][0][1] > 20


def test_the_garbage_collector_of_the_child_holds_no_target():
    lab, caught = look("Scavenges")
    assert caught.keys() == {"learns_which_item_follows_which"}
    assert cell_of(lab).curves["found"] == [(0, 0.0)]


def test_in_the_harness_s_own_process_blindness_is_what_catches_a_scavenger():
    gc.collect()  # folds of earlier tests, with other targets
    lab, caught = look("Scavenges", isolated=False)
    assert cell_of(lab).curves["found"][0][1] > 0
    assert cell_of(lab).metrics["full"]["hit@1"] > 0.9
    assert cell_of(lab).wall == "none"
    assert caught.keys() == {
        "blind_to_test_targets",
        "no_better_than_chance_where_nothing_tells",
    }


def test_a_known_failure_is_no_failure_and_is_recorded():
    lab, caught = look("KnowsAFailure")
    assert caught == {}
    verdict = lab.verdicts["learns_which_item_follows_which"]
    assert verdict.status == "known failure"
    assert "it is a constant, for comparison" in verdict.reason
    assert cell_of(lab).known_failures == {
        "learns_which_item_follows_which": "it is a constant, for comparison"
    }
