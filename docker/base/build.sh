#!/bin/sh
# Makes a base image from Debian packages alone, for where no image can be pulled:
#   docker/base/build.sh [NAME [SUITE]]   (default: write-behind/base:bookworm; a minute; wants root)
# Debian with Python and redis-cli, and Valkey for the image that wants it: bookworm has it in its
# backports, and what comes later has it anyway.
set -eu
name=${1:-write-behind/base:bookworm}
suite=${2:-bookworm}

fail() {
    printf 'docker/base/build.sh: %s\n' "$1" >&2
    exit 1
}

command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing. On Debian and Ubuntu:  sudo apt-get install mmdebstrap"
docker version >/dev/null 2>&1 || fail "the Docker daemon does not answer. \`lab doctor\` says why."

packages=python3,python3-venv,ca-certificates,redis-tools,make
if [ "$suite" = bookworm ]; then
    set -- --customize-hook='grep "^deb .* bookworm main" "$1/etc/apt/sources.list" | sed "s/ bookworm / bookworm-backports /" >"$1/etc/apt/sources.list.d/backports.list"' \
        --customize-hook='chroot "$1" apt-get update --quiet=2' \
        --customize-hook='chroot "$1" apt-get install --quiet=2 --yes --no-install-recommends valkey-server'
else
    set -- --include=valkey-server
fi
root=$(mktemp)
trap 'rm -f "$root"' EXIT INT TERM
mmdebstrap --quiet --variant=minbase --format=tar --include="$packages" "$@" "$suite" "$root"
docker import --change 'ENV LANG=C.UTF-8' "$root" "$name" >/dev/null
echo "$name"
