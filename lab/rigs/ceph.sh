#!/usr/bin/env bash
# A true Ceph, small: one monitor, one manager, one OSD whose data is in memory. `cargo xtask test --rig ceph` uses it.
#
#   ceph.sh build        packages, once
#   ceph.sh up           starts it, about ten seconds
#   ceph.sh run CMD..    runs a command where it is /etc/ceph/ceph.conf; a folder stands for its run.sh
#   ceph.sh machine CMD..  within that: the same on a machine of its own, which has mapped nothing; on the same one as before
#                        for a daemon that is started again (MICROCLOUD_DIR)
#   ceph.sh down         ends it, by the ids of its processes
#
# RIG      its folder; /tmp/rig-ceph if not said
# CEPH_IP  the address it listens on, in the network namespace it is started in; one of 127.0.0.0/8 if not said
#
# `run` starts it where it is not up, in a network namespace with a bridge `storage`, and ends it then. Needs root. A kernel without krbd is given a program `rbd` that
# maps images by QEMU (ceph-rbd.sh).
set -euo pipefail
RIG=${RIG:-/tmp/rig-ceph}
HERE=$(cd "$(dirname "$0")" && pwd)
CONF=$RIG/etc/ceph.conf
# A device of memory, and what it says it has.
OSD_BYTES=$((8 << 30))

say() { echo "ceph: $*" >&2; }
fail() { say "$*"; exit 1; }
# The command line of a process, which one that ended and is not reaped yet has not.
line() { tr '\0' ' ' 2> /dev/null < "/proc/$1/cmdline" || true; }
up_is() { [ -s "$RIG/run/mon.a.pid" ] && [ -n "$(line "$(cat "$RIG/run/mon.a.pid")")" ]; }
# await SECONDS CMD..: until it succeeds.
await() {
    local left=$(($1 * 10)); shift
    until "$@" > /dev/null 2>&1; do left=$((left - 1)); [ "$left" -gt 0 ] || return 1; sleep 0.1; done
}

# An address of the loopback that no other rig has, whose folder is another.
own_address() {
    local sum; sum=$(printf %s "$RIG" | cksum | cut -d ' ' -f 1)
    echo "127.$((sum % 250 + 2)).$((sum / 250 % 250 + 2)).$((sum / 62500 % 250 + 2))"
}

configure() {
    local ip=${CEPH_IP:-$(own_address)}
    mkdir -p "$RIG"/{etc,outside,run,log,mon,mgr,osd,crash,bin,mapped,machines,pids}
    chmod 711 "$RIG"
    cat > "$CONF" << END
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon host = [v2:$ip:3300/0,v1:$ip:6789/0]
mon initial members = a
public addr = $ip
cluster addr = $ip
ms bind ipv6 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon allow pool delete = true
mon max pg per osd = 4000
mon warn on pool no redundancy = false
[mon]
mon data = $RIG/mon
mon data avail crit = 1
mon data avail warn = 2
mon memory autotune = false
mon cluster log to file = false
[mgr]
mgr data = $RIG/mgr
mgr initial modules =
mgr stats period = 1
[osd]
osd data = $RIG/osd
osd objectstore = memstore
memstore device bytes = $OSD_BYTES
osd memory target autotune = false
osd op num shards = 1
osd min pg log entries = 50
osd max pg log entries = 100
osd class update on start = false
osd crush update on start = false
END
    local section
    for section in mon.a mgr.x osd.0; do
        printf '[%s]\nkeyring = %s\nrun dir = %s\npid file = %s\nlog file = %s\nadmin socket = %s\ncrash dir = %s\n' \
            "$section" "$RIG/keyring" "$RIG/run" "$RIG/run/$section.pid" "$RIG/log/$section.log" \
            "$RIG/run/$section.asok" "$RIG/crash" >> "$CONF"
    done
    # Every program of a client would fight over the one socket, log and file.
    printf '[client]\nkeyring = /etc/ceph/ceph.client.admin.keyring\nadmin socket =\nlog file =\npid file =\n' >> "$CONF"
    sed "s,/etc/ceph/,$RIG/etc/," "$CONF" > "$RIG/outside/ceph.conf"
}

# All keys before anything starts: asking the monitor for each takes a second.
keys() {
    local all=$RIG/keyring
    ceph-authtool -C "$all" --gen-key -n mon. --cap mon 'allow *' > /dev/null
    ceph-authtool "$all" --gen-key -n mgr.x --cap mon 'allow profile mgr' --cap osd 'allow *'
    ceph-authtool "$all" --gen-key -n osd.0 --cap mon 'allow profile osd' --cap mgr 'allow profile osd' --cap osd 'allow *'
    ceph-authtool "$all" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
    local own=$RIG/etc/ceph.client.admin.keyring
    printf '[client.admin]\nkey = %s\n' "$(ceph-authtool "$all" -n client.admin -p)" > "$own"
    chmod 600 "$all" "$own"
}

