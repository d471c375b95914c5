"""What a server says of its bytes is checked before it is believed."""

import pytest

from data_pipelines.safety.answers import body_length


@pytest.mark.parametrize("length", ["abc", "-5", "", "1" * 30, "²"])
def test_lengths_that_are_none_are_unknown(length):
    assert body_length(200, {"Content-Length": length}, 0) is None


def test_lengths_are_of_what_follows_the_first_byte():
    assert body_length(200, {"Content-Length": "100"}, 0) == 100
    assert body_length(200, {"Content-Length": "100"}, 40) == 60
    assert body_length(206, {"Content-Length": "60", "Content-Range": "bytes 40-99/100"}, 40) == 60
    assert body_length(206, {"Content-Range": "bytes 40-99/*"}, 40) == 60


@pytest.mark.parametrize("given", ["bytes 0-99/100", None, "bytes */100", "nonsense"])
def test_a_part_that_begins_elsewhere_is_refused(given):
    headers = {"Content-Length": "60"} | ({"Content-Range": given} if given else {})
    with pytest.raises(OSError, match="asked for the bytes from 40 on"):
        body_length(206, headers, 40)


def test_a_file_that_became_shorter():
    with pytest.raises(OSError, match="30 bytes now"):
        body_length(200, {"Content-Length": "30"}, 40)
