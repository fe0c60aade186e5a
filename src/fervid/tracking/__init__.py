"""People over time: tracks, smoothed answers, summaries. Pure NumPy."""
