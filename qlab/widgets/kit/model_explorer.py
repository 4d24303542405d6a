"""What every explorer of a float model shares: the model, ready, and a drop-down of others."""

from contextlib import contextmanager, suppress
from functools import lru_cache
from html import escape

import ipywidgets
import traitlets

from qlab.tflite.artefacts import NETWORKS, network_name
from qlab.tflite.litemodel import ModelError
from qlab.trials.subjects import SHIPPED, course_data, opened, other_data, subject
from qlab.widgets.kit import controls
from qlab.widgets.kit.download import Download, scored_again
from qlab.widgets.kit.explorer import Explorer
from qlab.widgets.kit.job import Job
from qlab.widgets.kit.traits import OneOf

OWN = "your model"
LOST = "What you had set for {} is taken back, because this model has other layers."
ON_FASHION = (
    "This model is scored on Fashion-MNIST, because no dataset= was given. If it was made for "
    "other images, give them: dataset=qlab.Dataset.from_folder('photos/'), or from_arrays or "
    "from_npz."
)
WORKING = '<progress aria-label="another model"></progress> Calibrating and scoring this model.'
STATUS = '<div class="qlab-notes" role="status">{}</div>'


class ModelExplorer(Explorer):
    """Base of the explorers of a float model: its ``subject`` is the model, ready to be compressed.

    A subclass has a ``build()`` that makes all that depends on the model, and returns the picture
    and the buttons below it. It is called again whenever the learner chooses another model, and the
    explorer is then wholly of that model; if anything fails, it is wholly of the earlier one.
    Settings stay as they are, if the new model can have them.

    Parameters
    ----------
    model : qlab.LiteModel, str or None
        A float32 model, or the name of a shipped one; None for the shipped baseline.
    images : ndarray of uint8, shape (n, 28, 28, 1), or None
        To score on; None for the course's: the 10,000 that it chooses with.
    labels : ndarray of int, shape (n,), or None
        Give both images and labels, or neither.
    calibration_images : ndarray of uint8, shape (n, 28, 28, 1), or None
        At most 1,024, in which the ranges of activations are found; None for the course's.
    dataset : qlab.Dataset or None
        Where images to score on, images to calibrate on and the names of classes come from, unless
        they are given; None for the course's, which is Fashion-MNIST.
    **settings
        The subclass's, and ``model_name``: one of the explorer's ``model_names``, which are the
        networks that ship (`qlab.artefacts.NETWORKS`) and ``your model``, if one was given.

    Attributes
    ----------
    subject : qlab.trials.subjects.Subject
    layers : dict of str to ndarray of float32
        Weights of each layer that has some.

    Raises
    ------
    ValueError
        If the model cannot be compressed, or images or the data set do not fit it.

    Examples
    --------
    >>> import qlab
    >>> few = qlab.data.load().validation
    >>> explorer = qlab.widgets.AnatomyExplorer(images=few.images[:100], labels=few.labels[:100])
    >>> list(explorer.layers), explorer.model_names
    (['conv1', 'conv2', 'dense1', 'logits'], ('baseline', 'depthwise-separable'))
    >>> explorer.model_name = "depthwise-separable"
    >>> len(explorer.layers), explorer.result.model.file_bytes < 100_000
    (10, True)
    """

    networks = NETWORKS
    offered = tuple(NETWORKS)
    calibrates = True
    model_name = OneOf("model_names").tag(setting=True)

    def __init__(
        self,
        model=None,
        images=None,
        labels=None,
        calibration_images=None,
        dataset=None,
        **settings,
    ):
        super().__init__()
        self.dataset, model = self._data(dataset, model), opened(model)
        named = network_name("baseline" if model is None else model)
        first = named if isinstance(named, str) else OWN
        offered = self.offered if self.dataset is None else ()
        models = {} if first in offered else {first: model}
        models |= {name: self.networks[name] for name in offered}
        if not self.calibrates and calibration_images is None and images is not None:
            calibration_images = images[:1]
        self.given = images, labels, calibration_images
        made = lambda name: subject(models[name], *self.given, self.dataset)  # noqa: E731
        self._subject = lru_cache(SHIPPED)(made)
        self.model_names = tuple(models)
        self.model_name = settings.pop("model_name", first)
        self._status, self._lost, self._earlier = ipywidgets.HTML(), "", None
        self._shared = frozenset(vars(self)) - {"picture", "actions"}
        picture, actions = self._built()
        self.assemble(self.controls(), picture, actions, settings)

    def _data(self, dataset, model):
        """The data set, if it is not the course's, whose networks then are no use."""
        dataset = other_data(dataset)
        if dataset is not None and model is None:
            raise ValueError(
                f"Give the model that was made for {dataset.name}: model=... The networks that "
                "ship were trained on Fashion-MNIST."
            )
        return dataset

    def calibration_images(self):
        """The images given to calibrate on, or those of the data set."""
        given = self.given[-1]
        return (self.dataset or course_data()).calibration_images() if given is None else given

    def build(self):
        """Make all that depends on the model; return the picture and the buttons below it."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it is built")

    def set(self, **settings):
        """Change several settings with one update; the model first, because others depend on it."""
        if "model_name" in settings:
            settings = {"model_name": settings["model_name"], **settings}
        super().set(**settings)

    def update(self):
        """Compute the current settings, show them and return the `result`; errors are raised."""
        result = super().update()
        if self._earlier is not None:
            self._earlier = None
            self._busy(False, self._lost)
        return result

    def remarks(self):
        """How the model wants its pixels, if that had to be found out, and on what it is scored."""
        found = self.subject.found_pixels
        if self.model_name == OWN and self.dataset is None and self.subject.split.name:
            yield ON_FASHION
        yield from () if found is None else (str(found),)

    def _top(self):
        """The drop-down of models, and what is said of a change."""
        if len(self.model_names) > 1:
            card = controls.drop_down(self, "model_name", "Model", self.model_names)
            self.cards["model_name"] = card
            yield "model-row", ipywidgets.Box([card, self._status])

    def _built(self):
        """Load and calibrate the model of this name, and build for it."""
        self.subject = self._subject(self.model_name)
        self.available = self.subject.compressor.calibration_images
        weighted = [x for x in self.subject.model.layers if x.weights is not None]
        self.layers = {x.name: x.weights for x in weighted}
        if not self.layers:
            ops = ", ".join(sorted({x.op for x in self.subject.model.layers}))
            raise ModelError(
                f"no layer of this model has weights (it has {ops}), so there is nothing here to "
                "make smaller; give a model with a dense layer or a convolution"
            )
        if self.has_trait("layer"):
            self.layer = max(self.layers, key=lambda name: self.layers[name].size)
        return self.build()

    def _apply(self, settings):
        """Set in turn; once a new model was refused, nothing else is of interest."""
        for name, value in settings.items():
            setattr(self, name, value)
            if name == "model_name" and self.model_name != value:
                return

    def _setting_changed(self, change):
        """Update; another model is taken up at once, because other settings depend on it."""
        if self.building:
            return None
        done = True
        if change is not None and change.name == "model_name":
            if self._earlier is not None:  # `set` takes it back
                return self._go_back()
            self.settle()
            self._earlier = self._everything(change.old)
            done = self.guard(self._take_up)
        return super()._setting_changed(change) if done else self._go_back()

    def _draws_first(self):
        return self._earlier is None and super()._draws_first()

    def _failed(self):
        if self._earlier is None:
            super()._failed()
        else:
            self._go_back()

    def _everything(self, model_name):
        """All that is of the present model: attributes and settings."""
        settings = {x: getattr(self, x) for x in self.settings}
        attributes = {x: y for x, y in vars(self).items() if x not in self._shared}
        return attributes, settings | {"model_name": model_name}

    def _take_up(self):
        """Build for the model of this name, and keep the settings that it can have."""
        self._busy(True, WORKING)
        for action in self.actions:
            if isinstance(action, Job):
                action.cancel(" by another model")
            elif isinstance(action, Download):
                action.clear()
        with self._rebuilding():
            self._put(*self._built())
            self._carry_over(self._earlier[1])
        return True

    def _go_back(self):
        """Be again what it was before another model was chosen."""
        (attributes, settings), self._earlier = self._earlier, None
        with self._rebuilding():
            vars(self).update(attributes)
            self._buttons.children = self.actions
            self._apply(settings)
        self._stale = False
        self._busy(False, "")
        if self.result is not None:
            self._grey()
            self.present(self.result)

    def _carry_over(self, settings):
        """Keep each setting, if this model can have it; bits of layers that it lacks are lost."""
        lost, known = {}, [x.name for x in self.subject.model.layers]
        for name, value in settings.items():
            if self.trait_metadata(name, "by_layer"):
                lost |= dict.fromkeys(x for x in value if x not in known)
                value = {x: value[x] for x in value if x in known}
            if name != "model_name":
                with suppress(traitlets.TraitError):
                    setattr(self, name, value)
        self._lost = LOST.format(escape(", ".join(lost))) if lost else ""

    @contextmanager
    def _rebuilding(self):
        """Settings change inside without an update; then the controls follow."""
        held, self._held, self.building = self._held, True, True
        try:
            yield
            for name, card in self.cards.items():
                if stops := self.trait_metadata(name, "stops"):
                    controls.refill(card, tuple(getattr(self, stops)))
            self.building = False
            for card in self.cards.values():
                card.follow()
        finally:
            self._held, self.building = held, False

    def _busy(self, on, words):
        """Grey what is of another model, and say what is being done or was lost."""
        (self.add_class if on else self.remove_class)("qlab-busy")
        self._status.value = STATUS.format(words) if words else ""

    def offer(self, label, make, recipe=None, asks=True):
        """A `Download`; a model's also asks the test images, unless the learner brings images."""

        def named():
            name, *rest = make()
            which = "" if self.model_name in ("baseline", OWN) else f"{self.model_name}-"
            return name.replace("qlab-", f"qlab-{which}", 1), *rest

        asks = asks and recipe is not None and self.subject.may_ask
        pixels = lambda: self.subject.model.pixels  # noqa: E731
        return super().offer(label, named, recipe, asks, pixels, self.dataset)

    def scored(self, name, model, words=""):
        """A file for a `Download`, scored again as it is taken away: name, content, and words."""
        return name, model.data, words + scored_again(self.subject, model)
