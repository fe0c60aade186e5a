"""Archives of photos and films to partitioned Parquet, on this machine or on a Ray cluster; a second run goes on.

``run`` lists and plans, ``worker`` does one task, ``local`` and ``cluster`` say where, ``tables`` is what is left on
disk, ``summary`` counts it, ``page`` and ``csvreport`` show the counts.
"""
