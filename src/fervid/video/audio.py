"""The sound of a film, carried over into another."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fervid.video.clock import JUMP_BACK_S, JumpBridge, read_clock
from fervid.video.library import choose_video_stream, open_container
from fervid.video.problems import ProblemLog

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

_COPIED: Final = frozenset({"aac", "mp3", "opus"})
"""What browsers play in an MP4; anything else becomes AAC."""

_JUMPING: Final = frozenset({"mpegts", "mpeg", "ogg"})
"""Formats that may be joined as they are, each part with its own clock."""

_LOWEST_MP3_RATE: Final = 16000  # what is below is MPEG-2.5, which FFmpeg does not put into an MP4

_AAC_RATES: Final = frozenset({48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000})
_BITS_PER_CHANNEL: Final = 80_000
_LEAD_S: Final = 1.0  # decoded before the start, so that the decoder has settled there
_MOST_FAILURES: Final = 100  # in a row, before the rest of the sound is given up


class AudioCopy:
    """Carries the main sound of a film over into another that is being written, cut to a stretch of it.

    AAC, MP3 (from 16 kHz on) and Opus are copied as they are, so the cut lies at the nearest packet (some 20 ms); sound
    and picture stay in step. Sound that cannot be read or written is noted and left out: it does not stop the picture.

    Args:
        container: the film that has the sound; it belongs to this object from now on.
        path: its path.
        output: the film being written; its header must not have been written yet.
        start_s: where the stretch begins, in the source.
        end_s: where it ends; None is the source's end.
        max_pixels: the most width × height of the source's frames.
        problems: takes what is wrong with the sound.
    """

    def __init__(
        self,
        container: InputContainer,
        path: Path,
        output: OutputContainer,
        *,
        start_s: float,
        end_s: float | None,
        max_pixels: int,
        problems: ProblemLog,
    ) -> None:
        from av.stream import Discard

        self._container = container
        self._output = output
        self._problems = problems
        video = choose_video_stream(container, path, max_pixels=max_pixels)
        clock = read_clock(container, video)
        best = container.streams.best("audio")
        self._source = next(s for s in container.streams.audio if best is not None and s.index == best.index)
        # Where clocks may jump, sound goes by the pictures', or each recording that was joined would add to its delay.
        self._pictures: VideoStream | None = video if container.format.name in _JUMPING else None
        self._step = round(1 / clock.rate / clock.tick_s)  # of the pictures, in their ticks
        video.discard, self._source.discard = Discard.default if self._pictures else Discard.all, Discard.default
        self._tick = self._source.time_base or Fraction(1, self._source.rate)
        self._start = round((clock.origin_s + Fraction(start_s)) / self._tick)
        self._end = None if end_s is None else round((clock.origin_s + Fraction(end_s)) / self._tick)
        copied = _is_copied(self._source)
        self._target: AudioStream = output.add_stream_from_template(self._source) if copied else self._add_aac()
        # As with the pictures: without a list of all packets, joined recordings would be searched by the wrong clock.
        if start_s > 0 and 0 < self._source.frames == len(self._source.index_entries):
            with suppress(Exception):  # what cannot be searched is read from its beginning
                container.seek(self._start, stream=self._source)
        self._kind: tuple[str, str, int] | None = None  # of sound that the resampler takes
        self._resampler: AudioResampler | None = None
        self._written: int | None = None  # time of the last packet, in the encoder's ticks
        self._pieces = self._copy() if copied else self._convert()
        self._next: tuple[float, list[Packet[AudioStream]]] | None = (0.0, [])
        self._advance()

    def write_until(self, time_s: float) -> None:
        """Write the sound up to ``time_s`` of the new film.

        Raises:
            OSError: the film cannot be written.
        """
        while self._next is not None and self._next[0] <= time_s:
            self._advance()

    def finish(self) -> None:
        """Write the rest of the sound."""
        self.write_until(float("inf"))

    def close(self) -> None:
        """Let go of the source."""
        self._pieces.close()
        self._container.close()

    def _advance(self) -> None:
        """Write the next piece and make the one after it; where FFmpeg refuses one, the sound ends."""
        import av

        assert self._next is not None
        time_s, packets = self._next
        try:
            self._output.mux(packets)
            self._next = next(self._pieces, None)
        except (av.FFmpegError, ValueError) as error:
            if isinstance(error, OSError):  # a full disk is no fault of the sound
                raise
            self._next = None
            self._note(f"it ends at {time_s:.2f} s ({getattr(error, 'strerror', None) or error})")

    def _add_aac(self) -> AudioStream:
        context = self._source.codec_context
        channels = min(context.layout.nb_channels, 2)
        rate = context.sample_rate if context.sample_rate in _AAC_RATES else 48000
        target = self._output.add_stream("aac", rate=rate, layout="mono" if channels == 1 else "stereo")
        target.bit_rate = channels * _BITS_PER_CHANNEL
        return target

    def _copy(self) -> Generator[tuple[float, list[Packet[AudioStream]]]]:
        """(time in the new film, packets) of the stretch, as they are."""
        last: int | None = None
        for packet in self._read():
            pts = packet.pts
            # A packet sounds right only after the one before it, which players decode and do not play.
            if pts is None or pts + 2 * (packet.duration or 0) <= self._start:
                continue
            if self._end is not None and pts >= self._end:
                return
            if last is not None and pts <= last:
                continue  # players want time to go forwards
            last = pts
            packet.pts = packet.dts = pts - self._start
            packet.stream = self._target
            yield float(packet.pts * self._tick), [packet]

    def _convert(self) -> Generator[tuple[float, list[Packet[AudioStream]]]]:
        """The same as AAC."""
        import av

        time_s, last = 0.0, None
        lead = round(_LEAD_S / self._tick)
        for packet in self._read():
            if packet.pts is not None and packet.pts + lead < self._start:
                continue
            try:
                frames = packet.decode()
            except (av.FFmpegError, ValueError):
                self._note("some of it is damaged")
                continue
            for frame in frames:
                if (
                    frame.pts is None
                    or frame.pts + float(frame.samples / frame.sample_rate / self._tick) <= self._start
                ):
                    continue
                if self._end is not None and frame.pts >= self._end:
                    yield time_s, self._encode(None)
                    return
                if last is not None and frame.pts <= last:
                    continue
                last = frame.pts
                frame.pts, frame.time_base = frame.pts - self._start, self._tick
                time_s = float(frame.pts * self._tick)
                yield time_s, self._encode(frame)
        yield time_s, self._encode(None)

    def _encode(self, frame: AudioFrame | None) -> list[Packet[AudioStream]]:
        """The next packets; None gives the last ones."""
        import av

        frames: list[AudioFrame | None] = [None]
        if frame is not None:
            # The encoder takes what the first frame was; broadcasts change between stereo and 5.1.
            kind = (frame.format.name, frame.layout.name, frame.sample_rate)
            if self._resampler is None or kind != self._kind:
                context = self._target.codec_context
                self._resampler = av.AudioResampler(context.format, context.layout, context.sample_rate)
                self._kind = kind
            frames = [*self._resampler.resample(frame)]
        for one in frames:
            if one is not None and one.pts is not None and one.time_base is not None:
                # One resampler counts in the source's ticks, another in samples; the encoder in those of the first.
                one.pts = round(one.pts * one.time_base * one.sample_rate)
                one.time_base = Fraction(1, one.sample_rate)
        kept: list[Packet[AudioStream]] = []
        for packet in (packet for one in frames for packet in self._target.encode(one)):
            # A new part of the sound may begin before the old one ends; players want time to go forwards.
            if packet.dts is not None and (self._written is None or packet.dts > self._written):
                self._written = packet.dts
                kept.append(packet)
        return kept

    def _read(self) -> Iterator[Packet[AudioStream]]:
        """The packets of the sound; broken places are passed over."""
        import av

        packets, failures = self._demux(), 0
        sound = JumpBridge(self._tick)
        picture_tick = Fraction(1) if self._pictures is None else self._pictures.time_base or self._tick
        pictures = JumpBridge(picture_tick)

        def follow() -> None:
            """Give the sound the shift of the pictures, unless one of both has not jumped yet."""
            behind = pictures.shift * picture_tick - sound.shift * self._tick
            if self._pictures is not None and abs(behind) <= JUMP_BACK_S:
                sound.move(round(behind / self._tick))

        while failures < _MOST_FAILURES:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.FFmpegError, ValueError):
                self._note("some of it is damaged")
                packets, failures = self._demux(), failures + 1
                continue
            failures = 0
            if packet.stream.type == "video":
                if packet.dts is not None and pictures.add(packet.dts, packet.duration or self._step):
                    follow()
                continue
            if packet.dts is not None:
                if sound.add(packet.dts, packet.duration or 0):
                    follow()
                packet.dts = sound.last
            if packet.pts is not None:
                packet.pts += sound.shift
            if packet.size and not packet.is_corrupt:
                yield packet

    def _demux(self) -> Iterator[Packet[Any]]:
        return self._container.demux([self._source] if self._pictures is None else [self._source, self._pictures])

    def _note(self, what: str) -> None:
        self._problems.add("audio", detail=f"the sound is incomplete: {what}")


def _is_copied(source: AudioStream) -> bool:
    context = source.codec_context
    name = context.codec.canonical_name
    return name in _COPIED and not (name == "mp3" and context.sample_rate < _LOWEST_MP3_RATE)


def has_sound(container: InputContainer, problems: ProblemLog) -> bool:
    """Whether there is sound to carry over; notes sound that cannot be."""
    best = container.streams.best("audio")
    if best is None:
        return False
    if not best.codec_context:  # the stubs say it is always there
        problems.add("audio", detail="the sound is left out: this FFmpeg cannot decode it")
        return False
    return True


def open_sound(
    path: Path,
    output: OutputContainer,
    *,
    start_s: float,
    end_s: float | None,
    max_pixels: int,
    problems: ProblemLog,
) -> AudioCopy | None:
    """The sound of the film ``path`` on its way into ``output``, or None when it has none. See :class:`AudioCopy`.

    Raises:
        InputError: the film cannot be opened.
    """
    container = open_container(path)
    try:
        if has_sound(container, problems):
            return AudioCopy(
                container,
                path,
                output,
                start_s=start_s,
                end_s=end_s,
                max_pixels=max_pixels,
                problems=problems,
            )
    except BaseException:
        container.close()
        raise
    container.close()
    return None
