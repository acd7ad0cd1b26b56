"""How much GPU memory a training needs, measured before it starts, without weights and without a GPU.

The real modules run forward and backward on tensors that have no values, as core/memory_tracker.py says. All layers
are alike, so that everything grows linearly with their number: two shallow models tell what a deep one takes.
"""

import copy
from contextlib import nullcontext
from dataclasses import dataclass, fields
from typing import Any

import torch
from peft import get_peft_model
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoModelForCausalLM, PretrainedConfig

from ..config import ModelConfig, TrainConfig
from ..core.memory_tracker import Tracker, allocate
from ..models.architectures import cache_bytes
from ..models.loading import PROJECTIONS, adapters, recompute

GIB = 2**30
OVERHEAD = 1.0
"""GiB that CUDA's context, its libraries' workspaces and the allocator's gaps take: an allowance, not a measurement."""
NF4 = (4 + 8 / 64 + 32 / (64 * 256)) / 8
"""Bytes of a weight in 4 bits: 8 bits more for 64 of them, and 32 for 256 of these (Dettmers et al., 2023,
https://arxiv.org/abs/2305.14314, section 3)."""
MOMENTS = 2
"""Numbers that AdamW keeps for each one that it trains, of the same type."""
TILE = (4096, 32768)
"""Tokens and vocabulary entries of the logits that TRL computes at once, instead of all of them."""
SHALLOW = (2, 3)
"""Layers of the models that are measured."""


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """What a training holds at the same time, in bytes; `forward` and `backward` do not coincide."""

    weights: int
    """Of the base, as it is stored."""
    adapters: int
    """What is trained beside it; none where all weights are."""
    gradients: int
    """Kept from one micro-batch to the next."""
    optimizer: int
    """AdamW's moments."""
    forward: int
    """At most, in a micro-batch's forward pass, of what it allocates itself."""
    backward: int
    """The same in the backward pass, activations that are left from the forward pass included."""
    mask: int
    """Of who sees whom, in either pass."""
    dequantisation: int
    """The largest matrix in 16 bits: one at a time is computed with."""
    playing: int
    """What one episode of `length` tokens among others allocates at most when the model reads it, its mask and its
    cache of keys and values included."""
    cache: int
    """That cache alone."""

    @property
    def activations(self) -> int:
        """The worse of the two passes."""
        return max(self.forward, self.backward)

    @property
    def resident(self) -> float:
        """What stays from step to step, gradients aside: they are freed after each."""
        return self.weights + self.adapters + self.optimizer + self.dequantisation + OVERHEAD * GIB

    @property
    def training(self) -> float:
        """What a step needs."""
        return self.resident + self.gradients + self.activations + self.mask

    @property
    def needed(self) -> float:
        """What a training needs that plays one episode at a time."""
        return max(self.training, self.resident + self.playing)

    def at_once(self, capacity: float) -> int:
        """How many episodes of `length` tokens can be played at once between two steps."""
        return max(0, int((capacity - self.resident) / self.playing))

    def deeper(self, other: "Footprint", layers: int) -> "Footprint":
        """What a model with so many layers more takes, if `other` has one more than this."""
        grown = {
            field.name: getattr(self, field.name) + layers * (getattr(other, field.name) - getattr(self, field.name))
            for field in fields(self)
        }
        return Footprint(**grown)


def estimate(base: PretrainedConfig, model: ModelConfig, train: TrainConfig) -> Footprint:
    """What training such a model takes."""
    depth = base.num_hidden_layers
    if depth <= max(SHALLOW):
        return measure(base, model, train)
    few, more = (measure(with_layers(base, layers), model, train) for layers in SHALLOW)
    return few.deeper(more, depth - SHALLOW[0])


def with_layers(base: PretrainedConfig, layers: int) -> PretrainedConfig:
    """The same architecture with another depth."""
    changed = copy.deepcopy(base)
    changed.num_hidden_layers = layers
    changed.layer_types = base.layer_types[:1] * layers
    return changed


