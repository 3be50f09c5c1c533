#!/bin/sh
# Builds the images of the course (docker/Dockerfile): make images. A minute or two.
#   BASE=debian          the base is made from Debian packages; no image is pulled (wants root)
#   BASE=NAME            any image with Debian and Python 3.11 (default: python:3.11-slim-bookworm)
# Packages come from the index that uv uses, in the versions of uv.lock. They are laid out in
# .cache/images first; nothing is fetched while the images are built.
set -eu
cd "$(dirname "$0")/.."
python=3.11 # of the base
context=.cache/images
uv=".venv/bin/python -m lab.environment .cache .venv/bin/uv --quiet" # no setting of uv or pip has a say

processor=$(docker version --format '{{.Server.Arch}}' 2>/dev/null) || {
    echo 'docker/build.sh: the Docker daemon does not answer. `lab doctor` says why.' >&2
    exit 1
}
case $processor in # as wheels call it
amd64) processor=x86_64 ;;
arm64) processor=aarch64 ;;
esac
platform=$processor-manylinux_2_31
platforms=$(for glibc in 2014 _2_17 _2_24 _2_28 _2_31; do echo "--platform manylinux${glibc}_$processor"; done)

packages() { # group, folder: the packages of a group of uv.lock, for the image's Python
    $uv export --frozen --no-emit-project --only-group "$1" --output-file "$context/$1.txt" >/dev/null
    $uv pip install --target "$2" --python-version $python --python-platform "$platform" \
        --only-binary :all: --require-hashes --requirements "$context/$1.txt"
}

download() {
    $uv run --no-project --with pip python -m pip --quiet download "$@" 2>/dev/null
}

recipe_packages() { # folder: what the recipes require, as files, since their sdists are built inside
    mkdir -p "$1"
    .venv/bin/python -c 'from lab.cells.prepare import RECIPE_REQUIREMENTS as r; print("\n".join(r))' >"$1/requirements.txt"
    while read -r requirement; do # each on its own: they need not agree
        echo "$requirement" | $uv pip compile --python-version $python --no-header --no-annotate \
            --output-file "$1/closure.txt" - >/dev/null
        download --dest "$1" --no-deps --python-version $python $platforms \
            --requirement "$1/closure.txt" </dev/null
    done <"$1/requirements.txt"
    download --dest "$1" 'setuptools<81' wheel
}

build() { # target, name, more arguments
    target=$1 name=$2
    shift 2
    echo "==> $name"
    docker build --file docker/Dockerfile --target "$target" --build-arg BASE="$base" \
        --tag "$name" "$@" "$context" >"$context.log" 2>&1 || {
        tail -n 30 "$context.log" >&2
        exit 1
    }
}

base=${BASE:-python:3.11-slim-bookworm}
if [ "$base" = debian ]; then
    base=write-behind/base:bookworm
    docker image inspect "$base" >/dev/null 2>&1 || {
        echo "==> $base, from Debian packages"
        docker/base/build.sh "$base" >/dev/null
    }
fi

echo "==> Laying out packages in $context"
rm -rf "$context"
mkdir -p "$context"
for group in minigears redis mongo; do
    packages image-$group "$context/$group"
done
cp -r src/minigears "$context/minigears/"
cp -r src/minigears "$context/redis/"
find "$context" -name __pycache__ -prune -exec rm -rf {} + # bytecode of this machine's Python, not of the image's
recipe_packages "$context/recipes"
cp docker/redis/install_recipes.py "$context/recipes/install.py"
cp docker/mongo/mongo-ping "$context/"
cp src/lab/stack/appendonly.py "$context/redis/"
cp docker/redis/entrypoint.sh "$context/redis-entrypoint.sh"
cp docker/mongo/entrypoint.sh "$context/mongo-entrypoint.sh"

build redis write-behind/redis:8.2
build redis write-behind/redis:valkey --build-arg REDIS_SERVER=/usr/bin/valkey-server
build mongo write-behind/mongo:latest
build minigears write-behind/minigears:latest
