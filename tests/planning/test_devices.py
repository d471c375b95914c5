import pytest

from vosr.planning import DEVICES, find_device, reported_device


def test_unknown_device_is_refused_with_the_list():
    with pytest.raises(ValueError, match=r"Unknown device 'h10'\. Known: a100-40, .*mi300x, cpu"):
        find_device("h10")


def test_peak_depends_on_the_precision():
    a100 = find_device("a100-80")
    assert a100.peak("bf16-mixed") == a100.peak("16-mixed") == 312e12
    assert a100.peak("32-true") == 19.5e12
    assert find_device("cpu").peak("bf16-mixed") is None


@pytest.mark.parametrize(
    ("reported", "name"),
    [
        ("NVIDIA A100-SXM4-40GB", "a100-40"),
        ("NVIDIA A100-SXM4-80GB", "a100-80"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA B200", "b200"),
        ("NVIDIA GeForce RTX 4090", "rtx4090"),
        ("NVIDIA L40S", "l40s"),
        ("AMD Instinct MI300X", "mi300x"),
    ],
)
def test_devices_are_known_by_what_they_call_themselves(reported, name):
    assert reported_device(reported) is DEVICES[name]


@pytest.mark.parametrize(
    "reported", ["NVIDIA H100 PCIe", "NVIDIA GeForce RTX 4090 Laptop GPU", "Tesla T4", ""]
)
def test_slower_relatives_are_not_taken_for_them(reported):
    assert reported_device(reported) is None
