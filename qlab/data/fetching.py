"""Find the four files of Fashion-MNIST on this machine, or bring them here."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import filelock

from qlab.data.idx import FILES, BadFile, read_array
from qlab.system.files import user_folder

MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)
ROOT = Path(__file__).resolve().parents[2]
DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
TIMEOUT = (6, 15)  # seconds: to connect, between two pieces
LOCK_TIMEOUT = 900  # seconds to wait for another process that is fetching

REMEDIES = f"""What helps, any one of these:
  1. connect to a network and run: qlab data
  2. on Debian or Ubuntu: sudo apt install {DEBIAN_PACKAGE}
  3. copy these four files from a machine that has them, into a folder that QLAB_DATA names:
     {", ".join(FILES)}
     (published at https://github.com/zalandoresearch/fashion-mnist)"""


class DataError(RuntimeError):
    """Fashion-MNIST is nowhere to be had; the message lists the places tried and the remedies."""


def own_folders():
    """Folders that qlab may write the data to: in the checkout, then in the user's cache."""
    checkout = [ROOT / "data" / "fashion-mnist"] if (ROOT / "pyproject.toml").exists() else []
    return [*checkout, user_folder("cache") / "fashion-mnist"]


def places():
    """Folders to look into before downloading; one alone if `$QLAB_DATA` is set."""
    named = os.environ.get("QLAB_DATA")
    if named:
        return [Path(named).expanduser()]
    bundle = ROOT / "offline" / "data"  # of `make offline`
    return [*own_folders(), *([bundle] if bundle.is_dir() else []), DEBIAN_FOLDER]


def read(names, progress=True):
    """Read some of `FILES`, all from the first place where they are good."""
    tried = []
    for folder in places():
        try:
            return folder, [read_array(folder / name) for name in names]
        except BadFile as problem:
            tried.append((folder, problem if os.path.isdir(folder) else "no such folder"))
    if os.environ.get("QLAB_DATA"):
        raise DataError(
            f"QLAB_DATA names {tried[0][0]}, but {_why(tried)}. Unset QLAB_DATA, and qlab looks "
            f"elsewhere and downloads; or put the right files there.\n{REMEDIES}"
        )
    folder = _bring(tried, progress)
    return folder, [read_array(folder / name) for name in names]


def _why(tried):
    return "; ".join(str(problem) for _, problem in tried)


def _bring(tried, progress):
    """Fetch the four files into the first folder that can be written; its path."""
    for home in own_folders():
        try:
            home.mkdir(parents=True, exist_ok=True)
            with _locked(home / ".lock", progress):
                if not _is_good(home):  # another process may just have finished
                    _fill(home, tried, progress)
                return home
        except filelock.Timeout:
            tried.append((home, "another process is fetching the data and does not finish"))
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DataError(
                    f"The disk that holds {home} is full: fetching Fashion-MNIST takes 100 MB "
                    f"for a moment and 31 MB to stay. Nothing was kept. Make room, and try again."
                ) from None
            tried.append((home, f"cannot be written ({error.strerror or error})"))
    raise _failure(tried)


def _locked(path, progress):
    """The lock, held; says so when another process has it."""
    lock = filelock.FileLock(path)
    try:
        return lock.acquire(timeout=0)
    except filelock.Timeout:
        if progress:
            print("Another process is fetching the data; waiting for it ...", file=sys.stderr)
        return lock.acquire(timeout=LOCK_TIMEOUT)


def _failure(tried):
    lines = "\n".join(f"  - {place}: {problem}" for place, problem in tried)
    return DataError(f"Fashion-MNIST was not found. Tried:\n{lines}\n{REMEDIES}")


def _is_good(folder):
    try:
        return all(read_array(folder / name) is not None for name in FILES)
    except BadFile:
        return False


def _fill(home, tried, progress):
    """Put the four files into `home`, from the first source that has good ones."""
    for stale in home.glob(".partial-*"):  # of a process that was killed; the lock is ours
        shutil.rmtree(stale, ignore_errors=True)
    sources = [(url, _download) for url in MIRRORS]
    if shutil.which("apt-get") and shutil.which("dpkg-deb"):
        sources.append((f"Debian package {DEBIAN_PACKAGE}", _from_debian))
    failures = []
    for source, bring in sources:
        with tempfile.TemporaryDirectory(dir=home, prefix=".partial-") as work:
            try:
                folder = bring(source, Path(work), progress)
                for name in FILES:
                    read_array(folder / name)
            except (BadFile, _SourceFailed) as problem:
                failures.append((source, problem))
                continue
            for name in FILES:
                os.replace(folder / name, home / name)
            return
    raise _failure(tried + failures)


class _SourceFailed(Exception):
    pass


def _download(mirror, work, progress):
    """The four files from one mirror, into `work`."""
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    bring = pooch.HTTPDownloader(
        progressbar=progress,
        chunk_size=1 << 16,
        timeout=TIMEOUT,
        headers={"Accept-Encoding": "identity"},
    )
    for name in sorted(FILES):  # the small test files first: a wrong mirror shows soon
        if progress:
            print(f"{mirror}{name}", file=sys.stderr)
        try:
            pooch.retrieve(mirror + name, None, fname=name, path=work, downloader=bring)
        except OSError as error:
            if error.errno is not None and not isinstance(error, requests.RequestException):
                raise  # the disk's
            raise _SourceFailed(_in_words(error)) from None
        read_array(work / name)
    return work


def _in_words(error):
    """One short line for an error of `requests`."""
    import requests

    if not isinstance(error, requests.exceptions.RequestException):
        return f"cannot be asked ({error}; REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE may name it)"
    if isinstance(error, requests.exceptions.SSLError):
        if "CERTIFICATE" not in str(error).upper():
            return "no encrypted connection can be made (is a proxy in between?)"
        return (
            "its certificate is not trusted here (is the clock right? where a proxy opens what is "
            "encrypted, set REQUESTS_CA_BUNDLE to the file with the proxy's certificate)"
        )
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy that HTTPS_PROXY or HTTP_PROXY names does not let it through"
    if isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error):
        return f"no answer within {TIMEOUT[1]} seconds"
    if error.response is not None:
        return f"answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "cannot be reached (no network?)"
    return f"failed ({type(error).__name__})"


