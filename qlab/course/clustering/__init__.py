"""Notebook "Clustering": few distinct values, and which layer can spare how much."""
