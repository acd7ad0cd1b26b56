"""A trained model as a folder that plain `from_pretrained` loads: the adapters are added to the base's weights.

The base is read and written file by file, so that a model merges in the memory of its largest file, without a GPU. A
base that was trained on in 4 bits is merged in its own precision, which is closer to what was published.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from peft import LoraConfig
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import GenerationConfig, PreTrainedTokenizerBase

from ..core.errors import Problem
from ..core.files import replace, sync_all

PREFIX = "base_model.model."
"""What PEFT puts before the name of a weight."""


def merge(base: Path, adapter: Path, partial: Path) -> None:
    """Write base + adapter into the folder `partial`.

    Raises:
        Problem: the adapter is not one of this base.
    """
    config = LoraConfig.from_pretrained(str(adapter))
    scale = config.lora_alpha / config.r
    factors = load_file(adapter / "adapter_model.safetensors")
    used = 0
    for file in sorted(base.glob("*.safetensors")):
        with safe_open(file, framework="pt") as weights:
            names = list(weights.keys())
            merged = {name: added(name, weights.get_tensor(name), factors, scale) for name in names}
            save_file(merged, partial / file.name, metadata=weights.metadata())
        used += sum(f"{PREFIX}{stem(name)}.lora_A.weight" in factors for name in names)
    if 2 * used != len(factors):
        raise Problem(f"{adapter} has {len(factors) // 2} adapted weights, and {base} {used} of them: not its base")
    take(base, partial, "config.json", "model.safetensors.index.json")


def take(source: Path, partial: Path, *patterns: str) -> None:
    """Copy the files that match."""
    for pattern in patterns:
        for file in sorted(source.glob(pattern)):
            shutil.copyfile(file, partial / file.name)


def added(name: str, weight: Tensor, factors: Mapping[str, Tensor], scale: float) -> Tensor:
    """A weight W with its adapter, W + scale · B A, summed in fp32; a weight without one as it is."""
    key = f"{PREFIX}{stem(name)}"
    if f"{key}.lora_A.weight" not in factors:
        return weight
    down, up = factors[f"{key}.lora_A.weight"].float(), factors[f"{key}.lora_B.weight"].float()
    return (weight.float() + scale * (up @ down)).to(weight.dtype)


def stem(name: str) -> str:
    """The module of a weight."""
    return name.removesuffix(".weight")


def fresh(target: Path) -> Path:
    """An empty folder beside `target`, to be written and then renamed."""
    partial = target.with_name(f"{target.name}.tmp")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    return partial


def complete(base: Path, tokenizer: PreTrainedTokenizerBase, partial: Path, target: Path) -> None:
    """Add the tokenizer and how to generate, and let the folder appear under its name when it is on the disk."""
    tokenizer.save_pretrained(partial)
    ending(base, tokenizer).save_pretrained(partial)
    sync_all(partial)
    shutil.rmtree(target, ignore_errors=True)
    replace(partial, target)


def ending(base: Path, tokenizer: PreTrainedTokenizerBase) -> GenerationConfig:
    """How the base generates, and that it stops at the end of a turn: a base model's own settings do not say so."""
    known = (base / "generation_config.json").exists()
    settings = GenerationConfig.from_pretrained(base) if known else GenerationConfig()
    before = settings.eos_token_id if isinstance(settings.eos_token_id, list) else [settings.eos_token_id]
    end = tokenizer.eos_token_id
    settings.eos_token_id = [end, *(token for token in before if token not in (None, end))]
    settings.pad_token_id = tokenizer.pad_token_id
    return settings
