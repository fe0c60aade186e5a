"""Emoji, annotated pictures and emojified pictures, drawn with Pillow alone."""
