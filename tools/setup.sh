#!/bin/sh
# Makes .venv and installs the locked dependencies and qlab into it. `make setup` runs this;
# PYTHON=/path/to/python chooses the interpreter. A bundle in offline/ (`make offline`) is installed
# from, and then nothing is fetched.
set -eu
cd "$(dirname "$0")/.."

fail() {
    printf '\nqlab set-up stopped: %s\n' "$1" >&2
    exit 1
}

# What a candidate answers: ok, or why not.
probe='
import platform, sys
machine = (platform.system(), platform.machine())
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    print("version")
elif machine not in (("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64")):
    print("machine")
else:
    try:
        import ensurepip, venv
        print("ok")
    except ImportError:
        print("venv")
'

# A bundle names the Python that it is for: try that one first.
bundled=
[ ! -f offline/manifest.json ] ||
    bundled=$(sed -n 's/.*"python": "\([0-9.]*\)".*/python\1/p' offline/manifest.json)

no_venv=
python=
for candidate in ${PYTHON:-$bundled python3.11 python3.12 python3.13 python3}; do
    case $("$candidate" -c "$probe" 2>/dev/null || true) in
        ok) python=$candidate; break ;;
        venv) no_venv=$candidate ;;
        machine)
            fail "TensorFlow has no packages for this kind of machine ($(uname -sm)). It has them \
for Linux on x86-64 and Arm, and for macOS on Arm. Take the course on Colab, as the README says." ;;
    esac
done
if [ -z "$python" ]; then
    [ -z "$no_venv" ] || fail "$no_venv has no venv module. On Debian or Ubuntu run \
\`sudo apt-get install python3-venv\` (or python3.12-venv, for the version you use), then again."
    [ -z "${PYTHON:-}" ] || fail "PYTHON=$PYTHON is not a CPython 3.11, 3.12 or 3.13 that runs. \
Name one that is, or leave PYTHON out."
    fail "no CPython 3.11, 3.12 or 3.13 was found. Install one (Debian or Ubuntu: \
\`sudo apt-get install python3 python3-venv\`; macOS: \`brew install python@3.12\`), \
or say where it is: make setup PYTHON=/path/to/python"
fi

# A .venv whose Python is gone, or is another version than the course runs on, is made anew.
fresh=yes
if .venv/bin/python -c 'import pip, sys; assert (3, 11) <= sys.version_info[:2] <= (3, 13)' \
    2>/dev/null; then
    fresh=
    python=.venv/bin/python
fi

from=
why="no network or a proxy (set HTTPS_PROXY), or a full disk (.venv takes 3 GB)"
if [ -e offline ]; then
    echo "Checking the bundle in offline"
    "$python" tools/offline.py check || fail "the bundle in offline cannot be used, as said above."
    from="--no-index --find-links offline/wheels"
    why="a full disk (.venv takes 3 GB), or a bundle made on a newer system than this one (make \
it on a machine like those of the room)"
fi

if [ -n "$fresh" ]; then
    echo "Making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv ||
        fail ".venv could not be made. The lines above say why; is this folder writable, and is \
there room on the disk (df -h .)?"
fi

echo "Installing the locked packages into .venv (the first time this takes some minutes)"
# shellcheck disable=SC2086 # $from is no word or three
.venv/bin/python -m pip install --disable-pip-version-check --require-hashes $from \
    -r requirements.txt ||
    fail "pip could not install the locked packages. The lines above say why: $why. Then run make \
setup again; what is installed stays."

echo "Installing qlab itself"
# The lock has setuptools and wheel, so nothing more is fetched to build it.
.venv/bin/python -m pip install --disable-pip-version-check --quiet --no-deps \
    --no-build-isolation --editable . ||
    fail "qlab itself could not be installed. The lines above say why; run make clean, then make \
setup again."
