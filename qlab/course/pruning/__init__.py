"""Notebook "Pruning": zeros, and what has to happen before they pay in a file."""
