#!/usr/bin/env bash
# The machine of vm.sh as an aarch64, and a compiler for it. `cargo xtask test --rig arm` uses it.
#
#   arm.sh build             the compiler, a Debian sid of its own of 2 GB (five minutes), and the machine, once
#   arm.sh cargo WORD..      cargo for aarch64, in the project's folder; what it makes is in RIG-target
#   arm.sh run FOLDER        as vm.sh
#
# rustc cannot be added another machine's library everywhere; Debian's has it as a package. Needs what vm.sh needs, and
# qemu-system-arm.
set -euo pipefail
: "${RIG:?folder of the rig}"
HERE=$(realpath "$(dirname "$0")"); ROOT=$(realpath "$HERE/../..")
SID=$RIG-compiler
# Of what Raspberry Pi OS is made of, and no older than what the compiler links with.
export ARCH=arm64 SUITE=trixie

build() {
    exec 9> "$SID.lock"; flock 9
    [ -e "$SID/usr/bin/cargo" ] || mmdebstrap --variant=minbase --mode=root --architectures=amd64,arm64 \
        --include=ca-certificates,rustc,cargo,gcc,libc6-dev,gcc-aarch64-linux-gnu,libc6-dev-arm64-cross,libstd-rust-dev:arm64 \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' \
        --keyring=/usr/share/keyrings/debian-archive-keyring.gpg sid "$SID" "deb http://deb.debian.org/debian sid main"
}

# The same folder has the same name inside, so that what cargo says of paths is true outside.
inside() {
    local crates=${CARGO_HOME:-$HOME/.cargo}/registry
    local target=$RIG-target
    mkdir -p "$SID$ROOT" "$SID$target" "$SID/root/.cargo/registry" "$target"
    exec unshare --mount --propagation private bash -euc '
        sid=$1 root=$2 target=$3 crates=$4; shift 4
        mount --bind "$root" "$sid$root"; mount --bind "$target" "$sid$target"; mount --bind "$crates" "$sid/root/.cargo/registry"
        mount -t proc proc "$sid/proc"; mount --rbind /dev "$sid/dev"
        exec chroot "$sid" env -C "$root" HOME=/root CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$target" CARGO_BUILD_TARGET=aarch64-unknown-linux-gnu \
            CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc \
            cargo "$@"' bash "$SID" "$ROOT" "$target" "$crates" "$@"
}

case ${1:-} in
    build) build; "$HERE/vm.sh" build ;;
    cargo) shift; inside "$@" --offline ;;
    run) exec "$HERE/vm.sh" run "$2" ;;
    *) sed -n '2,10p' "$0"; exit 2 ;;
esac
