"""New tokens: how prompts hold them, and that their rows are trained, and nothing else is."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy

from mmbench import vlm
from mmbench.vlm.tiny import build_tiny

from .conftest import FAMILIES, SEEING, TITLES, make_run, shown

SIZES = (4, 3)
CODES = np.array([[0, 0], [3, 2], [1, 0], [0, 2]])


def load(run, name="smollm2", **settings):
    config = vlm.BackboneConfig(f"tiny:{name}", **{"lora_rank": 4, **settings})
    backbone = vlm.load_backbone(config, run, TITLES, tokens=vlm.code_tokens(SIZES))
    vlm.write_tokens(backbone)
    return backbone


def test_codes_have_names_and_entries(run):
    names = vlm.code_tokens(SIZES)
    assert names == ["<a_0>", "<a_1>", "<a_2>", "<a_3>", "<b_0>", "<b_1>", "<b_2>"]
    backbone = load(run)
    ids = vlm.code_ids(backbone, CODES, SIZES)
    assert ids.dtype == np.int64 and ids.shape == CODES.shape
    for code, row in zip(CODES, ids, strict=True):
        written = "".join(f"<{letter}_{number}>" for letter, number in zip("ab", code, strict=True))
        assert backbone.encode_text(written) == row.tolist()
    with pytest.raises(ValueError, match="there are 27 levels"):
        vlm.code_tokens([1] * 27)
    with pytest.raises(ValueError, match="row 1 has code 3 at level 1, which has 3"):
        vlm.code_ids(backbone, [[0, 0], [0, 3]], SIZES)
    with pytest.raises(ValueError, match=r"no tokens for codes of sizes \(4, 4\)"):
        vlm.code_ids(backbone, CODES, (4, 4))
    with pytest.raises(ValueError, match=r"int\[n, 2\] are due"):
        vlm.code_ids(backbone, CODES.astype(float), SIZES)


@pytest.mark.parametrize("name", FAMILIES)
def test_an_answer_in_tokens_goes_on_where_the_open_prompt_ends(name, run, store):
    """So that a search begins where training did; whatever a family puts before an answer."""
    backbone = load(run, name)
    first, second = (vlm.Tokens(*row) for row in vlm.code_ids(backbone, CODES[:2], SIZES))
    pictures = vlm.Pictures(backbone, store)
    parts = ["After ", first, *shown(pictures, 2), second, first, " comes "]
    asked = backbone.encode(vlm.Prompt(parts))
    for answer in ([second], [vlm.Span("id", second)]):
        known = backbone.encode(vlm.Prompt(parts, answer=answer))
        expected = [*asked.ids, *second.ids, *backbone.encode_text(backbone.family.chat.closing)]
        assert known.ids.tolist() == expected
        assert known.answer.tolist() == [place >= len(asked) for place in range(len(known))]
    following = asked.positions.max() + 1 + np.arange(len(known) - len(asked))
    assert (known.positions[..., len(asked) :] == following).all()
    if isinstance(answer[0], vlm.Span):
        assert known.ids[known.spans["id"]].tolist() == list(second.ids)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_prompt_with_tokens_is_that_of_its_text(name, run, store):
    """The tokens of a text of ours, read in one go; positions and marks as if each were a word."""
    backbone = load(run, name)
    first, second, third = (vlm.Tokens(*row) for row in vlm.code_ids(backbone, CODES[:3], SIZES))
    held = vlm.Prompt(
        ["After ", first, second, vlm.Span("last", "and ", third, " that"), ", what?", vlm.Tokens()]
    )
    found = backbone.encode(held)
    # a word of one token in the place of each
    words = backbone.encode(
        vlm.Prompt(["After ", *"ABCD", vlm.Span("last", "and ", "AB", " that"), ", what?"])
    )
    text = "After <a_0><b_0><a_3><b_2>"
    chat = backbone.family.chat
    opening = chat.opening + chat.lead
    start = len(backbone.encode_text(opening))
    assert found.ids[start:][: len(backbone.encode_text(text))].tolist() == backbone.encode_text(
        text
    )
    marked = found.ids[found.spans["last"]].tolist()
    assert marked == [*backbone.encode_text("and "), *third.ids, *backbone.encode_text(" that")]
    running = np.arange(len(found)) + found.positions[..., :1]
    assert (found.positions == running).all()
    assert set(found.spans) == {"last"} and words.ids.tolist() != found.ids.tolist()
    assert not found.answer.any() and not found.pictured.any()


def test_pictures_move_with_the_tokens_before_them(run, store):
    backbone = load(run, "qwen2.5-vl")
    pictures = vlm.Pictures(backbone, store)
    (row,) = vlm.code_ids(backbone, CODES[:1], SIZES)
    parts = ["x ", vlm.Tokens(*row), "y ", vlm.Image(1), " z"]
    found = backbone.encode(vlm.Prompt(parts))
    plain = backbone.encode(vlm.Prompt(["x ", "y ", vlm.Image(1), " z"]))
    moved = np.flatnonzero(found.pictured)
    assert found.images == (1,) and len(moved) == backbone.image_tokens
    assert (found.positions[:, moved] == plain.positions[:, plain.pictured] + len(row)).all()
    backbone(backbone.batch([found, plain], pictures))


def test_what_a_title_says_stays_text(run):
    backbone = load(run)
    ids = set(vlm.code_ids(backbone, CODES, SIZES).ravel().tolist())
    assert not ids & set(backbone.encode(vlm.Prompt(["buy <a_0><b_0> now"])).ids.tolist())


def test_prompts_without_tokens_are_as_they_were(run, store):
    plain = vlm.load_backbone(
        vlm.BackboneConfig("tiny:idefics3"), run, TITLES, tokens=vlm.code_tokens(SIZES)
    )
    prompt = vlm.Prompt(["a ", vlm.Image(1), vlm.Span("s", "b")], answer=["c"])
    before = plain.encode(prompt)
    vlm.write_tokens(plain)
    after = plain.encode(prompt)
    assert (before.ids == after.ids).all() and before.spans.keys() == after.spans.keys()


@pytest.mark.parametrize("name", ["smollm2", "smolvlm"])
def test_tokens_are_not_left_out_in_silence(name, run):
    config = vlm.BackboneConfig(f"tiny:{name}")
    backbone = vlm.load_backbone(config, run, TITLES, tokens=vlm.code_tokens(SIZES))
    with pytest.raises(TypeError, match=r"call vlm\.write_tokens"):
        backbone.encode(vlm.Prompt(["a ", vlm.Tokens(3, 4)]))


def test_prompts_that_tokens_make_too_long_are_refused(run):
    backbone = load(run, chat=False)
    backbone.model.config.get_text_config().max_position_embeddings = 60
    short = ["a ", *[vlm.Tokens(300)] * 3]
    assert len(backbone.encode(vlm.Prompt(short))) < 60
    with pytest.raises(ValueError, match="reads 60"):
        backbone.encode(vlm.Prompt(["a ", vlm.Tokens(*[300] * 60)]))


def tables(backbone):
    """The input table and the head, as they are used: float32[vocabulary, dim] each."""
    model, dim = backbone.model, backbone.dim
    count = model.config.get_text_config().vocab_size
    with torch.no_grad():
        read = model.get_input_embeddings()(torch.arange(count))
        head = model.get_output_embeddings()(torch.eye(dim)).T
    return read.clone(), head.clone()


def questions(backbone, pictures=None):
    """Open prompts, which items 2, 3 and 4 are to answer."""
    ids = vlm.code_ids(backbone, CODES, SIZES)
    return [
        vlm.Prompt([*shown(pictures or (), number + 1), vlm.Tokens(*ids[number])])
        for number in range(3)
    ]


def step(backbone, learning_rate=1e-2, pictures=None):
    """One step towards answers in tokens; the loss before it."""
    ids = vlm.code_ids(backbone, CODES, SIZES)
    encoded = [
        backbone.encode(replace(prompt, answer=[vlm.Tokens(*ids[number + 1])]))
        for number, prompt in enumerate(questions(backbone, pictures))
    ]
    batch = backbone.batch(encoded, pictures)
    backbone.train()
    asked = batch.answer[:, 1:]
    logits = backbone.logits(backbone(batch)[:, :-1][asked])
    loss = cross_entropy(logits, batch.ids[:, 1:][asked])
    trained = [weight for weight in backbone.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=learning_rate)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    backbone.eval()
    return float(loss.detach())


@pytest.mark.parametrize("name", FAMILIES)
def test_with_adapters_they_and_the_new_rows_alone_are_trained(name, run, store):
    backbone = load(run, name)
    pictures = vlm.Pictures(backbone, store)
    ids = np.unique(vlm.code_ids(backbone, CODES, SIZES))
    new = vlm.code_ids(backbone, [[0, 0]], SIZES).min() + np.arange(sum(SIZES))
    before = {name: value.clone() for name, value in backbone.model.state_dict().items()}
    read, head = tables(backbone)
    losses = [step(backbone, pictures=pictures) for _ in range(6)]
    assert losses[-1] < losses[0]
    changed = {
        name
        for name, value in backbone.model.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed
    assert all(".lora_" in name or ".trainable_tokens_delta." in name for name in changed)
    assert any(".lora_B." in name for name in changed)
    later, last = tables(backbone)
    old = np.setdiff1d(np.arange(len(read)), new)
    assert torch.equal(read[old], later[old]) and torch.equal(head[old], last[old])
    assert not (read[ids] == later[ids]).all(1).any()
    assert not (head[ids] == last[ids]).all(1).any()
    if backbone.model.config.get_text_config().tie_word_embeddings:
        scale = later.norm() / last.norm()  # Gemma scales what it reads
        assert torch.allclose(later, last * scale, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("trained", ["language", "all"])
@pytest.mark.parametrize("name", ["smollm2", "qwen2.5-vl", "smolvlm"])
def test_with_all_weights_they_are_rows_like_others_and_tables_stay_tied(name, trained, run, store):
    backbone = load(run, name, trained=trained)
    pictures = vlm.Pictures(backbone, store)
    ids = np.unique(vlm.code_ids(backbone, CODES, SIZES))
    before = {name: value.clone() for name, value in backbone.model.named_parameters()}
    losses = [step(backbone, 1e-3, pictures) for _ in range(3)]
    assert losses[-1] < losses[0]
    model = backbone.model
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    changed = {n for n, value in model.named_parameters() if not torch.equal(value, before[n])}
    assert any("embed_tokens" in name for name in changed)
    seen = [name for name in changed if "vis" in name]
    assert bool(seen) == (trained == "all" and name in SEEING)
    (table,) = (name for name in changed if "embed_tokens" in name)
    assert not (model.get_parameter(table)[ids] == before[table][ids]).all(1).any()


def test_tables_of_their_own_both_have_their_new_rows_trained(run, tmp_path):
    """As large checkpoints have them: reading and writing share nothing."""
    config = vlm.BackboneConfig("tiny:smollm2", lora_rank=4)
    build_tiny(config, TITLES, 0, tmp_path / "apart")
    settings = json.loads((tmp_path / "apart" / "config.json").read_text())
    settings["tie_word_embeddings"] = False
    (tmp_path / "apart" / "config.json").write_text(json.dumps(settings))
    stored = load_file(tmp_path / "apart" / "model.safetensors")
    stored["lm_head.weight"] = stored["model.embed_tokens.weight"].flip(0).contiguous()
    save_file(stored, tmp_path / "apart" / "model.safetensors", {"format": "pt"})
    backbone = vlm.load_backbone(
        replace(config, backbone=str(tmp_path / "apart")), run, tokens=vlm.code_tokens(SIZES)
    )
    vlm.write_tokens(backbone)
    ids = np.unique(vlm.code_ids(backbone, CODES, SIZES))
    read, head = tables(backbone)
    assert not torch.allclose(read, head)
    for _ in range(2):
        step(backbone)
    later, last = tables(backbone)
    new = vlm.code_ids(backbone, [[0, 0]], SIZES).min()
    assert torch.equal(read[:new], later[:new]) and torch.equal(head[:new], last[:new])
    assert not (read[ids] == later[ids]).all(1).any()
    assert not (head[ids] == last[ids]).all(1).any()


def test_new_rows_come_from_the_seed_and_are_near_the_others_mean(tmp_path):
    rows = []
    for folder, seed in enumerate((3, 3, 4)):
        backbone = load(make_run(tmp_path / str(folder), seed=seed))
        new = vlm.code_ids(backbone, [[0, 0]], SIZES).min()
        read, _ = tables(backbone)
        spread = read[:new].std(0).mean()
        assert (read[new:] - read[:new].mean(0)).abs().max() < 0.2 * spread
        assert len(torch.unique(read[new:], dim=0)) == sum(SIZES)
        rows.append(read[new:])
    assert torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[0], rows[2])


@pytest.mark.parametrize("trained", ["lora", "language"])
def test_what_was_trained_is_saved_and_found_again(trained, run, tmp_path):
    backbone = load(run, "smolvlm", trained=trained)
    step(backbone)
    backbone.save(tmp_path / "kept")
    kept = replace(backbone.config, backbone=str(tmp_path / "kept"))
    again = vlm.load_backbone(kept, make_run(tmp_path, seed=9))
    vlm.write_tokens(again)
    ids = vlm.code_ids(again, CODES, SIZES)
    trie = vlm.Trie(ids)
    prompt = vlm.Prompt(["after ", vlm.Tokens(*ids[1])])
    found, expected = (vlm.exact_scores(one, [prompt], trie) for one in (again, backbone))
    assert (found == expected).all()


def test_a_search_writes_what_training_has_taught(run):
    backbone = load(run, trained="language")
    trie = vlm.Trie(vlm.code_ids(backbone, CODES, SIZES))
    losses = [step(backbone, 3e-3) for _ in range(80)]
    assert losses[-1] < 0.2
    items, _ = vlm.beam_search(backbone, questions(backbone), trie, beams=4)
    assert items[:, 0].tolist() == [2, 3, 4]


def test_a_search_puts_a_table_together_once_and_leaves_nothing(run, monkeypatch):
    """However many levels and batches; training goes on as before, with what has changed since."""
    backbone = load(run)
    trie = vlm.Trie(vlm.code_ids(backbone, CODES, SIZES))
    step(backbone)
    layers = [m for m in backbone.modules() if hasattr(m, "get_merged_weights")]
    merge, merges = type(layers[0]).get_merged_weights, []
    monkeypatch.setattr(
        type(layers[0]), "get_merged_weights", lambda *given: merges.append(1) or merge(*given)
    )
    first = vlm.exact_scores(backbone, questions(backbone), trie, batch_size=1)
    assert len(layers) == 2 and len(merges) == 1  # the head shares the table
    backbone.logits(torch.zeros(1, backbone.dim))
    assert len(merges) > 1
    step(backbone)
    assert (vlm.exact_scores(backbone, questions(backbone), trie) != first).all()
    with torch.no_grad():
        next(w for n, w in backbone.named_parameters() if ".lora_B." in n).fill_(torch.nan)
    with pytest.raises(FloatingPointError):
        vlm.exact_scores(backbone, questions(backbone), trie)
    assert not any("get_merged_weights" in vars(layer) for layer in layers)
