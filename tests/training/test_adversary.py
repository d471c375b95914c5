"""Training with a discriminator: its steps do not count, accumulate with the student's, and continue exactly."""

import pytest
import torch
from doubles import ImageData
from models import save_trained
from training_modules import student, teacher, trainer

from vosr.checkpoints import load_model, save_model
from vosr.objectives import Adversary, LogMSE
from vosr.objectives.discriminators import PatchDiscriminator


@pytest.fixture(scope="module")
def teacher_folder(tmp_path_factory):
    return save_trained(teacher(), tmp_path_factory.mktemp("teacher"))


def adversarial(folder, **overrides):
    torch.manual_seed(3)
    judge = Adversary(PatchDiscriminator(4, 1), weight=0.1, lr=1e-3)
    return student(folder, adversary=judge, **({"image_loss": LogMSE()} | overrides))


def flat(module):
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def test_steps_count_generator_updates_alone_and_both_models_move(tmp_path, teacher_folder):
    module = adversarial(teacher_folder)
    before = flat(module.adversary.discriminator).clone()
    fit = trainer(tmp_path, max_steps=3, gradient_clip_val=0.5)
    fit.fit(module, ImageData())
    assert fit.global_step == 3
    assert len(fit.optimizers) == 1
    assert module.adversary.optimizer.state_dict()["state"][0]["step"] == 3
    assert (flat(module.adversary.discriminator) - before).abs().max() > 0
    assert {"loss/adversarial", "loss/discriminator", "loss/mse"} <= fit.logged_metrics.keys()
    assert not any(key.startswith("adversary") for key in module.state_dict())


def test_the_discriminator_accumulates_as_the_student_does(tmp_path, teacher_folder):
    module = adversarial(teacher_folder)
    fit = trainer(tmp_path, max_steps=2, accumulate_grad_batches=2)
    fit.fit(module, ImageData())
    assert fit.global_step == 2
    assert module.adversary.optimizer.state_dict()["state"][0]["step"] == 2


def test_continues_exactly_from_a_checkpoint(tmp_path, teacher_folder):
    def run(steps, ckpt_path=None):
        module, fit = adversarial(teacher_folder), trainer(tmp_path, max_steps=steps)
        fit.fit(module, ImageData(count=8), ckpt_path=ckpt_path)  # two batches: an epoch
        return fit, module

    first, _ = run(2)
    first.save_checkpoint(tmp_path / "half.ckpt")
    (_, whole), (_, resumed) = run(4), run(4, tmp_path / "half.ckpt")
    torch.testing.assert_close(flat(resumed.backbone), flat(whole.backbone))
    torch.testing.assert_close(flat(resumed.adversary.discriminator), flat(whole.adversary.discriminator))


def test_images_alone_leave_the_distillation_objective_out(tmp_path, teacher_folder):
    module = student(teacher_folder, objective_weight=0.0, image_loss=LogMSE())
    fit = trainer(tmp_path, max_steps=1)
    fit.fit(module, ImageData())
    assert "loss/mse" in fit.logged_metrics
    assert "loss/velocity" not in fit.logged_metrics
    with pytest.raises(ValueError, match="objective_weight"):
        student(teacher_folder, objective_weight=0.0)


def test_a_student_starts_from_a_student(tmp_path, teacher_folder):
    module = student(teacher_folder)
    trainer(tmp_path, max_steps=2).fit(module, ImageData())
    save_model(module.released(), tmp_path / "student")
    again = student(teacher_folder, init_from=tmp_path / "student")
    again.trainer = None
    backbone = again.build_backbone()
    again.initialise(backbone)
    torch.testing.assert_close(
        flat(backbone), flat(load_model(tmp_path / "student", trust_remote_code=True).backbone)
    )


def test_a_schedule_goes_on_where_the_weights_were(tmp_path, teacher_folder):
    def schedule(optimizer):
        return torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=10)

    module = student(teacher_folder, lr_scheduler=schedule, schedule_step=4)
    fit = trainer(tmp_path, max_steps=1)
    fit.fit(module, ImageData())
    assert fit.optimizers[0].param_groups[0]["lr"] == pytest.approx(1e-3 * 0.5)
    with pytest.raises(ValueError, match="schedule_step"):
        student(teacher_folder, schedule_step=-1)
