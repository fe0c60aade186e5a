"""Rooms: a presenter asks, an audience answers, the presenter sees sums; docs/rooms.md is the protocol."""
