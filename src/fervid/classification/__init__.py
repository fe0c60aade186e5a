"""Faces to distributions: preprocessing, network, calibration."""
