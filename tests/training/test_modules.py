import copy
from dataclasses import replace

import pytest
import torch
from doubles import Dim, ImageData, ShuffleAutoencoder, collate
from models import save_trained
from training_modules import student, teacher, trainer

from vosr.checkpoints import load_model, save_model
from vosr.flow import interpolate
from vosr.guidance import NoGuidance
from vosr.objectives import RCGM, FidelitySharpness, Shortcut
from vosr.objectives.combined import AbsoluteError
from vosr.training.ema import update_average
from vosr.training.randomness import StepRandom


@pytest.fixture(scope="module")
def teacher_folder(tmp_path_factory):
    return save_trained(teacher(), tmp_path_factory.mktemp("teacher"))


def test_frozen_parts_are_out_of_optimizer_checkpoint_and_train_mode(tmp_path, teacher_folder):
    for module in (teacher(), student(teacher_folder)):
        fit = trainer(tmp_path)
        fit.fit(module, ImageData())
        trained = {id(p) for group in fit.optimizers[0].param_groups for p in group["params"]}
        assert trained == {id(p) for p in module.backbone.parameters()}
        assert {key.partition(".")[0] for key in module.state_dict()} == {"backbone", "average"}
        module.train()
        assert not module.conditioner.encoder.dropout.training
        assert module.backbone.training
        for name, p in module.named_parameters():
            assert p.requires_grad == name.startswith("backbone."), name


def test_the_teacher_is_held_in_bfloat16_and_the_student_is_not(tmp_path, teacher_folder):
    """One step of distillation: the student begins as what was not rounded, and the target is nearly the same."""
    losses = {}
    for held in ("float32", "bfloat16"):
        module = student(teacher_folder, teacher_dtype=held, optimizer=lambda p: torch.optim.SGD(p, lr=0.0))
        fit = trainer(tmp_path, max_steps=1, precision="bf16-mixed", limit_val_batches=1)
        fit.fit(module, ImageData())
        losses[held] = fit.callback_metrics["loss"].item()
        assert {p.dtype for p in module.teacher.parameters()} == {getattr(torch, held)}
        assert {p.dtype for p in module.backbone.parameters()} == {torch.float32}
        own = load_model(teacher_folder, trust_remote_code=True).backbone.state_dict()
        for name, value in own.items():
            assert torch.equal(module.backbone.state_dict()[name], value), name
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.02)


def test_a_teacher_in_bfloat16_needs_operations_in_it(tmp_path, teacher_folder):
    with pytest.raises(
        ValueError, match=r"teacher_dtype=bfloat16 needs --trainer\.precision=bf16-mixed, not 32-true"
    ):
        trainer(tmp_path).fit(student(teacher_folder, teacher_dtype="bfloat16"), ImageData())


def test_average_follows_the_closed_form():
    torch.manual_seed(0)
    average, model = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    start, target = copy.deepcopy(average.weight.detach()), model.weight.detach()
    for n in range(3):
        update_average(average, model, 0.5, n)
    kept = (1 / 10) * (2 / 11) * (3 / 12)  # the decay while it warms up
    torch.testing.assert_close(average.weight.detach(), kept * start + (1 - kept) * target)
    update_average(average, model, 0.05, 1000)
    torch.testing.assert_close(
        average.weight.detach(), 0.05 * (kept * start + (1 - kept) * target) + 0.95 * target
    )


