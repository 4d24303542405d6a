"""Notebook "Pruning": zeros, few distinct values, and what makes them pay in a file."""
