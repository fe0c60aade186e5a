"""Frames in their order to frames with everybody on them: detection, tracks, answers, smoothing; and how to go on."""
