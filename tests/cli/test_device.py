"""``--device``: what is hidden, what is refused, and what stands in the record."""

import pytest

RUN = ["run", "-m", "counts", "-d", "shop"]


def give_gpus(bench, *names):
    """A driver's tool at the head of the path, which lists these."""
    tool = bench.folder / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    lines = "".join(f"{n}, GPU-{n}abc, {name}\n" for n, name in enumerate(names))
    tool.write_text(f"#!/bin/sh\ncat <<'END'\n{lines}END\n")
    tool.chmod(0o755)
    bench.environment["PATH"] = f"{tool.parent}:{bench.environment['PATH']}"
    bench.environment.pop("CUDA_VISIBLE_DEVICES", None)


SEES = """
import os
import shelf
from mmbench import hookimpl

class Sees(shelf.Counts):
    @hookimpl
    def fit(self, train, items, run):
        run.log(0, key=float(os.environ["CUDA_VISIBLE_DEVICES"] or -1))
        super().fit(train, items, run)
"""


@pytest.mark.parametrize("command", [RUN, ["check", "counts"], ["tune", "counts", "-d", "shop"]])
def test_cuda_where_there_is_none_ends_the_command_before_data_are_read(bench, command):
    give_gpus(bench)
    refused = bench.run(*command, "--device", "cuda")
    assert refused.code == 2
    assert "--device cuda: no CUDA GPU is visible here" in refused.err
    assert not list(bench.folder.glob("cache/*"))
    assert not (bench.folder / "results").exists()


def test_a_device_is_no_part_of_a_cell_and_stands_beside_it(bench):
    give_gpus(bench, "Small", "Big")
    bench.add("sees", SEES, sees="Sees")
    run = ["run", "-m", "sees", "-d", "shop", "--json"]
    (on_cpu,) = bench.run(*run, "--device", "cpu", "--out", "cpu").json
    (on_big,) = bench.run(*run, "--device", "cuda:1", "--out", "big").json
    assert on_cpu["cell"] == on_big["cell"]
    assert (on_cpu["device"], on_cpu["environment"]["gpu"]) == ("cpu", None)
    assert (on_big["device"], on_big["environment"]["gpu"]) == ("cuda", "Big")
    assert (on_cpu["curves"]["key"], on_big["curves"]["key"]) == ([[0, -1.0]], [[0, 1.0]])
    again = bench.run(*run, "--device", "cpu", "--out", "big").json
    assert again == [on_big]  # a finished cell is not run again for another device


def test_cells_side_by_side_have_a_gpu_each(bench):
    give_gpus(bench, "Small", "Big")
    done = bench.run(*RUN, "--seeds", "4", "--jobs", "4", "--json")
    assert done.code == 0, done.err
    assert "2 at once instead of 4: a cell leases 1 of 2 GPUs" in done.err
    assert {one["environment"]["gpu"] for one in done.json} == {"Small", "Big"}
    refused = bench.run(*RUN, "--gpus-per-cell", "0.7")
    assert (refused.code, "--gpus-per-cell is a whole number" in refused.err) == (2, True)