def test_average_is_updated_once_per_optimizer_step(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("vosr.training.ema.update_average", lambda a, m, decay, n, kept: seen.append(n))
    trainer(tmp_path, max_steps=3, accumulate_grad_batches=2).fit(teacher(), ImageData(count=64))
    assert seen == [0, 1, 2]


def test_teacher_learns_a_closed_form_task(tmp_path):
    """HQ = LQ without degradation: the loss falls well below that of predicting zero."""
    torch.manual_seed(0)
    module = teacher(degradation=Dim(low=1.0), guidance=NoGuidance())
    losses = []
    module.log = lambda name, value, **_: losses.append(float(value)) if name == "loss" else None
    trainer(tmp_path, max_steps=150).fit(module, ImageData(count=64))
    assert sum(losses[-10:]) / 10 < 0.6 * sum(losses[:3]) / 3


@pytest.mark.parametrize("objective", [RCGM(), Shortcut()], ids=["rcgm", "shortcut"])
def test_student_starts_as_the_teacher(teacher_folder, objective):
    module = student(teacher_folder, objective=objective)
    module.configure_model()
    loaded = load_model(teacher_folder, trust_remote_code=True)
    x, t, z = torch.randn(2, 24, 8, 8), torch.rand(2), torch.randn(2, 1, 3)
    with torch.no_grad():
        assert torch.equal(module.backbone(x, t, z, t), loaded.backbone(x, t, z))
        assert torch.equal(module.average(x, t, z, t), loaded.backbone(x, t, z))
    assert module.backbone.end_time


def test_distilling_a_student_is_refused(teacher_folder, tmp_path):
    module = student(teacher_folder)
    module.configure_model()
    save_model(module.released(), tmp_path)
    with pytest.raises(ValueError, match="must be a multi-step teacher"):
        student(tmp_path)


def test_init_from_takes_the_weights(teacher_folder):
    module = teacher(init_from=teacher_folder, trust_remote_code=True)
    module.configure_model()
    expected = load_model(teacher_folder, trust_remote_code=True).backbone.state_dict()
    for key, value in module.backbone.state_dict().items():
        assert torch.equal(value, expected[key]), key


def test_resumed_run_equals_the_undisturbed_one(tmp_path):
    def run(steps, ckpt_path=None):
        torch.manual_seed(0)
        module = teacher()
        fit = trainer(tmp_path, max_steps=steps)
        fit.fit(module, ImageData(count=12), ckpt_path=ckpt_path)  # three batches: an epoch
        return fit, module

    first, _ = run(3)
    first.save_checkpoint(tmp_path / "half.ckpt")
    _, resumed = run(6, tmp_path / "half.ckpt")
    _, whole = run(6)
    for key, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


def test_validation_is_independent_of_batch_and_order(teacher_folder):
    module = student(teacher_folder)
    module.configure_model()
    images = [ImageData().val_dataloader().dataset[i] for i in range(4)]
    together, reverse = collate(images), collate(images[::-1])
    lq = module.validation_input(together, together.hq.float() / 255)
    again = module.validation_input(reverse, reverse.hq.float() / 255)
    assert torch.equal(lq, again.flip(0))
    restored = module.restore(module.released(), lq, together.key)
    alone = module.restore(module.released(), lq[2:3], together.key[2:3])
    torch.testing.assert_close(restored[2:3], alone, atol=1e-5, rtol=1e-5)


def test_checkpoint_of_another_model_is_refused(tmp_path):
    module, other = teacher(), teacher(autoencoder=ShuffleAutoencoder(4))
    module.configure_model()
    other.configure_model()
    state = module.state_dict()
    state.pop("backbone.t_embedder.mlp.0.weight")
    same = teacher()
    same.configure_model()
    with pytest.raises(RuntimeError, match="does not fit this model"):
        same.load_state_dict(state)
    with pytest.raises(
        ValueError, match=r"checkpoint's backbone\.\S+ is \(.*\), this model's .*config\.yaml"
    ):
        other.load_state_dict(module.state_dict())


def test_bad_ema_decay():
    with pytest.raises(ValueError, match="ema_decay"):
        teacher(ema_decay=1.0).configure_callbacks()


def test_image_loss_pulls_the_one_step_image_to_the_original(teacher_folder, tmp_path):
    errors = []
    module = student(
        teacher_folder,
        image_loss=FidelitySharpness(sharpness=0.0, repetition=0.0, period=8),
        optimizer=lambda p: torch.optim.AdamW(p, lr=1e-2),
    )
    module.log_dict = lambda values, **_: errors.extend(float(values[k]) for k in ["loss/mse"] if k in values)
    trainer(tmp_path, max_steps=60).fit(module, ImageData(count=64))
    assert sum(errors[-5:]) < 0.5 * sum(errors[:5])


def test_a_teachers_image_loss_compares_the_predicted_clean_image():
    """A fresh backbone predicts no velocity, so the clean image is the noisy one."""
    hq = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    random = StepRandom(0, 0, list("abcd"), torch.device("cpu"))
    for until in (1.0, 0.5, 1e-6):
        module = teacher(image_loss=AbsoluteError(), image_until=until)
        module.configure_model()
        data, condition = module.frozen_pass(hq, hq, random)
        draw = random.draw("flow", module.objective.draw, data)
        noisy = interpolate(data, draw.noise, draw.t)
        counted = draw.t <= max(until, float(draw.t.min()))
        image = (module.conditioner.autoencoder.decode(noisy) + 1) / 2
        expected = counted.float().mean() * (image - hq)[counted].abs().mean()
        loss = module.objective_loss(hq, data, condition, random)
        plain = teacher()
        plain.configure_model()
        torch.testing.assert_close(
            loss.total, plain.objective_loss(hq, data, condition, random).total + expected
        )
    assert counted.sum() == 1  # the least noisy always counts
    with pytest.raises(ValueError, match="image_until must be in"):
        teacher(image_until=0.0)


def test_logged_losses_are_means_over_the_logging_interval(tmp_path):
    single, averaged = [], []
    for values, interval in ((single, 1), (averaged, 3)):
        torch.manual_seed(0)
        module = teacher()
        module.log = lambda name, value, values=values, **_: values.append(value) if name == "loss" else None
        trainer(tmp_path, max_steps=7, log_every_n_steps=interval).fit(module, ImageData(count=64))
    expected = [sum(single[max(0, i - 2) : i + 1]) / min(3, i + 1) for i in range(7)]
    torch.testing.assert_close(torch.stack(averaged), torch.stack(expected))


def test_a_student_takes_over_its_teachers_degradation_unless_given(tmp_path, caplog):
    from vosr.degradations import DEGRADATIONS

    steps = [DEGRADATIONS.build("real_esrgan", scale=2), DEGRADATIONS.build("gaussian_noise")]
    blur = DEGRADATIONS.build("choice", steps=steps)
    folder = save_trained(teacher(degradation=blur), tmp_path / "x2")
    card = load_model(folder, trust_remote_code=True).card
    assert (card.degradation["name"], card.degradation["args"]["steps"][0]["name"]) == (
        "choice",
        "real_esrgan",
    )
    taken = student(folder, degradation=None)
    assert (taken.degradation.scale, taken.card.scale, taken.card.training_size) == (2, 2, 16)
    image = torch.rand(1, 3, 32, 32)
    drawn = [each(image, torch.Generator().manual_seed(3)) for each in (taken.degradation, blur)]
    assert torch.equal(*drawn)
    assert "enlargement" not in caplog.text
    given = student(folder, degradation=DEGRADATIONS.build("real_esrgan", scale=4))
    assert given.card.scale == 4
    assert "enlargement of 2, and the student's degradation is of 4" in caplog.text


def test_other_frozen_weights_are_told(tmp_path, caplog, monkeypatch):
    from vosr.encoders import TimmEncoder

    encoder = {"model": "mobilenetv3_small_050", "input_size": 32, "block": 1, "pretrained": False}
    folder = save_trained(teacher(encoder=TimmEncoder(**encoder)), tmp_path / "m")
    card = load_model(folder, trust_remote_code=True).card
    assert set(card.frozen) == {"autoencoder", "encoder"}
    assert "results differ" not in caplog.text
    monkeypatch.setattr(
        "vosr.core.weights.initialise.torch.manual_seed", lambda _: None
    )  # other random weights
    torch.manual_seed(5)
    load_model(folder, trust_remote_code=True)
    assert f"weights of the encoder are not those that {folder} was trained with" in caplog.text
    assert "weights of the autoencoder" not in caplog.text


def test_the_learning_rate_finder_has_an_attribute_to_set(tmp_path):
    module = teacher()
    module.lr = 0.25
    module.configure_model()
    module._trainer = trainer(tmp_path)
    assert [group["lr"] for group in module.configure_optimizers().param_groups] == [0.25]


def test_logged_loss_is_what_is_minimised(teacher_folder, tmp_path):
    logged, minimised = [], []
    module = student(teacher_folder, objective=RCGM(), image_loss=FidelitySharpness(period=8))
    module.log = lambda name, value, **_: logged.append(value) if name == "loss" else None
    module.on_before_backward = lambda loss: minimised.append(loss.detach().clone())
    trainer(tmp_path, max_steps=3).fit(module, ImageData(count=64))
    assert torch.equal(torch.stack(logged), torch.stack(minimised))


def test_validation_runs_the_teacher_for_the_images_that_are_shown(teacher_folder):
    module = student(teacher_folder)
    module.configure_model()
    module.log = module.log_dict = lambda *_, **__: None
    images = [ImageData(count=4).val_dataloader().dataset[i % 4] for i in range(12)]
    batches = [replace(collate(images[i : i + 4]), key=[str(i + j) for j in range(4)]) for i in (0, 4, 8)]
    for _ in range(2):  # the same ones at the next validation
        module.on_validation_epoch_start()
        outputs = [module.validation_step(batch, i) for i, batch in enumerate(batches)]
        assert [len(output.get("teacher", ())) for output in outputs] == [4, 2, 0]
    assert list(module._teacher_images) == ["0", "1", "2", "3", "4", "5"]
