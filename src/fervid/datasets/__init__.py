"""Labelled faces: read from where they are published, checked, measured, and kept as one Parquet."""
