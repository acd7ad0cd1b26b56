"""The shapes of the base models: known here for the two that are offered, so that nothing is downloaded to plan."""

from pathlib import Path

from huggingface_hub import constants
from transformers import AutoConfig, PretrainedConfig, Qwen2Config, Qwen3Config

from ..core.errors import Problem

FAMILIES = ("qwen2", "qwen3")

QWEN2_5_7B = "Qwen/Qwen2.5-7B-Instruct"
QWEN3_4B = "Qwen/Qwen3-4B-Instruct-2507"


def qwen2_5_7b() -> Qwen2Config:
    """As https://huggingface.co/Qwen/Qwen2.5-7B-Instruct/blob/main/config.json has it: 7.616 billion parameters."""
    return Qwen2Config(
        vocab_size=152064,
        hidden_size=3584,
        intermediate_size=18944,
        num_hidden_layers=28,
        num_attention_heads=28,
        num_key_value_heads=4,
        max_position_embeddings=32768,
        tie_word_embeddings=False,
    )


def qwen3_4b() -> Qwen3Config:
    """As https://huggingface.co/Qwen/Qwen3-4B-Instruct-2507/blob/main/config.json has it: 4.022 billion parameters."""
    return Qwen3Config(
        vocab_size=151936,
        hidden_size=2560,
        intermediate_size=9728,
        num_hidden_layers=36,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=262144,
        tie_word_embeddings=True,
    )


KNOWN = {QWEN2_5_7B: qwen2_5_7b, QWEN3_4B: qwen3_4b}


def architecture(base: str | Path) -> PretrainedConfig:
    """The configuration of a base model: a name on the Hugging Face Hub, or a folder.

    Raises:
        Problem: there is none, or it is of another family.
    """
    if str(base) in KNOWN:
        return KNOWN[str(base)]()
    try:
        found: PretrainedConfig = AutoConfig.from_pretrained(base)
    except (OSError, ValueError) as error:
        raise missing(str(base), (str(error) or type(error).__name__).splitlines()[0]) from None
    if found.model_type not in FAMILIES:
        raise Problem(f"{base} is of the family {found.model_type}: choose a dense Qwen2.5 or Qwen3 model")
    return found


def missing(base: str, reason: str) -> Problem:
    """What to do about a model that cannot be had."""
    advice = "check its name and the network"
    if constants.HF_HUB_OFFLINE:
        advice = "HF_HUB_OFFLINE is set, so nothing is downloaded: unset it"
    return Problem(f"cannot get the model {base} ({reason}): {advice}, or let --model.base name a folder that holds it")


def cache_bytes(config: PretrainedConfig, bytes_per_number: int) -> int:
    """What one token adds to the cache of keys and values."""
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return 2 * int(config.num_hidden_layers) * int(config.num_key_value_heads) * int(head) * bytes_per_number
