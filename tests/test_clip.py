"""The rendered CLIP against Hugging Face's, its convolutional tower against their ConvNeXt, and on halves of digits."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from rendering import render
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.datasets import load_digits
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPModel, ConvNextConfig, ConvNextModel

PATCH, SIZE, CONTEXT, VOCABULARY, WIDTH, TEXT_WIDTH, EMBEDDING = 4, 16, 7, 260, 12, 8, 6
STEPS = 1000
"""Of the training on halves of digits."""
SHARED = {"num_hidden_layers": 2, "hidden_act": "gelu", "attention_dropout": 0.0}


@pytest.fixture(scope="module")
def source(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of a fresh render."""
    project = tmp_path_factory.mktemp("clip") / "clip-oracle"
    render(template, project, {"architecture": "clip", "tracker": "none"})
    return project / "src"


@pytest.fixture
def package(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Its package, used in a folder of the test's own."""
    monkeypatch.syspath_prepend(str(source))
    monkeypatch.chdir(tmp_path)
    return importlib.import_module("clip_oracle")


def ours(package: ModuleType, **changes: Any) -> nn.Module:
    """Ours, with every parameter drawn anew."""
    model_py, config_py, examples_py = (
        importlib.import_module(f"{package.__name__}.{name}") for name in ("model", "config", "engine.images.examples")
    )
    sizes: dict[str, Any] = {
        "patch": PATCH,
        "width": WIDTH,
        "layers": 2,
        "heads": 3,
        "text_width": TEXT_WIDTH,
        "text_layers": 2,
        "text_heads": 2,
        "context_length": CONTEXT,
        "vocab_size": VOCABULARY,
        "embedding": EMBEDDING,
    }
    config = config_py.ModelConfig(**sizes | changes)
    facts = examples_py.Facts((), 3, SIZE, (0.0,) * 3, (1.0,) * 3)
    torch.manual_seed(0)
    model: nn.Module = model_py.Clip(config, config_py.LossConfig(), facts).double()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(torch.tensor([2.0]) if name == "log_scale" else torch.randn(p.shape) * 0.3)
    return model


def theirs() -> CLIPModel:
    """Hugging Face's, of the same sizes; the caption is read where its first end stands."""
    vision = SHARED | {
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_attention_heads": 3,
        "image_size": SIZE,
        "patch_size": PATCH,
    }
    text = SHARED | {
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 4 * TEXT_WIDTH,
        "num_attention_heads": 2,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": CONTEXT,
        "eos_token_id": 0,
        "bos_token_id": 1,
        "pad_token_id": 0,
    }
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=EMBEDDING)).double().eval()


NAMES = {
    "image.patches": "vision_model.embeddings.patch_embedding",
    "image.start": "vision_model.embeddings.class_embedding",
    "image.positions": "vision_model.embeddings.position_embedding",
    "image.first_norm": "vision_model.pre_layrnorm",
    "image.norm": "vision_model.post_layernorm",
    "image.output": "visual_projection",
    "image.blocks": "vision_model.encoder.layers",
    "text.tokens": "text_model.embeddings.token_embedding",
    "text.positions": "text_model.embeddings.position_embedding",
    "text.norm": "text_model.final_layer_norm",
    "text.output": "text_projection",
    "text.blocks": "text_model.encoder.layers",
    "log_scale": "logit_scale",
}
INSIDE = {
    "attention_norm": "layer_norm1",
    "mlp_norm": "layer_norm2",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.out_proj",
    "expand": "mlp.fc1",
    "project": "mlp.fc2",
}


def their_name(name: str) -> str:
    """What they call one of our parameters."""
    ours = next(mine for mine in NAMES if name == mine or name.startswith(f"{mine}."))
    rest = name.removeprefix(ours)
    for mine, inside in INSIDE.items():
        rest = rest.replace(f".{mine}.", f".{inside}.") if ".blocks" in name else rest
    return NAMES[ours] + rest


def pairs(mine: nn.Module, other: nn.Module) -> list[tuple[nn.Parameter, nn.Parameter]]:
    """The parameters of both, ours copied into theirs."""
    named = dict(other.named_parameters())
    found = [(p, named.pop(their_name(name))) for name, p in mine.named_parameters()]
    assert not named
    with torch.no_grad():
        for p, q in found:
            q.copy_(p.view_as(q))
    return found


def inputs() -> tuple[Tensor, Tensor]:
    noise = torch.Generator().manual_seed(1)
    tokens = torch.randint(2, VOCABULARY, (5, CONTEXT), generator=noise)
    for row, end in enumerate((6, 4, 3, 5, 2)):
        tokens[row, end:] = 0
    return torch.rand(5, 3, SIZE, SIZE, generator=noise, dtype=torch.float64), tokens


