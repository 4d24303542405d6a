"""The read-out in HTML: no number without its interval, its test, its kind. Pure functions."""

from __future__ import annotations

from html import escape

BADGES = {
    "measured": "run here, just now",
    "cached": "measured earlier; the manifest says when and how",
    "simulated": "arithmetic that no runtime executed",
}


def readout(*cells):
    """Lay cells side by side."""
    return f'<div class="qlab-readout" role="status">{"".join(cells)}</div>'


def cell(name, value="", *lines):
    """One cell: a name, a large value, and small lines of HTML below it."""
    large = f'<div class="qlab-value">{value}</div>' if value else ""
    small = "".join(f'<div class="qlab-small">{line}</div>' for line in lines)
    return f'<div><div class="qlab-name">{escape(name)}</div>{large}{small}</div>'


def badge(kind):
    """Say in words what kind of number this is."""
    return f'<span class="qlab-badge qlab-badge-{kind}" title="{BADGES[kind]}">{kind}</span>'


def accuracy(measurement, name="Accuracy"):
    """Accuracy with its 95 % interval and its badge."""
    low, high = measurement.interval
    time = f" in {measurement.elapsed_ms:.0f} ms" if measurement.elapsed_ms else ""
    return cell(
        name,
        f"{percent(measurement.accuracy)} {badge(measurement.kind)}",
        f"95 % interval {100 * low:.1f} to {100 * high:.1f}\N{NO-BREAK SPACE}%",
        f"{measurement.n:,} images{time}",
    )


def difference(comparison, to="float"):
    """Difference to another model, with its paired test."""
    points = f"{100 * comparison.difference:+.2f}".replace("-", "−")
    p = comparison.p_value
    small = 0.01 if p >= 0.001 else 0.001
    test = f"paired test p = {p:.2f}" if p >= 0.01 else f"paired test p &lt; {small}"
    if comparison.within_noise:
        verdict = "within noise"
    else:
        verdict = "worse" if comparison.difference < 0 else "better"
    return cell(
        f"Difference to {to}",
        f"{points} <small>points</small>",
        f"<b>{verdict}</b>, {test}",
        f"{comparison.only_a:,} images lost, {comparison.only_b:,} gained",
    )


def sizes(model_sizes):
    """The four sizes, in bytes."""
    rows = (
        ("float32 file", model_sizes.float32_bytes),
        ("this file", model_sizes.file_bytes),
        ("this file, gzipped", model_sizes.gzip_bytes),
        ("packed floor", model_sizes.packed_floor_bytes),
    )
    body = "".join(
        f'<tr><td class="qlab-number">{value:,}</td><td>{name}</td></tr>' for name, value in rows
    )
    return cell("Size in bytes", "", f'<table class="qlab-sizes">{body}</table>')


def small_table(header, rows):
    """A table inside a cell: names at the left, numbers at the right."""
    made = "".join(f"<td>{name}</td>" for name in header)
    body = "".join(
        f"<tr><td>{name}</td>"
        + "".join(f'<td class="qlab-number">{value}</td>' for value in values)
        + "</tr>"
        for name, *values in rows
    )
    return f'<table class="qlab-sizes">{f"<tr>{made}</tr>" if made else ""}{body}</table>'


def latency(measured):
    """Latency: median and 95th percentile."""
    what = "one image" if measured.batch == 1 else f"{measured.batch:,} images"
    threads = "1 thread" if measured.threads == 1 else f"{measured.threads} threads"
    return cell(
        "Latency",
        f"{duration(measured.median_ms)}",
        f"{what}, {threads}",
        f"95th percentile {duration(measured.p95_ms)}",
    )


def percent(fraction):
    """A fraction as a percentage."""
    return f"{100 * fraction:.2f} %"


def duration(milliseconds):
    """A time with a unit that suits it."""
    return f"{milliseconds:.1f} ms" if milliseconds >= 1 else f"{1000 * milliseconds:.1f} µs"


def table(caption, header, rows):
    """A text table, so that a picture's numbers can be read without seeing it."""
    head = "".join(f"<th>{escape(str(name))}</th>" for name in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(value))}</td>" for value in row) + "</tr>"
        for row in rows
    )
    return f"<table><caption>{escape(caption)}</caption><tr>{head}</tr>{body}</table>"
