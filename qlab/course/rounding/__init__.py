"""Notebook "Better rounding": ranges, feedback and neighbours' help, and no training."""
