"""What is wrong with a run, and what to do: a function of what was observed, and of nothing else.

The thresholds stand first, each with its reason. Those without a source are ours: the planted faults and the healthy
runs of the template's tests lie on their two sides. What is wrong with the data is in `symptoms_of_data.py`.
"""

import math
from statistics import median

from .data_rules import imbalanced, leaking, noisy_labels, shifted, waits
from .observations import Finding, Observations, Score

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


def judge(seen: Observations) -> list[Finding]:
    """Everything that is wrong, what hides the rest first."""
    judgements = (
        not_finite,
        diverged,
        spiked,
        exploding,
        vanishing,
        dead_units,
        learning_rate,
        leaking,
        underfitted,
        overfitted,
        imbalanced,
        noisy_labels,
        shifted,
        waits,
    )
    return [finding for judgement in judgements if (finding := judgement(seen))] + seen.faults


def wants_trials(seen: Observations) -> bool:
    """Whether short runs at other learning rates may explain something."""
    troubled = any(judgement(seen) for judgement in (diverged, spiked, exploding, underfitted))
    return troubled or (seen.finished and not beats_half_of_the_baselines(seen))


def beats_half_of_the_baselines(seen: Observations) -> bool:
    """Whether the metric on the data that it was trained on is better than the median baseline."""
    if seen.train is None or not seen.baselines:
        return True
    return seen.worse(seen.train.value, median(seen.baselines.values())) < 0


def not_finite(seen: Observations) -> Finding | None:
    """NaN and infinity."""
    origin = seen.origin
    if origin is None:
        return None
    said = {
        "data": f"the batch's {origin.module} holds it already: training examples {some(origin.examples)}",
        "weights": f"the weights {origin.module} hold it before the step",
        "forward": f"the module {origin.module} takes finite values and returns others",
        "loss": "what the model returns is finite, and the loss, or its gradient, is not",
        "backward": f"the gradient is finite behind {origin.module} and not finite before it",
        "norm": f"every gradient is finite and their norm is not; the largest is that of {origin.module}",
    }
    mend = {
        "data": "leave these examples out in data.py, or fix them",
        "weights": "start a new run from the step before, with a lower --train.learning-rate",
        "forward": f"look in {origin.module} for a division, logarithm, root or exponential without a bound",
        "loss": "look in task.py for a logarithm or a root of zero, and a division by it",
        "backward": f"look in {origin.module} for a root, norm or division whose derivative has no bound at zero",
        "norm": "initialise the weights smaller, and scale inputs and targets to about 1",
    }
    return Finding("NaN or infinity", [f"step {origin.step}, taken again: {said[origin.where]}"], [mend[origin.where]])


def diverged(seen: Observations) -> Finding | None:
    """The loss rises and stays up."""
    values = smooth([value for _, value in seen.losses])
    if len(values) < 2:
        return None
    last, lowest = values[-1], min(values)
    first = seen.initial if seen.initial is not None else values[0]
    evidence = []
    if last - first > DROP * abs(first):
        evidence.append(f"the loss ends at {last:.4g}, above the untrained model's {first:.4g}")
    elif max(values) - first > max(first - lowest, DROP * abs(first)):
        step = seen.losses[values.index(max(values))][0]
        evidence.append(
            f"the loss rose to {max(values):.4g} at step {step}, further above the untrained model's {first:.4g} "
            f"than it ever came below it"
        )
    elif first > lowest and last - lowest > RISE * (first - lowest):
        step = seen.losses[values.index(lowest)][0]
        evidence.append(
            f"the loss fell from {first:.4g} to {lowest:.4g} at step {step} and rose to {last:.4g}: "
            f"{(last - lowest) / (first - lowest):.0%} of its fall, over {RISE:.0%}"
        )
    remedy = seen.advise(
        f"--train.learning-rate {seen.learning_rate / 10:g}",
        "--train.warmup-steps longer: a tenth of the steps",
        "--train.grad-clip lower",
    )
    return Finding("divergence", evidence, remedy) if evidence else None


