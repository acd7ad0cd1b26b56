"""What is wrong with a run, and what to do: a function of what was observed, and of nothing else.

The thresholds stand first, each with its reason. Those without a source are ours: the planted faults and the healthy
runs of the template's tests lie on their two sides. What is wrong with the data is in `data_rules.py`.
"""

import math
from collections.abc import Iterator
from statistics import mean, median

from ..task import Fault
from .data_rules import behind, imbalanced, leaking, noisy_labels, shifted, some, waits
from .observations import Observations

GAP = 0.05
"""Overfitting: the validation metric is worse than the training metric by more than this share of it, ..."""
CONFIDENCE = 1.645
"""... also at the lower end of the gap's one-sided 95 % interval, so many standard errors below it."""
DROP = 0.05
"""Underfitting: over the whole run, the loss fell by less than this share of the untrained model's."""
PLATEAU = 0.05
"""The loss no longer falls: over the last third of the run it fell by less than this share of its whole fall."""
RISE = 0.5
"""Divergence: from its lowest point, the loss rose by this share of its fall."""
SPIKE = 0.3
"""A spike rises by this share of the loss's whole fall above its neighbours ..."""
SIGMAS = 8.0
"""... and by so many standard deviations of the others' scatter."""
VANISHED = 1e-4
"""Vanishing: a layer's gradient is this small beside the strongest layer's. Healthy runs lie above 1e-3."""
EXPLODED = 100.0
"""Exploding: at the median step, clipping leaves less than a hundredth of the gradient."""
DEAD = 0.1
"""This share of a layer's units learns nothing."""
GAIN = 0.7
"""Another learning rate gains so much of the fall of a short run's loss: it falls three times as far."""
INITIALISATION = "initialise the weights with a standard deviation of 1 / sqrt(inputs), in model.py"


def judge(seen: Observations) -> list[Fault]:
    """Everything that is wrong, what hides the rest first."""
    of_steps = (not_finite, diverged, spiked, exploding, vanishing, dead_units, learning_rate)
    of_splits = (leaking, no_metric, underfitted, overfitted, imbalanced, noisy_labels, shifted, waits)
    return [fault for rule in of_steps + of_splits for fault in rule(seen)] + seen.faults


def wants_trials(seen: Observations) -> bool:
    """Whether short runs at other learning rates may explain something."""
    troubles = [fault for rule in (diverged, spiked, exploding, underfitted) for fault in rule(seen)]
    return bool(troubles) or (seen.finished and behind_half_of_the_baselines(seen))


def not_finite(seen: Observations) -> Iterator[Fault]:
    """NaN and infinity."""
    if seen.origin is None:
        return
    where, name = seen.origin.where, seen.origin.module
    said = {
        "data": f"the batch's {name} holds it already: training examples {', '.join(some(seen.origin.examples))}",
        "weights": f"the weights {name} hold it before the step",
        "forward": f"the module {name} takes finite values and returns others",
        "loss": "what the model returns is finite, and the loss, or its gradient, is not",
        "backward": f"the gradient is finite behind {name} and not finite before it",
        "norm": f"every gradient is finite and their norm is not; the largest is that of {name}",
    }
    remedy = {
        "data": "leave these examples out in data.py, or fix them",
        "weights": "start a new run from the step before, with a lower --train.learning-rate",
        "forward": f"look in {name} for a division, logarithm, root or exponential without a bound",
        "loss": "look in task.py for a logarithm or a root of zero, and a division by it",
        "backward": f"look in {name} for a root, norm or division whose derivative has no bound at zero",
        "norm": "initialise the weights smaller, and scale inputs and targets to about 1",
    }
    yield Fault("NaN or infinity", [f"step {seen.origin.step}, taken again: {said[where]}"], [remedy[where]])


def no_metric(seen: Observations) -> Iterator[Fault]:
    """A metric that is not a number."""
    steps = [str(step) for step, value in seen.validations.items() if not math.isfinite(value)]
    if steps:
        said = f"validation {seen.metric.replace('_', ' ')} is not a finite number at step {', '.join(some(steps))}"
        remedy = "look in metrics() of task.py for a division by zero, or a logarithm of it"
        yield Fault("a metric that is not a number", [said], [remedy])


