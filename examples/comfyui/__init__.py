"""A ComfyUI node: copy this folder to ComfyUI's ``custom_nodes/vosr`` and install ``vosr`` where ComfyUI runs."""

from functools import lru_cache
from typing import Any

import comfy.model_management
import comfy.utils
import torch

from vosr import Restorer
from vosr.checkpoints.catalogue import shipped_names


@lru_cache(maxsize=1)
def opened(model: str, fidelity: float) -> Restorer:
    """The model, on ComfyUI's device; kept until another one is asked for."""
    device = str(comfy.model_management.get_torch_device())
    return Restorer.from_pretrained(model, device, fidelity=None if fidelity < 0 else fidelity)


class RestoreWithVOSR:
    """Restores and enlarges a batch of images."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "restore"
    CATEGORY = "image/upscaling"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Widgets of the node; ``path`` (a folder, a run or a hub id) goes before ``model``."""
        scale = ("FLOAT", {"default": 4.0, "min": 1.0, "max": 8.0, "step": 0.5})
        fidelity = ("FLOAT", {"default": -1.0, "min": -1.0, "max": 1.0, "step": 0.05})
        tile = ("INT", {"default": -1, "min": -1, "max": 4096, "step": 64})
        return {
            "required": {"image": ("IMAGE",), "model": (sorted(shipped_names()),), "scale": scale},
            "optional": {"path": ("STRING", {"default": ""}), "fidelity": fidelity, "tile": tile},
        }

    def restore(
        self,
        image: torch.Tensor,
        model: str,
        scale: float,
        path: str = "",
        fidelity: float = -1.0,
        tile: int = -1,
    ) -> tuple[torch.Tensor]:
        """(B, H, W, 3) in [0, 1] both ways; negative numbers are the model's own."""
        restorer, bar = opened(path or model, fidelity), comfy.utils.ProgressBar(len(image))
        restored = []
        for one in image[..., :3].movedim(-1, 1).cpu().split(1):
            comfy.model_management.throw_exception_if_processing_interrupted()
            restored.append(restorer(one, scale=scale, tile=None if tile < 0 else tile))
            bar.update(1)
        return (torch.cat(restored).movedim(1, -1),)


NODE_CLASS_MAPPINGS = {"RestoreWithVOSR": RestoreWithVOSR}
NODE_DISPLAY_NAME_MAPPINGS = {"RestoreWithVOSR": "Restore (VOSR)"}
