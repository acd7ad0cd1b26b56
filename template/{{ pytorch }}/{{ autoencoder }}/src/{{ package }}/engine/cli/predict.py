"""The command `predict`."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from ..core.errors import Problem


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Reconstruct images with a trained run, encode them, or sample new ones."""

    images: Positional[tuple[Path, ...]] = ()
    """Image files, and folders of them."""
    run: str | None = None
    """The run folder; the latest where none is named."""
    to: Path = Path("predicted")
    """The folder that reconstructions and samples are written into, as .png."""
    encode: Path | None = None
    """Write the latents of the images into this .npy file, (n, latent), instead of reconstructing them."""
    sample: int = 0
    """Sample so many new images."""
    seed: int = 0
    """Of the samples."""

    def __call__(self) -> None:
        import numpy as np

        from ...predict import load
        from ..images.pictures import write

        if not self.images and self.sample < 1:
            raise Problem("name images to reconstruct, or how many to sample with --sample")
        if self.encode is not None and (self.encode.suffix != ".npy" or not self.images):
            raise Problem(f"--encode {self.encode} must be a .npy file, for the latents of images that are named")
        coder = load(self.run)
        if self.images:
            files, images = coder.pixels(self.images)
            if self.encode is not None:
                latents = coder.encode(images)
                np.save(self.encode, latents)
                print(f"{self.encode}: {' x '.join(map(str, latents.shape))} latents")
            else:
                found = coder.reconstruct(images)
                names = [f"{number}-{file.stem}" for number, file in enumerate(files)]
                errors = ((found - images) ** 2).mean((1, 2, 3))
                for file, written, error in zip(files, write(found, self.to, names), errors, strict=True):
                    print(f"{file}  squared error {error:.4f}  {written}")
        if self.sample > 0:
            names = [f"sample-{number}" for number in range(self.sample)]
            write(coder.sample(self.sample, self.seed), self.to, names)
            print(f"{self.to}: {self.sample} samples")
