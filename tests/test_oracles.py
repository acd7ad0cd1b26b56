"""The rendered transformer against independent implementations."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from transformer_demo.config import DataConfig, ModelConfig
from transformer_demo.engine.optim.schedules import build_schedule
from transformer_demo.engine.training.checkpoint import Identity
from transformer_demo.engine.training.config import TrainConfig
from transformer_demo.engine.training.dataloader import TrainingBatches
from transformer_demo.engine.training.device import Device
from transformer_demo.engine.training.parallel import World
from transformer_demo.engine.training.seeding import derive_seed, seed_all
from transformer_demo.engine.training.trainer import build_trainer
from transformer_demo.model import Transformer
from transformer_demo.task import LanguageModeling
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRMSNorm

CONFIG = ModelConfig(vocab_size=300, context_length=24, width=48, layers=3, heads=6, kv_heads=2, d_ff=80, norm_eps=1e-6)
NAMES = {
    "attention_norm": "input_layernorm",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.o_proj",
    "feed_forward_norm": "post_attention_layernorm",
    "feed_forward.gate": "mlp.gate_proj",
    "feed_forward.up": "mlp.up_proj",
    "feed_forward.down": "mlp.down_proj",
}


def llama_name(name: str) -> str:
    """What transformers calls a parameter of ours."""
    if not name.startswith("blocks."):
        return {"embedding.weight": "model.embed_tokens.weight", "norm.weight": "model.norm.weight"}[name]
    _, layer, rest = name.split(".", 2)
    return f"model.layers.{layer}.{NAMES[rest.removesuffix('.weight')]}.weight"


@pytest.mark.parametrize(("tables", "tolerance"), [("our own", 1e-6), ("theirs", 1e-12)])
def test_logits_and_gradients_equal_those_of_llama(
    tables: str, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float64. Transformers computes its rotary tables in float32, and its norm unless it is replaced by torch's."""
    monkeypatch.setattr(
        LlamaRMSNorm, "forward", lambda self, x: F.rms_norm(x, (len(self.weight),), self.weight, self.variance_epsilon)
    )
    torch.manual_seed(0)
    ours = Transformer(CONFIG).double()
    if tables == "theirs":
        ours.cos, ours.sin = (table.double() for table in tables_of_transformers())
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    llama = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=CONFIG.vocab_size,
            hidden_size=CONFIG.width,
            intermediate_size=CONFIG.d_ff,
            num_hidden_layers=CONFIG.layers,
            num_attention_heads=CONFIG.heads,
            num_key_value_heads=CONFIG.kv_heads,
            max_position_embeddings=CONFIG.context_length,
            rms_norm_eps=CONFIG.norm_eps,
            tie_word_embeddings=True,
            attn_implementation="sdpa",
        )
    ).double()
    theirs = dict(llama.named_parameters())
    with torch.no_grad():
        for name, parameter in ours.named_parameters():
            theirs[llama_name(name)].copy_(parameter)
    tokens = torch.randint(0, CONFIG.vocab_size, (2, CONFIG.context_length))
    logits, expected = ours(tokens), llama(tokens).logits
    torch.testing.assert_close(logits, expected, rtol=0, atol=10 * tolerance)
    for output in (logits, expected):
        F.cross_entropy(output[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()).backward()
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, theirs[llama_name(name)].grad, rtol=0, atol=tolerance)


def tables_of_transformers() -> tuple[torch.Tensor, torch.Tensor]:
    """The rotary tables as transformers computes them, from frequencies in float32."""
    channels = CONFIG.width // CONFIG.heads
    frequencies = 1.0 / (CONFIG.rope_base ** (torch.arange(0, channels, 2).float() / channels))
    angles = torch.outer(torch.arange(CONFIG.context_length).float(), frequencies).repeat(1, 2)
    return angles.cos(), angles.sin()


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for number in range(60):
        words = " ".join(rng.choice(["alpha", "beta", "gamma", "delta", "epsilon"], 100))
        Path(f"{number}.txt").write_text(f"{number} {words}")
    return str(tmp_path)


def test_the_trainer_equals_a_plain_loop(text: str, tmp_path: Path) -> None:
    """Clipping, accumulation, weight decay and AdamW, written out. Order and schedule have tests of their own."""
    task = LanguageModeling(DataConfig(path=text), CONFIG)
    config = TrainConfig(
        steps=12,
        batch=8,
        micro_batch=2,
        learning_rate=5e-3,
        warmup_steps=3,
        grad_clip=0.5,
        validate_every=12,
        validation_batches=1,
        save_every=12,
        precision="fp32",
    )
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "environment.json").write_text("{}", encoding="utf-8")
    trainer = build_trainer(task, config, 0, tmp_path / "run", Identity("", ""), Device("cpu", bf16=False), World())
    trainer.fit({})

    seed_all(derive_seed(0, "initialisation"))
    model = task.model()
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}], betas=(0.9, 0.95)
    )
    batches = TrainingBatches(task.data("train"), 0, 8, 8)
    factor = build_schedule(config)
    for step in range(config.steps):
        tokens = batches[step]["tokens"]
        loss = F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.grad_clip)
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * factor(step)
        optimizer.step()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(trainer.learner.model.get_parameter(name), parameter, rtol=1e-3, atol=1e-5)
