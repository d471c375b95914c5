"""The same training on one process, DDP and FSDP2, in processes of their own."""

import logging
import multiprocessing
import os
import socket
import warnings
from functools import partial
from pathlib import Path

import lightning as L
import torch
import torch.distributed as dist
from doubles import Dim, ImageData, Images, MeanEncoder, ShuffleAutoencoder, collate
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader, DistributedSampler

from vosr.autoencoders import KLAutoencoder
from vosr.backbones import LightningDiT
from vosr.guidance import RestorationGuidance
from vosr.model import Sampling
from vosr.objectives import RCGM, AbsoluteError, Adversary, FlowMatching, LogMSE, Shortcut
from vosr.objectives.discriminators import PatchDiscriminator
from vosr.training import (
    AutoencoderModule,
    DistillationModule,
    FullySharded,
    LightDecoderModule,
    TeacherModule,
)
from vosr.training.checkpoint_io import AtomicCheckpointIO
from vosr.training.parallel import Parallelism

DEFAULT = Parallelism()
STRATEGIES = {"fsdp": FullySharded, "hsdp": partial(FullySharded, copies=2)}
OBJECTIVES = {"rcgm": RCGM, "shortcut": Shortcut}


def backbone(channels, semantic_dim):
    return LightningDiT(channels, semantic_dim, width=32, depth=2, heads=2, latent_grid=8)


def optimizer(parameters):
    # Adam divides by the size of a gradient: eps keeps what is rounding alone from becoming a whole step.
    return torch.optim.AdamW(parameters, lr=1e-3, betas=(0.9, 0.95), weight_decay=0.01, eps=1e-4)


def teacher(init_from=None, parallel=DEFAULT):
    return TeacherModule(
        ShuffleAutoencoder(), MeanEncoder(), backbone, RestorationGuidance(), FlowMatching(), Dim(),
        Sampling(steps=2), 16, optimizer=optimizer, ema_decay=0.9, init_from=init_from, parallel=parallel,
        trust_remote_code=True,
    )  # fmt: skip


def student(folder, objective, parallel=DEFAULT, **more):
    return DistillationModule(
        folder, RestorationGuidance(), OBJECTIVES[objective](), Dim(), optimizer=optimizer, ema_decay=0.9,
        teacher_steps=2, parallel=parallel, trust_remote_code=True, **more,
    )  # fmt: skip


def adversarial(folder):
    torch.manual_seed(5 + int(os.environ.get("RANK", "0")))  # rank 0's weights are the ones that count
    adversary = Adversary(PatchDiscriminator(4, 1), weight=0.1, lr=1e-3)
    adversary.optimizer.param_groups[0]["eps"] = 1e-4  # as above
    return student(folder, "rcgm", image_loss=LogMSE(), adversary=adversary)


def reconstruction(kind):
    """The training of an autoencoder, or of a light decoder of a random one."""
    autoencoder = KLAutoencoder(factor=4, latent_channels=3, width=8, layers=1, patch=2, residual=True)
    options = {"optimizer": optimizer, "ema_decay": 0.9, "training_size": 16}
    if kind == "light":
        return LightDecoderModule(autoencoder, AbsoluteError(), layers=1, map_weight=0.1, **options)
    return AutoencoderModule(autoencoder, AbsoluteError(), equivariance=0.5, statistics_images=64, **options)


def weights(module):
    """Whole tensors of what is trained, the discriminator's with it."""
    adversary = getattr(module, "adversary", None)
    judge = {} if adversary is None else adversary.training_state()["discriminator"]
    return whole(module.state_dict()) | whole({f"discriminator.{name}": v for name, v in judge.items()})


def whole(state):
    """A state dict with whole tensors on every rank."""
    return {k: v.full_tensor() if isinstance(v, DTensor) else v.clone() for k, v in state.items()}


class OrderedImages(ImageData):
    """The same images in the same global batches, whatever the number of ranks."""

    def train_dataloader(self):
        images = Images(self.count, self.size)
        ranks, rank = (dist.get_world_size(), dist.get_rank()) if dist.is_initialized() else (1, 0)
        sampler = DistributedSampler(images, ranks, rank, shuffle=False)
        return DataLoader(images, self.batch_size, sampler=sampler, collate_fn=collate)


class Losses(L.Callback):
    """Loss of every optimizer step: mean over ranks and accumulated batches."""

    def __init__(self):
        self.values = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        loss = outputs["loss"].detach().clone()  # over the number of accumulated batches already
        if dist.is_initialized():
            dist.all_reduce(loss, dist.ReduceOp.AVG if dist.get_backend() == "nccl" else dist.ReduceOp.SUM)
            loss = loss / dist.get_world_size()
        if batch_idx % trainer.accumulate_grad_batches == 0:
            self.values.append(0.0)
        self.values[-1] += float(loss)


def fit(rank, done, ranks, port, out, name, tasks, options, batch_size, checkpoint, save, count):
    """One rank of one layout; rank 0 writes losses and whole weights of every task to ``out``."""
    environment = {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": ranks,
        "GROUP_RANK": 0, "LOCAL_WORLD_SIZE": ranks, "TORCHELASTIC_RUN_ID": "test", "NODE_RANK": 0,
    }  # fmt: skip
    if ranks > 1:
        os.environ.update({key: str(value) for key, value in environment.items()})
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(rank)  # nothing may depend on it
    torch.compile = partial(torch.compile, backend="aot_eager")  # needs no C++ compiler
    results = {}
    for task, (make, arguments, *named) in tasks.items():
        losses = Losses()
        trainer = L.Trainer(
            accelerator="cpu", devices=ranks, strategy=STRATEGIES.get(name, lambda: name)(), logger=False,
            callbacks=[losses], enable_checkpointing=False, enable_progress_bar=False, num_sanity_val_steps=0,
            enable_model_summary=False, limit_val_batches=0, use_distributed_sampler=False,
            plugins=[AtomicCheckpointIO()], **options,
        )  # fmt: skip
        module = {
            "teacher": teacher,
            "student": student,
            "adversarial": adversarial,
            "reconstruction": reconstruction,
        }[make](*arguments, **(named[0] if named else {}))
        trainer.fit(module, OrderedImages(count=count, batch_size=batch_size), ckpt_path=checkpoint)
        if save is not None:
            trainer.save_checkpoint(save)
        results[task] = {
            "losses": losses.values,
            "weights": weights(module),
            "step": trainer.global_step,
            "held": sum(local(p).numel() for p in module.backbone.parameters()),
        }
    if rank == 0:
        torch.save(results, out)
    done.wait(120)  # gloo takes the end of one process for a fault while another still reads from it


def local(parameter):
    """What this rank holds of a parameter."""
    return parameter.to_local() if isinstance(parameter, DTensor) else parameter


def processes():
    """Forks of a process that has everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["layouts"])
    return context


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def train(
    out: Path, tasks, name="auto", ranks=1, batch_size=4, checkpoint=None, save=None, count=64, **options
):
    """Losses, weights and what rank 0 holds after each task, trained with one layout."""
    options = {"max_steps": 2, "gradient_clip_val": 0.5} | options
    arguments = (ranks, free_port(), out, name, tasks, options, batch_size, checkpoint, save, count)
    done = processes().Barrier(ranks)
    started = [processes().Process(target=fit, args=(rank, done, *arguments)) for rank in range(ranks)]
    for process in started:
        process.start()
    try:
        for process in started:
            process.join(900)  # on a machine that others share
        assert [process.exitcode for process in started] == [0] * ranks
    finally:
        for process in started:
            process.kill()
    return torch.load(out, weights_only=True)
