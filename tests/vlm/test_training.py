"""The loop: it learns, stops, keeps the best, goes on where it was, and says nothing."""

import json
import math
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from mmbench import vlm

from .conftest import FAMILIES, TITLES, shown
from .regression import POINTS, Diary, Regression, fit, stack, weights


class NextToken(nn.Module):
    """The mean cross entropy of the answers' tokens."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone

    def forward(self, batch):
        asked = batch.answer[:, 1:]
        states = self.backbone(batch)[:, :-1]
        return cross_entropy(self.backbone.logits(states[asked]), batch.ids[:, 1:][asked])


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_learns(name, fresh, run, store):
    backbone = fresh(name)
    pictures = vlm.Pictures(backbone, store)
    prompts = [vlm.Prompt(shown(pictures, item), [TITLES[item + 1]]) for item in range(1, 7)]
    examples = [backbone.encode(prompt) for prompt in prompts]
    losses = []
    vlm.train(
        NextToken(backbone),
        examples,
        lambda some, rng: backbone.batch(some, pictures),
        vlm.TrainingConfig(epochs=8, batch_size=3, learning_rate=3e-2, validate_every=0),
        replace(run, log=lambda step, **values: losses.append(values["loss"])),
        lengths=[len(example) for example in examples],
    )
    assert len(losses) == 8
    assert losses[-1] < losses[0] - 0.3


def test_a_seed_gives_the_same_weights_and_leaves_global_streams_alone(tmp_path):
    torch.manual_seed(1)
    np.random.seed(1)
    one = fit(tmp_path / "one", validate_every=0)
    drawn = torch.rand(1), np.random.rand()
    two = fit(tmp_path / "two", validate_every=0)
    assert torch.equal(weights(one), weights(two))
    torch.manual_seed(1)
    np.random.seed(1)
    assert (torch.rand(1), np.random.rand()) == drawn
    run = Diary([0.0]).run(tmp_path / "three", seed=4)
    other = Regression()
    config = vlm.TrainingConfig(epochs=4, learning_rate=1e-2, validate_every=0)
    vlm.train(other, POINTS, stack, config, run)
    assert not torch.equal(weights(one), weights(other))


def test_the_best_state_is_left_and_training_stops_without_gain(tmp_path):
    diary, states, refreshed = Diary([0.1, 0.5, 0.3, 0.5, 0.2, 0.9]), [], []
    module = Regression()

    def refresh():
        assert not module.training
        refreshed.append(weights(module))

    run = diary.run(tmp_path)
    config = vlm.TrainingConfig(epochs=9, learning_rate=1e-2, patience=3, validate_limit=7)
    vlm.train(module, POINTS, stack, config, run, refresh=refresh)
    states = refreshed[:-1]
    assert diary.asked == [7] * 5  # the second is best; 0.5 again is no gain
    assert torch.equal(weights(module), states[1])
    assert torch.equal(refreshed[-1], states[1])
    assert not torch.equal(states[1], states[4])
    valid = [values["valid ndcg@10"] for _, values in diary.curves if "valid ndcg@10" in values]
    assert valid == [0.1, 0.5, 0.3, 0.5, 0.2]


def test_curves_and_bar(tmp_path):
    diary = Diary([0.0])
    fit(tmp_path, diary, epochs=2, batch_size=8, validate_every=2)
    losses = [(step, values) for step, values in diary.curves if "loss" in values]
    assert [step for step, _ in losses] == [1, 2]
    assert all(math.isclose(values["twice"], 2 * values["loss"]) for _, values in losses)
    assert len(diary.asked) == 1  # after the second
    assert diary.bars == [(step, 6, "steps") for step in range(1, 7)]


def test_the_watcher_hears_each_step_also_after_a_cut(tmp_path):
    heard: list[tuple[int, int]] = []

    def watch(step: int, steps: int) -> None:
        heard.append((step, steps))
        if len(heard) == 4:  # in the second epoch
            raise KeyboardInterrupt

    config = vlm.TrainingConfig(epochs=3, batch_size=10, validate_every=0)
    run = Diary([0.0]).run(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        vlm.train(Regression(), POINTS, stack, config, run, watch=watch)
    vlm.train(Regression(), POINTS, stack, config, run, watch=watch)
    assert heard == [(1, 6), (2, 6), (3, 6), (4, 6), (3, 6), (4, 6), (5, 6), (6, 6)]


def test_a_training_that_was_cut_goes_on_as_if_it_was_not(tmp_path):
    scores = [0.3, 0.2, 0.6, 0.1, 0.4, 0.5]
    whole_diary = Diary(scores)
    whole = fit(tmp_path / "whole", whole_diary, epochs=6)

    class Cut(Exception):
        pass

    diary = Diary(scores)
    run = diary.run(tmp_path / "cut")
    config = vlm.TrainingConfig(epochs=6, learning_rate=1e-2, patience=9)

    def stop_at_four():
        if len(diary.asked) == 4:
            raise Cut
        return diary.validate()

    with pytest.raises(Cut):
        vlm.train(Regression(), POINTS, stack, config, run, validate=stop_at_four)
    assert len(list((run.scratch / "training").glob("checkpoint-*"))) == 1
    (run.scratch / "training" / "checkpoint-999").mkdir()  # one that was being written
    rest = Regression()
    diary.curves.clear()
    vlm.train(rest, POINTS, stack, config, run)
    assert torch.equal(weights(rest), weights(whole))
    assert [step for step, _ in diary.curves] == [5, 5, 6, 6]
    assert diary.curves == whole_diary.curves[-4:]


def test_checkpoints_hold_what_is_trained_and_can_be_left_out(tmp_path):
    from safetensors.torch import load_file

    fit(tmp_path / "some", epochs=3)
    (kept,) = (tmp_path / "some" / "scratch" / "training").glob("checkpoint-*")
    assert "frozen" not in load_file(kept / "trained.safetensors")
    fit(tmp_path / "none", epochs=3, checkpoint_every=0)
    assert not list((tmp_path / "none").rglob("checkpoint-*"))


def test_nothing_to_train_is_said(tmp_path, run):
    with pytest.raises(ValueError, match="no examples"):
        vlm.train(Regression(), [], stack, vlm.TrainingConfig(), run)
    with pytest.raises(ValueError, match="nothing in the module requires a gradient"):
        vlm.train(Regression().requires_grad_(False), POINTS, stack, vlm.TrainingConfig(), run)


def test_the_loop_is_silent(tmp_path, capfd):
    fit(tmp_path)
    printed = capfd.readouterr()
    assert printed.out == "" and printed.err == ""


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path):
    """Each sees half of the examples; gradients are averaged, and the first one validates."""
    script = tmp_path / "cell.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{IN_PARALLEL}")
    environment = {**os.environ, "PYTHONWARNINGS": "default", "OMP_NUM_THREADS": "1"}
    environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), str(tmp_path)],
            env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    ends = [(process.communicate(timeout=600)[1], process.returncode) for process in processes]
    assert [code for _, code in ends] == [0, 0], ends
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    assert first["weights"] == second["weights"]
    assert first["asked"] == 3 and second["asked"] == 0
    alone = Regression(dropout=0.0)
    config = vlm.TrainingConfig(epochs=3, batch_size=10, learning_rate=1e-2)
    run = Diary([0.1, 0.2, 0.3]).run(tmp_path / "alone")
    vlm.train(alone, POINTS, lambda some, rng: torch.from_numpy(np.stack(some)), config, run)
    assert np.allclose(weights(alone).tolist(), first["weights"], atol=1e-5)


ROOT = Path(__file__).parents[2]


IN_PARALLEL = """
import json, os
from pathlib import Path
import numpy as np, torch
from mmbench import vlm
from tests.vlm.regression import POINTS, Diary, Regression, weights

folder, rank = Path(sys.argv[1]), os.environ["RANK"]
module, diary = Regression(dropout=0.0), Diary([0.1, 0.2, 0.3])
config = vlm.TrainingConfig(epochs=3, batch_size=5, learning_rate=1e-2)
stack = lambda some, rng: torch.from_numpy(np.stack(some))
vlm.train(module, POINTS, stack, config, diary.run(folder / "shared"))
result = {"weights": weights(module).tolist(), "asked": len(diary.asked)}
(folder / f"{rank}.json").write_text(json.dumps(result))
torch.distributed.destroy_process_group()
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
