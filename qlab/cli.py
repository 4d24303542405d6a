"""The ``qlab`` command; ``qlab --help`` lists what it does."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import qlab
from qlab.system.files import typed_path
from qlab.system.isolated import elsewhere

CHECKOUT = Path(__file__).resolve().parents[1]
WELCOME = "00_welcome.ipynb"
JUPYTER = Path(__file__).with_name("lessons") / "jupyter"  # settings that JupyterLab starts with


class CommandError(Exception):
    """A failure that the command explains in words, without a traceback."""


def main(argv=None):
    sys.path[:] = elsewhere(sys.path)  # the folder may be a stranger's
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.reconfigure(errors="replace")  # a terminal may lack a sign
    parser = build_parser()
    arguments, extra = parser.parse_known_args(argv)
    if extra and arguments.command != "lab":
        parser.error(f"unrecognized arguments: {' '.join(extra)}")
    arguments.extra = extra
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        print("qlab: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe went away: `qlab doctor | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if arguments.debug:
            raise
        print(f"qlab: {_in_words(error)}", file=sys.stderr)
        return 1


def build_parser():
    """Return the ``argparse`` parser of the ``qlab`` command."""
    from qlab.challenge import command as challenge

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--debug",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show the full traceback of an error",
    )
    parser = argparse.ArgumentParser(
        prog="qlab", description="A hands-on course on making neural networks small."
    )
    parser.add_argument("--version", action="version", version=f"qlab {qlab.__version__}")
    parser.add_argument("--debug", action="store_true", help="show the full traceback of an error")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name, run, text):
        command = commands.add_parser(name, parents=[common], help=text, description=text)
        command.set_defaults(run=run)
        return command

    add("data", _data, "get Fashion-MNIST where it is missing, and verify it")
    doctor = add("doctor", _doctor, "check this machine; each line is ok or says what to do")
    doctor.add_argument(
        "--memory", action="store_true", help="also start a kernel with an explorer and weigh it"
    )
    lab = add("lab", _lab, "open JupyterLab on your own copy of the notebooks")
    lab.add_argument(
        "--to",
        type=typed_path,
        metavar="DIR",
        help="where your copy is (default: my-course in the checkout)",
    )
    lab.epilog = "Any other argument goes to JupyterLab, for instance --port 9000 or --no-browser."
    export = add(
        "export", _export, "write a model as .tflite, packed .tflite and C array, with a model card"
    )
    export.add_argument(
        "file", type=typed_path, metavar="FILE", help="a .tflite file; it is checked first"
    )
    export.add_argument(
        "--to", type=typed_path, required=True, metavar="DIR", help="folder; made if it is missing"
    )
    export.add_argument("--name", help="name of the files (default: that of FILE)")
    export.add_argument("--force", action="store_true", help="replace files of that name")
    export.add_argument(
        "--verify",
        action="store_true",
        help="compile the C array here, run it in TensorFlow Lite Micro and compare the answers",
    )
    export.add_argument(
        "--data",
        type=typed_path,
        metavar="PATH",
        help="score it on this .npz file, or folder with a folder of pictures a class "
        "(default: Fashion-MNIST)",
    )
    _add_pixels(export)
    inspect = add(
        "inspect",
        _inspect,
        "look at a .tflite file: its bytes, its layers, what stays in float, its pixels",
    )
    inspect.add_argument(
        "file", type=typed_path, metavar="FILE", help="a .tflite file; it is checked first"
    )
    scoring = inspect.add_mutually_exclusive_group()
    scoring.add_argument(
        "--data",
        type=typed_path,
        metavar="FOLDER-OR-NPZ",
        help="score it on these: a folder with a folder a class, or an .npz file of x and y",
    )
    scoring.add_argument(
        "--fashion-mnist", action="store_true", help="score it on Fashion-MNIST's validation images"
    )
    _add_pixels(inspect)
    search = add(
        "search", _search, "search bits and zeros for each layer, and write the best file that fits"
    )
    search.add_argument("file", type=typed_path, metavar="FILE", help="a float32 .tflite file")
    search.add_argument(
        "--budget", type=int, required=True, metavar="BYTES", help="of the file, packed and gzipped"
    )
    search.add_argument(
        "--to", type=typed_path, required=True, metavar="DIR", help="folder; made if it is missing"
    )
    search.add_argument("--method", choices=("greedy", "random", "uniform"), default="greedy")
    search.add_argument("--files", type=int, default=300, help="made a seed (%(default)s)")
    search.add_argument(
        "--seeds", type=int, nargs="+", default=[0], help="a search for each (default: 0)"
    )
    search.add_argument(
        "--images", type=int, help="validation images to choose by (default: at most 5,000)"
    )
    search.add_argument(
        "--data",
        type=typed_path,
        metavar="PATH",
        help="an .npz file, or a folder with a folder of pictures a class (default: Fashion-MNIST)",
    )
    _add_pixels(search)
    where = search.add_mutually_exclusive_group()
    where.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes here (%(default)s)"
    )
    where.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a Dask cluster, such as tcp://10.0.0.5:8786"
    )
    search.epilog = "The files found are the same, however many workers make them."
    report = add("report", _report, "write a page and a CSV of what a learner or a class did")
    report.add_argument(
        "source",
        nargs="?",
        type=typed_path,
        metavar="FILE-OR-FOLDER",
        help="a learner's progress file, or a folder of a class's (*.json, sub-folders too); "
        "your own progress by default",
    )
    report.add_argument(
        "--to",
        type=typed_path,
        default=".",
        metavar="DIR",
        help="where to write it (default: here)",
    )
    report.add_argument(
        "--notebooks",
        nargs="+",
        default=(),
        metavar="NUMBER",
        help="tell of these alone, for instance 00 01 02 (default: all)",
    )
    challenge.add_to(add)
    return parser


def _add_pixels(command):
    command.add_argument(
        "--pixels",
        metavar="WAY",
        help="how the model wants its pixels: '0 to 1', '0 to 255' or '-1 to 1' (default: it is "
        "found out by scoring)",
    )


def _data(arguments):
    """Fetch and verify the data, and read all splits through once."""
    from qlab import data

    print("looking for Fashion-MNIST", flush=True)
    folder = data.fetch(progress=True)
    dataset = data.load()
    train, validation, test = (
        f"{len(x.images):,}" for x in (dataset.train, dataset.validation, dataset.test)
    )
    print(
        f"Fashion-MNIST: {train} training, {validation} validation and {test} test images, "
        f"verified, in {folder}"
    )
    return 0


def _doctor(arguments):
    from qlab import doctor

    return doctor.main(memory=arguments.memory)


def _lab(arguments):
    """Replace this process by JupyterLab, so that Ctrl-C reaches it and nothing else."""
    from qlab.lessons.learner_copy import bring_notebooks

    source = CHECKOUT / "notebooks"
    if not (source / WELCOME).is_file():
        raise CommandError(
            f"there is no {WELCOME} in {source}: the notebooks come with the repository, not "
            "with the package. Clone the repository, run `make lab` there, or install it from "
            "the clone with `pip install -e .`"
        )
    folder = Path(arguments.to or CHECKOUT / "my-course").absolute()
    if folder.resolve() == source.resolve():
        raise CommandError(
            f"{folder} holds the course's own notebooks, beside which your copies would stand; "
            "name another folder, for instance `qlab lab --to ~/my-course`"
        )
    first = _first_page(bring_notebooks(source, folder))
    print(f"your notebooks are in {folder}", flush=True)
    if "JUPYTERHUB_API_TOKEN" in os.environ:  # a JupyterHub has started this: deploy/jupyterhub
        command = [sys.executable, "-m", "jupyterhub.singleuser"]
        return _become([*command, *arguments.extra], folder, _with_our_settings(os.environ))
    command = [sys.executable, "-m", "jupyterlab", first]
    if hasattr(os, "geteuid") and os.geteuid() == 0 and "--allow-root" not in arguments.extra:
        print("you are root, so JupyterLab is started with --allow-root", flush=True)
        command.append("--allow-root")
    return _become([*command, *arguments.extra], folder, _with_our_settings(os.environ))


def _first_page(copies):
    """The first of the new versions if there are any, which are told of; else the welcome."""
    news = [copy for copy in copies if copy.is_news]
    for copy in news:
        print(
            f"{copy.original} stays as it is, because you have worked in it. Its new version is "
            f"{copy.name}"
        )
    welcome = (copy for copy in copies if copy.original == WELCOME)
    return (news or list(welcome))[0].name


def _with_our_settings(environment):
    """Let JupyterLab find our defaults, after the user's own settings, and notebooks ``!qlab``."""
    ours = {
        "JUPYTER_CONFIG_PATH": [environment.get("JUPYTER_CONFIG_PATH"), str(JUPYTER)],
        "PATH": [str(Path(sys.executable).parent), environment.get("PATH")],
    }
    joined = {name: os.pathsep.join(filter(None, paths)) for name, paths in ours.items()}
    return {**environment, **joined}