def diverged(seen: Observations) -> Iterator[Fault]:
    """The loss rises and stays up."""
    losses = smooth(seen)
    if len(losses) < 2:
        return
    first, last = seen.initial, list(losses.values())[-1]
    lowest, highest = min(losses, key=losses.__getitem__), max(losses, key=losses.__getitem__)
    fall, rise = first - losses[lowest], last - losses[lowest]
    if last - first > DROP * abs(first):
        said = f"the loss ends at {last:.4g}, above the untrained model's {first:.4g}"
    elif losses[highest] - first > max(fall, DROP * abs(first)):
        said = (
            f"the loss rose to {losses[highest]:.4g} at step {highest}, further above the untrained model's "
            f"{first:.4g} than it ever came below it"
        )
    elif rise > RISE * fall > 0:
        said = (
            f"the loss fell from {first:.4g} to {losses[lowest]:.4g} at step {lowest} and rose to {last:.4g}: "
            f"{rise / fall:.0%} of its fall, over {RISE:.0%}"
        )
    else:
        return
    lower = f"--train.learning-rate {seen.config.learning_rate / 10:g}"
    yield Fault("divergence", [said], [lower, "--train.warmup-steps longer", "--train.grad-clip lower"])


def spiked(seen: Observations) -> Iterator[Fault]:
    """The loss jumps and comes back."""
    if len(seen.losses) < 8:
        return
    above = {step: seen.losses[step] - middle for step, middle in smooth(seen).items()}
    scatter = 1.4826 * median(map(abs, above.values()))
    limit = max(SPIKE * seen.fall, SIGMAS * scatter)
    # The two at either end have no neighbours on one of their sides.
    spikes = [
        f"step {step}: {seen.losses[step]:.4g}, {above[step]:.2g} above its neighbours, over {limit:.2g}"
        for step in list(above)[2:-2]
        if above[step] > limit
    ]
    remedy = [
        f"--train.grad-clip {seen.config.grad_clip / 2:g}",
        f"--train.learning-rate {seen.config.learning_rate / 3:g}",
        "look for examples that are broken or labelled wrongly among those of these steps",
    ]
    if spikes:
        yield Fault("loss spikes", some(spikes), remedy)


def exploding(seen: Observations) -> Iterator[Fault]:
    """Gradients that are far too large."""
    clip = seen.config.grad_clip
    limit = EXPLODED * (clip if math.isfinite(clip) else 1.0)
    if not seen.norms or median(seen.norms) <= limit:
        return
    evidence = [f"the gradient's norm is {median(seen.norms):.3g} at the median step, over {limit:g}"]
    if seen.layers:
        strongest = max(seen.layers, key=lambda layer: layer.gradient)
        evidence.append(f"it is largest in {strongest.name}: {strongest.gradient:.2g}, root mean square")
    scale = "put a norm (LayerNorm, RMSNorm) in front of each block, and scale inputs and targets to about 1"
    yield Fault("exploding gradients", evidence, [INITIALISATION, scale])


def vanishing(seen: Observations) -> Iterator[Fault]:
    """Layers that the gradient hardly reaches."""
    strongest = max((layer.gradient for layer in seen.layers), default=0.0)
    weak = [
        f"{layer.name}: {layer.gradient:.2g}, {layer.gradient / strongest:.1g} of the strongest layer's, "
        f"under {VANISHED:g}"
        for layer in sorted(seen.layers, key=lambda layer: layer.gradient)
        if layer.gradient < VANISHED * strongest
    ]
    remedy = [
        "residual connections around the blocks, and a norm in front of each",
        "an activation that does not saturate (GELU, SiLU, ReLU) instead of sigmoid or tanh",
        INITIALISATION,
    ]
    if weak:
        yield Fault("vanishing gradients", some(weak), remedy)


def dead_units(seen: Observations) -> Iterator[Fault]:
    """Units that never learn."""
    bad = [
        f"{layer.name}: {layer.dead} of {layer.units} units get no gradient from any example, over {DEAD:.0%}"
        for layer in seen.layers
        if layer.dead > DEAD * layer.units
    ]
    remedy = [
        f"--train.learning-rate {seen.config.learning_rate / 3:g}, or --train.warmup-steps longer",
        "GELU or leaky ReLU instead of ReLU; biases that begin at zero",
    ]
    if bad:
        yield Fault("dead units", some(bad), remedy)


