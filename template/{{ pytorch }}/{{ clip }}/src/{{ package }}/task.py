"""The task: find a caption's image and an image's caption, measured by recall.

`engine/task.py` says what each method is for; the trainer, `check` and `report` use nothing else.
"""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from .config import DataConfig, LossConfig, ModelConfig
from .data import PairData, Pairs, TrainingPairs, load, load_images
from .engine.core.batch import Batch
from .engine.core.errors import Problem, require
from .engine.core.gather import first_row, gather
from .engine.images.captions import TOKENIZER, encode
from .engine.images.examples import ImageData
from .engine.images.retrieval import both_ways, classical, fits
from .engine.images.task import ImageTask
from .engine.task import Context, Metric, Output
from .model import EXPANSION, KERNEL, Clip, Features, conv_stages, positions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACES = (1, 5, 10)
"""Recall is the share of the queries with a true match among the first so many."""


class Pairing(ImageTask):
    """One caption for each image."""

    pipeline: ClassVar[str] = "zero-shot-image-classification"
    per_example_loss: ClassVar[bool] = False

    source: DataConfig
    saved_tokenizer: Tokenizer | None = None
    """That of a run that is used."""

    def __init__(self, data: DataConfig, config: ModelConfig, loss: LossConfig) -> None:
        self.source, self.config, self.objective = data, config, loss

    @property
    def pairs(self) -> PairData:
        return load(self.source, self.config.context_length, self.config.vocab_size, self.division)

    @property
    def images(self) -> ImageData:
        return load_images(self.source, self.division)[0]

    @property
    def tokenizer(self) -> Tokenizer:
        return self.saved_tokenizer or self.pairs.tokenizer

    def save_assets(self, folder: Path) -> None:
        super().save_assets(folder)
        self.tokenizer.save(str(folder / TOKENIZER))

    def load_assets(self, folder: Path) -> None:
        super().load_assets(folder)
        self.saved_tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))

    def model(self) -> nn.Module:
        return Clip(self.config, self.objective, self.facts)

    def check_start(self, earlier: Any) -> None:
        if earlier.data.path != self.source.path:
            raise Problem(
                "that run was trained with other captions, and its tokens are theirs: start from it with "
                + (f"--data.path {earlier.data.path}" if earlier.data.path else "the drawn scenes")
            )

    def data(self, split: str) -> Pairs:
        pairs = self.pairs.splits[split]
        return TrainingPairs(pairs, self.source) if split == "train" else pairs

    def loss(self, model: nn.Module, batch: Batch, state: dict[str, Tensor], context: Context) -> Output:
        """Of this process's images among all captions, and of its captions among all images.

        A caption that is another's image true too is neither a match nor a mistake, and is left out.
        """
        features: Features = model(batch["x"], batch["tokens"])
        contents, said = batch["contents"], batch["said"]
        every_content, every_said = gather(contents), gather(said)
        with torch.autocast(features.image.device.type, enabled=False):
            text_logits = similarity(features.image, gather(features.text), features)
            image_logits = similarity(features.text, gather(features.image), features)
        text_fits = fits(contents, every_content, every_said)
        image_fits = fits(every_content, contents, said).T
        if self.objective.kind == "siglip":
            loss = siglip(text_logits, text_fits)
        else:
            loss = (infonce(text_logits, text_fits) + infonce(image_logits, image_fits)) / 2
        count = len(contents)
        return Output(loss, count, logs={"scale": features.scale.detach()[0] * count})

    def predictions(self, model: nn.Module, loader: Iterable[Batch], context: Context) -> dict[str, Tensor]:
        """`image` and `text`, (n, E), of length 1, and `contents` and `said`, (n, A).

        Where images have classes, also `label`, (n,), and `cosine`, (n, K), with each class's prompts.
        """
        parts: list[dict[str, Tensor]] = []
        classes: Tensor | None = None
        for batch in loader:
            features: Features = model(batch["x"], batch["tokens"])
            part = {
                "image": features.image,
                "text": features.text,
                "contents": batch["contents"],
                "said": batch["said"],
            }
            if self.facts.classes:
                if classes is None:
                    classes = self.class_vectors(model, batch["x"][:1])
                part |= {"label": batch["y"], "cosine": features.image @ classes.T}
            parts.append({name: value.cpu() for name, value in part.items()})
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def class_vectors(self, model: nn.Module, image: Float[Tensor, "1 C Y X"]) -> Float[Tensor, "K E"]:
        """The mean of each class's prompts, at length 1 (CLIP, section 3.1.4).

        `image` is any: a sharded model is called as a whole.
        """
        prompts = [prompt.format(name) for name in self.facts.classes for prompt in self.source.prompts]
        tokens, _ = encode(self.tokenizer, prompts, self.config.context_length)
        features: Features = model(image, torch.from_numpy(tokens).to(image.device))
        return functional.normalize(features.text.unflatten(0, (-1, len(self.source.prompts))).mean(1), dim=-1)

    def metrics(self, predictions: dict[str, Tensor]) -> dict[str, Metric]:
        """Recall at 1 of both ways; then of each way, at 1, 5 and 10; then of classes by their names alone."""
        image, text = (predictions[name].float() for name in ("image", "text"))
        text_ranks, image_ranks = both_ways(image, text, predictions["contents"], predictions["said"])

        def share(values: Tensor) -> Metric:
            return Metric(values.double().mean().item(), values.double(), higher_is_better=True, share=True)

        metrics = {"recall_at_1": share(((text_ranks == 1).double() + (image_ranks == 1).double()) / 2)}
        for way, found in (("captions_of_an_image", text_ranks), ("images_of_a_caption", image_ranks)):
            metrics |= {f"{way}_at_{place}": share(found <= place) for place in PLACES}
        if "cosine" in predictions:
            metrics["zero_shot_accuracy"] = share(predictions["cosine"].argmax(1) == predictions["label"])
        return metrics

    def baselines(self, split: str) -> dict[str, float]:
        """Recall at 1 of classical methods that were fitted to the same training pairs."""
        held_out = self.data(split)
        rows = held_out.rows
        contents, said = (torch.from_numpy(values[rows].astype(np.int64)) for values in held_out.statements)
        return classical(self.pairs.splits["train"], held_out, contents, said)

    def figure(self, predictions: dict[str, Tensor]) -> "Figure":
        """Six captions, and the five images that each of them finds first; those that it fits are framed in green."""
        from matplotlib.figure import Figure

        held_out, rows = self.data("validation"), 6
        figure = Figure(figsize=(7.0, 1.6 * rows), layout="constrained")
        asked = np.linspace(0, len(predictions["text"]) - 1, rows).astype(int).tolist()
        for part, caption in zip(figure.subfigures(rows, 1, squeeze=False)[:, 0], asked, strict=True):
            part.suptitle(held_out.captions[caption][:100], x=0.01, ha="left", fontsize=9)
            best = (predictions["image"] @ predictions["text"][caption]).topk(5).indices
            contents, said = predictions["contents"], predictions["said"]
            true = fits(contents[best], contents[[caption]], said[[caption]])[:, 0]
            for axes, index, right in zip(part.subplots(1, 5), best.tolist(), true.tolist(), strict=True):
                axes.imshow(self.render_example(index), cmap="gray", vmin=0, vmax=1)
                axes.set(xticks=[], yticks=[])
                for edge in axes.spines.values():
                    edge.set(color="tab:green" if right else "tab:red", linewidth=2)
        return figure

    @torch.no_grad()
    def samples(self, model: nn.Module, context: Context) -> str:
        """Ten validation captions, and what the image that each finds first is captioned."""
        held_out, device = self.data("validation"), next(model.parameters()).device
        batches = [held_out.batch(indices, None) for indices in held_out.chunks()]
        predicted = self.predictions(
            model, [{name: x.to(device) for name, x in one.items()} for one in batches], context
        )
        _, found = both_ways(*(predicted[name] for name in ("image", "text", "contents", "said")))
        lines = []
        for caption in np.linspace(0, len(held_out) - 1, 10).astype(int).tolist():
            first = int((predicted["image"] @ predicted["text"][caption]).argmax())
            said = "right" if found[caption] == 1 else f"the first right one is number {int(found[caption])}"
            lines.append(f"{held_out.captions[caption]!r} finds {held_out.captions[first]!r}: {said}")
        return "\n".join(lines)

    def render_example(self, index: int) -> np.ndarray:
        """The image: brightness, or colours."""
        image = self.data("validation").batch(np.array([index]), None)["x"][0].numpy()
        return image[0] if len(image) == 1 else image.transpose(1, 2, 0)

    def checks(self, model: nn.Module, batch: Batch) -> dict[str, str]:
        """Vectors have length 1, and what fills the places behind a caption changes nothing."""
        with torch.no_grad():
            features: Features = model(batch["x"], batch["tokens"])
            filled = batch["tokens"].clone()
            filled[:, -1] = self.config.vocab_size - 1
            changed = (model(batch["x"], filled).text - features.text)[(batch["tokens"] == 0).sum(1) > 1].abs()
        lengths = torch.cat((features.image, features.text)).norm(dim=1)
        off, moved = (lengths - 1).abs().max().item(), changed.max().item() if len(changed) else 0.0
        require(off < 1e-4, f"a vector's length is {off:.1e} from 1")
        require(
            moved < 1e-4,
            f"a token behind the end of a caption moves its vector by {moved:.1e}: the attention looks ahead",
        )
        return {"vectors of length 1": f"to {off:.1e}", "captions end at their end": f"moved by {moved:.1e}"}

    def flops(self) -> float:
        """Of a forward pass, per pair: two for each weight, at each of the positions that it meets.

            patches     2 x I P D       for I values in each of P patches
            output      2 x D E         of either tower

        Norms and activations are left out, and so is the comparison of all pairs of a batch, 2 B E.
        """
        c, size = self.config, self.facts.size
        patches, first = positions(c, size) ** 2, c.width
        if c.image_tower == "cnn":
            stages = conv_stages(c, size)
            image, first = conv_flops(stages, c.layers), stages[0][1]
        else:
            image = transformer_flops(c.width, c.layers, patches + 1)
        image += 2 * self.facts.channels * c.patch**2 * patches * first
        text = transformer_flops(c.text_width, c.text_layers, c.context_length)
        return float(image + text + 2 * (c.width + c.text_width) * c.embedding)


