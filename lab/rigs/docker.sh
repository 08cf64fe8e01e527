#!/usr/bin/env bash
# Docker of Debian in a container (security.nesting), on a pool of folders and on btrfs: it runs containers that reach
# each other and are reached. `cargo xtask test --docker` uses it.
#
#   docker.sh FOLDER PROGRAM   FOLDER keeps the system with docker.io, made once; PROGRAM is microcloud
#
# Needs: root, mmdebstrap and Debian's packages, btrfs-progs, busybox-static. The daemon has namespaces and a state folder
# of its own.
set -euo pipefail
FOLDER=${1:?folder} PROGRAM=${2:?microcloud}
# shellcheck source=lab/rigs/alone.sh
. "$(dirname "$0")/alone.sh"

# A system with Docker, and in it what becomes an image of Docker's.
make() {
    [ -e "$FOLDER/ready" ] && return
    rm -rf "$FOLDER"; mkdir -p "$FOLDER/rootfs"
    mmdebstrap --quiet --variant=minbase --include=systemd-sysv,docker.io,iptables --format=directory \
        --skip=output/dev bookworm "$FOLDER/rootfs"
    mkdir -p "$FOLDER/rootfs/opt/tiny/bin"
    cp "$(command -v busybox)" "$FOLDER/rootfs/opt/tiny/bin/busybox"
    printf 'architecture: %s\ncreation_date: 1700000000\nproperties:\n  description: docker\n' "$(uname -m)" > "$FOLDER/metadata.yaml"
    tar -C "$FOLDER" -cf "$FOLDER/image.tar" metadata.yaml rootfs
    rm -rf "$FOLDER/rootfs"
    touch "$FOLDER/ready"
}

# In an instance: says what is not as it should be.
drive() {
    "$PROGRAM" exec "$1" -- sh -euc '
        for _ in $(seq 60); do docker info > /dev/null 2>&1 && break; sleep 1; done
        tar -C /opt/tiny -c . | docker import - tiny > /dev/null
        test "$(docker run --rm tiny /bin/busybox echo well)" = well
        docker run --rm -d --name web -p 8080:80 tiny /bin/busybox httpd -f -p 80 -h /bin > /dev/null
        docker run --rm --link web tiny /bin/busybox ping -c 1 -W 5 web > /dev/null
        /opt/tiny/bin/busybox wget -q -O /tmp/got http://127.0.0.1:8080/busybox
        cmp /tmp/got /opt/tiny/bin/busybox
        test "$(docker exec web /bin/busybox id -u)" = 0
        docker stop -t 1 web > /dev/null
        docker info 2> /dev/null | sed -n "s/^ Storage Driver:/docker on '"$2"':/p"'
}

inside() {
    local status=0
    begin "$PROGRAM" docker
    {
        "$PROGRAM" init --auto > /dev/null
        "$PROGRAM" image import "$FOLDER/image.tar" --alias docker > /dev/null
        "$PROGRAM" storage create other btrfs size=4GiB > /dev/null
        "$PROGRAM" launch docker d1 -c security.nesting=true > /dev/null
        "$PROGRAM" launch docker d2 -c security.nesting=true --storage other > /dev/null
        drive d1 dir && drive d2 btrfs
    } || status=1
    "$PROGRAM" delete --force d1 d2 || true
    "$PROGRAM" image delete docker && "$PROGRAM" storage delete other || true
    finish "$status"
    return "$status"
}

if [ "${3:-}" = inside ]; then
    inside
else
    make
    unshare --net --mount "$0" "$FOLDER" "$PROGRAM" inside
fi
