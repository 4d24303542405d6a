"""The course's own speed, measured here and now, against its targets: ``make bench``.

A target that compares two things is a ratio of times from one run, taken turn by turn, because
machines are noisy.
"""
