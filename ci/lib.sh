# shellcheck shell=bash
# What the scripts of ci/ share. Each begins with: source "$(dirname "$0")/lib.sh"
#
# It goes to the root of the repository, whatever directory the script was started in, and offers
# what a script needs to set itself up on a fresh Debian machine that has only rustup.

set -euo pipefail
exec </dev/null # nobody is there to answer a question, and stdin may be closed
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What a script writes down goes with it, and so does what others leave lying about, such as the
# profile of a browser.
work=$(mktemp -d)
export TMPDIR=$work
leave() {
    rm -rf "$work" || true
}
trap leave EXIT

# All builds share a folder. Debug information would be most of it: a failed test says where it
# failed without, and nothing is built here that is changed and built again.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# headline TEXT [COMMAND...]: says what comes next and how to repeat it, and does it.
headline() {
    printf '\n--- %s\n' "$1"
    shift
    (($#)) || return 0
    printf '    $ %s\n' "$*"
    "$@"
}

# need_apt COMMAND PACKAGE...: installs the packages unless the command, or file, is there.
need_apt() {
    local command=$1 root=()
    shift
    if [[ $command == /* && -e $command ]] || command -v "$command" >/dev/null; then return; fi
    command -v apt-get >/dev/null || fail "$command is missing, and there is no apt-get to install $*"
    if ((EUID != 0)); then root=(sudo -n); fi
    headline "installing $* for $command" "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
    [[ $command == /* && -e $command ]] || command -v "$command" >/dev/null ||
        fail "$* did not bring $command"
}

# need_toolchain VERSION
need_toolchain() {
    [[ $'\n'"$(rustup toolchain list)" == *$'\n'"$1-"* ]] ||
        rustup toolchain install "$1" --profile minimal --no-self-update
}

# need_target TRIPLE [TOOLCHAIN]: of the toolchain in use unless another is named.
need_target() {
    local of=(${2:+--toolchain "$2"})
    [[ $'\n'"$(rustup target list --installed "${of[@]}")"$'\n' == *$'\n'"$1"$'\n'* ]] ||
        RUST_BACKTRACE=0 rustup target add "${of[@]}" "$1"
}

# need_component NAME [TOOLCHAIN]: the same for components.
need_component() {
    local of=(${2:+--toolchain "$2"})
    [[ $'\n'"$(rustup component list --installed "${of[@]}")" == *$'\n'"$1"* ]] ||
        rustup component add "${of[@]}" "$1"
}

# need_crate COMMAND CRATE [VERSION]: installs a program from crates.io, unless it is there (in this
# version). A registry may lack the very versions that its lock file names: then it goes without.
need_crate() {
    local command found install
    # It is used too little to be worth the time that it takes to optimise it.
    install=(env -u CARGO_TARGET_DIR CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off
        cargo install "$2" ${3:+--version "$3"})
    read -ra command <<<"${1/#cargo-/cargo }" # its subcommands do not run by themselves
    found=$("${command[@]}" --version 2>/dev/null | awk 'NR == 1 { print $2 }') || true
    if [[ $found && $found == "${3:-$found}" ]]; then return; fi
    headline "installing $2 for $1" "${install[@]}" --locked || "${install[@]}"
    hash -r
    "${command[@]}" --version >/dev/null || fail "$2 did not bring $1"
}

# locked CRATE FILE: the version of the crate in that Cargo.lock.
locked() {
    awk -F'"' -v crate="$1" '/^name = / { name = $2 } /^version = / && name == crate { print $2; exit }' "$2"
}

# The oldest Rust that we support, as a toolchain, from where it is written: 1.85 is 1.85.0.
msrv() {
    local version
    version=$(awk -F'"' '/^rust-version *=/ { print $2; exit }' Cargo.toml)
    case $version in
    *.*.*) echo "$version" ;;
    *.*) echo "$version.0" ;;
    *) fail "Cargo.toml has no rust-version" ;;
    esac
}

# toolchain_for TRIPLE: prints the toolchain to build that target with: the one in use, or else the
# oldest that we support. (Rust 1.99.1 came without the libraries of the bare-metal targets.)
toolchain_for() {
    local toolchain
    toolchain=$(rustup show active-toolchain)
    toolchain=${toolchain%% *}
    if ! need_target "$1" "$toolchain" >&2; then
        toolchain=$(msrv) || return
        printf 'The Rust in use has no %s: taking Rust %s for it.\n' "$1" "$toolchain" >&2
        need_toolchain "$toolchain" >&2 || return
        need_target "$1" "$toolchain" >&2 || return
    fi
    printf '%s\n' "$toolchain"
}

# A fresh shell may not know where rustup lives, and a fresh rustup may have no toolchain.
command -v rustup >/dev/null || PATH=${CARGO_HOME:-${HOME:-/root}/.cargo}/bin:$PATH
command -v rustup >/dev/null || fail "rustup is missing: see https://rustup.rs"
if ! rustup show active-toolchain >/dev/null 2>&1; then
    rustup toolchain install stable --profile minimal --no-self-update
    rustup default stable
fi
need_apt cc gcc libc6-dev # rustc links with it
