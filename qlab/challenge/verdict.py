"""What the challenge says about one file."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from qlab.arithmetic.metrics import wilson_interval

LEAGUES = ("0.90", "0.85")
"""The leagues, by the test accuracy that they ask for."""


@dataclass(frozen=True)
class Verdict:
    """What was measured of a file."""

    reason: str = ""
    file_bytes: int = 0
    gzip_bytes: int = 0
    sha256: str = ""
    correct: int = 0
    n: int = 0
    gaps: tuple[str, ...] = ()

    @property
    def leagues(self):
        """tuple of str: the leagues that it is in, some of `LEAGUES`."""
        return tuple(
            league
            for league in LEAGUES
            if not self.reason and self.n and 100 * self.correct >= int(league[2:]) * self.n
        )

    @property
    def qualifies(self):
        """bool: whether it is in a league."""
        return bool(self.leagues)

    @property
    def accuracy(self):
        """float in [0, 1]: fraction of the pictures; 0 if it was not run."""
        return self.correct / self.n if self.n else 0.0

    @property
    def interval(self):
        """(float, float): the 95 % interval of `accuracy` (Wilson)."""
        return wilson_interval(self.correct, self.n) if self.n else (0.0, 1.0)

    def to_dict(self):
        """All of it as plain values, for JSON."""
        return {
            "qualifies": self.qualifies,
            "leagues": list(self.leagues),
            **asdict(self),
            "gaps": list(self.gaps),
            "accuracy": self.accuracy,
            "interval": list(self.interval),
        }

    def __str__(self):
        """In words, several lines."""
        return "\n".join(_lines(self))


def _lines(verdict):
    if verdict.reason:
        yield f"does not qualify: {verdict.reason}"
    elif verdict.leagues:
        leagues = " and ".join(f"league {league}" for league in verdict.leagues)
        yield f"qualifies for {leagues}"
    else:
        yield f"does not qualify: its test accuracy is below {LEAGUES[-1]}"
    if verdict.n:
        low, high = (100 * end for end in verdict.interval)
        yield f"  accuracy  {100 * verdict.accuracy:.2f} %, 95 % interval {low:.2f} to {high:.2f} %"
        yield f"            {verdict.correct:,} of {verdict.n:,} test pictures, measured now"
    if verdict.sha256:
        ranks = ": this is what ranks" if verdict.qualifies else ""
        yield f"  gzipped   {verdict.gzip_bytes:,} bytes{ranks}"
        yield f"  file      {verdict.file_bytes:,} bytes"
        yield f"  SHA-256   {verdict.sha256}"
    if verdict.gaps:
        yield f"  This system could not limit its {', '.join(verdict.gaps)} while it ran."
