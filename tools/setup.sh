#!/bin/sh
# Makes .venv hold exactly what uv.lock says. Called by make; does nothing when nothing changed.
# Writes to .venv and .cache only. PYTHON=... chooses the interpreter, and tools/packages.py installs.
set -eu
cd -P "$(dirname "$0")/.." # the folder's true name, however it was reached
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONSAFEPATH PYTHONUSERBASE PYTHONWARNINGS 2>/dev/null || true
export PYTHONUTF8=1

stamp=.venv/.set-up
fetched=.cache/fetched # what recipes ask for is there, too

fail() {
    printf '\nset-up: %s\n' "$1" >&2
    exit 1
}

runs() { # interpreter, Python expression: true when the expression is
    "$1" -c "import sys; sys.exit(not ($2))" >/dev/null 2>&1
}

is_supported() { runs "$1" '(3, 10) <= sys.version_info[:2] <= (3, 13)'; }
can_make_environments() { runs "$1" '__import__("venv") and __import__("ensurepip")'; }

version_of() { "$1" -c 'import platform; print(platform.python_version())' 2>/dev/null; }

# Sets $python to the first interpreter that will do: the one below any virtual environment (ours
# may be about to be replaced), and by its path, since pyenv's shims depend on the folder.
find_python() {
    unusable=
    for name in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.10 python}; do
        is_supported "$name" || continue
        python=$("$name" -c 'import sys; print(sys._base_executable)')
        can_make_environments "$python" && return
        unusable=$python
    done
    if [ -n "$unusable" ]; then
        minor=$("$unusable" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        fail "$unusable cannot make virtual environments.
On Debian and Ubuntu:  sudo apt-get install python$minor-venv"
    fi
    if [ -n "${PYTHON:-}" ]; then
        fail "PYTHON=$PYTHON is not a Python from 3.10 to 3.13."
    fi
    fail "found no Python from 3.10 to 3.13 (python3 is $(version_of python3 || echo missing)).
On Debian and Ubuntu:  sudo apt-get install python3 python3-venv
On macOS:              brew install python@3.13
Elsewhere, or for a Python that is not on the PATH:  make PYTHON=/path/to/python3.12 ..."
}

# What .venv was made from. The folder is part of it: the scripts in .venv hold absolute paths.
fingerprint() {
    pwd -P
    cksum uv.lock pyproject.toml
}

is_current() {
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint)" ] || return 1
    runs .venv/bin/python True || return 1
    [ -z "${PYTHON:-}" ] || [ "$(version_of "$PYTHON")" = "$(version_of .venv/bin/python)" ]
}

if is_current; then
    # Without a network that failed before: it is tried again, and nothing waits for it.
    [ -f "$fetched" ] || { .venv/bin/python -m lab.checkup.fetching && touch "$fetched"; } || true
    exit 0
fi
case $PWD in
*:*) fail "the folder's name has a colon in it, which no PATH can hold: rename $PWD" ;;
esac
find_python
echo "==> Setting up .venv with Python $(version_of "$python"), $python"
if [ -d .cache/wheels ]; then
    echo "    From the kit's packages in .cache/wheels; nothing is downloaded. It takes half a minute."
else
    echo "    The first time downloads about 300 MB and takes a minute or two; later it takes seconds."
fi
rm -f "$stamp" "$fetched"
"$python" -I tools/packages.py --venv
fingerprint >"$stamp"
echo "==> Set up."
