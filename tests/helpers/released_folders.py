"""Small folders in the released checkpoints' layout, with random weights."""

import json

import timm
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

from vosr.autoencoders.light_decoder import build_light_decoder
from vosr.autoencoders.qwen_layers import QwenNetwork
from vosr.backbones import LightningDiT

VARIANTS = {
    "VOSR_0.5B_ms": {"ae_type": "sd2", "enc_type": "dinov2b", "enc_dim": 768, "infer_steps": 3},
    "VOSR_0.5B_os": {"ae_type": "sd2", "enc_type": "dinov2b", "enc_dim": 768, "distill_type": "rcgm"},
    "VOSR_1.4B_ms": {"ae_type": "qwen", "enc_type": "dinov2l", "enc_dim": 1024, "infer_steps": 3},
    "VOSR_1.4B_os": {"ae_type": "qwen", "enc_type": "dinov2l", "enc_dim": 1024, "distill_type": "shortcut"},
    "VOSR2": {
        **{"ae_type": "qwen", "enc_type": "dinov2l", "enc_dim": 1024},
        **{"distill_type": "onestep", "auxiliary_time_cond": False},
    },
}
ARGS = {
    **{"resolution": 64, "patch_size": 2, "dim": 32, "depth": 2, "num_heads": 2, "mlp_ratio": 4, "encdim_ratio": 3},
    **{"use_qknorm": True, "use_swiglu": True, "use_rope": True, "use_rmsnorm": True, "wo_shift": False},
    **{"layer_dinov2b_list": [0], "dinov2_size": 56, "cfg_scale": -0.5, "cfg_ratio": 0.1, "t_start": 0, "t_end": 1},
    **{"weak_cond_strength_aelq_list": [0.05, 0.25], "cond_strength_aelq_list": [5, 1], "interp_type": "lin"},
    # What training leaves in the file:
    **{"learning_rate": 5e-5, "train_batch_size": 8, "adam_beta1": 0.9, "ae_path": "preset/ckpts", "seed": 42},
    **{"report_to": "wandb", "exp_name": "ldit", "output_dir": "exp", "time_dist": ["uniform", 0, 1.0]},
}  # fmt: skip


def random_state(module, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        key: torch.randn(value.shape, generator=generator) * 0.1 for key, value in module.state_dict().items()
    }


def backbone_of(args, end_time=False):
    return LightningDiT(
        {"sd2": 4, "qwen": 16}[args["ae_type"]], args["enc_dim"], args["dim"], args["depth"], args["num_heads"],
        latent_grid=args["resolution"] // 8, semantic_ratio=args["encdim_ratio"], end_time=end_time,
    )  # fmt: skip


def write_model(folder, name, place="checkpoints", **changes):
    """One released model; returns its folder and its weights."""
    args = ARGS | VARIANTS[name] | changes
    path = folder / name
    (path / place).mkdir(parents=True, exist_ok=True)
    state = random_state(backbone_of(args, name.endswith("_os")))
    save_file(state, path / place / "ema_model.safetensors")
    (path / "args.json").write_text(json.dumps(args))
    return path, state


def write_frozen_parts(folder):
    """Both VAEs, the light decoder, and DINOv2 cut after its first block."""
    sd2 = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(4, 4, 8, 8), layers_per_block=1, norm_num_groups=4, latent_channels=4,
    )  # fmt: skip
    sd2.save_pretrained(folder / "stable-diffusion-2-1-base/vae")
    light = build_light_decoder((2, 2, 4, 4), 1, groups=2)
    content = {"config": {"norm_num_groups": 2}, "model_state_dict": light.state_dict()}
    torch.save(content, folder / "sd21_lwdecoder.pth")
    qwen = {"base_dim": 4, "z_dim": 16, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 1}
    (folder / "Qwen-Image-vae-2d").mkdir()
    state = random_state(QwenNetwork(**qwen))
    save_file(state, folder / "Qwen-Image-vae-2d/diffusion_pytorch_model.safetensors")
    (folder / "Qwen-Image-vae-2d/config.json").write_text(json.dumps(qwen))
    cache = folder / "torch_cache/checkpoints"
    cache.mkdir(parents=True)
    for size, letter in (("base", "b"), ("large", "l")):
        vit = timm.create_model(f"vit_{size}_patch14_dinov2", depth=1, num_classes=0, img_size=518)
        torch.save(vit.state_dict(), cache / f"dinov2_vit{letter}14_pretrain.pth")
