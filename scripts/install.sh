#!/bin/sh
# Installs what Systole needs on Debian and is missing, and says what. Uses sudo only if it has to.
set -eu

missing=""
need() { # command, package
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need g++ g++
need make make
need verilator verilator
need yosys yosys
need nextpnr-ice40 nextpnr-ice40
need iverilog iverilog
need patch patch
need chromium chromium
need sbatch slurm-client
# For tests of sweeps by Slurm; Debian keeps the daemons where other users' PATH does not look.
PATH=$PATH:/usr/sbin:/sbin
need slurmctld slurmctld
need slurmd slurmd
need munged munge
if [ -n "$missing" ]; then
    echo "installing Debian packages:$missing" >&2
    if [ "$(id -u)" = 0 ]; then sudo=""; else sudo="sudo"; fi
    $sudo apt-get update -qq
    # shellcheck disable=SC2086 # one word a package
    if ! DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null; then
        echo "could not install:$missing" >&2
        exit 1
    fi
fi

if ! command -v cargo >/dev/null 2>&1; then
    if [ -x "$HOME/.cargo/bin/cargo" ]; then
        echo "cargo is in $HOME/.cargo/bin: add it to PATH" >&2
        exit 1
    fi
    echo "installing Debian package rustup, and with it the stable Rust toolchain" >&2
    if [ "$(id -u)" = 0 ]; then sudo=""; else sudo="sudo"; fi
    if ! DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends rustup >/dev/null ||
        ! rustup default stable; then
        echo "could not install Rust: 1.89 or newer is needed, see https://rustup.rs" >&2
        exit 1
    fi
fi
version=$(cargo --version | cut -d ' ' -f 2)
if ! printf '1.89.0\n%s\n' "$version" | sort -V -C; then
    echo "cargo is $version; Systole needs 1.89 or newer (rustup update stable)" >&2
    exit 1
fi
