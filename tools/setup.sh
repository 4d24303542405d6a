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

# What a candidate answers: ok, or why not. TensorFlow has wheels for these machines alone.
probe='
import platform, struct, sys, sysconfig
system, machine = platform.system(), platform.machine()
bits, mac = 8 * struct.calcsize("P"), platform.mac_ver()[0]
if not (3, 11) <= sys.version_info[:2] <= (3, 13) or sysconfig.get_config_var("Py_GIL_DISABLED"):
    print("version")
elif (system, machine) not in (("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64")):
    print("machine", system, machine)
elif bits < 64:
    print("machine a Python of 32 bits")
elif system == "Linux" and platform.libc_ver()[0] != "glibc":
    print("machine Linux without glibc, such as Alpine with musl")
elif system == "Darwin" and int(mac.split(".")[0]) < 12:
    print("machine macOS", mac)
else:
    try:
        import ensurepip, venv
        print("ok")
    except ImportError:
        print("venv")
'

if [ -n "${PYTHON:-}" ]; then
    set -- "$PYTHON" # it may have a space
else
    set -- python3.11 python3.12 python3.13 python3
    # A bundle names the Python that it is for: try that one first.
    [ ! -f offline/manifest.json ] ||
        set -- "$(sed -n 's/.*"python": "\([0-9.]*\)".*/python\1/p' offline/manifest.json)" "$@"
fi

no_venv=
no_wheels=
python=
for candidate in "$@"; do
    answer=$("$candidate" -c "$probe" 2>/dev/null || true)
    case $answer in
        ok) python=$candidate; break ;;
        venv) no_venv=$candidate ;;
        machine*) no_wheels=${answer#machine } ;;
    esac
done
if [ -z "$python" ]; then
    [ -z "$no_venv" ] || fail "$no_venv has no venv module. On Debian or Ubuntu run \
\`sudo apt-get install python3-venv\` (or python3.12-venv, for the version you use), then again."
    [ -z "$no_wheels" ] || fail "TensorFlow has no packages for this kind of machine ($no_wheels). \
It has them for Linux with glibc on x86-64 and Arm, and for macOS 12 and newer on Arm. Take the \
course on a server or in a container, as the README says."
    [ -z "${PYTHON:-}" ] || fail "PYTHON=$PYTHON is not a CPython 3.11, 3.12 or 3.13 that runs. \
Name one that is, or leave PYTHON out."
    fail "no CPython 3.11, 3.12 or 3.13 was found. Install one (Debian or Ubuntu: \
\`sudo apt-get install python3 python3-venv\`; macOS: \`brew install python@3.12\`), \
or say where it is: make setup PYTHON=/path/to/python"
fi

# The stamp is there from the end of one set-up to the beginning of the next. A .venv without it is
# half a set-up: it is made anew, and so is one whose Python is gone or is another version.
stamp=.venv/.qlab-setup
log=.venv/qlab-setup.log
fresh=yes
if [ -e "$stamp" ] && .venv/bin/python -c \
    'import pip, sys; assert (3, 11) <= sys.version_info[:2] <= (3, 13)' 2>/dev/null; then
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

rm -f "$stamp"
if [ -n "$fresh" ]; then
    [ ! -e .venv ] || echo "An earlier set-up did not end here, so it begins afresh"
    echo "Making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv ||
        fail ".venv could not be made. The lines above say why; is this folder writable, and is \
there room on the disk (df -h .)?"
fi

# Runs pip. All that it says goes into the log; on a terminal one line shows how far it is.
install() {
    {
        PYTHONUNBUFFERED=1 .venv/bin/python -m pip install --disable-pip-version-check \
            --progress-bar off "$@" 2>&1 || echo "pip failed"
    } | {
        count=0 failed='' told=''
        while IFS= read -r line; do
            printf '%s\n' "$line" 2>/dev/null >>"$log" || : # a full disk is told by pip
            case $line in
                Collecting*) count=$((count + 1)); progress "$count packages found" ;;
                "Installing collected"*) progress "installing $count packages" ;;
                ERROR*) told="$told$line
" ;;
                "pip failed") failed=yes ;;
            esac
        done
        [ ! -t 1 ] || printf '\r\033[K'
        [ -z "$failed" ] || { printf '\n%s' "$told" >&2; exit 1; }
    }
}

progress() {
    [ ! -t 1 ] || printf '\r\033[K    %s' "$1"
}

echo "Installing the locked packages into .venv (the first time this takes some minutes)"
# shellcheck disable=SC2086 # $from is no word or three
install --require-hashes $from -r requirements.txt ||
    fail "pip could not install the locked packages. The lines above say why: $why. All that pip \
said is in $log. Then run make setup again: it begins afresh, with what pip has in its cache."

echo "Installing qlab itself"
# The lock has setuptools and wheel, so nothing more is fetched to build it.
install --no-deps --no-build-isolation --editable . ||
    fail "qlab itself could not be installed. The lines above say why, and $log has all that pip \
said. Then run make setup again: it begins afresh."
: >"$stamp"
