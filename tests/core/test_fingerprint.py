import torch
from torch import nn

from vosr.core.fingerprint import fingerprint


def test_weights_are_told_apart_and_precision_is_not():
    torch.manual_seed(0)
    one, other = nn.Linear(300, 200), nn.Linear(300, 200)
    assert len(fingerprint(one)) == 16
    assert fingerprint(one) != fingerprint(other)
    other.load_state_dict(one.state_dict())
    assert fingerprint(other) == fingerprint(one)
    assert fingerprint(other.to(torch.bfloat16)) == fingerprint(one)
    assert fingerprint(nn.ReLU()) == ""
    with torch.device("meta"):
        assert fingerprint(nn.Linear(3, 3)) == ""
