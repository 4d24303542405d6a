"""The challenge: who makes the smallest model that still sees? Files are graded, never trusted."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "grading": ["grade"],
        "outside": ["Refused"],
        "ranking": ["Board", "board", "remark"],
        "sandbox": ["JudgeError", "Limits"],
        "submissions": ["BoardError", "submit"],
        "verdict": ["LEAGUES", "Verdict"],
    },
)
