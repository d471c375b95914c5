"""Text from outside is shown as text, and what an exception says names its kind where it says too little."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vosr.core.files.shown import reason, shown


def test_plain_text_stays():
    assert shown("Größe 写真 [bold] :smile:\ta\nb") == "Größe 写真 [bold] :smile:\ta\nb"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\rb\x7f\x9b", r"a\x0db\x7f\x9b"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        (os.fsdecode(b"\xff\xe9.png"), r"\xff\xe9.png"),
        ("\ud800", r"\ud800"),
    ],
)
def test_hidden_characters_become_visible(text, expected):
    assert shown(text) == expected


@given(st.text(st.characters()))
def test_any_text_can_be_encoded_and_holds_no_escape(text):
    made = shown(text)
    assert b"\x1b" not in made.encode()
    assert shown(made) == made


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KeyError(0), "it is damaged or of an unknown kind (KeyError: 0)"),
        (IndexError("out of range"), "it is damaged or of an unknown kind (IndexError: out of range)"),
        (ValueError(""), "it is damaged or of an unknown kind (ValueError)"),
        (ValueError("the strip is cut off."), "the strip is cut off"),
        (FileNotFoundError(2, "No such file or directory", "x"), "No such file or directory"),
        (MemoryError(), "not enough memory"),
    ],
)  # fmt: skip
def test_reasons(error, expected):
    assert reason(error) == expected
