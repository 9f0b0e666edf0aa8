# shellcheck shell=bash
# The functions that the scripts of ci/ share. Each script begins with:
#     source "$(dirname "$0")/lib.sh"
#
# It changes to the root of the repository, and has functions that install what a script needs on a
# new Debian machine with rustup.

set -euo pipefail
exec </dev/null # no question can be answered, and stdin may be closed
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Temporary files of a script and of its programs, such as the profile of a browser, are removed at
# its end.
work=$(mktemp -d)
export TMPDIR=$work
leave() {
    rm -rf "$work" || true
}
trap leave EXIT

# All builds share a folder. Debug information would be most of it, and the place of a failed test
# is printed without it. Incremental builds would save nothing.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0
export CARGO_NET_RETRY=10

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# headline TEXT [COMMAND...]: prints a title and the command, and runs the command.
headline() {
    printf '\n--- %s\n' "$1"
    shift
    (($#)) || return 0
    printf '    $ %s\n' "$*"
    "$@"
}

# tests_passed FILE: prints the number of tests that passed, from the output of cargo test.
tests_passed() {
    awk '/^test result: ok/ { passed += $4 } END { print passed + 0 }' "$1"
}

# aside COMMAND...: starts a command that keeps one core busy, beside the next commands.
aside() {
    "$@" >"$work/aside" 2>&1 &
    aside=$!
    trap 'kill "$aside" 2>/dev/null || true; leave' EXIT
}

# Waits for the command that was started aside, and prints its output. Fails if it has failed.
join_aside() {
    local status=0
    wait "$aside" || status=$?
    cat "$work/aside"
    ((status == 0)) || fail "a command that was run beside others ended with status $status"
}

# persistently COMMAND...: runs a command that downloads, again if it fails, up to three times.
persistently() {
    local pause
    for pause in 5 20; do
        "$@" && return
        printf 'trying again in %s s: %s\n' "$pause" "$*" >&2
        sleep "$pause"
    done
    "$@"
}

# need_apt COMMAND PACKAGE...: installs the packages unless the command, or the file, exists.
need_apt() {
    local command=$1 root=()
    shift
    if [[ $command == /* && -e $command ]] || command -v "$command" >/dev/null; then return; fi
    command -v apt-get >/dev/null || fail "$command is missing, and there is no apt-get to install $*"
    if ((EUID != 0)); then root=(sudo -n); fi
    headline "installing $* for $command" persistently "${root[@]}" apt-get update -qq
    persistently "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@"
    [[ $command == /* && -e $command ]] || command -v "$command" >/dev/null ||
        fail "$* did not install $command"
}

# need_toolchain VERSION: installs a toolchain.
need_toolchain() {
    [[ $'\n'"$(rustup toolchain list)" == *$'\n'"$1-"* ]] ||
        persistently rustup toolchain install "$1" --profile minimal --no-self-update
}

# need_target TRIPLE [TOOLCHAIN]: installs a target, by default for the current toolchain.
need_target() {
    local of=(${2:+--toolchain "$2"})
    [[ $'\n'"$(rustup target list --installed "${of[@]}")"$'\n' == *$'\n'"$1"$'\n'* ]] ||
        RUST_BACKTRACE=0 rustup target add "${of[@]}" "$1"
}

# need_component NAME [TOOLCHAIN]: installs a component, by default for the current toolchain.
need_component() {
    local of=(${2:+--toolchain "$2"})
    [[ $'\n'"$(rustup component list --installed "${of[@]}")" == *$'\n'"$1"* ]] ||
        persistently rustup component add "${of[@]}" "$1"
}

# need_crate COMMAND CRATE [VERSION]: installs a program from crates.io, unless it exists (in this
# version). If the registry lacks a version in its lock file, the lock file is ignored.
need_crate() {
    local command found install
    # Optimising such a program would take longer than running it.
    install=(env -u CARGO_TARGET_DIR CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off
        cargo install "$2" ${3:+--version "$3"})
    read -ra command <<<"${1/#cargo-/cargo }" # its subcommands do not run by themselves
    found=$("${command[@]}" --version 2>/dev/null | awk 'NR == 1 { print $2 }') || true
    if [[ $found && $found == "${3:-$found}" ]]; then return; fi
    headline "installing $2 for $1" "${install[@]}" --locked || persistently "${install[@]}"
    hash -r
    "${command[@]}" --version >/dev/null || fail "$2 did not install $1"
}

# need_venv FOLDER PACKAGE...: installs Python packages in a virtual environment, unless it has them.
need_venv() {
    local venv=$1 stdlib
    shift
    need_apt python3 python3
    stdlib=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
    need_apt "$stdlib/ensurepip/__init__.py" python3-venv
    if [[ -f $venv/packages && $(<"$venv/packages") == "$*" ]]; then return; fi
    rm -rf "$venv"
    python3 -m venv "$venv"
    headline "installing $* for Python" persistently "$venv/bin/pip" install --quiet "$@"
    printf '%s\n' "$*" >"$venv/packages"
}

# locked CRATE FILE: prints the version of the crate in that Cargo.lock.
locked() {
    awk -F'"' -v crate="$1" '/^name = / { name = $2 } /^version = / && name == crate { print $2; exit }' "$2"
}

# Prints the oldest supported Rust as a toolchain, from Cargo.toml: 1.85 is 1.85.0.
msrv() {
    local version
    version=$(awk -F'"' '/^rust-version *=/ { print $2; exit }' Cargo.toml)
    case $version in
    *.*.*) echo "$version" ;;
    *.*) echo "$version.0" ;;
    *) fail "Cargo.toml has no rust-version" ;;
    esac
}

# toolchain_for TRIPLE: prints the toolchain for that target: the current one, or else the oldest
# supported one. (Rust 1.99.1 has no libraries of the bare-metal targets.)
toolchain_for() {
    local toolchain
    toolchain=$(rustup show active-toolchain)
    toolchain=${toolchain%% *}
    if ! need_target "$1" "$toolchain" >&2; then
        toolchain=$(msrv) || return
        printf 'the current Rust has no %s: using Rust %s\n' "$1" "$toolchain" >&2
        need_toolchain "$toolchain" >&2 || return
        need_target "$1" "$toolchain" >&2 || return
    fi
    printf '%s\n' "$toolchain"
}

# rustup may not be in the PATH of a new shell, and may have no toolchain.
command -v rustup >/dev/null || PATH=${CARGO_HOME:-${HOME:-/root}/.cargo}/bin:$PATH
command -v rustup >/dev/null || fail "rustup is missing: see https://rustup.rs"
if ! rustup show active-toolchain >/dev/null 2>&1; then
    persistently rustup toolchain install stable --profile minimal --no-self-update
    rustup default stable
fi
need_apt cc gcc libc6-dev # rustc links with it
