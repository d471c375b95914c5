"""Films through a stand-in for the restorer: images, times, sound and bad input."""

import builtins
import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from films import RATE, images, read_film, write_film

from vosr.cli import main
from vosr.inference import Settings
from vosr.jobs.video import VideoEncoding, restore_film
from vosr.jobs.video.times import Times

LOSSLESS = VideoEncoding(crf=0)


class Doubling:
    """Repeats every pixel, and remembers what it was given."""

    def __init__(self, odd=0):
        self.given, self.odd = [], odd

    def output_size(self, width, height, settings):
        return 2 * width + self.odd, 2 * height + self.odd

    def restore_batch(self, shots, settings):
        self.given += shots
        return [np.pad(s.repeat(2, 0).repeat(2, 1), ((0, self.odd), (0, self.odd), (0, 0))) for s in shots]


def restore(source, target, restorer=None, encoding=LOSSLESS):
    told = []
    restorer = restorer or Doubling()
    notes = restore_film(source, target, restorer, Settings(), encoding, lambda *a: told.append(a))
    return notes, told, restorer


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_images_times_and_sound_come_through(tmp_path, suffix):
    shots = images()
    source = write_film(tmp_path / "in.mp4", shots, times=[0, 2, 4, 5, 9, 12])  # no constant rate
    notes, told, restorer = restore(source, tmp_path / f"out/clip{suffix}")
    before, times, sound = read_film(source)
    after, new_times, new_sound = read_film(tmp_path / f"out/clip{suffix}")
    assert notes == ()
    assert [count for count, _ in told] == [1, 2, 3, 4, 5, 6]
    assert told[0][1] == 0
    assert told[-1][1] == pytest.approx(1, abs=0.15)  # the last image begins
    # Matroska counts milliseconds from the first packet, which is one of sound
    assert np.subtract(new_times, new_times[0]) == pytest.approx(times, abs=2e-3)
    assert len(sound) > 5
    assert new_sound == sound
    for given, shot, one, two in zip(restorer.given, shots, before, after, strict=True):
        assert np.abs(given.astype(int) - one).mean() < 1
        assert np.abs(one.astype(int) - shot).mean() < 4  # chroma at half resolution
        assert np.abs(two.astype(int) - given.repeat(2, 0).repeat(2, 1)).mean() < 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"clip{suffix}"]


