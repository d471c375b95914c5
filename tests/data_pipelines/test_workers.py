"""What torch says of a reading process, as one sentence."""

import pytest

from data_pipelines.workers import failure


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("DataLoader timed out after 5 seconds", "gave nothing for 5 s (data.worker_timeout)."),
        ("DataLoader worker (pid 7) is killed by signal: Killed. ", "ended unexpectedly; was it killed, for memory"),
        ("DataLoader worker (pid(s) 7) exited unexpectedly", "ended unexpectedly; was it killed, for memory"),
        ("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's workers are out "
         "of shared memory. Please try to raise your shared memory limit.", "had too little shared memory: /dev/shm"),
        ("Caught RuntimeError in DataLoader worker process 0.\nunable to allocate shared memory(shm) for file "
         "</torch_1_2_3>: No space left on device (28)", "had too little shared memory: /dev/shm holds "),
    ],
)  # fmt: skip
def test_failures_of_reading_processes_are_sentences(said, expected):
    assert failure(said, 5.0).startswith(expected)


def test_other_errors_are_no_failure_of_a_process():
    assert failure("Caught KeyError in DataLoader worker process 0.", 5.0) is None
