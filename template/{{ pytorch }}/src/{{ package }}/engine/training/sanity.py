"""Is the architecture sane? Minutes of checks before hours of training.

Each check returns what it found, and raises AssertionError with how far off it is.
"""

import copy
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..core.batch import Batch
from ..core.errors import require
from ..task import Config, Context, CutsGradient, ExpectsLoss, Output, Task
from .checkpoint import load_fitting
from .config import TrainConfig
from .device import Device
from .seeding import derive_seed, generator, seed_all
from .timing import take

EXAMPLES = 4


class Finding(NamedTuple):
    """The outcome of one check."""

    name: str
    passed: bool
    what: str


@dataclass
class Subject:
    """A fresh model and a few examples to check it on."""

    task: Task
    model: nn.Module
    batch: Batch
    seed: int

    def output(self, model: nn.Module, batch: Batch) -> Output:
        """A forward pass, with the same noise at each call."""
        examples = next(iter(batch.values()))
        seed_all(self.seed)
        context = Context(0, generator(examples.device, self.seed))
        output = self.task.loss(model, batch, self.task.initial_state(len(examples), examples.device), context)
        require(output.loss.shape == (), f"the loss has shape {tuple(output.loss.shape)}; it must be a scalar sum")
        require(output.loss.dtype.itemsize >= 4, f"the loss is {output.loss.dtype}; reduce it in float32")
        return output

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Loss per unit."""
        output = self.output(model, batch)
        # A batch may hold nothing that counts.
        return output.loss / output.units if output.units else output.loss

    def gradients(self, model: nn.Module, batch: Batch) -> tuple[Tensor, ...]:
        """Of the loss per unit by each trained parameter; zeros where it does not depend on one."""
        return torch.autograd.grad(self.loss(model, batch), [*trained(model).values()], materialize_grads=True)


def trained(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that are not frozen, by name."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def run(config: Config, device: Device) -> Iterator[Finding]:
    """Every check of a configuration, as it is made."""
    task = config.task()
    seed_all(derive_seed(config.seed, "initialisation"))
    model = task.model()
    if weights := task.initial_weights():
        load_fitting(model, weights)
    model = model.to(device.torch_device).eval()
    examples = take(task, EXAMPLES, device)
    subject = Subject(task, model, examples, config.seed)
    for name, check in (CHECKS | {"optimizer": partial(optimizer, config=config.train)}).items():
        yield attempt(name, check, subject)
    try:
        with torch.no_grad():
            found = task.checks(model, examples)
    except AssertionError as error:
        yield Finding("architecture", False, str(error))
    else:
        yield from (Finding(name, True, what) for name, what in found.items())


def attempt(name: str, check: Callable[[Subject], str], subject: Subject) -> Finding:
    """Run one check."""
    try:
        return Finding(name, True, check(subject))
    except AssertionError as error:
        return Finding(name, False, str(error))


def shapes(subject: Subject) -> str:
    """The loss is a finite float32 scalar."""
    loss = subject.loss(subject.model, subject.batch)
    require(loss.isfinite(), f"the loss is {loss.item()}")
    return ", ".join(f"{name} {tuple(value.shape)} {value.dtype}" for name, value in subject.batch.items())


def initial_loss(subject: Subject) -> str:
    """An untrained model knows nothing, and not less."""
    loss = subject.loss(subject.model, subject.batch).item()
    if not isinstance(subject.task, ExpectsLoss):
        return f"{loss:.4f}"
    expected = subject.task.expected_loss()
    require(abs(loss - expected) < 0.05 * expected, f"{loss:.4f}, expected {expected:.4f}: look at the initialisation")
    return f"{loss:.4f}, expected {expected:.4f}"


def gradients(subject: Subject) -> str:
    """Every parameter learns."""
    found = dict(zip(trained(subject.model), subject.gradients(subject.model, subject.batch), strict=True))
    dead = [name for name, gradient in found.items() if not gradient.isfinite().all() or not gradient.any()]
    require(not dead, f"no usable gradient for {', '.join(dead[:5])}")
    return f"all {len(found)} parameters"


def overfits(subject: Subject, steps: int = 150) -> str:
    """A model that cannot learn two examples by heart has a bug."""
    model = copy.deepcopy(subject.model)
    batch = {name: value[:2] for name, value in subject.batch.items()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    first = subject.loss(model, batch).item()
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        value = subject.loss(model, batch)
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if value.item() < 0.1 * first:
            return f"loss {first:.3f} to {value.item():.3f} in {step} steps"
    raise AssertionError(f"the loss of two examples only fell from {first:.3f} to {value.item():.3f} in {steps} steps")


def separate(subject: Subject) -> str:
    """The loss of one example does not depend on the others in its batch."""
    if not subject.task.per_example_loss:
        return "not asked of a loss over the whole batch"
    count = len(next(iter(subject.batch.values())))
    parts = [{name: value[i : i + 1] for name, value in subject.batch.items()} for i in range(count)]
    whole = subject.loss(subject.model, subject.batch).item()
    outputs = [subject.output(subject.model, part) for part in parts]
    mean = float(sum(output.loss.item() for output in outputs) / sum(output.units for output in outputs))
    require(math.isclose(whole, mean, rel_tol=1e-4), f"loss {whole:.6f} together, {mean:.6f} one by one")
    return f"loss {whole:.6f} together, {mean:.6f} one by one"


def optimizer(subject: Subject, config: TrainConfig) -> str:
    """Every parameter is in one group of an optimizer, and one step moves it."""
    model = copy.deepcopy(subject.model)
    found = subject.task.optimizer(model, config)
    optimizers = found if isinstance(found, list) else [found]
    counts = Counter(id(p) for one in optimizers for group in one.param_groups for p in group["params"])
    named = trained(model)
    wrong = [name for name, p in named.items() if counts[id(p)] != 1]
    require(not wrong, f"{', '.join(wrong[:5])}: not in exactly one group of the optimizer")
    subject.loss(model, subject.batch).backward()
    before = {name: p.detach().clone() for name, p in named.items()}
    for one in optimizers:
        one.step()
    still = [name for name, p in named.items() if torch.equal(p, before[name])]
    require(not still, f"a step does not move {', '.join(still[:5])}")
    kinds = ", ".join(type(one).__name__ for one in optimizers)
    return f"{kinds}, {len(named)} parameters in {sum(len(one.param_groups) for one in optimizers)} groups"


def extremes(subject: Subject) -> str:
    """Inputs at the ends of their range give a finite loss."""
    tried = []
    for name, value in subject.batch.items():
        edges = [-1e4, 1e4, 0] if value.is_floating_point() else [int(value.min()), int(value.max()), 0]
        for edge in edges:
            loss = subject.loss(subject.model, subject.batch | {name: torch.full_like(value, edge)})
            require(loss.isfinite(), f"the loss is {loss.item()} where {name} is {edge} everywhere")
            tried.append(loss.item())
    return f"loss at most {max(tried):.3f}"


def derivative(subject: Subject) -> str:
    """In float64, the gradient along a random direction equals the central difference."""
    model = copy.deepcopy(subject.model).cpu().double()
    if isinstance(subject.task, CutsGradient):
        model = subject.task.with_full_gradient(model)
    # A loss over the whole batch may have nothing to say of a single example.
    count = 1 if subject.task.per_example_loss else EXAMPLES
    batch = {name: value[:count].cpu() for name, value in subject.batch.items()}
    batch = {name: value.double() if value.is_floating_point() else value for name, value in batch.items()}
    seed_all(subject.seed)
    parameters: list[Tensor] = [*trained(model).values()]
    direction = [torch.randn_like(p) / math.sqrt(p.numel()) for p in parameters]
    along = sum(float((g * d).sum()) for g, d in zip(subject.gradients(model, batch), direction, strict=True))
    sides, h = [], 1e-5
    with torch.no_grad():
        for shift in (h, -2 * h):
            torch._foreach_add_(parameters, direction, alpha=shift)
            sides.append(subject.loss(model, batch).item())
    difference = (sides[0] - sides[1]) / (2 * h)
    require(math.isclose(along, difference, rel_tol=1e-5, abs_tol=1e-7), f"{along:.9f} against {difference:.9f}")
    return f"{along:.7f} against {difference:.7f}"


def deterministic(subject: Subject) -> str:
    """The same call gives the same bits."""
    model, batch = subject.model, subject.batch
    first, second = ([subject.loss(model, batch), *subject.gradients(model, batch)] for _ in range(2))
    equal = all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    require(equal, "two backward passes differ: look for an operation without a deterministic kernel")
    return f"{len(first)} tensors equal to the bit"


CHECKS: dict[str, Callable[[Subject], str]] = {
    "shapes and dtypes": shapes,
    "loss before training": initial_loss,
    "gradients": gradients,
    "overfits two examples": overfits,
    "no leak between examples": separate,
    "extreme inputs": extremes,
    "derivative in float64": derivative,
    "determinism": deterministic,
}
