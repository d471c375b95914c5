"""High-level inference API."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from vosr.checkpoints import load_model
from vosr.core.devices import pick_device
from vosr.core.options import ColorFix, DTypeName, Semantics
from vosr.core.phases import clock_of
from vosr.imaging.convert import Single, as_array, open_image
from vosr.imaging.neutral import is_neutral, neutralized
from vosr.inference.engine import Engine, Progress
from vosr.inference.precision import Precision
from vosr.inference.settings import Settings
from vosr.model import RestorationModel

ImageLike = TypeVar("ImageLike", Image.Image, NDArray, Tensor, list[Image.Image], list[NDArray], list[Tensor])
Size = tuple[int, int]
"""Width and height in pixels."""
STAGES = ("encode", "semantics", "backbone", "decode", "colour")
BATCH = 8
"""Images of a list that run together at most."""


class Restorer:
    """A model ready to restore images.

    Args:
        model: loaded model.
        device: where it runs.
        precision: dtype of each part.
        compile: run the backbone through torch.compile; falls back to eager, with a message, where that fails.
        source: what the model was opened from, for its card.

    Attributes:
        seconds: by stage ("encode", "semantics", "backbone", "decode", "colour"), of the last call.

    Example:
        >>> from PIL import Image
        >>> from vosr import Restorer
        >>> restorer = Restorer.from_pretrained("vosr_small_student", device="cpu")
        >>> restorer(Image.new("RGB", (20, 12), "teal"), scale=4).size
        (80, 48)
        >>> restorer(Image.new("L", (20, 12)), size=(50, 30)).mode
        'L'
    """

    def __init__(
        self,
        model: RestorationModel,
        device: torch.device | str = "cpu",
        precision: Precision = Precision(),  # noqa: B008  (immutable)
        compile: bool = False,
        source: str | Path = "",
    ) -> None:
        self.engine = Engine(model, torch.device(device), precision, compile)
        self.seconds: dict[str, float] = {}
        self._precision, self._source = precision, source

    @property
    def model(self) -> RestorationModel:
        """The restoration model."""
        return self.engine.model

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        device: str = "auto",
        dtype: DTypeName | Precision = "auto",
        frozen_parts: Path | None = None,
        compile: bool = False,
        trust_remote_code: bool = False,
        fidelity: float | None = None,
        light_decoder: str | None = None,
    ) -> "Restorer":
        """Open a shipped model by name, a model folder (ours or a released one) or run folder by path, or a hub id.

        Args:
            name_or_path: see :func:`vosr.checkpoints.load_model`.
            device: "auto" takes CUDA, then Apple's MPS, then the CPU; or cpu, cuda, cuda:1 (ROCm likewise), mps.
            dtype: of backbone and encoder; the autoencoder stays in float32. A :class:`vosr.inference.Precision` sets
                each part.
            frozen_parts: where the VAE and DINOv2 of a released model lie, if not in or beside its folder.
            compile: see the class.
            trust_remote_code: whether a model folder may name classes by dotted paths, whose modules are imported.
            fidelity: 0 (sharp) to 1 (faithful), of models that have both ends; by default the model's own weights.
            light_decoder: file, folder or run of a light decoder to decode with.
        """
        precision = Precision(backbone=dtype) if isinstance(dtype, str) else dtype
        place = pick_device(device)
        precision.resolve(place)  # a wrong name is refused before the model is loaded
        model = load_model(
            name_or_path,
            frozen_parts=frozen_parts,
            trust_remote_code=trust_remote_code,
            fidelity=fidelity,
            light_decoder=light_decoder,
        )
        return cls(model, place, precision, compile, name_or_path)

    def to(self, device: str | torch.device) -> "Restorer":
        """Move the model; returns itself. "auto" dtypes are chosen again; what float16 has rounded stays so."""
        self.engine = Engine(self.model, pick_device(str(device)), self._precision, self.engine.compiled)
        return self

    def save_pretrained(self, folder: str | Path, license: str | None = None) -> None:
        """Write a model folder that :meth:`from_pretrained` opens, with a card.

        Args:
            folder: made if absent.
            license: of the weights, by its name on the hub ("apache-2.0", "cc-by-nc-4.0", …); it is yours to name.
        """
        from vosr.checkpoints.published import PublishedModel  # an HTTP client

        PublishedModel(self.model, self._source, license).save_pretrained(folder)

    def push_to_hub(self, repo_id: str, license: str | None = None, **options: Any) -> str:
        """Publish the model as "owner/name"; returns the address of the commit.

        ``license`` is that of :meth:`save_pretrained`; ``options`` (``private``, ``token``, ``commit_message``, …) are
        those of :meth:`huggingface_hub.ModelHubMixin.push_to_hub`. Raises :class:`vosr.core.hub.HubError`.
        """
        from vosr.checkpoints.published import PublishedModel

        return PublishedModel(self.model, self._source, license, repo_id).push_to_hub(repo_id, **options)

    def __call__(
        self,
        image: ImageLike,
        scale: float | None = None,
        steps: int | None = None,
        guidance_scale: float | None = None,
        partial_strength: float | None = None,
        seed: int | None = None,
        tile: int | None = None,
        color_fix: ColorFix | None = None,
        size: Size | None = None,
        semantics: Semantics = "tile",
        memory: float | None = None,
        progress: Progress | None = None,
    ) -> ImageLike:
        """Restore one image or a batch; the same type comes back. Options as in :class:`vosr.inference.Settings`.

        Args:
            image: PIL image of any mode; array (H, W, 3), uint8, uint16 or floating point in [0, 1]; tensor
                (3, H, W), floating point in [0, 1] or uint8; a batch of those, (B, H, W, 3) or (B, 3, H, W); or a list
                of images, also of different sizes.
            scale: enlargement, at least 1; 1 restores without enlarging; by default the one of the training.
            steps: evaluations of the model.
            guidance_scale: teachers only; larger is more faithful.
            partial_strength: teachers only.
            seed: of the noise; by default made from each image's content, so that order and batch do not matter.
            tile: side of the tiles in pixels of the output; 0 for none; by default the training size where needed.
            color_fix: "adain", "wavelet", "atrous" or "none"; by default what suits the model.
            size: width and height of the output, instead of ``scale``.
            semantics: what the encoder reads for a tile: "tile", "image" or "both".
            memory: GiB to work with; by default half of what is free.
            progress: called with each stage, what of it is done and how much it is.

        Raises:
            ValueError: an option out of range, one that this model does not have, not a colour image, or floating point
                outside [0, 1].

        Example:
            >>> import numpy as np
            >>> from vosr import Restorer
            >>> restorer = Restorer.from_pretrained("vosr_small_student", device="cpu")
            >>> restorer(np.zeros((8, 10, 3), np.uint8), scale=1.5).shape
            (12, 15, 3)
        """
        settings = Settings(
            steps, guidance_scale, partial_strength, tile, semantics, color_fix, memory, scale, size, seed
        )
        batched = isinstance(image, np.ndarray | Tensor) and image.ndim == 4
        items = cast(list[Single], image if batched or isinstance(image, list) else [image])
        opened = [open_image(each) for each in items]
        arrays = [each.array for each in opened]
        restored: list[NDArray] = []
        with self._watched(progress):
            for start in range(0, len(arrays), BATCH):
                restored += self.restore_batch(arrays[start : start + BATCH], settings)
        results: Any = [each.close(array) for each, array in zip(opened, restored)]
        if batched:
            results = torch.stack(results) if isinstance(image, Tensor) else np.stack(results)
        return cast(ImageLike, results if batched or isinstance(image, list) else results[0])

    def restore_batch(self, images: Sequence[NDArray], settings: Settings) -> list[NDArray]:
        """Restored arrays of the same types; neighbours of one shape and type run as one batch.

        Args:
            images: (H, W, 3); uint8, uint16, or floating point in [0, 1].
            settings: for all of them.
        """
        done: list[NDArray] = []
        for _, alike in groupby(images, lambda image: (image.shape, image.dtype)):
            done += self._gathered(list(alike), settings)
        return done

    def restore_rows(self, image: NDArray, settings: Settings) -> Iterator[NDArray]:
        """Strips (rows, W, 3) of the restored image from top to bottom, of the image's type.

        For images that are better not held whole: memory beyond the strips does not grow with the image but for
        its latents.
        """
        size = self.output_size(image.shape[1], image.shape[0], settings)
        neutral = is_neutral(image)
        for strip in self.engine.rows([image], size, settings, [settings.seed]):
            rows = as_array(strip[0], image.dtype)
            yield neutralized(rows) if neutral else rows

    @contextmanager
    def _watched(self, progress: Progress | None) -> Iterator[None]:
        """One call: reported to ``progress``, timed into :attr:`seconds`."""
        before = self.engine.progress
        self.watch(progress or before, timed=True)
        try:
            yield
        finally:
            self.engine.progress = before
            self.seconds = self.timings()

    def watch(self, report: Progress, timed: bool = False) -> None:
        """Call ``report`` with each stage, what of it is done and how much it is; ``timed`` keeps :meth:`timings`."""
        self.engine.progress = report
        if timed:
            self.engine.phases.start(clock_of(self.engine.device))

    def timings(self) -> dict[str, float]:
        """Seconds by stage since the watch began, in the order of the work."""
        seconds = self.engine.phases.take()
        return {stage: seconds[stage] for stage in STAGES if stage in seconds}

    def output_size(self, width: int, height: int, settings: Settings) -> Size:
        """Width and height of a restored image.

        Raises:
            ValueError: a scale below 1, or scale and size at once.
        """
        settings.check_size()
        if settings.size is not None:
            return settings.size
        scale = self.model.card.scale if settings.scale is None else settings.scale
        return max(1, round(width * scale)), max(1, round(height * scale))

    def _gathered(self, images: list[NDArray], settings: Settings) -> list[NDArray]:
        dtype = images[0].dtype
        size = self.output_size(images[0].shape[1], images[0].shape[0], settings)
        restored = [np.empty((size[1], size[0], 3), dtype) for _ in images]
        neutral = [is_neutral(image) for image in images]
        top = 0
        for strip in self.engine.rows(images, size, settings, [settings.seed] * len(images)):
            for whole, part, grey in zip(restored, strip, neutral):
                rows = as_array(part, dtype)
                whole[top : top + len(rows)] = neutralized(rows) if grey else rows
            top += strip.shape[2]
        return restored
