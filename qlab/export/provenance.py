"""Where an exported model comes from, as JSON: checksums, recipe, versions; no name of a person."""

from __future__ import annotations

import datetime
import hashlib
import json

from qlab.system.machine import machine, versions

VERSION = 1


def provenance(facts, contents):
    """Write the provenance of exported files."""
    document = {
        "qlab_provenance": VERSION,
        "name": facts.stem,
        "date": today(),
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in contents.items()
        },
        "source": {"sha256": facts.whole.sha256, **facts.source},
        "recipe": facts.recipe or None,
        "measured": {scored.file: _measured(scored) for scored in facts.files},
        "machine": machine(),
        "versions": versions(),
    }
    return (json.dumps(document, indent=2, ensure_ascii=True) + "\n").encode()


def today():
    """The date in UTC, such as ``2026-01-31``."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def _measured(scored):
    """Accuracy, sizes and latencies of one file."""
    found = {
        "bytes": scored.model.file_bytes,
        "gzip_bytes": scored.model.gzip_bytes,
        "latency_ms": [
            {
                "threads": row.threads,
                "median": round(row.median_ms, 5),
                "p95": round(row.p95_ms, 5),
                "runs": row.runs,
            }
            for row in scored.latency.rows
        ],
    }
    if scored.measurement is not None:
        found["accuracy"] = {
            "dataset": "Fashion-MNIST, test",
            "correct": scored.measurement.correct,
            "n": scored.measurement.n,
            "interval": [round(end, 4) for end in scored.measurement.interval],
        }
    return found