def measure(base: PretrainedConfig, model: ModelConfig, train: TrainConfig) -> Footprint:
    """What a training of this depth takes, from one micro-batch and one episode."""
    half = torch.float32 if train.precision == "fp32" else torch.bfloat16
    stored = torch.float32 if model.adapter == "full" else half
    with torch.device("meta"):
        causal = AutoModelForCausalLM.from_config(base, dtype=stored)
        low_rank = adapters(model)
        if low_rank:
            get_peft_model(causal, low_rank)
    trained = [parameter for parameter in causal.parameters() if parameter.requires_grad]
    size = sum(parameter.numel() * parameter.itemsize for parameter in trained)
    with FakeTensorMode():
        allocate(causal)
        forward, backward = step(causal, train, half)
        playing = read(causal, train.length)
    return Footprint(
        weights=weights(causal, model.adapter == "qlora"),
        adapters=size if low_rank else 0,
        gradients=size,
        optimizer=MOMENTS * size,
        forward=forward,
        backward=backward,
        mask=mask_of(train, half.itemsize, base.num_hidden_layers),
        dequantisation=largest(causal) * half.itemsize if model.adapter == "qlora" else 0,
        playing=playing + train.length**2 * (1 + stored.itemsize),
        cache=train.length * cache_bytes(base, stored.itemsize),
    )


def step(causal: Any, train: TrainConfig, half: torch.dtype) -> tuple[int, int]:
    """The most that the forward and the backward pass of a micro-batch hold, beyond weights and gradients."""
    causal.train()
    if train.activation_checkpointing:
        recompute(causal, True)
    causal.enable_input_require_grads()
    for parameter in causal.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    tokens = torch.zeros(train.micro_batch, train.length, dtype=torch.long)
    mixed = nullcontext() if half == torch.float32 else torch.autocast("cpu", half)
    with Tracker(causal) as tracker:
        with mixed:
            hidden = causal.model(input_ids=tokens, use_cache=False).last_hidden_state
            supervised = hidden[:, :-1].flatten(0, 1)
            loss = Head.apply(supervised, causal.lm_head.weight, half)  # type: ignore[no-untyped-call]
        forward = tracker.lap()
        loss.sum().backward()
        return forward, tracker.lap()


def mask_of(train: TrainConfig, itemsize: int, layers: int) -> int:
    """Bytes of the mask of attention: a truth value for each pair of tokens, and the number that attention makes of it.

    The latter is kept with a layer's activations. Packed rows are one sequence to the model, so that most of its mask
    says no; a padded trajectory that is alone in its batch needs none.
    """
    pairs = train.micro_batch * train.length**2 if train.micro_batch > 1 else 0
    if train.packing:
        pairs = (train.micro_batch * train.length) ** 2
    return pairs * (1 + itemsize * (1 if train.activation_checkpointing else layers))


def read(causal: Any, length: int) -> int:
    """The most that the model holds when it reads one episode and keeps its keys and values."""
    causal.eval()
    for parameter in causal.parameters():
        parameter.grad = None
    with Tracker(causal) as tracker, torch.no_grad():
        causal(input_ids=torch.zeros(1, length, dtype=torch.long), use_cache=True, logits_to_keep=1)
        return tracker.lap()


class Head(torch.autograd.Function):
    """What TRL's loss holds at a time, not what it computes: its fused head makes the logits tile by tile.

    Every token counts as supervised, which is the worst case: TRL leaves the others out.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, half: torch.dtype) -> Tensor:
        ctx.save_for_backward(hidden, weight)
        ctx.half = half
        tile_of(hidden, weight, half)
        return hidden.new_empty(len(hidden), dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor | None, ...]:
        """Both gradients are summed up in float32."""
        hidden, weight = ctx.saved_tensors
        of_hidden = torch.empty(hidden.shape)
        of_weight = torch.empty(weight.shape) if ctx.needs_input_grad[1] else None
        tile_of(hidden, weight, ctx.half)
        return of_hidden.to(hidden.dtype), None if of_weight is None else of_weight.to(weight.dtype), None


def tile_of(hidden: Tensor, weight: Tensor, half: torch.dtype) -> Tensor:
    """Room for a tile of logits, and for the part of the head that it needs."""
    part = weight[: TILE[1]].to(half)
    return hidden.new_empty(min(len(hidden), TILE[0]), len(part), dtype=half)


def quantised(name: str) -> bool:
    """Whether a weight is among those that qlora keeps in 4 bits."""
    return any(f"{projection}.base_layer.weight" in name for projection in PROJECTIONS)


def weights(model: nn.Module, four_bits: bool) -> int:
    """Bytes of all parameters but the adapters."""
    return round(
        sum(
            parameter.numel() * (NF4 if four_bits and quantised(name) else parameter.itemsize)
            for name, parameter in model.named_parameters()
            if "lora_" not in name
        )
    )


def largest(model: nn.Module) -> int:
    """Numbers in the largest matrix that qlora keeps in 4 bits."""
    return max(parameter.numel() for name, parameter in model.named_parameters() if quantised(name))
