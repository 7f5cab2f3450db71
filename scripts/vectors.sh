#!/bin/sh
# Remakes golden/vectors/data: installs the packages whose outputs they are, each script's in a virtual environment of its own below
# target/vectors, runs the scripts, and says which files changed. Needs the network for the packages; no test needs it.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

missing=""
"$python" -c 'import venv, ensurepip' 2>/dev/null || missing="$missing python3-venv"
[ -e /usr/include/gemmlowp/fixedpoint/fixedpoint.h ] || missing="$missing libgemmlowp-dev"
command -v g++ >/dev/null 2>&1 || missing="$missing g++"
if [ -n "$missing" ]; then
    echo "installing Debian packages:$missing" >&2
    if [ "$(id -u)" = 0 ]; then sudo=""; else sudo="sudo"; fi
    $sudo apt-get update -qq
    # shellcheck disable=SC2086 # one word a package
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

# tract is a Rust program of its own; its build takes minutes.
export CARGO_TARGET_DIR="$PWD/target/vectors/tract"
cargo build --release --locked --manifest-path golden/vectors/tract/Cargo.toml
tract=$(find "$CARGO_TARGET_DIR/release" -maxdepth 1 -type f -perm -u+x ! -name '*.*' | head -n 1)

for requirements in golden/vectors/requirements-*.txt; do
    script=$(basename "$requirements" .txt)
    script=${script#requirements-}
    venv=target/vectors/$script
    if ! [ -e "$venv/ready" ]; then
        echo "installing the packages of $requirements in $venv" >&2
        "$python" -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
        touch "$venv/ready"
    fi
    echo "== $script"
    if [ "$script" = onnx_ops ]; then set -- --tract "$tract"; else set --; fi
    "$venv/bin/python" "golden/vectors/$script.py" "$@"
done
git status --short golden/vectors/data
