"""Labelled faces and photos: read from where they are published, checked, measured, and kept as Parquet.

``sources`` recognises a format and ``preparation`` writes the one that training reads (``faceset``, ``parquet``);
``audit`` looks for what is wrong with it. ``photos`` are what detectors learn from.
"""