def _from_debian(package, work, progress):
    """The files of Debian's package, unpacked in `work`; needs neither root nor package lists."""
    if progress:
        print(f"{package} with apt-get download (31 MB) ...", file=sys.stderr)
    own = work / "apt"
    for folder in (own / "lists" / "partial", own / "cache" / "archives" / "partial"):
        folder.mkdir(parents=True)
    options = [
        *("-q", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=1"),
        *("-o", "Acquire::http::Timeout=15", "-o", "Acquire::https::Timeout=15"),
        *("-o", "Acquire::Languages=none", "-o", f"Dir::Cache={own}/cache"),
    ]
    try:
        _run(["apt-get", *options, "download", DEBIAN_PACKAGE], work)
    except _SourceFailed:  # no package lists, or stale ones: fetch lists of our own
        options += ["-o", f"Dir::State::Lists={own}/lists"]
        _run(["apt-get", *options, "update"], work)
        _run(["apt-get", *options, "download", DEBIAN_PACKAGE], work)
    package_file = next(work.glob(f"{DEBIAN_PACKAGE}_*.deb"))
    _run(["dpkg-deb", "-x", package_file.name, "unpacked"], work)
    return work / "unpacked" / DEBIAN_FOLDER.relative_to("/")


def _run(command, folder):
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=600,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        raise _SourceFailed(f"{command[0]} did not finish within 10 minutes") from None
    if "No space left on device" in done.stdout:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if done.returncode:
        told = [line for line in done.stdout.splitlines() if line.startswith(("E:", "dpkg"))]
        raise _SourceFailed(f"{' '.join(told[:1]) or done.stdout[-200:].strip()}")
