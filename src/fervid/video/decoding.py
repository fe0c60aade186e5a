"""From a film's packets to the frames that are wanted, decoding no more than those need."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fervid.errors import UsageError
from fervid.video.clock import Clock, FrameCounter, JumpBridge, read_clock
from fervid.video.gate import Order, PacketGate
from fervid.video.library import choose_video_stream, open_container
from fervid.video.problems import ProblemLog
from fervid.video.selection import FrameChooser, PacketForecast, Selection

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_FARTHEST_S: Final = 10.0  # from the time of decoding to that of showing; the rest is damaged
_GAP_S: Final = 0.5  # shortest stretch without frames worth a word
_LONGEST_S: Final = 8_640_000  # what a header says beyond 100 days is damage
_MOST_FAILURES: Final = 20  # of the demuxer in a row, before the rest of the file is given up
_SEEK_TRIES: Final = 8
_LEAST_READ: Final = 0.75  # share of the file up to its last packet; indices and padding come after that
_SKIPPING: Final = frozenset({"h264", "hevc", "mpeg4", "mpeg1video", "mpeg2video", "vc1", "wmv3"})
"""Decoders that look at ``skip_frame`` packet by packet; dav1d drops frames that it took earlier."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A frame as FFmpeg gives it, its number in the film and its time."""

    frame: VideoFrame
    index: int
    time_s: float


def decode_film(
    path: Path, selection: Selection, problems: ProblemLog, *, max_pixels: int, threads: int | None
) -> Generator[Decoded]:
    """Open a film and decode the frames of a selection, in the order they are shown.

    Args:
        path: the film.
        selection: what is wanted.
        problems: takes what is wrong with the film.
        max_pixels: the most width × height of a frame.
        threads: of the decoder; None means one per core.

    Raises:
        InputError: the film cannot be opened, is none, or is too large.
    """
    with open_container(path) as container:
        stream = choose_video_stream(container, path, max_pixels=max_pixels)
        packets, first = _seek(container, stream, read_clock(container, stream), selection)
        if packets is not None:
            yield from _Decoder(container, stream, selection, problems, threads, first).decode(packets)
            return
    with open_container(path) as container:  # the position after a failed seek is unknown
        stream = choose_video_stream(container, path, max_pixels=max_pixels)
        yield from _Decoder(container, stream, selection, problems, threads).decode(container.demux(stream))


def _seek(
    container: InputContainer, stream: VideoStream, clock: Clock, selection: Selection
) -> tuple[Iterable[Packet[VideoStream]] | None, int]:
    """Packets from the last key frame before the start on, and how many frames come before it; None if it is unclear.

    Only where the file lists every frame is their number known without reading them; elsewhere the film is read, not
    decoded, from its beginning.
    """
    import av

    entries = stream.index_entries
    if selection.start_s == 0 or clock.is_constant or not 0 < stream.frames == len(entries):
        return (container.demux(stream), 0) if selection.start_s == 0 else (None, 0)
    wanted = clock.timestamp(selection.start_s)
    target = wanted
    for _ in range(_SEEK_TRIES):
        try:
            container.seek(target, stream=stream)
            packets = container.demux(stream)
            first = next(packets)
        except (av.FFmpegError, ValueError, StopIteration):
            return None, 0
        if first.dts is None or first.pts is None:
            return None, 0
        position = entries.search_timestamp(first.dts, any_frame=True)
        if position < 0 or entries[position].timestamp != first.dts:
            return None, 0
        if first.pts <= wanted or position == 0:
            return chain([first], packets), sum(not entry.is_discard for entry in entries[:position])
        target = first.dts - 1
    return None, 0


class _GapWatch:
    """Notes long stretches without packets."""

    def __init__(self, clock: Clock, selection: Selection, problems: ProblemLog) -> None:
        self._clock = clock
        self._selection = selection
        self._problems = problems
        self._shortest_s = max(_GAP_S, float(5 / clock.rate))
        self._sum_s = 0.0

    def __call__(self, before: int, after: int) -> None:
        step = float((after - before) * self._clock.tick_s)
        time_s = self._clock.time(before)
        if step > self._shortest_s and self._selection.contains(time_s, self._clock.tolerance_s):
            self._sum_s += step
            self._problems.add("gap", time_s, f"{self._sum_s:.1f} s")


