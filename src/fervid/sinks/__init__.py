"""Results to files: ``table`` writes CSV and JSON lines and makes data frames, ``parquet`` writes Parquet.

Rows and columns are those of :mod:`fervid.exchange`, the same everywhere; memory does not grow with what is written.
"""
