#!/bin/sh
# Makes .venv hold exactly what uv.lock says. Called by make; does nothing when nothing changed.
# Writes to .venv and .cache only. PYTHON=... chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."

stamp=.venv/.set-up
uv_version=$(sed -n '/^name = "uv"$/{n;s/^version = "\(.*\)"$/\1/p;}' uv.lock)
bootstrap=.cache/uv-$uv_version # a small environment with uv and nothing else
uv=$bootstrap/bin/uv
wheels=.cache/wheels # of an offline kit, when the course was set up from one; nothing is downloaded then
if [ -d "$wheels" ]; then
    export PIP_NO_INDEX=1 PIP_FIND_LINKS="$PWD/$wheels" UV_OFFLINE=1
fi

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
    pwd
    cksum uv.lock pyproject.toml
}

is_current() {
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint)" ] || return 1
    runs .venv/bin/python True || return 1
    [ -z "${PYTHON:-}" ] || [ "$(version_of "$PYTHON")" = "$(version_of .venv/bin/python)" ]
}

install_uv() {
    # Made under another name first: an interrupted set-up leaves no half of it behind.
    rm -rf "$bootstrap.new"
    "$python" -m venv "$bootstrap.new"
    "$bootstrap.new/bin/python" -m pip install --quiet --disable-pip-version-check \
        "uv==$uv_version"
    rm -rf "$bootstrap"
    mv "$bootstrap.new" "$bootstrap"
}

is_current && exit 0
find_python
echo "==> Setting up .venv with Python $(version_of "$python"), $python"
if [ -d "$wheels" ]; then
    echo "    From the kit's packages in $wheels; nothing is downloaded. It takes half a minute."
else
    echo "    The first time downloads about 350 MB and takes a minute or two; later it takes seconds."
fi
if [ -f "$stamp" ] && [ "$(head -n 1 "$stamp")" != "$(pwd)" ]; then
    rm -rf .venv # the folder was moved or copied
fi
rm -f "$stamp"
mkdir -p .cache
[ -x "$uv" ] || install_uv

# A uv or an activated environment of the user's own must not lead elsewhere.
unset VIRTUAL_ENV CONDA_PREFIX UV_PYTHON UV_PROJECT 2>/dev/null || true
export UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never
if [ -d "$wheels" ]; then
    "$uv" --quiet export --frozen --no-hashes --no-emit-project --all-groups >.cache/locked.txt
    "$uv" --quiet venv --clear --python "$python" .venv
    "$uv" pip sync --python .venv/bin/python --offline --no-index --find-links "$wheels" .cache/locked.txt
    "$uv" pip install --python .venv/bin/python --offline --no-index --find-links "$wheels" \
        --no-deps --editable .
else
    "$uv" sync --frozen --python "$python"
fi
fingerprint >"$stamp"
echo "==> Set up."
