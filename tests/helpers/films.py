"""Small films made on the spot."""

from fractions import Fraction

import av
import numpy as np

RATE = 12


def images(count=6, width=48, height=32):
    """A gradient whose brightness changes and a square that moves, uint8 (count, H, W, 3)."""
    ramp = np.broadcast_to(np.linspace(40, 160, width), (height, width))
    shots = np.stack([ramp + 8 * i for i in range(count)])[..., None] + np.array([0, 20, 40])
    for i in range(count):
        shots[i, 8:16, 4 * i : 4 * i + 12] = (200, 60, 60)
    return shots.astype(np.uint8)


def write_film(
    path, shots, sound=True, pix_fmt="yuv420p", times=None, codec="libx264", aspect=None, title=None
):
    """``shots`` as a film; ``times`` in units of 1 / (2 RATE), two per image if not given."""
    with av.open(str(path), "w") as out:
        if title is not None:
            out.metadata["title"] = title
        video = out.add_stream(codec, rate=RATE, options={"crf": "1"} if "264" in codec else {})
        if aspect is not None:
            video.codec_context.sample_aspect_ratio = aspect
        video.height, video.width = shots.shape[1:3]
        video.pix_fmt = pix_fmt
        video.codec_context.time_base = Fraction(1, 2 * RATE)
        audio = out.add_stream("aac", rate=16_000, layout="mono") if sound else None
        if audio is not None:
            audio.metadata["language"] = "deu"
        for i, shot in enumerate(shots):
            frame = av.VideoFrame.from_ndarray(shot, format="rgb24")
            frame.pts, frame.time_base = (2 * i if times is None else times[i]), Fraction(1, 2 * RATE)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if audio is not None:
            samples = np.sin(np.arange(16_000 * len(shots) // RATE) / 5).astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16_000, 0
            out.mux(audio.encode(frame))
            out.mux(audio.encode(None))
    return path


def read_film(path):
    """Images, their times in seconds, and the bytes of the sound's packets."""
    with av.open(str(path)) as film:
        frames = list(film.decode(video=0))
    with av.open(str(path)) as film:
        sound = [bytes(p) for p in film.demux(audio=0) if p.dts is not None] if film.streams.audio else []
    return [frame.to_ndarray(format="rgb24") for frame in frames], [float(f.time) for f in frames], sound
