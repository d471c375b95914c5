"""Exported graphs in onnxruntime against the model in PyTorch: largest difference and seconds of a processor.

python main.py export --model vosr_small_student --layout onnx -o graphs
python benchmarks/graphs.py graphs
"""

import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from vosr.checkpoints import load_model
from vosr.inference.exported import NAMES

SIZES = [(128, 128), (256, 136), (256, 256), (512, 512)]
TRIALS = 5


def main(folder: Path, name: str = "vosr_small_student"):
    torch.set_num_threads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    sessions = {
        part: onnxruntime.InferenceSession(folder / f"{part}.onnx", options, providers=providers)
        for part in NAMES
    }
    model = load_model(name).eval()
    for height, width in SIZES:
        lq = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
        noise = torch.zeros(1, *model.latent_shape(height, width))

        def eager(lq=lq, noise=noise):
            return model.restore(lq, noise).numpy()

        def graphs(lq=lq, noise=noise):
            latent, tokens = sessions["encode"].run(None, {"lq": lq.numpy()})
            inputs = {"latent": latent, "tokens": tokens, "noise": noise.numpy()}
            (restored,) = sessions["backbone"].run(None, inputs)
            return sessions["decode"].run(None, {"restored": restored})[0]

        difference = np.abs(eager() - graphs()).max()
        taken = {eager: [], graphs: []}
        for _ in range(TRIALS):
            for run, seconds in taken.items():
                start = time.process_time()
                run()
                seconds.append(time.process_time() - start)
        first, second = (np.median(seconds) for seconds in taken.values())
        print(
            f"{width} x {height}: PyTorch {first:.3f} s, onnxruntime {second:.3f} s, difference {difference:.1e}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
