"""The models that ship in data/pretrained, and the manifest that says where each came from."""

import difflib
import hashlib
import json
import re
from pathlib import Path

MANIFEST = "manifest.json"
NETWORKS = {  # the float networks that every explorer offers: what each is called, and its file
    "baseline": "baseline",
    "depthwise-separable": "separable-seed0",
}
REMEDIES = (
    "'git checkout -- data/pretrained' brings the shipped files back, and 'make artefacts' "
    "trains them anew"
)


class ArtefactError(ValueError):
    """A shipped file is missing or is not the one that the manifest describes."""


def folder():
    """Folder of the shipped files: in the checkout, or inside the installed package."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "pretrained"
    return installed if installed.is_dir() else package.parent / "data" / "pretrained"


def manifest():
    """What the manifest says.

    It has ``data``, which tells the validation images by a hash, and ``files``: for each file name
    its ``sha256``, ``bytes``, the ``recipe`` of the ``run`` that made it, and ``made`` (when, on
    what processor, with which package versions). For a model there are also its accuracy on the
    10,000 images each of ``validation`` and ``test``, with the intervals, and where it was trained,
    what was done in its ``trainings`` and the ``history`` of the last one. Where ``dataset`` names
    another than Fashion-MNIST, they are its images, and ``pixels`` says how the model wants them;
    a language model of ``shakespeare`` has ``bits`` a character instead of an accuracy.

    >>> from qlab import artefacts
    >>> artefacts.manifest()["files"]["baseline.tflite"]["recipe"]["epochs"]
    10
    """
    try:
        return json.loads((folder() / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ArtefactError(f"{folder() / MANIFEST} cannot be read ({error}). {REMEDIES}") from None


def path(name):
    """Path of a shipped file, after its checksum has been compared with the manifest."""
    known = manifest()["files"]
    if name not in known:
        raise ArtefactError(f"no shipped file is called {name!r}; {_near(name, known)}")
    _read(name, known[name])
    return folder() / name


def verify():
    """Compare every shipped file with the manifest."""
    answers = []
    for name, entry in manifest()["files"].items():
        try:
            _read(name, entry)
            answers.append((name, None))
        except ArtefactError as error:
            answers.append((name, str(error)))
    return answers


def classifiers():
    """Names of the shipped models that classify images; the others are of text."""
    return [
        Path(file).stem
        for file, entry in manifest()["files"].items()
        if file.endswith(".tflite") and "accuracy" in entry["validation"]
    ]


def pretrained(name="baseline"):
    """Load a shipped model, verified, without TensorFlow.

    Parameters
    ----------
    name : str
        "baseline" is the float32 network that the course makes small.

    Returns
    -------
    LiteModel

    Raises
    ------
    ArtefactError
        If no model of that name ships, or its file is missing or altered.

    Examples
    --------
    >>> import qlab
    >>> qlab.pretrained("baseline").file_bytes < 310_000
    True
    """
    from qlab.tflite.litemodel import LiteModel

    models = {Path(file).stem: file for file in manifest()["files"] if file.endswith(".tflite")}
    if name not in models:
        raise ArtefactError(f"no shipped model is called {name!r}; {_near(name, models)}")
    file = models[name]
    entry = manifest()["files"][file]
    return LiteModel(_read(file, entry), pixels=entry.get("pixels", "0 to 1"))


def network_name(name):
    """What one of `NETWORKS` is called, found by its file's name too; other names stay.

    >>> network_name("separable"), network_name("separable-seed0"), network_name("student")
    ('depthwise-separable', 'depthwise-separable', 'student')
    """
    for called, file in NETWORKS.items():
        if name in (file, file.partition("-seed")[0]):
            return called
    return name


def history(name="baseline"):
    """Loss and accuracy of each epoch of a shipped model's training, by seed.

    They are the lists that `qlab.train.fit` returned. The name is that of one model or of a family,
    such as "qat-w4".

    >>> from qlab import artefacts
    >>> len(artefacts.history("baseline")[0]["loss"])
    10
    """
    found, families = {}, set()
    for file, entry in manifest()["files"].items():
        if "history" in entry:
            model = Path(file).stem
            family = re.sub(r"-seed\d+$", "", model)
            families.add(family)
            if name in (model, family):
                found[entry["recipe"]["seed"]] = entry["history"]
    if not found:
        raise ArtefactError(f"no training is called {name!r}; {_near(name, families)}")
    return dict(sorted(found.items()))


def _near(name, known):
    """What was perhaps meant, or which families there are, and where all names stand."""
    near = difflib.get_close_matches(str(name), known, n=5)
    families = sorted({each.partition(".")[0].partition("-")[0] for each in known})
    words = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(families)}, ..."
    return f"{words} All {len(known)} names stand in {MANIFEST}: qlab.artefacts.manifest()"


def _read(name, entry):
    """Content of a shipped file; ArtefactError unless it is the one the manifest describes."""
    try:
        content = (folder() / name).read_bytes()
    except OSError as error:
        raise ArtefactError(f"{name} cannot be read ({error.strerror}). {REMEDIES}") from None
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise ArtefactError(
            f"{name} is not the file that the manifest describes: {len(content):,} bytes where "
            f"{entry['bytes']:,} are expected, or other content. {REMEDIES}"
        )
    return content
