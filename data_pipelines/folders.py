"""Validation images from folders and shards: clean ones alone, or real pairs of degraded and clean."""

import logging
from functools import cached_property
from pathlib import Path

from data_pipelines.crop import Crop
from data_pipelines.decode import decode, decode_crop
from data_pipelines.failures import ImageError
from data_pipelines.images import ImageSet, Sample
from data_pipelines.pairs import decode_pair
from data_pipelines.sources import Source, SourceError, find_source
from data_pipelines.sources.fields import Fields
from data_pipelines.sources.files import paired_shard

log = logging.getLogger(__name__)


class ImageFolder(ImageSet):
    """Photographs of a folder (searched recursively) or of shards; the module degrades them, fixed by their names.

    Args:
        folder: where they are: whatever data.train takes and can be counted.
        crop_size: height and width of the crop from the middle of each, in pixels; smaller photographs are
            enlarged to it. Null takes whole images, which then have to be of one size if batch_size is above 1.
        batch_size: images per validation batch.
        hq: member of a sample that is the clean image, as in data.hq.
        lq: member that is the degraded one, as in data.lq; null lets the module degrade the clean one.
    """

    def __init__(
        self,
        folder: str,
        crop_size: int | None = 512,
        batch_size: int = 4,
        hq: str | None = None,
        lq: str | None = None,
    ) -> None:
        super().__init__(batch_size)
        self.folder = folder
        self.crop_size = crop_size
        self.fields = Fields(hq, lq)

    @cached_property
    def source(self) -> Source:
        """Where the images are read from."""
        try:
            found = find_source([self.folder], fields=self.fields)
        except ValueError as error:
            raise ValueError(f"{error} This is the validation set (data.validation).") from error
        if found.samples is None:
            raise ValueError(f"{self.folder} cannot be counted, and validation takes a fixed set of images.")
        return found

    @cached_property
    def _readable(self) -> dict[str, int]:
        """Numbers of those that can be read, by name; every rank must have the same, so this is found out first."""
        good: dict[str, int] = {}
        for number in range(self.source.samples or 0):
            name = f"sample {number}"
            try:
                name = self.source.read(number).key
                self._decoded(number)
                good[self._name(name)] = number
            except (ImageError, SourceError) as error:
                log.warning("Left out of validation: %s (%s)", name, error)
        if not good:
            raise ValueError(
                f"None of the {self.source.samples} validation images in {self.folder} can be read."
            )
        return good

    def __len__(self) -> int:
        return len(self._readable)

    def __getitem__(self, index: int) -> Sample:
        name = self.names()[index]
        image = self._decoded(self._readable[name])
        return Sample(name, image.hq, image.lq)

    def names(self) -> list[str]:
        return list(self._readable)

    def _decoded(self, number: int) -> Sample:
        raw = self.source.read(number)
        clean, degraded = self.source.fields.pick(raw.members)
        if degraded is not None:
            return Sample(
                raw.key, *decode_pair(raw.members[clean], raw.members[degraded], Crop(), self.crop_size)
            )
        if self.crop_size is None:
            return Sample(raw.key, decode(raw.members[clean]))
        return Sample(raw.key, decode_crop(raw.members[clean], Crop(), self.crop_size))

    def _name(self, key: str) -> str:
        return key


class PairedFolders(ImageFolder):
    """Real pairs: two folders in which a degraded and a clean image have the same file name, less its type.

    Args:
        lq: folder of the degraded images; those of another size than their partner are resized to it, bicubic.
        hq: folder of the clean images.
        crop_size: height and width of the crop from the middle of each clean image; null takes whole
            images, which then have to be of one size if batch_size is above 1.
        batch_size: images per validation batch.
    """

    def __init__(self, lq: str, hq: str, crop_size: int | None = None, batch_size: int = 1) -> None:
        super().__init__(hq, crop_size, batch_size, lq=lq)

    @cached_property
    def source(self) -> Source:
        """Where the images are read from."""
        pairs = paired_shard(Path(self.folder).expanduser(), Path(str(self.fields.lq)).expanduser())
        return Source(self.folder, 1.0, (pairs,), (), Fields(None, "lq"))

    def _name(self, key: str) -> str:
        return key.rpartition(".")[0]
