"""Archives: many photos and films to partitioned Parquet, on this machine or on a Ray cluster, resumable."""
