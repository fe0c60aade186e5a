"""Frames in their order to frames with everybody on them: found, tracked, read and smoothed.

``film`` reads a file and ``stream`` any frames, in ``groups`` that end where the detector looked; ``journal`` is how
a film goes on after an interruption. ``production`` makes in one pass what ``outputs`` plans.
"""
