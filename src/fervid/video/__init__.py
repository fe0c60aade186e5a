"""Films in and out, with PyAV (FFmpeg)."""
