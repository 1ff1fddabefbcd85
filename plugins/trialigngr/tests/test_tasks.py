"""Each task's text, what is answered, and what the loss is taken of."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from mmbench_trialigngr.catalogue import Assets
from mmbench_trialigngr.configs import TASKS
from mmbench_trialigngr.draws import Draw
from mmbench_trialigngr.tasks import Told, write
from mmbench_trialigngr.writer import IdWriter, Objective

from mmbench import vlm
from mmbench.toolkit.semantic_ids import SemanticIdConfig, make_semantic_ids

A, B, C = "[90 91]", "[90 92]", "[93 92]"  # the ids of items 1, 2 and 3
NEXT = "Can you predict the next possible item that the user may expect?"


def plain(parts):
    return "".join(
        f"[{' '.join(map(str, part.ids))}]" if isinstance(part, vlm.Tokens) else part
        for part in parts
    )


@pytest.mark.parametrize(
    ("task", "history", "item", "question", "answer"),
    [
        (
            *("next", (1, 2), 3),
            f"The user has interacted with items {A}, {B} in chronological order. {NEXT}",
            C,
        ),
        ("title-to-id", (), 1, "Which item has the title: red tent?", A),
        ("id-to-title", (), 2, f'What is the title of item "{B}"?', "blue lamp"),
        (
            *("next-title", (3, 1), 2),
            f"The user has sequentially interacted with items {C}, {A}. Can you recommend the next "
            "item for him? Tell me the title of the item",
            "blue lamp",
        ),
        (
            *("titles-to-next", (2, 1), 3),
            "The user has interacted with items of the following titles in chronological order: "
            f"blue lamp, red tent. {NEXT}",
            C,
        ),
        ("interests", (), 1, "Which item serves the interests: camping, stars?", A),
        ("visdesc", (), 3, "Which item looks as described: a green box?", C),
        (
            *("visdesc-to-title", (), 1),
            "What is the title of the item that looks as described: a red triangle?",
            "red tent",
        ),
    ],
)
def test_what_each_task_says(told, task, history, item, question, answer):
    prompt = write(task, told, history, item, "paper")
    whole = plain(prompt.parts)
    assert whole.startswith("Below is an instruction that describes a task")
    assert whole.split("### User Input:\n")[1] == f"{question}\n\n### Response:\n"
    assert plain(prompt.answer) == answer
    short = write(task, told, history, item, "short")
    assert plain(short.answer).strip() == answer
    assert len(plain(short.parts)) < len(question)


def test_short_prompts_tell_the_tasks_apart(told):
    shown = {plain(write(task, told, (1,), 1, "short").parts) for task in TASKS}
    assert len(shown) == len(TASKS)


def test_a_task_is_asked_of_items_that_have_what_it_shows(told):
    usable = {task: [item for item in (1, 2, 3) if told.usable(task, item)] for task in TASKS}
    assert usable == {
        "next": [1, 2, 3],
        "title-to-id": [1, 2],
        "id-to-title": [1, 2],
        "next-title": [1, 2],
        "titles-to-next": [1, 2, 3],
        "interests": [1, 2],
        "visdesc": [1, 3],
        "visdesc-to-title": [1],
    }


@pytest.fixture
def writer(small, make_run):
    vectors = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    config = SemanticIdConfig(method="rkmeans", sizes=(2, 2, 2), items_per_code=1)
    ids = make_semantic_ids(vectors, config, 0)
    titles = ["", "red tent", "blue lamp", "green box", "old kettle"]
    assets = Assets(
        {
            "title": titles,
            "interests": ["", *("camping, stars",) * 4],
            "caption": ["", *("a red triangle",) * 4],
        }
    )
    return IdWriter(small(max_history=3), assets, ids, make_run())


@pytest.mark.parametrize("task", TASKS)
def test_the_loss_is_that_of_the_answer_and_its_end_alone(writer, task):
    encoded = writer.encode(Draw(task, (1, 2), 3))
    said = encoded.ids[encoded.answer]
    assert encoded.answer[-len(said) :].all()  # nothing of the question
    assert said[-1] == writer.backbone.end
    if task in ("id-to-title", "next-title", "visdesc-to-title"):
        assert writer.backbone.tokenizer.decode(said[:-1]).strip() == "green box"
    else:
        assert said[:-1].tolist() == writer.told.ids[3].tolist()
    batch = writer.batch([Draw(task, (1, 2), 3)])
    objective = Objective(writer.backbone)
    loss = float(objective(batch).detach())
    with torch.no_grad():
        logits = writer.backbone.logits(writer.backbone(batch))[0]
    expected = torch.nn.functional.cross_entropy(
        logits[-len(said) - 1 : -1], torch.from_numpy(said)
    )
    assert loss == pytest.approx(float(expected), abs=1e-5)
    # other answers have another loss, and so has another question
    other = replace(batch, answer=torch.ones_like(batch.answer))
    other.answer[:, 0] = False
    assert float(objective(other).detach()) != pytest.approx(loss, abs=1e-3)


def test_the_oldest_events_make_room(writer):
    long = writer.write("next", (1, 2, 3), None)
    assert len([part for part in long.parts if isinstance(part, vlm.Tokens)]) == 3
    writer.config = replace(writer.config, max_tokens=len(writer.backbone.encode(long)) - 1)
    kept = writer.write("next", (1, 2, 3), None)
    shown = [part.ids for part in kept.parts if isinstance(part, vlm.Tokens)]
    assert shown == [tuple(writer.told.ids[item].tolist()) for item in (2, 3)]


def test_names_of_codes_mean_nothing(told):
    """Exchange two codes in all ids: prompts differ in these entries and in nothing else."""
    swap = {90: 93, 93: 90}
    ids = np.vectorize(lambda entry: swap.get(entry, entry))(told.ids)
    other = Told(ids, told.titles, told.interests, told.captions)
    for task in TASKS:
        one, two = (write(task, each, (1, 2), 1, "paper") for each in (told, other))

        def renamed(parts):
            return plain(
                vlm.Tokens(*(swap.get(entry, entry) for entry in part.ids))
                if isinstance(part, vlm.Tokens)
                else part
                for part in parts
            )

        assert renamed(one.parts) == plain(two.parts)
        assert renamed(one.answer) == plain(two.answer)


def test_texts_of_items_are_never_read_as_ids(writer):
    written = Told(writer.told.ids, ["", "<a_0>", "x", "y", "z"], [""] * 5, [""] * 5)
    encoded = writer.backbone.encode(write("title-to-id", written, (), 1, "short"))
    shown = encoded.ids[~encoded.answer]
    names = writer.backbone.tokenizer.convert_tokens_to_ids(list(writer.backbone.tokens))
    assert not set(shown.tolist()) & set(names)