def spiked(seen: Observations) -> Finding | None:
    """The loss jumps and comes back."""
    values = [value for _, value in seen.losses]
    if len(values) < 8:
        return None
    above = [value - middle for value, middle in zip(values, smooth(values), strict=True)]
    scatter = 1.4826 * median(abs(value) for value in above)
    limit = max(SPIKE * seen.fall, SIGMAS * scatter)
    # The two at either end have no neighbours on one of their sides.
    spikes = [
        f"step {step}: {value:.4g}, {by:.2g} above its neighbours, over {limit:.2g}"
        for (step, value), by in list(zip(seen.losses, above, strict=True))[2:-2]
        if by > limit
    ]
    remedy = seen.advise(
        f"--train.grad-clip {seen.grad_clip / 2:g}",
        f"--train.learning-rate {seen.learning_rate / 3:g}",
        "look for examples that are broken or labelled wrongly among those of these steps",
    )
    return Finding("loss spikes", spikes[:5], remedy) if spikes else None


def exploding(seen: Observations) -> Finding | None:
    """Gradients that are far too large."""
    norms = [norm for norm in seen.norms if math.isfinite(norm)]
    allowed = EXPLODED * (seen.grad_clip if math.isfinite(seen.grad_clip) else 1.0)
    if not norms or median(norms) <= allowed:
        return None
    evidence = [f"the gradient's norm is {median(norms):.3g} at the median step, over {allowed:g}"]
    if seen.layers:
        strongest = max(seen.layers, key=lambda layer: layer.gradient)
        evidence.append(f"it is largest in {strongest.name}: {strongest.gradient:.2g}, root mean square")
    remedy = [
        "initialise the weights with a standard deviation of 1 / sqrt(inputs), in model.py",
        "put a norm (LayerNorm, RMSNorm) in front of each block, and scale inputs and targets to about 1",
        "check shows whether the loss before training is what it should be",
    ]
    return Finding("exploding gradients", evidence, remedy)


def vanishing(seen: Observations) -> Finding | None:
    """Layers that the gradient hardly reaches."""
    strongest = max((layer.gradient for layer in seen.layers), default=0.0)
    weak = sorted(
        (layer for layer in seen.layers if layer.gradient < VANISHED * strongest), key=lambda layer: layer.gradient
    )
    if not weak:
        return None
    evidence = [
        f"{layer.name}: {layer.gradient:.2g}, {layer.gradient / strongest:.1g} of the strongest layer's, "
        f"under {VANISHED:g}"
        for layer in weak[:5]
    ]
    remedy = [
        "residual connections around the blocks, and a norm in front of each",
        "an activation that does not saturate (GELU, SiLU, ReLU) instead of sigmoid or tanh",
        "weights with a standard deviation of 1 / sqrt(inputs)",
    ]
    return Finding("vanishing gradients", evidence, remedy)


def dead_units(seen: Observations) -> Finding | None:
    """Units that never learn."""
    bad = [layer for layer in seen.layers if layer.dead > DEAD * layer.units]
    if not bad:
        return None
    evidence = [
        f"{layer.name}: {layer.dead} of {layer.units} units get no gradient from any example, over {DEAD:.0%}"
        for layer in bad[:5]
    ]
    remedy = seen.advise(
        f"--train.learning-rate {seen.learning_rate / 3:g}",
        "--train.warmup-steps longer",
        "GELU or leaky ReLU instead of ReLU; biases that begin at zero",
    )
    return Finding("dead units", evidence, remedy)


def learning_rate(seen: Observations) -> Finding | None:
    """Too high or too low: what short runs at other rates say."""
    losses = seen.trials
    if not losses or seen.initial is None:
        return None
    better = min(losses, key=losses.__getitem__)
    here, best = losses[seen.learning_rate], losses[better]
    fall = seen.initial - best
    if fall <= 0 or here - best <= GAIN * fall:
        return None
    ends = ", ".join(f"{loss:.4g} at {rate:g}" for rate, loss in sorted(losses.items()))
    gained = "infinitely much" if math.isinf(here) else f"{(here - best) / fall:.0%}"
    return Finding(
        f"learning rate too {'high' if better < seen.learning_rate else 'low'}",
        [
            f"short runs of the same schedule end with the loss {ends}",
            f"{better:g} gains {gained} of the fall from the untrained model's {seen.initial:.4g}, over {GAIN:.0%}",
        ],
        [f"--train.learning-rate {better:g}"],
    )