class _Decoder:
    """One pass over the packets of a film."""

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        selection: Selection,
        problems: ProblemLog,
        threads: int | None,
        first: int = 0,
    ) -> None:
        self._container = container
        self._stream = stream
        self._context = stream.codec_context
        self._context.thread_count = threads or 0
        self._context.thread_type = "AUTO"
        self._selection = selection
        self._problems = problems
        self._clock = read_clock(container, stream)
        self._constant = self._clock.is_constant
        self._counter = FrameCounter(first, _GapWatch(self._clock, selection, problems))
        self._chooser = FrameChooser(selection, self._clock.tolerance_s)
        self._last_s: float | None = None
        self._jumped = False
        self._position = 0  # in the file, bytes
        self._slots: deque[int] = deque()  # of a film without timestamps: the places that its packets took
        self._last_slot = -1

    def decode(self, packets: Iterable[Packet[VideoStream]]) -> Iterator[Decoded]:
        """The frames of the selection."""
        codec = self._context.codec
        gate = PacketGate(codec.name, intra_only=codec.intra_only)
        forecast = PacketForecast(self._selection, self._clock.tolerance_s)
        tolerance = self._clock.tolerance_s
        reached_end, everything = True, self._constant
        with closing(self._read(packets)) as mended:
            for packet in mended:
                if everything or packet.pts is None:  # what has no time cannot be chosen by it, nor what follows it
                    everything = True
                    orders = [*gate.release(), Order(packet, wanted=True)]
                else:
                    if packet.dts is not None and self._selection.ends_before(self._clock.time(packet.dts), tolerance):
                        reached_end, self._problems.is_cut = False, not packet.is_discard
                        break
                    orders = gate.add(packet, wanted=forecast.may_want(self._clock.time(packet.pts)))
                for order in orders:
                    yield from self._choose(self._decode_one(order))
                if self._last_s is not None and self._selection.ends_before(self._last_s, tolerance):
                    self._problems.is_cut = True
                    return
        for order in gate.finish():
            yield from self._choose(self._decode_one(order))
        yield from self._choose(self._drain())
        if reached_end:
            self._check_end()

    def _read(self, packets: Iterable[Packet[VideoStream]]) -> Generator[Packet[VideoStream]]:
        """The packets of the stream, counted, with timestamps that run on; broken places are passed over."""
        import av

        lossy = self._container.format.name == "mpegts"  # of a broadcast, even half a picture is worth showing
        bridge, failures, first = JumpBridge(self._clock.tick_s), 0, True
        step = round(1 / self._clock.rate / self._clock.tick_s)
        farthest = max(_FARTHEST_S, float(16 / self._clock.rate)) / self._clock.tick_s
        iterator = iter(packets)
        while failures < _MOST_FAILURES:
            try:
                packet = next(iterator)
            except StopIteration:
                return
            except (av.FFmpegError, ValueError):
                self._problems.add("damaged", self._last_s)
                failures += 1
                iterator = iter(self._container.demux(self._stream))
                continue
            failures = 0
            self._position = max(self._position, (packet.pos or 0) + packet.size)
            if packet.size == 0:
                if packet.dts is None and packet.pts is None:
                    return  # PyAV's mark of the end
                continue  # AVI's way to say "as before"
            if first and packet.pts is None and packet.dts is None and not self._constant:
                self._constant = True
                self._problems.add("untimed", detail=f"the rate of {float(self._clock.rate):g} frames/s")
            first = False
            if packet.dts is not None and not self._constant:
                before = bridge.last
                if bridge.add(packet.dts, packet.duration or step) and before is not None:
                    self._problems.add("jump", self._clock.time(before))
                    self._jumped = True
                packet.dts = bridge.last
            if packet.pts is not None:
                packet.pts += bridge.shift
                if packet.dts is not None and abs(packet.pts - packet.dts) > farthest:
                    self._problems.add("damaged", self._clock.time(packet.dts))
                    packet.pts = None
            if packet.pts is not None and not packet.is_discard:
                self._counter.add(packet.pts)
            if packet.is_corrupt:
                self._problems.add("damaged", None if packet.pts is None else self._clock.time(packet.pts))
                if not lossy:  # the packet at which the file breaks off
                    continue
            if packet.dts is not None and self._container.format.name == "avi":
                self._last_slot = packet.dts
                if self._constant:
                    self._slots.append(packet.dts)
            yield packet

    def _decode_one(self, order: Order) -> Iterator[VideoFrame]:
        import av

        if order.reset:
            yield from self._drain()
            self._context.flush_buffers()
        if self._context.codec.name in _SKIPPING:
            self._context.skip_frame = "DEFAULT" if order.wanted else "NONREF"
        try:
            yield from self._context.decode(order.packet)
        except (av.FFmpegError, ValueError):
            if not order.packet.is_corrupt:  # else it is noted already
                pts = order.packet.pts
                self._problems.add("damaged", None if pts is None else self._clock.time(pts))

    def _drain(self) -> Iterator[VideoFrame]:
        """What the decoder still holds."""
        import av

        try:
            yield from self._context.decode(None)
        except (av.FFmpegError, ValueError):
            self._problems.add("damaged", self._last_s)

    def _choose(self, frames: Iterable[VideoFrame]) -> Iterator[Decoded]:
        for frame in frames:
            if self._constant:
                index = self._counter.number(None)
                time_s = self._clock.count_time(self._slots.popleft() if self._slots else index)
            else:
                pts = frame.pts if frame.pts is not None else frame.dts
                if pts is not None:
                    time_s = self._clock.time(pts)
                else:
                    time_s = 0.0 if self._last_s is None else self._last_s + float(1 / self._clock.rate)
                if self._last_s is not None and time_s <= self._last_s:
                    self._problems.add("disordered", time_s)
                    continue
                index = self._counter.number(pts)
            self._last_s = time_s
            inside = self._selection.contains(time_s, self._clock.tolerance_s)
            if inside and frame.is_corrupt:
                self._problems.add("damaged", time_s)
            if self._chooser.choose(time_s):
                yield Decoded(frame, index, time_s)

    def _check_end(self) -> None:
        """Compare what was announced, by the film and by the caller, with what was there.

        Raises:
            UsageError: the whole film lies before the start; headers are too often wrong to know it earlier.
        """
        self._counter.finish()
        last = self._counter.last_pts
        end = self._last_s or 0.0 if self._constant or last is None else self._clock.time(last)
        start = self._selection.start_s
        if start > 0 and end < start - self._clock.tolerance_s:
            raise UsageError(
                f"the start, {start:g} s, lies behind the last frame, {end:.2f} s", advice="Give an earlier start."
            )
        self._problems.is_cut = self._selection.ends_before(end, self._clock.tolerance_s)
        found, announced, entries = self._counter.seen, self._stream.frames, self._stream.index_entries
        # An MP4's edit list takes packets out of the index; the stream's duration then is that of what it keeps.
        trimmed = 0 < len(entries) != announced > 0 and "mp4" in self._container.format.name.split(",")
        if announced == len(entries):
            announced = sum(not entry.is_discard for entry in entries)
        found = max(found, self._last_slot + 1)
        if announced and not trimmed:
            if announced - found > max(2, announced / 200):
                detail = f"it announces {announced:,} frames and holds {found:,}, the last at {end:.2f} s"
                self._problems.add("incomplete", end, detail)
            return
        length = None if self._jumped else measure_duration(self._container, self._stream)  # one clock cannot tell
        if length is not None and length - end > max(0.5, float(2 / self._clock.rate), length / 50):
            detail = f"it announces {length:.2f} s and its last frame is at {end:.2f} s"
            self._problems.add("incomplete", end, detail)
        elif not trimmed and len(self._container.streams) == 1 and self._position < _LEAST_READ * self._container.size:
            share = self._position / self._container.size
            self._problems.add("incomplete", end, f"at {end:.2f} s, {share:.0%} of the file, nothing readable follows")


def measure_duration(container: InputContainer, stream: VideoStream, *, whole: bool = False) -> float | None:
    """Seconds that the stream lasts by its headers, else the container where it holds nothing else; None if unsaid.

    What no film can be, as not a number, negative or longer than 100 days, is unsaid too.

    Args:
        container: the film.
        stream: its video.
        whole: let the container speak for the stream, whatever else it holds.
    """
    for seconds in _list_durations(container, stream, whole=whole):
        if 0 <= seconds <= _LONGEST_S:
            return seconds
    return None


def _list_durations(container: InputContainer, stream: VideoStream, *, whole: bool) -> Iterator[float]:
    if stream.duration is not None and stream.time_base is not None:
        yield float(stream.duration * stream.time_base)
    parts = stream.metadata.get("DURATION", "").split(":")  # Matroska, "HH:MM:SS.nnnnnnnnn"
    if len(parts) == 3:
        with suppress(ValueError):
            hours, minutes, seconds = map(float, parts)
            if min(hours, minutes, seconds) >= 0:
                yield hours * 3600 + minutes * 60 + seconds
    if container.duration is not None and (whole or len(container.streams) == 1):
        yield container.duration / 1_000_000
