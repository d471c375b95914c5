"""What every registered metric promises."""

import pytest
import torch

from vosr.metrics import METRICS, ImageMetric, Metric


class Brightness(ImageMetric):
    """Mean of the restored image; none for black ones."""

    title = "brightness"
    low, high = 0.0, 1.0
    needs_reference = False

    def score(self, restored, reference, lq):
        mean = restored.mean(dim=(1, 2, 3))
        return torch.where(mean > 0, mean, torch.nan)


@pytest.mark.parametrize("name", METRICS.names())
def test_range_direction_and_docstring(name):
    cls = METRICS.get(name)
    assert cls.low < cls.high
    assert isinstance(cls.higher_is_better, bool)
    assert cls.title
    text = cls.__doc__
    assert ("igher is better" in text) == cls.higher_is_better
    assert ("ower is better" in text) == (not cls.higher_is_better)
    assert "Source:" in text


def test_mean_over_batches_leaves_out_images_without_a_value():
    metric = Brightness()
    metric.update(torch.tensor([1.0, 0.0]).view(2, 1, 1, 1).expand(2, 3, 4, 4))
    metric.add(metric.measure(torch.full((1, 3, 4, 4), 0.2)))
    assert metric.compute().item() == pytest.approx(0.6)
    metric.reset()
    assert metric.count == 0


def test_wrong_input_is_told():
    metric = METRICS.build("psnr_y")
    image = torch.zeros(1, 3, 32, 32)
    with pytest.raises(ValueError, match="PSNR-Y needs a reference"):
        metric.measure(image)
    with pytest.raises(ValueError, match="differ in size"):
        metric.measure(image, image[..., :16])
    with pytest.raises(ValueError, match=r"RGB images \(B, 3, H, W\), not \(3, 32, 32\)"):
        metric.measure(image[0], image[0])


def test_metrics_are_torchmetrics_and_components():
    from torchmetrics import MetricCollection

    metric = METRICS.build("psnr_y", border=2)
    assert isinstance(metric, Metric)
    assert metric.init_args == {"border": 2}
    together = MetricCollection({name: METRICS.build(name) for name in ("psnr_y", "psnr_rgb")})
    image = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    together.update(image, image)
    assert {name: value.item() for name, value in together.compute().items()} == {
        "psnr_y": 100,
        "psnr_rgb": 100,
    }
