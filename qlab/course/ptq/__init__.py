"""Notebook "Post-training quantization": grids, calibration, and which bits are worth it."""
