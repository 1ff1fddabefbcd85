"""``--keep-fit`` keeps what models learn, and ``mmbench recommend`` answers from it."""

KEEPS = """
import numpy as np
from mmbench import hookimpl
from shelf import Counts

class Keeps(Counts):
    draws = False

    @hookimpl
    def keep(self):
        return {"follows": self.follows}

    @hookimpl
    def restore(self, arrays):
        self.follows = arrays["follows"]
"""
ASK = ["recommend", "keeps", "-d", "shop", "--users", "u41,u3", "-k", "4", "--json"]


def test_a_kept_fit_answers_without_a_new_one(bench):
    bench.add("keeping_models", KEEPS, keeps="Keeps")
    words = ["run", "-m", "keeps,noise", "-d", "shop", "--seeds", "2"]
    first = bench.run(*words)
    assert first.code == 0, first.err
    assert "one seed of keeps: every seed gives the same" in first.out
    seeds = sorted((one["label"], one["cell"]["seed"], one["draws"]) for one in bench.stored())
    assert seeds == [("keeps", 0, False), ("noise", 0, True), ("noise", 1, True)]
    stored = bench.run(*ASK)
    assert "kept fit" not in stored.err

    again = bench.run(*words, "--keep-fit")
    assert again.code == 0, again.err
    assert "1 of 3 cells to run" in again.out  # noise cannot be kept, and is not run for it
    (kept,) = bench.folder.glob("results/shop/*/keeps/*.fit.safetensors")
    assert "0 of 3 cells to run" in bench.run(*words, "--keep-fit").out
    lacking = bench.run("run", "-m", "noise", "-d", "shop", "-o", "other", "--keep-fit")
    assert lacking.code == 0
    assert "cannot be kept: noise" in lacking.out and "has no hook keep" in lacking.out

    answered = bench.run(*ASK)
    assert "from the kept fit" in answered.err
    assert answered.json == stored.json
    elsewhere = bench.run(*ASK, "-o", "elsewhere", "--fit", str(kept))
    assert elsewhere.json == stored.json
    assert not (bench.folder / "elsewhere").exists()  # nothing is stored

    for more, told in (
        (["--seed", "7"], "seed is 0, and 7 is asked for"),
        (["--set", "neg100"], "there are no lists for neg100, but for full, unseen"),
        (["--users", "nobody"], "user 'nobody' has no test query"),
    ):
        done = bench.run(*ASK, "--fit", str(kept), *more)
        assert done.code == 2 and told in " ".join(done.err.split()), done.err
    module = bench.folder / "site" / "keeping_models.py"
    module.write_text(KEEPS.replace("draws = False", "extra = 1"))
    done = bench.run(*ASK, "--fit", str(kept))
    assert done.code == 2 and "is the fit of another cell: code is" in " ".join(done.err.split())


def test_where_cells_run_elsewhere_no_fit_is_kept(bench):
    done = bench.run("run", "-m", "noise", "-d", "shop", "--keep-fit", "--executor", "slurm")
    assert done.code == 2 and "--keep-fit keeps the fits of cells that run here" in done.err
