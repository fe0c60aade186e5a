"""Rooms: a presenter asks, an audience answers, the presenter sees sums; docs/rooms.md is the protocol.

``aggregation`` decides what may be shown, without clock or storage; ``memory`` and ``redis`` are the stores that keep
it, ``service`` its clock, ``sockets`` and ``routes`` its ends, ``report`` what a host takes home.
"""
