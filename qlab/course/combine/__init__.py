"""Notebook "Combine and ship": techniques one after the other, the search, and the Pareto front."""
