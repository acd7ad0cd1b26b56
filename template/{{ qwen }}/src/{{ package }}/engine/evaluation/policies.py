"""The base model, or what a run made of it, as a policy."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from peft import PeftModel

from ..agent.generation import VLLM, Transformers, Writing
from ..agent.rollout import Policy
from ..config import ModelConfig, RunConfig
from ..finetuning.session import ADAPTER, MODEL
from ..models.loading import identity, load_model, load_tokenizer, precision

Engine = Literal["transformers", "vllm"]
"""What generates."""


def settings_of(config: RunConfig, base: Path) -> dict[str, Any]:
    """What decides how a model plays that was trained from this base, or the base itself."""
    train = config.train
    return {
        "base": identity(base),
        **asdict(config.model),
        "precision": precision(train.precision),
        "length": train.length,
        "tokens": train.tokens,
        "seed": config.seed,
    }


def policy_of(config: RunConfig, base: Path, run: Path | None, engine: Engine) -> Callable[[], Policy]:
    """The base in this folder, or what a run made of it, to be loaded when it is needed.

    It plays as it was trained: on a base in 4 bits if that is what the adapters were trained on. vLLM plays the merged
    model, in 16 bits.
    """
    train = config.train

    def loaded() -> Policy:
        folder = base if run is None else run / MODEL
        tokenizer = load_tokenizer(folder)
        writing = Writing(length=train.length, tokens=train.tokens, seed=config.seed)
        if engine == "vllm":
            return VLLM(folder, tokenizer, writing)
        numbers = precision(train.precision)
        if config.model.adapter == "full":
            model = load_model(folder, ModelConfig(base=config.model.base, adapter="lora"), numbers)
        else:
            model = load_model(base, config.model, numbers)
            model = model if run is None else PeftModel.from_pretrained(model, str(run / ADAPTER))
        model.config.use_cache = True
        return Transformers(model, tokenizer, writing)

    return loaded