def learning_rate(seen: Observations) -> Iterator[Fault]:
    """Too high or too low: what short runs at other rates say."""
    losses, here = seen.trials, seen.config.learning_rate
    if not losses:
        return
    better = min(losses, key=losses.__getitem__)
    fall, gain = seen.initial - losses[better], losses[here] - losses[better]
    if not gain > GAIN * fall > 0:
        return
    ends = ", ".join(f"{loss:.4g} at {rate:g}" for rate, loss in sorted(losses.items()))
    gained = "infinitely much" if math.isinf(gain) else f"{gain / fall:.0%}"
    evidence = [
        f"short runs of the same schedule end with the loss {ends}",
        f"{better:g} gains {gained} of the fall from the untrained model's {seen.initial:.4g}, over {GAIN:.0%}",
    ]
    side = "high" if better < here else "low"
    yield Fault(f"learning rate too {side}", evidence, [f"--train.learning-rate {better:g}"])


def underfitted(seen: Observations) -> Iterator[Fault]:
    """The model does not even describe the data that it was trained on."""
    if not seen.losses or not seen.finished:
        return
    evidence = []
    if hardly_fell(seen):
        share = seen.fall / abs(seen.initial)
        evidence = [f"the loss fell by {share:.1%} of the untrained model's {seen.initial:.4g}, under {DROP:.0%}"]
    if seen.train and seen.train.baselines:
        said, baselines = f"{seen.metric} on the training split is {seen.train.value:.4g}", seen.train.baselines
        weakest = (min if seen.train.higher_is_better else max)(baselines, key=baselines.__getitem__)
        if not seen.train.beats(baselines[weakest]) or seen.train.leaves_open(baselines[weakest]):
            evidence.append(f"{said}, no better than the weakest baseline, {weakest} {baselines[weakest]:.4g}")
        elif behind_half_of_the_baselines(seen) and levelled(seen):
            evidence += [
                f"{said}, worse than half of the baselines (median {median(baselines.values()):.4g})",
                f"and over the last third of the run the loss fell by less than {PLATEAU:.0%} of its whole fall",
            ]
    remedy = [
        "a larger model, without dropout and with --train.weight-decay 0",
        "--train.steps more, where the loss still falls at the end",
    ]
    if evidence:
        yield Fault("underfitting", evidence, remedy)


def overfitted(seen: Observations) -> Iterator[Fault]:
    """The training split is described much better than the validation split."""
    train, validation = seen.train, seen.validation
    if not train or not validation or not train.value:
        return
    # Only what was seen more than once on average, by a model that learned something, can be known by heart.
    if (seen.passes is not None and seen.passes <= 1) or (seen.losses and hardly_fell(seen)):
        return
    gap = surely = behind(validation, train.value) / abs(train.value)
    said = f"worse by {gap:.0%}"
    if validation.ci95 and train.ci95:
        errors = [(high - low) / (2 * 1.96) for low, high in (validation.ci95, train.ci95)]
        surely -= CONFIDENCE * math.hypot(*errors) / abs(train.value)
        said += f", and by {surely:.0%} at least with 95 % confidence"
    if not surely > GAP:  # also where a metric is not a number
        return
    name = seen.metric.replace("_", " ")
    evidence = [
        f"{name}: {train.value:.4g} on the training split, {validation.value:.4g} on the validation split",
        f"{said}, over {GAP:.0%}",
    ]
    finite = {step: value for step, value in seen.validations.items() if math.isfinite(value)}
    if finite:
        step = (max if validation.higher_is_better else min)(finite, key=finite.__getitem__)
        best = f"{finite[step]:.4g}, at step {step} of {seen.steps}"
        evidence.append(f"while training, the best validation was {best}")
    remedy = [
        "more training data, or augmentation in data.py",
        "more dropout, --train.weight-decay larger, or a smaller model",
        "--train.patience 3, which stops when validation no longer gains",
    ]
    yield Fault("overfitting", evidence, remedy)


def hardly_fell(seen: Observations) -> bool:
    """Whether the model learned next to nothing."""
    return seen.fall < DROP * abs(seen.initial)


def levelled(seen: Observations) -> bool:
    """Whether the loss has stopped falling."""
    losses, third = list(seen.losses.values()), len(seen.losses) // 3
    return third > 1 and mean(losses[-2 * third : -third]) - mean(losses[-third:]) < PLATEAU * seen.fall


def behind_half_of_the_baselines(seen: Observations) -> bool:
    """Whether the metric on the data that it was trained on is no better than the median baseline."""
    train = seen.train
    return train is not None and train.baselines != {} and not train.beats(median(train.baselines.values()))


def smooth(seen: Observations) -> dict[int, float]:
    """The median of each loss and its two neighbours on either side."""
    losses = list(seen.losses.values())
    return {step: median(losses[max(0, i - 2) : i + 3]) for i, step in enumerate(seen.losses)}