@pytest.mark.parametrize("height", [32, 720])
def test_colours_are_read_and_written_by_the_same_matrix(tmp_path, height):
    shots = np.zeros((2, height, 64, 3), np.uint8) + np.array([200, 40, 90], np.uint8)
    source = write_film(tmp_path / "in.mp4", shots, sound=False)
    _, _, restorer = restore(source, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as film:
        assert film.streams.video[0].codec_context.colorspace == (1 if height == 720 else 5)
        frame = next(film.decode(video=0))
        seen = frame.to_ndarray(format="rgb24", src_colorspace=int(frame.colorspace))
    assert np.abs(seen.astype(int) - restorer.given[0].repeat(2, 0).repeat(2, 1)).max() <= 3


def test_ten_bits_stay_ten_bits(tmp_path):
    shots = images(width=256)
    source = write_film(tmp_path / "in.mkv", shots, sound=False, pix_fmt="yuv420p10le")
    _, _, restorer = restore(source, tmp_path / "out.mkv")
    assert restorer.given[0].dtype == np.uint16
    with av.open(str(tmp_path / "out.mkv")) as film:
        frame = next(film.decode(video=0))
        assert frame.format.name == "yuv420p10le"
        seen = frame.to_ndarray(format="rgb48le")
    difference = np.abs(seen / 65535 - restorer.given[0].repeat(2, 0).repeat(2, 1) / 65535)
    assert difference.mean() < 0.008


def test_films_of_phones_are_turned_upright(tmp_path):
    source = write_film(tmp_path / "in.mp4", images(2), sound=False)
    lying = read_film(source)[0]
    # display matrix of the track header: a quarter turn clockwise
    data = bytearray(source.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    source.write_bytes(data)
    _, _, restorer = restore(source, tmp_path / "out.mp4")
    assert np.abs(restorer.given[0].astype(int) - np.rot90(lying[0], -1)).mean() < 1
    with av.open(str(tmp_path / "out.mp4")) as film:
        frame = next(film.decode(video=0))
        assert (frame.width, frame.height, frame.rotation) == (64, 96, 0)


def test_odd_sides_are_cut_and_told(tmp_path):
    source = write_film(tmp_path / "in.mp4", images(3))
    notes, _, _ = restore(source, tmp_path / "out.mp4", Doubling(odd=1))
    assert notes == ("97 x 65 is cut to even sides, which films have",)
    assert read_film(tmp_path / "out.mp4")[0][0].shape == (64, 96, 3)


def test_a_torn_film_leaves_nothing_behind(tmp_path):
    whole = write_film(tmp_path / "in.mp4", images(24))
    torn = tmp_path / "torn.mp4"
    torn.write_bytes(whole.read_bytes()[:700])
    with pytest.raises(ValueError, match=r"Cannot read .*torn\.mp4"):
        restore(torn, tmp_path / "out/clip.mp4")
    assert not (tmp_path / "out").exists()


def test_a_film_that_ends_early_is_told(tmp_path):
    whole = write_film(tmp_path / "in.mkv", images(24), codec="mpeg4", sound=False)
    torn = tmp_path / "torn.mkv"
    torn.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 4])  # the first image takes much of it
    notes, told, _ = restore(torn, tmp_path / "out.mkv")
    count = told[-1][0]
    assert 2 < count < 22
    assert notes[-1] == f"{torn} ends after {count / RATE:.1f} of 2.0 s ({count} images)"


