"""Does it fit a microcontroller, and if not, what must change? The explorer of flash and RAM."""

from functools import partial
from html import escape

import ipywidgets
from markupsafe import Markup

from qlab.engine.recipes import ACTIVATION_BITS, WEIGHT_BITS
from qlab.plots.fit_panels import ArenaPanel, ChipPanel, share_words, size_words
from qlab.tflite.artefacts import NETWORKS
from qlab.tflite.boards import BOARDS, CAVEAT
from qlab.trials.fit import Asking, Fitter, advice
from qlab.widgets.kit import readout
from qlab.widgets.kit.explorer import Shown, ThreadedExplorer
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.kit.model_explorer import ModelExplorer
from qlab.widgets.kit.traits import Sparsity, choice, number, steps

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SMALLER = {  # networks that were trained to be small: what each is called, and its file
    "filters-pruned": "pruned-filters-seed0",
    "student-5k": "distilled-5k-50000-taught-seed0",
}
BY_NAME = {board.name: board for board in BOARDS}
ROOM = 1.12  # of the arena: how high the picture of it is at least


class FitExplorer(ThreadedExplorer, ModelExplorer):
    """Choose bits, filters and a board; a real `.tflite` file is made, planned, scored and run.

    What it takes of flash and RAM is drawn at once, the RAM by qlab's own plan. TensorFlow Lite
    Micro is asked in a process of its own whether it runs the file, and in how much RAM, and what
    it says follows. Files are in the form that it takes (`qlab.tflite.micro_form`).

    Parameters
    ----------
    model, images, labels, calibration_images, dataset
        As in `ModelExplorer`.
    **settings
        ``weight_bits``; ``activation_bits``; ``removed_filters``, the share of each layer's filters
        that is taken out; ``sparsity``, the share of the weights that is set to zero; ``board``,
        one of `qlab.tflite.boards.BOARDS` by its name.

    Attributes
    ----------
    result : qlab.trials.fit.FitTrial
        ``model``, ``measurement``, ``comparison``, ``plan`` of the arena, ``holds(board)``, and
        ``micro``: what TensorFlow Lite Micro says, which waits for it.

    Raises
    ------
    ValueError
        As in `ModelExplorer`.

    Examples
    --------
    >>> import qlab
    >>> few = qlab.data.load().validation
    >>> explorer = FitExplorer(images=few.images[:200], labels=few.labels[:200],
    ...                        calibration_images=few.images[200:232])
    >>> explorer.result.plan.bytes
    28736
    >>> explorer.removed_filters = 0.5
    >>> explorer.result.plan.bytes
    14368
    """

    question = "Does it fit, and if not, what must change?"
    notes_as = staticmethod(readout.sentences)
    networks = NETWORKS | SMALLER
    offered = tuple(networks)
    weight_bits = steps("Weight bits", WEIGHT_BITS, 8)
    activation_bits = steps("Activation bits", ACTIVATION_BITS, 8)
    removed_filters = number("Filters removed", Sparsity(0.0), SHARES)
    sparsity = number("Weights set to zero", Sparsity(0.0), SHARES)
    board = choice("Board", tuple(BY_NAME), "Arduino Nano 33 IoT")

    def build(self):
        self.fitter = Fitter(self.subject, self.calibration_images())
        self.asking, self._latest, self._highest = Asking(self._heard), None, 0
        if not hasattr(self, "boards"):
            self.boards = ipywidgets.HTML()
        self.download = self.offer("Download this .tflite", self.tflite)
        return self._picture(), [self.download]

    @property
    def _how(self):
        return self.weight_bits, self.activation_bits, self.removed_filters, self.sparsity

    def trying(self, hurry):
        return self.fitter.trial.trying(*self._how, hurry=hurry)

    def sketch(self):
        """Draw and tell all but the accuracy, which nothing else waits for."""
        shown = self.show(self.fitter.made(*self._how))
        self._print(shown, *self._wording(shown))
        return shown.alt, ()

    def show(self, result):
        self._latest, board = result, BY_NAME[self.board]
        whole = result.measurement is not None and self.subject.is_whole(result)
        if whole and result.told is None:
            self.asking.ask(result.question)
        self._draw(result, board)
        self.boards.value = readout.sentences([boards_table(result, board)])  # sent if it changed
        return Shown(
            alt(result, board), cells(result, board), notes(result, board), partial(tables, result)
        )

    def tflite(self):
        """The file to take away: name, content, and words."""
        result = self.result or self.update()
        kept = f"-{100 * self.removed_filters:g}-filters-fewer" if self.removed_filters else ""
        zeros = f"-{100 * self.sparsity:g}-zeros" if self.sparsity else ""
        name = f"qlab-micro-w{self.weight_bits}-a{self.activation_bits}{kept}{zeros}.tflite"
        return self.scored(name, result.model)

    def _heard(self, question):
        """TensorFlow Lite Micro has answered: show it, if the file is still the one shown."""
        self.guard(question.report)
        with self._one_at_a_time:
            latest = self._latest
            if question.known is not None and latest is not None and latest.question is question:
                self.guard(lambda: self.present(latest))

    def _picture(self):
        picture = LivePicture(panels=2, width=900, height=320, ratios=(0.8, 1.2))
        self._chip, self._arena = picture.put(ChipPanel), picture.put(ArenaPanel)
        return picture

    def _draw(self, result, board):
        steps = result.plan.steps if result.plan else ("no plan",)
        self._highest = self._room(result, board)
        if self.picture.needs_frame((board, steps, self._highest)):
            self._chip.frame(board)
            self._arena.frame(steps, self._highest)
        flash = {"weights": result.parts["weights"]}
        flash["rest"] = result.file_bytes - flash["weights"]
        parts = result.ram_parts
        self._chip.show(flash, parts, refused(result), result.ram[1] == "simulated")
        if result.plan:
            self._arena.show(result.plan, parts["always there"], board.ram_bytes)

    def _room(self, result, board):
        """Bytes that the picture of the arena has room for; it rests while that is about right."""
        most = ROOM * (result.ram[0] or 1)
        if board.ram_bytes < 2 * most:
            most = max(most, ROOM * board.ram_bytes)
        if most <= self._highest <= 4 * most:
            return self._highest
        return next(x * 2**n for n in range(8, 40) for x in (4, 5, 6, 7) if x * 2**n >= most)

    def _below(self):
        """The boards, below the picture."""
        yield "below", self.boards


