"""The model that is fine-tuned: where it comes from, in which numbers it computes, and what of it is trained."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from peft import LoraConfig
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils.logging import disable_progress_bar

from ..agent.chat_template import END
from ..agent.progress import drawn
from ..config import TINY, ModelConfig
from ..core.cache import kept
from ..core.config_io import fingerprint
from ..core.errors import Problem
from . import tiny
from .architectures import missing

Precision = Literal["bf16", "fp16", "fp32"]

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
"""All linear layers of a block; the embeddings and the head stay as they are."""
FILES, WEIGHTS = ("*.json", "*.txt", "*.jinja"), "*.safetensors"
"""What is downloaded of a model: never code, and no pickles."""
CHECKPOINTING = (
    "activation_checkpointing"
    if hasattr(PreTrainedModel, "activation_checkpointing_enable")
    else "gradient_checkpointing"
)
"""What transformers calls the recomputation of activations: the latter before 5.20, which vLLM 0.33 asks for."""


def folder_of(base: str, texts: Sequence[str], weights: bool = True) -> Path:
    """Where a base model lies: downloaded if need be; a tiny one is made in `.cache/`, with a tokenizer of `texts`.

    Without `weights`, only its configuration and its tokenizer are asked for.

    Raises:
        Problem: it cannot be had.
    """
    if not drawn():
        disable_progress_bar()  # transformers' bars, of weights that are read and written
    if base in TINY:
        return kept(f"{base}-{fingerprint(json.dumps(texts))[:8]}", "", lambda folder: tiny.make(folder, base, texts))
    if (Path(base) / "config.json").exists():
        return Path(base)
    try:
        folder = Path(snapshot_download(base, allow_patterns=[*FILES, *([WEIGHTS] if weights else [])]))
    except (OSError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        raise missing(base, type(error).__name__) from None
    # Offline, what lies there is handed out, though it be the tokenizer alone.
    if not (folder / "config.json").exists() or (weights and not any(folder.glob(WEIGHTS))):
        raise missing(base, "only a part of it is there")
    return folder


def identity(folder: Path) -> list[str]:
    """By which a model is known: its commit where it came from the Hub, else its files' sizes and times."""
    if folder.parent.name == "snapshots":
        return [folder.name]
    files = sorted(file for file in folder.iterdir() if file.is_file())
    return [folder.name, *(f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files)]


def precision(wanted: str) -> Precision:
    """In which numbers a training computes on this machine; `auto` chooses."""
    if wanted != "auto":
        return wanted  # type: ignore[return-value]
    if not torch.cuda.is_available():
        return "fp32"
    # Emulated, bf16 is slower than fp16: a T4 has none of its own, and PyTorch counts the emulation unless it is told.
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model. Its texts end where a turn ends, as those of a base model do not by themselves.

    Raises:
        Problem: it has no chat template of the family.
    """
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder)
    if tokenizer.chat_template is None or END not in tokenizer.get_vocab():
        raise Problem(f"{folder} has no chat template with {END}: choose a model of Qwen2.5 or Qwen3")
    tokenizer.eos_token = END
    return tokenizer


def load_model(folder: Path, config: ModelConfig, numbers: Precision) -> PreTrainedModel:
    """The base with its weights: in 4 bits for qlora, in the precision for lora, in fp32 where all are trained."""
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.float32 if config.adapter == "full" else DTYPES[numbers],
        quantization_config=four_bits(numbers) if config.adapter == "qlora" else None,
        device_map={"": "cuda:0" if torch.cuda.is_available() else "cpu"},
    )
    if config.adapter == "qlora":
        keep_trainable(model)
    return model


def keep_trainable(model: torch.nn.Module) -> None:
    """Let a base in 4 bits be trained after it was evaluated on a CPU.

    Where the CPU multiplies bf16, bitsandbytes packs the weights anew at the first evaluation, and its product with
    those passes no gradient on.
    """
    from bitsandbytes.nn import Linear4bit

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def four_bits(numbers: Precision) -> BitsAndBytesConfig:
    """NF4 with double quantisation (Dettmers et al., 2023, https://arxiv.org/abs/2305.14314, section 3)."""
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=DTYPES[numbers],
    )


def adapters(config: ModelConfig) -> LoraConfig | None:
    """The low-rank adapters (Hu et al., 2021, https://arxiv.org/abs/2106.09685); None where all weights are trained."""
    if config.adapter == "full":
        return None
    return LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=PROJECTIONS,
        task_type="CAUSAL_LM",
    )


def recompute(model: torch.nn.Module, activations: bool) -> None:
    """Compute activations a second time in the backward pass, or keep them from the forward pass."""
    getattr(model, f"{CHECKPOINTING}_{'enable' if activations else 'disable'}")()


def train_in_fp32(model: torch.nn.Module) -> None:
    """Keep what is trained in fp32, whatever the rest computes in.

    TRL turns the adapters of a base in 4 bits to bf16. Then fp16's gradient scaler refuses them
    (https://github.com/huggingface/trl/issues/4901), and a small update is lost to bf16's eight bits.
    """
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