def test_a_damaged_stretch_is_passed_over(tmp_path):
    whole = write_film(tmp_path / "in.mov", images(24), codec="png", pix_fmt="rgb24", sound=False)
    data = bytearray(whole.read_bytes())
    for at in range(len(data) // 3, len(data) // 3 + 600, 3):
        data[at] ^= 0x5A
    whole.write_bytes(data)
    notes, told, _ = restore(whole, tmp_path / "out.mov")
    assert 15 < told[-1][0] < 24
    assert any("damaged parts" in note for note in notes)


def test_labels_order_and_aspect_stay(tmp_path):
    source = write_film(tmp_path / "in.mkv", images(2), aspect=Fraction(16, 15), title="Holiday")
    restore(source, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as film:
        assert [stream.type for stream in film.streams] == ["video", "audio"]
        assert film.metadata["title"] == "Holiday"
        assert film.streams.audio[0].metadata["language"] == "deu"
        assert film.streams.video[0].sample_aspect_ratio == Fraction(16, 15)


def test_rgb_films_become_what_players_show(tmp_path):
    source = write_film(tmp_path / "in.mkv", images(2), sound=False, pix_fmt="rgb24", codec="libx264rgb")
    _, _, restorer = restore(source, tmp_path / "out.mp4")
    assert np.abs(restorer.given[0].astype(int) - images(2)[0]).mean() < 2
    with av.open(str(tmp_path / "out.mp4")) as film:
        frame = next(film.decode(video=0))
        assert (int(frame.colorspace), frame.format.name) == (5, "yuv420p")


def test_times_grow():
    times = Times(2)
    assert [times.following(t) for t in (4, 6, 8, 7, None, 20, 3)] == [4, 6, 8, 10, 12, 20, 22]
    times = Times(3)
    assert [times.following(None) for _ in range(3)] == [0, 3, 6]


def test_alpha_and_fields_are_told(tmp_path):
    source = write_film(tmp_path / "in.mov", images(2), sound=False, pix_fmt="rgba", codec="png")
    notes, _, _ = restore(source, tmp_path / "out.mp4")
    assert notes == ("transparency is left out",)


def test_an_interrupted_film_leaves_nothing_behind(tmp_path):
    class Interrupting(Doubling):
        def restore_batch(self, shots, settings):
            if len(self.given) == 3:
                raise KeyboardInterrupt
            return super().restore_batch(shots, settings)

    source = write_film(tmp_path / "in.mp4", images())
    with pytest.raises(KeyboardInterrupt):
        restore(source, tmp_path / "out/clip.mp4", Interrupting())
    assert list((tmp_path / "out").iterdir()) == []


def test_what_cannot_be_is_said(tmp_path, monkeypatch):
    source = write_film(tmp_path / "in.mp4", images(2))
    text = tmp_path / "text.mp4"
    text.write_text("no film")
    with av.open(str(tmp_path / "sound.mp4"), "w") as out:
        audio = out.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16_000
        out.mux([*audio.encode(frame), *audio.encode(None)])
    for film, target, encoding, message in (
        (source, "out.gif", LOSSLESS, "must end in .mp4"),
        (text, "out.mp4", LOSSLESS, r"Cannot read .*text\.mp4"),
        (tmp_path / "sound.mp4", "out.mp4", LOSSLESS, "holds no moving images"),
    ):
        with pytest.raises(ValueError, match=message):
            restore(film, tmp_path / target, encoding=encoding)
        assert not list(tmp_path.glob("*out*"))

    def without_av(name, *args, **kwargs):
        if name == "av":
            raise ModuleNotFoundError(name)
        return original(name, *args, **kwargs)

    original = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", without_av)
    with pytest.raises(ValueError, match="pip install 'av"):
        restore(source, tmp_path / "out.mp4")


def test_the_command_restores_and_warns(tmp_path, capfd):
    source = write_film(tmp_path / "in.mp4", images(2))
    assert main(["video", str(source), "-o", str(tmp_path / "new"), "--scale", "2"]) == 0
    shots, times, sound = read_film(tmp_path / "new/in.mp4")
    assert [shot.shape for shot in shots] == [(64, 96, 3)] * 2
    assert times == pytest.approx([0, 1 / RATE])
    assert sound == read_film(source)[2]
    before = images(2)[0].repeat(2, 0).repeat(2, 1)
    assert np.abs(shots[0].astype(int) - before).mean() < 12
    out = capfd.readouterr().out
    assert "Restored 2 images" in out
    assert "may flicker" in out
    for arguments, said in (
        (["video", str(tmp_path / "none.mp4")], "No film"),
        (["video", str(source), "-o", str(source)], "would overwrite itself"),
        (["video", str(source), "-o", str(tmp_path / "x.webm")], "must end in .mp4"),
        (["video", str(source), "--codec", "aac"], "libx264"),
        (["video", str(source), "--crf", "99"], "crf must be within 0 to 63"),
        (
            ["restore", str(source), "-o", str(tmp_path / "more")],
            "is a film, which python main.py video restores",
        ),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
        assert said in capfd.readouterr().err


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_last_image_is_shown_as_long_as_in_the_source(tmp_path, suffix):
    """A varying rate: the last image stands for three steps, which only the packet itself says."""
    shots = images(4)
    with av.open(str(tmp_path / "in.mp4"), "w") as out:
        video = out.add_stream("libx264", rate=25, options={"crf": "1", "bf": "0"})
        video.width, video.height, video.pix_fmt = 48, 32, "yuv420p"
        video.codec_context.time_base = Fraction(1, 25)
        for time, shot in zip((0, 1, 2, 5), shots):
            frame = av.VideoFrame.from_ndarray(shot, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 25)
            out.mux(video.encode(frame))
        packets = video.encode(None)
        packets[-1].duration = 3
        out.mux(packets)
    restore(tmp_path / "in.mp4", tmp_path / f"out{suffix}")
    for name in ("in.mp4", f"out{suffix}"):
        with av.open(str(tmp_path / name)) as film:
            packets = [packet for packet in film.demux(video=0) if packet.pts is not None]
            last = max(packets, key=lambda packet: packet.pts)
            assert float(last.duration * last.time_base) == pytest.approx(3 / 25, abs=0.002), name