def _inspect(arguments):
    from qlab import export

    return export.inspect_file(
        arguments.file, arguments.data, arguments.fashion_mnist, arguments.pixels
    )


def _export(arguments):
    from qlab import export

    return export.main(
        arguments.file,
        arguments.to,
        arguments.name,
        arguments.force,
        arguments.verify,
        arguments.data,
        arguments.pixels,
    )


def _search(arguments):
    from qlab.export import searching

    return searching.main(
        arguments.file,
        arguments.to,
        arguments.budget,
        arguments.method,
        arguments.files,
        arguments.seeds,
        arguments.images,
        arguments.data,
        arguments.pixels,
        arguments.workers,
        arguments.scheduler,
    )


def _report(arguments):
    from qlab.lessons import report

    return report.main(arguments.source, arguments.to, arguments.notebooks)


def _become(command, folder, environment):
    """Run `command` in `folder` in place of this process (Windows: as a child)."""
    if os.name == "nt":
        return subprocess.call(command, cwd=folder, env=environment)
    os.chdir(folder)
    return os.execve(command[0], command, environment)  # does not come back


def _in_words(error):
    """One message for the learner; an error nobody foresaw keeps its type and names --debug."""
    if isinstance(error, CommandError) or type(error).__module__.startswith("qlab."):
        return str(error)
    return f"{type(error).__name__}: {error} (`qlab --debug ...` shows where)"


if __name__ == "__main__":
    sys.exit(main())
