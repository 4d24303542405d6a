"""Notebook "A giant in a small box": bits of a language model, and bytes of a large one."""