CELL = "padding: 1px 16px 1px 0; border: 0; text-align: left; white-space: nowrap"
LINK = (
    '<a href="{}" target="_blank" rel="noopener" style="text-decoration: underline; '
    'color: var(--jp-content-link-color)">{}</a>'
)


def refused(result):
    """Whether TensorFlow Lite Micro does not run the file."""
    return result.told is not None and result.told.runs is False


def ram_words(result, board):
    """How much RAM it takes, and how that is known."""
    ram, kind = result.ram
    if ram is None:
        return "qlab cannot plan its RAM"
    share = f"{share_words(ram, board.ram_bytes)} of the {size_words(board.ram_bytes)}"
    if kind == "simulated":
        return f"at least {ram:,} bytes by qlab's plan, {share}"
    return f"{ram:,} bytes, {kind} with TensorFlow Lite Micro, {share}"


def alt(result, board):
    flash = f"{share_words(result.file_bytes, board.flash_bytes)} of the"
    words = (
        f"{board.name}. Flash: {result.file_bytes:,} bytes, {flash} "
        f"{size_words(board.flash_bytes)}. RAM: {ram_words(result, board)}."
    )
    if result.plan:
        peak, (most, *_) = result.plan.steps[result.plan.peak], at_peak(result)
        words += f" The step {peak} sets the peak; most of it is {most}."
    return words + (" TensorFlow Lite Micro refuses the file." if refused(result) else "")


def cells(result, board):
    ram, kind = result.ram
    scored = result.measurement
    return (
        readout.accuracy(scored) if scored else readout.cell("Accuracy", "…", "is being measured"),
        readout.cell(
            "Flash: bytes of the file",
            f"{result.file_bytes:,} {readout.badge('measured')}",
            f"{share_words(result.file_bytes, board.flash_bytes)} of the board's "
            f"{size_words(board.flash_bytes)}",
            f"{100 * result.parts['weights'] / result.file_bytes:.0f} % of it are weights",
        ),
        readout.cell("RAM: bytes of the arena", *_ram_lines(result, board, ram, kind)),
        _verdict_cell(result, board),
    )


def _ram_lines(result, board, ram, kind):
    if refused(result):
        yield f"refused {readout.badge(result.told.kind)}"
    else:
        yield "unknown" if ram is None else f"{ram:,} {readout.badge(kind)}"
    if ram is not None:
        share = share_words(ram, board.ram_bytes)
        yield f"{share} of the board's {size_words(board.ram_bytes)}"
    yield _of_runtime(result)


def _of_runtime(result):
    """What TensorFlow Lite Micro said, in a line."""
    report = result.told
    if report is None:
        return "planned by qlab; the runtime is being asked"
    if report.runs is None:
        return "planned by qlab; the runtime's own part comes on top"
    if not report.runs:
        return "qlab's plan; TensorFlow Lite Micro refuses the file"
    if report.compared:
        return f"{report.equal} of {report.compared} answers as LiteRT's"
    return "it runs in TensorFlow Lite Micro"


def _lacking(result, board):
    """What a board has too little of; empty if it holds the file."""
    if result.refusal:
        return "refused" if refused(result) else "wrong answers"
    flash = result.file_bytes > board.flash_bytes
    ram = (result.ram[0] or 0) > board.ram_bytes
    return {(1, 1): "flash and RAM", (1, 0): "flash", (0, 1): "RAM", (0, 0): ""}[flash, ram]