def test_logits_loss_and_gradients_equal_those_of_transformers(package: ModuleType) -> None:
    task_py = importlib.import_module(f"{package.__name__}.task")
    mine, other = ours(package), theirs()
    both = pairs(mine, other)
    images, tokens = inputs()
    features: Any = mine(images, tokens)
    logits = task_py.similarity(features.image, features.text, features)
    expected = other(input_ids=tokens, pixel_values=images, return_loss=True)
    torch.testing.assert_close(logits, expected.logits_per_image, rtol=0, atol=1e-10)
    own = torch.eye(5, dtype=torch.bool)
    loss = (task_py.infonce(logits, own) + task_py.infonce(logits.T, own)) / 2 / 5
    torch.testing.assert_close(loss, expected.loss, rtol=0, atol=1e-10)
    loss.backward()
    expected.loss.backward()
    for p, q in both:
        assert p.grad is not None and q.grad is not None
        torch.testing.assert_close(p.grad.view_as(q), q.grad, rtol=0, atol=1e-10)


def test_a_planted_fault_is_noticed(package: ModuleType) -> None:
    """Captions that are read one place too early have other logits."""
    mine, other = ours(package), theirs()
    pairs(mine, other)
    images, tokens = inputs()
    expected = other(input_ids=tokens, pixel_values=images).logits_per_image
    features: Any = mine(images, torch.cat((tokens[:, :1] * 0 + 5, tokens[:, :-1]), 1))
    logits = features.scale * features.image @ features.text.T
    assert (logits - expected).abs().max() > 1e-2


