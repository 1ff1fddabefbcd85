"""Prompts, hidden states and logits are those of transformers' own processors and models."""

import pytest
import torch
import transformers

from mmbench import vlm
from mmbench.vlm.families import FAMILIES, family_of
from mmbench.vlm.pictures import square

from .conftest import FAMILIES as NAMES
from .conftest import READING, SEEING

# what a user of transformers writes: one placeholder a picture, which the processor expands
WRITTEN = {
    "qwen2.5-vl": "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
    "<|vision_start|><|image_pad|><|vision_end|>Red nail "
    "<|vision_start|><|image_pad|><|vision_end|>cream<|im_end|>\n<|im_start|>assistant\n",
    "smolvlm": "<|im_start|>User:<image>Red nail <image>cream<end_of_utterance>\nAssistant:",
    "paligemma2": "<image><image><bos>Red nail cream\n",
    "llava": "<s>USER: <image>\nRed nail <image>\ncream ASSISTANT:",
    "internvl3": "<|im_start|>user\n<IMG_CONTEXT>\nRed nail <IMG_CONTEXT>\ncream<|im_end|>\n"
    "<|im_start|>assistant\n",
}
WRITTEN["qwen2-vl"] = WRITTEN["qwen2.5-vl"]
WRITTEN["idefics3"] = WRITTEN["smolvlm"]
PARTS = [vlm.Image(1), "Red nail ", vlm.Image(2), "cream"]
PROCESSORS = {
    "qwen2.5-vl": "Qwen2_5_VLProcessor",
    "qwen2-vl": "Qwen2VLProcessor",
    "smolvlm": "SmolVLMProcessor",
    "idefics3": "Idefics3Processor",
    "paligemma2": "PaliGemmaProcessor",
    "llava": "LlavaProcessor",
    "internvl3": "InternVLProcessor",
}


class NoVideo:
    """Lets a processor do without the video processor, which needs torchvision."""

    def check_argument_for_proper_class(self, name, argument):
        if name == "video_processor" and argument is None:
            return type(None)
        return super().check_argument_for_proper_class(name, argument)


def stock_processor(name, backbone):
    kind = getattr(transformers, PROCESSORS[name])
    side = backbone.image_size
    images = backbone.processor
    options = {"image_processor": images, "tokenizer": backbone.tokenizer}
    if name in ("qwen2.5-vl", "qwen2-vl", "smolvlm", "internvl3"):
        options["video_processor"] = None
    if name in ("qwen2.5-vl", "qwen2-vl"):
        images.size = {"shortest_edge": side * side, "longest_edge": side * side}
    if name in ("smolvlm", "idefics3"):
        images.size = images.max_image_size = {"longest_edge": side}
        images.do_image_splitting = False
        options["image_seq_len"] = backbone.image_tokens
    if name == "paligemma2":
        images.image_seq_length = backbone.image_tokens
        images.size = {"height": side, "width": side}
    if name == "llava":
        options |= {"patch_size": 14, "vision_feature_select_strategy": "default"}
        options["num_additional_image_tokens"] = 1
        images.size = {"shortest_edge": side}
        images.crop_size = {"height": side, "width": side}
    if name == "internvl3":
        tokenizer = backbone.tokenizer
        for role, token in (
            ("start_image_token", "<img>"),
            ("end_image_token", "</img>"),
            ("context_image_token", "<IMG_CONTEXT>"),
            ("video_token", "<video>"),
        ):
            setattr(tokenizer, role, token)
            setattr(tokenizer, f"{role}_id", tokenizer.convert_tokens_to_ids(token))
        images.size = {"height": side, "width": side}
        images.crop_to_patches = False
        options["image_seq_length"] = backbone.image_tokens
    return type(f"NoVideo{kind.__name__}", (NoVideo, kind), {})(**options)


@pytest.mark.parametrize("name", [name for name in SEEING if name in PROCESSORS])
def test_a_prompt_is_read_as_transformers_reads_it(name, fresh, store):
    backbone = fresh(name, trained="none")
    pictures = vlm.Pictures(backbone, store)
    ours = backbone.batch([backbone.encode(vlm.Prompt(PARTS))], pictures)
    squares = [square(store.open(item), backbone.image_size) for item in (1, 2)]
    if name == "paligemma2":  # its processor wants an answer or puts the rest together itself
        count = backbone.image_tokens
        ids = backbone.tokenizer(
            WRITTEN[name].replace("<image>", "<image>" * count), return_tensors="pt"
        )["input_ids"]
        pixels = backbone.processor(squares, size={"height": 56, "width": 56}, return_tensors="pt")
        theirs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), **pixels}
        theirs["token_type_ids"] = torch.zeros_like(ids)
    else:
        theirs = stock_processor(name, backbone)(
            text=[WRITTEN[name]], images=[squares], return_tensors="pt", add_special_tokens=False
        )
    assert ours.ids.tolist() == theirs["input_ids"].tolist()
    with torch.no_grad():
        expected = backbone.model(**theirs, output_hidden_states=True)
        hidden = backbone(ours)
        logits = backbone.logits(hidden)
    assert float((hidden - expected.hidden_states[-1]).abs().max()) < 1e-5
    assert float((logits - expected.logits).abs().max()) < 1e-5


@pytest.mark.parametrize("name", READING)
def test_a_text_is_read_as_transformers_reads_it(name, shared):
    backbone = shared(name)
    ours = backbone.batch([backbone.encode(vlm.Prompt(["Red nail cream"], answer=["Gel"]))])
    with torch.no_grad():
        expected = backbone.model(input_ids=ours.ids, output_hidden_states=True)
        hidden = backbone(ours)
    assert torch.allclose(hidden, expected.hidden_states[-1], atol=1e-5)
    assert torch.allclose(backbone.logits(hidden), expected.logits, atol=1e-5)


def test_paligemma_reads_the_question_both_ways_and_the_answer_forwards(shared, store):
    backbone = shared("paligemma2")
    pictures = vlm.Pictures(backbone, store)

    def states(question, answer):
        prompt = backbone.encode(vlm.Prompt([vlm.Image(1), question], answer=[answer]))
        with torch.no_grad():
            return backbone(backbone.batch([prompt], pictures))[0]

    first, other_answer = states("Red nail cream", "Gel"), states("Red nail cream", "Gem")
    assert torch.allclose(first[:-2], other_answer[:-2], atol=1e-5)  # what comes later is unseen
    assert not torch.allclose(first[-1], other_answer[-1], atol=1e-3)
    other_end = states("Red nail creaq", "Gel")
    assert not torch.allclose(first[0], other_end[0], atol=1e-5)  # but within the question it is


@pytest.mark.parametrize("name", NAMES)
def test_a_tiny_model_is_of_the_checkpoints_class(name, shared):
    family = FAMILIES[name]
    backbone = shared(name)
    assert backbone.model.config.model_type == family.model_type
    assert family_of(family.model_type) is family
    for part in (family.chat.opening, family.chat.bridge, family.chat.closing):
        ids = backbone.tokenizer(part, add_special_tokens=False)["input_ids"]
        assert backbone.tokenizer.decode(ids) == part


def test_an_unknown_family_is_named():
    with pytest.raises(ValueError, match=r"'bert' are not supported; known are qwen2\.5-vl"):
        family_of("bert")
