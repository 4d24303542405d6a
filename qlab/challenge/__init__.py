"""The challenge: who makes the smallest model that still sees? Files are graded, never trusted."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "grading": ["LEAGUES", "SIZES", "Verdict", "grade", "league_words"],
        "intake": ["Refused"],
        "sandbox": ["JudgeError", "Limits"],
        "secret": ["SecretError", "read_secret"],
        "submissions": [
            "Board",
            "BoardError",
            "board",
            "collect",
            "has_drop_box",
            "remark",
            "submit",
        ],
    },
)
