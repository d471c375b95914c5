import time

import pytest
import torch

from vosr.core.phases import Phases, clock_of


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests move by hand."""
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def test_seconds_go_to_the_phase_that_runs(clock):
    phases = Phases()
    phases.start(clock_of(torch.device("cpu")))
    clock[0] += 5  # nothing runs
    phases.begin("data")
    clock[0] += 1
    phases.begin("forward")
    clock[0] += 2
    with phases("degradation"):
        clock[0] += 4
    clock[0] += 8
    phases.begin(None)
    clock[0] += 16
    phases.begin("data")
    clock[0] += 32
    assert phases.take() == {"data": 33, "forward": 10, "degradation": 4}
    clock[0] += 3
    assert phases.take() == {"data": 3}  # goes on after being read


def test_a_phase_ends_with_an_error_too(clock):
    phases = Phases()
    phases.start(clock_of(torch.device("cpu")))
    phases.begin("forward")

    def fail():
        with phases("encode"):
            clock[0] += 1
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fail()
    clock[0] += 2
    assert phases.take() == {"encode": 1, "forward": 2}


def test_nothing_is_kept_before_the_start(clock):
    phases = Phases()
    phases.begin("data")
    with phases("encode"):
        clock[0] += 1
    phases.start(clock_of(torch.device("cpu")))
    assert phases.take() == {}


class Queue:
    """A device that is behind: marks are reached when somebody waits for them."""

    def __init__(self):
        self.work, self.waited = 0.0, 0

    def now(self):
        return [self.work, False]

    def wait(self, mark):
        self.waited += 1
        mark[1] = True

    def seconds(self, start, end):
        return end[0] - start[0]


def test_the_host_waits_only_to_read():
    queue, phases = Queue(), Phases()
    phases.start(queue)
    for _ in range(3):
        phases.begin("forward")
        queue.work += 1.5
        with phases("encode"):
            queue.work += 0.5
    assert queue.waited == 0
    assert phases.take() == {"forward": 4.5, "encode": 1.5}
    assert queue.waited == 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_real_device():
    phases = Phases()
    phases.start(clock_of(torch.device("cuda")))
    phases.begin("forward")
    torch.cuda._sleep(200_000_000)
    phases.begin(None)
    assert 0.05 < phases.take()["forward"] < 1