def underfitted(seen: Observations) -> Finding | None:
    """The model does not even describe the data that it was trained on."""
    if not seen.losses or not seen.finished:
        return None
    evidence = []
    if seen.initial is not None and seen.fall < DROP * abs(seen.initial):
        evidence.append(
            f"the loss fell by {seen.fall / abs(seen.initial):.1%} of the untrained model's {seen.initial:.4g}, "
            f"under {DROP:.0%}"
        )
    if seen.train and seen.baselines:
        evidence += behind_baselines(seen, seen.train)
    remedy = seen.advise(
        "--model.width larger",
        "--model.layers more",
        "--train.steps more, where the loss still falls at the end",
        "--model.dropout 0",
        "--train.weight-decay 0",
    )
    return Finding("underfitting", evidence, remedy) if evidence else None


def behind_baselines(seen: Observations, train: Score) -> list[str]:
    """What says that the training split itself is described badly."""
    weakest = max(seen.baselines.items(), key=lambda item: seen.worse(item[1], 0.0))
    said = f"{seen.metric} on the training split is {train.value:.4g}"
    if seen.worse(train.value, weakest[1]) > -2 * (train.error or 0.0):
        return [f"{said}, no better than the weakest baseline, {weakest[0]} {weakest[1]:.4g}"]
    if not beats_half_of_the_baselines(seen) and levelled(seen):
        middle = median(seen.baselines.values())
        return [
            f"{said}, worse than half of the baselines (median {middle:.4g})",
            f"and over the last third of the run the loss fell by less than {PLATEAU:.0%} of its whole fall",
        ]
    return []


def levelled(seen: Observations) -> bool:
    """Whether the loss has stopped falling."""
    values = [value for _, value in seen.losses]
    third = len(values) // 3
    if third < 2:
        return False
    before, after = values[-2 * third : -third], values[-third:]
    return (sum(before) - sum(after)) / third < PLATEAU * seen.fall


def remembers(seen: Observations) -> bool:
    """Whether the model can know examples by heart: it saw them more than once on average, and learned something."""
    learned = seen.initial is None or not seen.losses or seen.fall >= DROP * abs(seen.initial)
    return learned and (seen.passes is None or seen.passes > 1)


def overfitted(seen: Observations) -> Finding | None:
    """The training split is described much better than the validation split."""
    train, validation = seen.train, seen.validation
    if train is None or validation is None or not train.value or not remembers(seen):
        return None
    gap = seen.worse(validation.value, train.value) / abs(train.value)
    error = 0.0
    if validation.error is not None and train.error is not None:
        error = math.hypot(validation.error, train.error) / abs(train.value)
    surely = gap - CONFIDENCE * error
    if not surely > GAP:  # also where a metric is not a number
        return None
    name = seen.metric.replace("_", " ")
    evidence = [
        f"{name}: {train.value:.4g} on the training split, {validation.value:.4g} on the validation split",
        f"worse by {gap:.0%}, and by {surely:.0%} at least with 95 % confidence, over {GAP:.0%}"
        if error
        else f"worse by {gap:.0%}, over {GAP:.0%}",
    ]
    if seen.validations:
        best = min(seen.validations, key=lambda point: seen.worse(point[1], 0.0))
        evidence.append(f"while training, the best validation was {best[1]:.4g}, at step {best[0]} of {seen.steps}")
    remedy = seen.advise(
        "more training data, or augmentation in data.py",
        "--model.dropout 0.2",
        "--train.weight-decay larger",
        "--model.width smaller",
        "--train.patience 3, which stops when validation no longer gains",
    )
    return Finding("overfitting", evidence, remedy)


def smooth(values: list[float]) -> list[float]:
    """The median of each value and its two neighbours on either side."""
    return [median(values[max(0, i - 2) : i + 3]) for i in range(len(values))]


def some(numbers: list[int]) -> str:
    """The first few, and how many more."""
    shown = ", ".join(str(number) for number in numbers[:5])
    return shown if len(numbers) <= 5 else f"{shown} and {len(numbers) - 5} more"
