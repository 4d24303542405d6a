"""A chain of steps: what each left of the file."""

from __future__ import annotations

from matplotlib.ticker import FuncFormatter, NullLocator

from qlab.plots import style

LOOKS = {"kept": (style.BLUE, "-o"), "naive": (style.VERMILION, "--s")}
TICKS = (10, 20, 50, 100, 200, 500, 1000)
BRANCHES = {"packed int4": "pruned"}  # a step that does not follow the one drawn before it
BRANCH_LABEL = "4 bits, without clusters"


@style.styled
def plot_stages(chains, ax=None):
    """Gzipped size after each step, a line for each chain.

    Parameters
    ----------
    chains : mapping of str to sequence of Trial
        As `qlab.stages.stages` gives them, by name: ``kept``, ``naive``.
    ax : matplotlib.axes.Axes or None
        None makes a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import qlab
    >>> from qlab.trials.stages import stage
    >>> test = qlab.data.load().test
    >>> one = stage("int8", qlab.pretrained("baseline-int8"), test.images[:9], test.labels[:9])
    >>> [line.get_label() for line in plot_stages({"kept": [one]}).lines]
    ['kept']
    """
    ax = style.new_axes(ax, 7.6, 3.6)
    longest = max(chains.values(), key=len)
    for name, steps in chains.items():
        colour, line = LOOKS.get(name, (style.GREEN, "-^"))
        sizes = [step.model.gzip_bytes / 1000 for step in steps]
        labels = [_label(x.name) for x in steps]
        row = [i for i, label in enumerate(labels) if label not in BRANCHES]
        ax.plot(row, [sizes[i] for i in row], line, color=colour, label=name)
        for place, label in enumerate(labels):
            if BRANCHES.get(label) in labels:
                start = labels.index(BRANCHES[label])
                ends = [start, place], [sizes[start], sizes[place]]
                ax.plot(*ends, ":o", color=colour, lw=1.2, label=BRANCH_LABEL)
        above = name == "naive"
        for place, size in enumerate(sizes):
            ax.annotate(
                f"{size:.1f}", (place, size), (0, 7 if above else -14), textcoords="offset points",
                ha="center", color=colour, fontsize=8.5,
            )  # fmt: skip
    ax.set(yscale="log", ylabel="file, gzipped (KB)", title="What is left after each step")
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_yticks(TICKS, minor=False)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.set_xticks(range(len(longest)), [_label(x.name) for x in longest])
    ax.margins(x=0.07)
    low = min(x.model.gzip_bytes for steps in chains.values() for x in steps) / 1000
    high = max(x.model.gzip_bytes for steps in chains.values() for x in steps) / 1000
    ax.set_ylim(low / 1.7, high * 1.6)
    ax.grid(axis="y")
    ax.legend(loc="upper right")
    return ax


def _label(name):
    """The name of a step, without what it kept: the two chains share the axis."""
    return name.partition(",")[0]