def transformer_flops(width: int, layers: int, length: int) -> int:
    """Of the blocks, for D channels at T positions; causal attention is counted whole.

    attention           2 x (4 D² T + 2 D T²)        in each block
    expand, project     2 x 2 x 4 D² T
    """
    attention = 4 * width**2 * length + 2 * width * length**2
    return 2 * layers * (attention + 2 * EXPANSION * width**2 * length)


def conv_flops(stages: list[tuple[int, int]], layers: int) -> int:
    """Of the blocks, for D channels at P positions, and of what halves the image between two stages.

    depthwise           2 x K² D P                   in each block, for a filter of K² pixels
    expand, project     2 x 2 x 4 D² P
    halving             2 x 4 D' D P                 from D' channels
    """
    each = [side**2 * (KERNEL**2 * width + 2 * EXPANSION * width**2) for side, width in stages]
    halvings = [4 * before * width * side**2 for (_, before), (side, width) in pairwise(stages)]
    return 2 * (layers * sum(each) + sum(halvings))


def similarity(
    queries: Float[Tensor, "B E"], candidates: Float[Tensor, "N E"], features: Features
) -> Float[Tensor, "B N"]:
    """exp(t) I T', and SigLIP's bias (CLIP, figure 3; SigLIP, algorithm 1)."""
    return features.scale * queries @ candidates.T + features.bias


def mask_of_own(count: int, fits: Bool[Tensor, "B N"]) -> tuple[Int[Tensor, " B"], Bool[Tensor, "B N"]]:
    """Each query's own candidate, by its column, and the other candidates that are true of it."""
    own = torch.arange(count, device=fits.device) + first_row(count)
    return own, fits.scatter(1, own[:, None], False)


def infonce(logits: Float[Tensor, "B N"], fits: Bool[Tensor, "B N"]) -> Float[Tensor, ""]:
    """-ln of the probability of each query's own candidate among the false ones, summed (CLIP, figure 3)."""
    own, also_true = mask_of_own(len(logits), fits)
    return functional.cross_entropy(logits.masked_fill(also_true, -torch.inf), own, reduction="sum")


def siglip(logits: Float[Tensor, "B N"], fits: Bool[Tensor, "B N"]) -> Float[Tensor, ""]:
    """-sum over all pairs of ln sigmoid(z (t x y + b)), with z = 1 for own and -1 for others (SigLIP, equation 1)."""
    own, also_true = mask_of_own(len(logits), fits)
    z = torch.full_like(logits, -1.0).scatter(1, own[:, None], 1.0)
    return -functional.logsigmoid(z * logits).masked_fill(also_true, 0.0).sum()