def test_the_convolutional_tower_equals_convnext_but_for_its_projection(
    package: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With their kernel and epsilon, and without the scales of their layers; the parameters come in the same order."""
    model_py = importlib.import_module(f"{package.__name__}.model")
    monkeypatch.setattr(model_py, "KERNEL", 7)
    tower = ours(package, image_tower="cnn", patch=1).get_submodule("image")
    config = ConvNextConfig(
        patch_size=1,
        num_stages=2,
        hidden_sizes=[WIDTH // 2, WIDTH],
        depths=[2, 2],
        layer_scale_init_value=0.0,
        layer_norm_eps=1e-6,
    )
    other = ConvNextModel(config).double()
    for module in tower.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = 1e-6
    output = tower.get_parameter("output.weight")
    both = list(zip((p for p in tower.parameters() if p is not output), other.parameters(), strict=True))
    with torch.no_grad():
        for mine, theirs in both:
            theirs.copy_(mine)
    images, way = torch.rand(3, 3, SIZE, SIZE, dtype=torch.float64), torch.randn(3, EMBEDDING).double()
    found = tower(images)
    expected = nn.functional.normalize(other(images).pooler_output @ output.T, dim=-1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    for features in (found, expected):
        (features * way).sum().backward()
    for mine, theirs in both:
        assert mine.grad is not None
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=0, atol=1e-12)


def halves() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The left and right halves of scikit-learn's digits, (n, 32) from 0 to 1: of training, then of 360 others."""
    digits = load_digits()
    split = train_test_split(digits.images / 16, test_size=360, random_state=0, stratify=digits.target)
    train, held_out = (images.astype(np.float32) for images in split)
    return tuple(half.reshape(len(half), -1) for images in (train, held_out) for half in np.split(images, 2, axis=2))


class Halves:
    """Pairs of halves; those of training are noisy."""

    def __init__(self, left: np.ndarray, right: np.ndarray) -> None:
        self.left, self.right = left, right

    def __len__(self) -> int:
        return len(self.left)

    def batch(self, indices: np.ndarray, noise: np.random.Generator | None) -> dict[str, Tensor]:
        """As those of the project, where `tokens` are what the second tower takes."""
        pair = np.stack((self.left[indices], self.right[indices]))
        if noise is not None:
            pair = pair + 0.06 * noise.standard_normal(pair.shape, dtype=np.float32)
        contents = torch.from_numpy(indices)[:, None]
        x, tokens = torch.from_numpy(pair)
        return {"x": x, "tokens": tokens, "contents": contents, "said": torch.ones_like(contents)}


def halves_task(package: ModuleType) -> Any:
    """The project's task, whose towers take halves of a digit."""
    task_py, model_py, config_py, examples_py = (
        importlib.import_module(f"{package.__name__}.{name}")
        for name in ("task", "model", "config", "engine.images.examples")
    )
    left, right, other_left, other_right = halves()
    splits = {"train": Halves(left, right), "validation": Halves(other_left, other_right)}

    class Towers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.image, self.text = (
                nn.Sequential(nn.Linear(32, 512), nn.GELU(), nn.Linear(512, 512), nn.GELU(), nn.Linear(512, 64))
                for _ in range(2)
            )
            self.log_scale = nn.Parameter(torch.tensor([1 / 0.07]).log())
            self.chunk, self.bias = 0, torch.zeros(1)

        def forward(self, left: Tensor, right: Tensor) -> Any:
            scale = model_py.AtMost.apply(self.log_scale, float(np.log(model_py.LARGEST_SCALE))).exp()
            return model_py.Features(model_py.unit(self.image(left)), model_py.unit(self.text(right)), scale, self.bias)

    class HalvesTask(task_py.Pairing):
        saved = examples_py.Facts((), 1, 8, (0.0,), (1.0,))

        def model(self) -> nn.Module:
            return Towers()

        def data(self, split: str) -> Halves:
            return splits[split]

    return HalvesTask(config_py.DataConfig(), None, config_py.LossConfig())


def trained(package: ModuleType, task: Any, run: Path) -> nn.Module:
    """The model after a training by the project's trainer."""
    trainer_py, config_py, checkpoint_py, device_py, parallel_py = (
        importlib.import_module(f"{package.__name__}.engine.training.{name}")
        for name in ("trainer", "config", "checkpoint", "device", "parallel")
    )
    config = config_py.TrainConfig(
        steps=STEPS,
        batch=256,
        micro_batch=256,
        learning_rate=1e-3,
        warmup_steps=STEPS // 10,
        validate_every=STEPS,
        validation_batches=1,
        save_every=STEPS,
    )
    identity, device = checkpoint_py.Identity("halves", "halves"), device_py.Device("cpu", bf16=False)
    trainer = trainer_py.build_trainer(task, config, 0, run, identity, device, parallel_py.World())
    trainer.fit({})
    model: nn.Module = trainer.learner.evaluated
    return model.eval()


def mixture(train: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The logarithm of p(left, right) / p(left) p(right) of all pairs, (n, n), by Gaussians of whole digits."""
    fitted = GaussianMixture(20, reg_covar=3e-3, random_state=0).fit(train)

    def density(values: np.ndarray, part: slice) -> np.ndarray:
        found: np.ndarray = logsumexp(
            [
                np.log(weight) + multivariate_normal(mean[part], covariance[part, part]).logpdf(values)
                for weight, mean, covariance in zip(fitted.weights_, fitted.means_, fitted.covariances_, strict=True)
            ],
            axis=0,
        )
        return found

    count = len(left)
    pairs = np.hstack((np.repeat(left, count, axis=0), np.tile(right, (count, 1))))
    whole = density(pairs, slice(None)).reshape(count, count)
    return whole - density(left, slice(32))[:, None] - density(right, slice(32, None))


def recall(scores: np.ndarray, place: int) -> float:
    """The mean of both ways, where row and column of one number belong together."""
    own = np.diag(scores)
    ranks = (scores >= own[:, None]).sum(1), (scores >= own).sum(0)
    return float(np.mean(np.stack(ranks) <= place))


def test_it_learns_which_halves_of_digits_belong_together(package: ModuleType, tmp_path: Path) -> None:
    """As well as a density of whole digits, and far better than directions that correlate."""
    task, retrieval = halves_task(package), importlib.import_module(f"{package.__name__}.engine.images.retrieval")
    task_py = importlib.import_module(f"{package.__name__}.engine.task")
    model, held_out = trained(package, task, tmp_path), task.data("validation")
    left, right, other_left, other_right = halves()
    with torch.no_grad():
        found = task.predictions(model, [held_out.batch(np.arange(360), None)], task_py.Context(0, torch.Generator()))
    scores = (found["image"] @ found["text"].T).numpy()
    at_1, at_10 = recall(scores, 1), recall(scores, 10)
    assert at_1 >= 0.22 and at_10 >= 0.65
    metrics = task.metrics(found)
    assert metrics["recall_at_1"].value == pytest.approx(at_1)
    density = mixture(np.hstack((left, right)), other_left, other_right)
    image, text = retrieval.canonical(left, right, other_left, other_right)
    correlated = (image / np.linalg.norm(image, axis=1)[:, None]) @ (text / np.linalg.norm(text, axis=1)[:, None]).T
    assert recall(density, 1) > 0.25  # a strong baseline: about 0.29 at 1, and 0.75 at 10
    assert at_1 > 2 * recall(correlated, 1) > 20 / len(held_out)
