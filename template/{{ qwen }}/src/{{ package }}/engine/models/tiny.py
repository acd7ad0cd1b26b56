"""Tiny random Qwen models, saved in folders that `from_pretrained` loads, so that all code that loads is the real one.

The architecture is that of Qwen2 or Qwen3, the chat template is the family's own, and the tokenizer is Qwen's, byte
pair encoding over bytes, with merges that are learned from a few texts on the spot.
"""

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

import torch
from tokenizers import AddedToken
from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM

END = "<|im_end|>"
PADDING = "<|endoftext|>"
TEMPLATES = {"tiny-qwen2": "qwen2_5.jinja", "tiny-qwen3": "qwen3_instruct_2507.jinja"}
MARKS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>")
"""Tokens of their own that a decoded text keeps."""
HIDDEN = 64
"""Numbers that stand for a token between two layers."""


def make(folder: Path, name: str, texts: Iterable[str], seed: int = 0, vocabulary: int = 1024) -> Path:
    """Save a tiny model, `tiny-qwen2` or `tiny-qwen3`, and its tokenizer into a folder."""
    tokens = tokenizer(name, texts, vocabulary)
    tokens.save_pretrained(folder)
    model(name, tokens, seed).save_pretrained(folder)
    return folder


def tokenizer(name: str, texts: Iterable[str], vocabulary: int) -> Qwen2Tokenizer:
    """Qwen's tokenizer with merges from `texts`, at most so many tokens, and the family's chat template."""
    learned: Qwen2Tokenizer = Qwen2Tokenizer().train_new_from_iterator(texts, vocabulary, show_progress=False)
    learned.add_tokens([AddedToken(text, special=True) for text in ("<|im_start|>", END)], special_tokens=True)
    learned.add_tokens([AddedToken(text, normalized=False) for text in MARKS])
    learned.eos_token, learned.pad_token = END, PADDING
    learned.chat_template = template(TEMPLATES[name])
    return learned


def template(file: str) -> str:
    """One of the chat templates that TRL keeps beside its code."""
    return (files("trl") / "chat_templates" / file).read_text(encoding="utf-8")


def model(name: str, tokens: Qwen2Tokenizer, seed: int) -> Qwen2ForCausalLM | Qwen3ForCausalLM:
    """Two layers with random weights. Like the small ones of its family, it embeds and predicts with one matrix."""
    shape = {
        "vocab_size": -(-len(tokens) // 64) * 64,
        "hidden_size": HIDDEN,
        "intermediate_size": 2 * HIDDEN,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 32768,
        "tie_word_embeddings": True,
        # The family's 0.02 is for thousands of numbers; with so few, attention would look at nothing for long.
        "initializer_range": HIDDEN**-0.5,
        "bos_token_id": None,
        "eos_token_id": tokens.eos_token_id,
        "pad_token_id": tokens.pad_token_id,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = (
            Qwen3ForCausalLM(Qwen3Config(**shape, head_dim=HIDDEN // 4))
            if name == "tiny-qwen3"
            else Qwen2ForCausalLM(Qwen2Config(**shape))
        )
    ends = [tokens.eos_token_id, tokens.pad_token_id]
    made.generation_config = GenerationConfig(do_sample=False, eos_token_id=ends, pad_token_id=tokens.pad_token_id)
    return made