up() {
    if up_is; then return 0; fi
    down
    configure
    keys
    export CEPH_CONF=$CONF CEPH_ARGS="--keyring $RIG/keyring"
    local fsid uuid
    fsid=$(ceph-conf -c "$CONF" --lookup fsid)
    monmaptool --create --clobber --fsid "$fsid" --addv a "$(ceph-conf -c "$CONF" --lookup 'mon host' | sed 's,/0,,g')" "$RIG/monmap" > /dev/null
    ceph-mon --mkfs -i a --monmap "$RIG/monmap" --keyring "$RIG/keyring"
    ceph-mon -i a
    await 30 test -S "$RIG/run/mon.a.asok" || fail "no monitor: see $RIG/log"
    ceph-mgr -i x
    uuid=$(cat /proc/sys/kernel/random/uuid)
    ceph --connect-timeout 30 osd new "$uuid" 0 > /dev/null
    ceph --connect-timeout 30 osd crush add osd.0 1.0 root=default host=here 2> /dev/null
    ceph-osd -i 0 --mkfs --osd-uuid "$uuid" > "$RIG/log/mkfs" 2>&1 || { cat "$RIG/log/mkfs" >&2; fail "no OSD"; }
    ceph-osd -i 0 > "$RIG/log/osd" 2>&1
    await 60 sh -c 'ceph --connect-timeout 10 osd stat -f json | grep -q "\"num_up_osds\":1,"' || fail "the OSD is not up: see $RIG/log"
    # What is measured comes from the manager.
    await 60 sh -c 'ceph --connect-timeout 10 df -f json | grep -q "\"total_bytes\":[1-9]"' || fail "no statistics: see $RIG/log"
    unset CEPH_CONF CEPH_ARGS
    say "up: $(ceph-conf -c "$CONF" --lookup 'mon host')"
}

# stop PID WORD: ends a process if that is what it is.
stop() {
    case "$(line "$1")" in *"$2"*) kill -9 "$1" 2> /dev/null || true ;; *) return 0 ;; esac
    local left=50
    while [ -n "$(line "$1")" ] && [ "$left" -gt 0 ]; do left=$((left - 1)); sleep 0.1; done
}

down() {
    local file device
    for device in $(losetup --noheadings --raw --output NAME,BACK-FILE 2> /dev/null | grep -F " $RIG/" | cut -d ' ' -f 1); do
        losetup --detach "$device" || true
    done
    for file in "$RIG"/pids/*; do [ -e "$file" ] && stop "$(basename "$file")" "$RIG/"; done
    for file in "$RIG"/run/{osd.0,mgr.x,mon.a}.pid; do [ -s "$file" ] && stop "$(cat "$file")" ceph-; done
    # What a daemon that was killed left.
    for file in $(grep -o " $RIG/[^ ]*" /proc/mounts); do umount "$file" || true; done
    if [ -e "$CONF" ]; then rm -rf "$RIG"/{etc,outside,run,log,mon,mgr,osd,crash,bin,mapped,machines,pids,keyring,monmap}; fi
    rmdir "$RIG" 2> /dev/null || true
}

# What a machine sees; in a mount namespace of its own.
enter() {
    mkdir -p /etc/ceph
    mount --bind "$RIG/etc" /etc/ceph
    if [ ! -e /sys/bus/rbd ] && ! modprobe -q rbd 2> /dev/null; then
        ln -sf "$HERE/ceph-rbd.sh" "$RIG/bin/rbd"
        export PATH="$RIG/bin:$PATH"
    fi
    export RIG CEPH_MACHINE="$HERE/ceph.sh"
    if [ -d "$1" ]; then cd "$1" && exec sh ./run.sh; fi
    exec "$@"
}

build() {
    local package
    for package in ceph-mon ceph-mgr ceph-osd ceph-common qemu-block-extra qemu-system-common uuid-runtime socat; do
        dpkg-query -W "$package" > /dev/null 2>&1 && continue
        [ -n "${UPDATED:-}" ] || { apt-get update -q > /dev/null; UPDATED=1; }
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$package" > /dev/null
    done
}

verb=${1:-}; shift || true
case "$verb" in
build) build ;;
up) up ;;
down) down ;;
run)
    if ! up_is; then
        # In a network of its own, whose bridge other network namespaces can be put on.
        [ -n "${CEPH_BRIDGE:-}" ] || exec unshare --net env CEPH_BRIDGE=storage "$0" run "$@"
        ip link set lo up
        ip link add "$CEPH_BRIDGE" type bridge
        ip addr add 10.8.0.1/24 dev "$CEPH_BRIDGE"
        ip link set "$CEPH_BRIDGE" up
        export CEPH_IP=10.8.0.1
        up
        trap down EXIT
    fi
    unshare --mount --propagation private "$0" enter "$@"
    ;;
machine)
    own=$RIG/machines/$(printf %s "${MICROCLOUD_DIR:-$$}" | md5sum | cut -c 1-12)
    holder=$(cat "$own/.holder" 2> /dev/null || echo none)
    if [ -n "$(line "$holder")" ]; then exec nsenter --mount="/proc/$holder/ns/mnt" -- "$@"; fi
    mkdir -p "$own"
    echo "$own" > "$own/.real"
    # Its mounts are there as long as somebody is who sees them.
    exec unshare --mount --propagation private sh -c 'mount --bind "$1" "$RIG/mapped" && {
        setsid nsenter --net="/proc/$(cat "$RIG/run/mon.a.pid")/ns/net" tail -f "$1/.real" < /dev/null > /dev/null 2>&1 &
        echo $! > "$1/.holder"; : > "$RIG/pids/$!"; shift; exec "$@"; }' sh "$own" "$@"
    ;;
enter) enter "$@" ;;
*) sed -n '2,16p' "$0"; exit 2 ;;
esac
