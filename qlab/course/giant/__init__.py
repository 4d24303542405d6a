"""Notebook "A giant in a small box": bits of a language model, and where a large one's bytes are."""
