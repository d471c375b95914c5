"""Results of any other tool as a method of a comparison."""

import hashlib
import re
from pathlib import Path

from vosr.evaluation.benchmark import Benchmark, BenchmarkImage, Pixels
from vosr.evaluation.image_files import images_under, read_image
from vosr.evaluation.methods import Method


class ResultFolder(Method):
    """Images that another tool wrote, found by the samples' keys.

    A sample ``clean/coffee_1`` of benchmark ``builtin`` is looked for as ``builtin/clean/coffee_1.*``, then
    ``clean/coffee_1.*``, then under its last name alone, where some text may follow it (``coffee_1_out.png``).

    Args:
        label: name in the report.
        folder: searched recursively.
    """

    timed = False

    def __init__(self, label: str, folder: Path) -> None:
        super().__init__(label)
        self._folder = folder
        self._paths = {
            path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(images_under(folder))
        }
        self._by_name: dict[str, list[str]] = {}
        for key in self._paths:
            self._by_name.setdefault(key.rpartition("/")[2], []).append(key)

    def fingerprint(self) -> str:
        stats = [(key, path.stat()) for key, path in self._paths.items()]
        text = repr([(key, stat.st_size, stat.st_mtime_ns) for key, stat in stats])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def open(self) -> dict[str, object]:
        return {"kind": "folder of results", "folder": str(self._folder)}

    def offers(self, benchmark: Benchmark) -> bool:
        return any(self._find(benchmark, key) is not None for key in benchmark.names())

    def check(self, benchmark: Benchmark, keys: list[str]) -> None:
        missing = [key for key in keys if self._find(benchmark, key) is None]
        if missing:
            raise ValueError(
                f"{self._folder} lacks {len(missing)} of {len(keys)} results of {benchmark.name}, such as "
                f"{missing[0]}; name results as the images in inputs/{benchmark.name} of the report."
            )

    def restore(self, benchmark: Benchmark, sample: BenchmarkImage) -> Pixels:
        path = self._find(benchmark, sample.key)
        assert path is not None
        result = read_image(path)
        if (result.shape[1], result.shape[0]) != sample.size:
            raise ValueError(
                f"{path} is {result.shape[1]}x{result.shape[0]}, but {benchmark.name} wants "
                f"{sample.size[0]}x{sample.size[1]}; run the tool on the images in inputs/{benchmark.name}."
            )
        return result

    def _find(self, benchmark: Benchmark, key: str) -> Path | None:
        for candidate in (f"{benchmark.name}/{key}", key):
            if candidate in self._paths:
                return self._paths[candidate]
        if len(self._by_name.get(last := key.rpartition("/")[2], ())) == 1:
            return self._paths[self._by_name[last][0]]
        others = [name for each in benchmark.names() if len(name := each.rpartition("/")[2]) > len(last)]
        extended = [
            name
            for name in self._by_name
            if re.match(re.escape(last) + r"[^0-9A-Za-z]", name) and not name.startswith(tuple(others))
        ]
        found = [each for name in extended for each in self._by_name[name]]
        return self._paths[found[0]] if len(found) == 1 else None