def _verdict_cell(result, board):
    """Whether the chosen board holds it, and how many do."""
    lacking, count = _lacking(result, board), sum(result.holds(x) for x in BOARDS)
    hold = f"{count} of {len(BOARDS)} boards hold it"
    if result.refusal:
        return readout.cell(board.name, f"✗ {lacking}", hold)
    why = [f"too little {lacking}"] if lacking else []
    return readout.cell(board.name, "✗ too small" if lacking else "✓ fits", *why, hold)


def boards_table(result, chosen):
    """Which boards hold the file, with links to where their numbers are from."""
    rows = []
    for board in BOARDS:
        link = LINK.format(board.source, escape(board.name))
        lacking = _lacking(result, board)
        name = Markup(f"<b>{link}</b>" if board is chosen else link)
        sizes = size_words(board.flash_bytes), size_words(board.ram_bytes), f"{board.mhz} MHz"
        rows.append((name, *sizes, f"✗ {lacking}" if lacking else "✓"))
    head = ("board, with its data sheet", "flash", "RAM", "clock", "holds it")
    return readout.table("", head, rows, {"cell": CELL})


def notes(result, board):
    """Whether it fits, what must change, and what the picture of the arena shows."""
    yield from _verdict(result, board)
    if result.plan:
        yield _of_peak(result)
    if result.ram_parts["always there"]:
        yield (
            "What is always there, such as the grids of the channels, is full of addresses. They "
            "have 64 bits on this machine and 32 on most chips, so it is smaller there."
        )
    if result.recipe.sparsity:
        yield (
            f"{100 * result.recipe.sparsity:.0f} % of the weights are zero, and neither flash nor "
            "RAM is smaller for it, because a zero takes as many bytes as any other weight, and "
            "what a layer puts out has as many numbers as before. Removed filters are gone from "
            "both."
        )
    if result.recipe.weight_bits < 8:
        yield (
            "Weights of fewer than 8 bits take a byte each here, because the dense layers of "
            "TensorFlow Lite Micro read one weight a byte. Weights of 4 bits share a byte in those "
            "convolutions where that costs no RAM."
        )
    if result.recipe.activation_bits < 8:
        yield "Activations of fewer than 8 bits take a byte each, so the arena does not shrink."
    yield CAVEAT


def _verdict(result, board):
    report = result.told
    if found := advice(result, board):
        where = "No board can use it." if result.refusal else f"It does not fit the {board.name}."
        yield f"<b>{escape(where)}</b> {escape(' '.join(found))}"
    elif result.ram[0] is not None:
        flash, ram = board.flash_bytes - result.file_bytes, board.ram_bytes - result.ram[0]
        sure = "It fits" if result.ram[1] != "simulated" else "By qlab's plan it fits"
        yield (
            f"<b>{sure} the {escape(board.name)}.</b> {flash:,} bytes of flash and {ram:,} bytes "
            "of RAM are left for the program."
        )
    if report is not None and report.runs is None:
        yield escape(report.why)


def _of_peak(result):
    """Which step needs most RAM, and what lies there then."""
    peak, each = result.plan.steps[result.plan.peak], at_peak(result)
    together = f"{' and '.join(each)} must lie in RAM at once"
    return escape(
        f"The step {peak} sets the peak (grey in the picture), because {together}. A box ends when "
        "no later step reads it, and then others take its place."
    )


def at_peak(result):
    """What takes most RAM in the step that needs most: two parts at most, in words."""
    plan = result.plan
    live = sorted(plan.live(plan.peak), key=lambda x: -x.bytes)[:2]
    kinds = {"activations": "what {} puts out", "unpacked weights": "the unpacked weights of {}"}
    kinds["scratch"] = "the work space of {}"
    said = (
        kinds[x.kind].format(plan.owner(x)) if x.first or x.kind != "activations" else "the input"
        for x in live
    )
    return [f"{words} ({x.bytes:,} bytes)" for words, x in zip(said, live, strict=True)]


def tables(result):
    rows = [
        (x.name, x.chip, size_words(x.flash_bytes), size_words(x.ram_bytes), x.mhz,
         _lacking(result, x) or "holds it", x.source)
        for x in BOARDS
    ]  # fmt: skip
    header = ("board", "chip", "flash", "RAM", "MHz", "lacks", "data sheet")
    yield readout.table("Boards", header, rows)
    yield readout.table("Flash, in bytes", ("part", "bytes"), [*result.parts.items()])
    yield readout.table("RAM, in bytes", ("part", "bytes"), [*result.ram_parts.items()])
    if result.plan:
        steps = result.plan.steps
        rows = [
            (result.plan.owner(x), x.kind, f"{x.bytes:,}", f"{x.offset:,}", steps[x.first],
             steps[x.last])
            for x in result.plan.buffers
        ]  # fmt: skip
        header = ("of", "kind", "bytes", "place", "from step", "to step")
        yield readout.table("What lies in RAM", header, rows)
