"""Recipes and data to checked ONNX files, with torch, which is reachable from here alone (extra ``train``).

``expressions/`` and ``detection/`` hold what differs between the two kinds of networks; here is what they share:
run folders (``checkpoint``), several processes (``team``), randomness (``noise``), ONNX graphs, 8-bit integers.
"""
