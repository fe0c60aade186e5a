"""Which packets need not be decoded at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

_MOST_HELD: Final = 600  # packets held back before they are decoded after all: 20 s of film

_WITH_KEYFRAMES: Final = frozenset(
    {"h264", "hevc", "vp8", "vp9", "libdav1d", "av1", "mpeg4", "mpeg1video", "mpeg2video", "wmv1", "wmv2", "vc1"}
)
"""Decoders whose packets' key flag means that nothing later needs anything earlier. Animated PNG sets it wrongly."""


@dataclass(frozen=True, slots=True)
class Order:
    """Decode ``packet``; its frame itself may be left out unless ``wanted``; forget all earlier frames if ``reset``."""

    packet: Packet[VideoStream]
    wanted: bool
    reset: bool = False


class PacketGate:
    """Holds packets back until a wanted frame needs them, and drops them when none does.

    Between two key frames, what follows the last wanted frame is never decoded. After a key frame come frames that are
    shown before it and may need what lies before it ("leading"); so whether what lies before can be dropped is known
    only when they are past.

    Args:
        codec: name of the decoder.
        intra_only: every frame stands alone.
    """

    def __init__(self, codec: str, *, intra_only: bool) -> None:
        self._intra_only = intra_only
        self._can_drop = codec in _WITH_KEYFRAMES
        self._held: list[Order] = []
        self._key: int | None = None  # where in _held the key frame stands whose leading frames are awaited
        self._gap = False  # something between the last decoded packet and the held ones was dropped

    def add(self, packet: Packet[VideoStream], *, wanted: bool) -> list[Order]:
        """Take the next packet in the order of decoding; what is to be decoded now."""
        if self._intra_only:
            return [Order(packet, True)] if wanted else []
        if not self._can_drop:
            return [Order(packet, wanted)]
        released: list[Order] = []
        if self._key is not None and (packet.is_keyframe or not self._leads(packet)):
            released = self._settle()
        if packet.is_keyframe and self._held:
            self._key = len(self._held)
            self._held.append(Order(packet, wanted))
            return released
        self._held.append(Order(packet, wanted))
        if (wanted and self._key is None) or len(self._held) > _MOST_HELD:
            released += self._release()
        return released

    def release(self) -> list[Order]:
        """All that is held, to be decoded now."""
        return [Order(order.packet, True, order.reset) for order in self._release()] if self._held else []

    def finish(self) -> list[Order]:
        """What is to be decoded at the end of the film."""
        released = self._settle() if self._key is not None else []
        self._held.clear()  # nothing wanted is among them, or it would have been released
        return released

    def _leads(self, packet: Packet[VideoStream]) -> bool:
        assert self._key is not None
        key = self._held[self._key].packet
        return packet.pts is not None and key.pts is not None and packet.pts < key.pts

    def _settle(self) -> list[Order]:
        """The leading frames of the key frame are past: drop what lies before it, or release everything."""
        assert self._key is not None
        key, leading = self._held[self._key], self._held[self._key + 1 :]
        if any(order.wanted for order in leading):
            return self._release()
        self._held, self._key, self._gap = [key], None, True
        return self._release() if key.wanted else []

    def _release(self) -> list[Order]:
        released, self._held, self._key = self._held, [], None
        if self._gap:
            released[0] = Order(released[0].packet, released[0].wanted, reset=True)
            self._gap = False
        return released
