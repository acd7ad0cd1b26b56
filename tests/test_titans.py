"""The rendered long-term memory against titans-pytorch, and in the limit in which it is the gated delta rule."""

import importlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from rendering import render
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.models.qwen3_next.modeling_qwen3_next import torch_recurrent_gated_delta_rule

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it scripts a function
    from titans_pytorch import NeuralMemory

SAMPLES, LENGTH, CHANNELS, HIDDEN = 2, 12, 6, 10
SIZES = {"vocab_size": 10, "length": 64, "layers": 1, "heads": 1, "d_ff": 8, "window": 4, "persistent": 0}


@pytest.fixture(scope="module")
def package(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The package of a fresh render."""
    project = tmp_path_factory.mktemp("titans") / "titans-oracle"
    render(template, project, {"architecture": "trm_titans_mag", "tracker": "none"})
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(project / "src"))
        yield "titans_oracle"


@pytest.fixture
def ours(package: str) -> ModuleType:
    torch.manual_seed(0)
    return importlib.import_module(f"{package}.model.neural_memory")


class Perceptron(nn.Module):
    """M(x) = x + scale norm(W1 gelu(W2 x)), for theirs to differentiate."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.randn(HIDDEN, CHANNELS))
        self.down = nn.Parameter(torch.randn(CHANNELS, HIDDEN))
        self.scale = nn.Parameter(torch.randn(1, CHANNELS))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * F.layer_norm(F.gelu(x @ self.up.mT) @ self.down.mT, (CHANNELS,), eps=1e-5)


def theirs(chunk: int, **options: object) -> NeuralMemory:
    """Theirs with our perceptron; tokens are written one by one, and gradients taken where a chunk begins."""
    memory = NeuralMemory(
        dim=CHANNELS,
        chunk_size=1,
        batch_size=chunk,
        model=Perceptron(),
        mem_model_norm_add_residual=False,
        **options,
    )
    return memory.double()


def given(ours: ModuleType, memory: NeuralMemory, x: Tensor) -> tuple[object, object]:
    """Tokens and initial weights for ours, as theirs computes them from x."""
    stored, asked = memory.store_norm(x), memory.retrieve_norm(x)
    logits = [
        layer[0](stored)[..., 0] for layer in (memory.to_adaptive_step, memory.to_momentum, memory.to_decay_factor)
    ]
    theta, eta, alpha = logits
    tokens = ours.Tokens(
        memory.to_queries(asked),
        memory.to_keys(stored),
        memory.to_values(stored),
        theta.sigmoid(),
        F.logsigmoid(eta),
        F.logsigmoid(-alpha),
    )
    start = {
        name: weight.repeat(SAMPLES, *[1] * (weight.ndim - 1))
        for name, weight in memory.memory_model_parameter_dict.items()
    }
    return tokens, ours.Weights(start["up"], start["down"], start["scale"])


@pytest.mark.parametrize("chunk", [1, 4])
def test_answers_and_gradients_equal_those_of_titans_pytorch(ours: ModuleType, package: str, chunk: int) -> None:
    """In float64; 12 tokens are three of the longer chunks."""
    config = importlib.import_module(f"{package}.config").ModelConfig(
        **SIZES, width=CHANNELS, expansion=1, chunk=chunk, causal=True
    )
    memory, x = theirs(chunk), torch.randn(SAMPLES, LENGTH, CHANNELS, dtype=torch.float64)
    expected, _ = memory(x)
    tokens, start = given(ours, memory, x)
    state = ours.MemoryState(x[:0], start, start, ours.Weights(*map(torch.zeros_like, start)), 0)
    found, _ = ours.NeuralMemory(config).run(tokens, state, keep=False)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)
    learned = list(memory.memory_model_parameters)
    gradients = [torch.autograd.grad(y.square().sum(), learned) for y in (found, expected)]
    for mine, other in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-11)


def test_gradients_at_the_first_memory_alone_are_other_mathematics(ours: ModuleType, package: str) -> None:
    """Their default takes every gradient at W0; the equality above is not vacuous."""
    memory, x = theirs(4), torch.randn(SAMPLES, LENGTH, CHANNELS, dtype=torch.float64)
    usual, _ = memory(x)
    memory.batch_size = None
    at_first, _ = memory(x)
    assert (usual - at_first).abs().max() > 1e-3


def test_a_linear_memory_without_momentum_is_the_gated_delta_rule(package: str) -> None:
    """W2 alone, written one by one, with the gradient of half the squared error at the decayed memory."""
    chunk = importlib.import_module(f"{package}.model.chunk_forward")
    q, k, v = torch.randn(3, SAMPLES, LENGTH, CHANNELS, dtype=torch.float64)
    k = F.normalize(k, dim=-1)
    beta, kept = torch.rand(2, SAMPLES, LENGTH, dtype=torch.float64)
    square, row = torch.zeros(SAMPLES, CHANNELS, CHANNELS), torch.zeros(SAMPLES, 1, CHANNELS)
    nothing = chunk.Weights(square.double(), square.double(), row.double())
    memory, answers = nothing, []
    for t in range(LENGTH):
        now = slice(t, t + 1)
        no_eta = torch.full((SAMPLES, 1), -1000.0, dtype=torch.float64)
        tokens = chunk.Tokens(q[:, now], k[:, now], v[:, now], beta[:, now], no_eta, kept[:, now].log())
        delta = kept[:, now, None] * (tokens.k @ memory.up.mT) - tokens.v
        u = chunk.Gradients(row.double(), delta, row.double(), row.double())
        memory = chunk.last_memory(memory, nothing, chunk.mixing(tokens, 1)[0], u, tokens.k)
        answers.append(tokens.q @ memory.up.mT)
    heads = (x[:, :, None].float() for x in (q * CHANNELS**0.5, k, v, kept.log(), beta))
    expected, _ = torch_recurrent_gated_delta_rule(*heads)
    torch.testing.assert_close(torch.cat(answers, dim=1).float(), expected[:, :, 0], rtol=0, atol=1e-5)


# Dynamo makes an instance of the function, which PyTorch warns of.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize(("causal", "checkpointing"), [(True, False), (True, True), (False, True)])
def test_the_backbone_compiles_without_a_break(package: str, causal: bool, checkpointing: bool) -> None:
    """Forward and backward, blocks recomputed too; fullgraph makes a break an error."""
    config = importlib.import_module(f"{package}.config").ModelConfig(
        **SIZES | {"persistent": 2},
        width=8,
        expansion=2,
        chunk=4,
        causal=causal,
        activation_checkpointing=checkpointing,
    )
    torch.manual_seed(0)
    model = importlib.import_module(f"{package}.model.titans_mag").TitansMAG(config).double()
    x, found = torch.randn(2, 9, 8, dtype=torch.float64), []
    for network in (model, torch.compile(model, fullgraph=True, backend="aot_eager")):
        y = network(x)
        found.append([y, *torch.autograd.grad((y * torch.linspace(-1, 1, 8)).sum(), list(model.parameters()))])
    for plain, compiled in zip(*found, strict=True):
        torch.testing.assert_close(compiled, plain, rtol=0, atol=1e-11)
