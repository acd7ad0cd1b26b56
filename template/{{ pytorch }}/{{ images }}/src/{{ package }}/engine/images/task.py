"""What the tasks on images share: the images, and the facts about them that a run keeps."""

from abc import abstractmethod
from pathlib import Path
from typing import Any

from ..core.errors import Problem
from ..splits.leakage import Leakage
from ..task import Task
from .config import ImageConfig
from .examples import Facts, ImageData, load_facts, save_facts


class ImageTask(Task):
    """A task on images; the model and its loss are the subclass's."""

    source: ImageConfig
    saved: Facts | None = None
    """Those of a run that is used."""

    @property
    @abstractmethod
    def images(self) -> ImageData:
        """What is learned, read once."""

    @property
    def facts(self) -> Facts:
        """Of the images; of a run that is used, those that it was trained with, and its data may be elsewhere."""
        return self.saved or self.images.facts

    def data_hash(self) -> str:
        return self.images.sha256

    def leakage(self) -> Leakage:
        return self.images.leakage

    def save_assets(self, folder: Path) -> None:
        save_facts(self.facts, folder)

    def load_assets(self, folder: Path) -> None:
        self.saved = load_facts(folder)

    def check_start(self, earlier: Any) -> None:
        before, now = earlier.data.split, self.source.split
        if before != now:
            raise Problem(
                f"that run was split by {before}: it has seen images that --data.split {now} holds out. "
                f"Fine-tune it with --data.split {before}"
            )
