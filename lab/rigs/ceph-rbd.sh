#!/usr/bin/env bash
# `rbd` for a kernel without krbd: images are mapped by QEMU's storage daemon, which shows each as a file (FUSE), and a
# loop device on that. `map`, `unmap`, `showmapped` and `resize` are done here; all else is the true program's.
#
#   ../mapped/SUM/{file,dev,info,pid,qmp}   one folder an image; a machine is whoever sees the same folder `mapped`
#   ../pids/PID                             the daemons, for who ends them
#
# Takes what crates/exec/src/rbd.rs says: options with `=` or as two words, names by --pool, --image and --snap.
set -u
HERE=$(cd "$(dirname "$0")" && pwd)
MAPPED=$(dirname "$HERE")/mapped PIDS=$(dirname "$HERE")/pids OUTER=$(dirname "$HERE")
# What is behind the folder.
REAL=$(cat "$MAPPED/.real" 2> /dev/null || echo "$MAPPED")
TRUE=/usr/bin/rbd

verb='' pool=rbd image='' snap='' id=admin cluster=ceph readonly='' format='' device='' all=("$@")
while [ $# -gt 0 ]; do
    case "$1" in
    --pool | --image | --snap | --id | --cluster | --format | --size | --client-mount-timeout) printf -v word '%s=%s' "$1" "$2"; shift 2 ;;
    *) word=$1; shift ;;
    esac
    case "$word" in
    --pool=*) pool=${word#*=} ;;
    --image=*) image=${word#*=} ;;
    --snap=*) snap=${word#*=} ;;
    --id=*) id=${word#*=} ;;
    --cluster=*) cluster=${word#*=} ;;
    --format=*) format=${word#*=} ;;
    --read-only) readonly=1 ;;
    -*) ;;
    *) if [ -z "$verb" ]; then verb=$word; else device=$word; fi ;;
    esac
done

fail() { echo "rbd: $1" >&2; exit "$2"; }
folder() { printf '%s/%s' "$MAPPED" "$(printf %s "$pool/$image@$snap" | md5sum | cut -c 1-16)"; }
ask() { printf '{"execute":"qmp_capabilities"}\n%s\n' "$2" | socat -t2 - "UNIX-CONNECT:$1" > /dev/null; }
# Where no image is mounted: who ends as the last one in a mount namespace with a file system on what it shows itself waits
# for itself, for ever.
outside() { nsenter --mount="/proc/$(cat "$OUTER/run/mon.a.pid")/ns/mnt" -- "$@"; }
ended() { [ -z "$(tr -d '\0' 2> /dev/null < "/proc/$1/cmdline")" ]; }

map() {
    local at real mode=on drive device
    at=$(folder)
    real=$REAL/$(basename "$at")
    mkdir -p "$at"
    exec 9> "$at/lock"
    flock 9
    if [ -s "$at/dev" ]; then cat "$at/dev"; return; fi
    : > "$at/file"
    drive="driver=rbd,node-name=n,pool=$pool,image=$image,conf=$OUTER/outside/$cluster.conf,user=$id,discard=unmap"
    if [ -n "$snap" ]; then drive=$drive,snapshot=$snap; fi
    if [ -n "$snap$readonly" ]; then mode=off drive=$drive,read-only=on; fi
    if ! outside qemu-storage-daemon --daemonize --pidfile "$real/pid" --blockdev "$drive" \
        --chardev "socket,id=m,path=$real/qmp,server=on,wait=off" --monitor chardev=m \
        --export "type=fuse,id=e,node-name=n,mountpoint=$real/file,writable=$mode,growable=off" 2> "$at/err" 9>&-; then
        cat "$at/err" >&2
        rm -rf "$at"
        fail "map failed: (2) No such file or directory" 2
    fi
    : > "$PIDS/$(cat "$at/pid")"
    if [ $mode = off ]; then mode=(--read-only); else mode=(); fi
    if ! device=$(outside losetup --show --find "${mode[@]}" "$real/file"); then
        kill "$(cat "$at/pid")"
        rm -rf "$at"
        fail "map failed: no loop device" 1
    fi
    printf '%s\t%s\t%s\t%s\n' "$pool" "$image" "${snap:--}" "$device" > "$at/info"
    echo "$device" | tee "$at/dev"
}

unmap() {
    local info at pid left p i s d
    for info in "$MAPPED"/*/info; do
        [ -e "$info" ] || continue
        IFS=$'\t' read -r p i s d < "$info"
        [ "$d" = "$device" ] || continue
        at=$(dirname "$info")
        # A loop device that is in use would go when it is no longer, and say that it went.
        python3 -c 'import os,sys; os.close(os.open(sys.argv[1], os.O_EXCL))' "$d" 2> /dev/null || fail "unmap failed: (16) Device or resource busy" 16
        if [ -n "$(find /proc/[0-9]*/fd -maxdepth 1 -lname "$d" -print -quit 2> /dev/null)" ]; then
            fail "unmap failed: (16) Device or resource busy" 16
        fi
        losetup --detach "$d" || fail "unmap failed: (16) Device or resource busy" 16
        left=100
        while losetup "$d" > /dev/null 2>&1 && [ $left -gt 0 ]; do left=$((left - 1)); sleep 0.05; done
        pid=$(cat "$at/pid")
        kill "$pid" 2> /dev/null
        left=200
        until ended "$pid" || [ $left = 0 ]; do left=$((left - 1)); sleep 0.02; done
        rm -rf "$at" "${PIDS:?}/$pid"
        return
    done
    fail "unmap failed: (22) Invalid argument" 22
}

show() {
    local between='' info p i s d
    printf '['
    for info in "$MAPPED"/*/info; do
        [ -e "$info" ] || continue
        IFS=$'\t' read -r p i s d < "$info"
        printf '%s{"id":"%s","pool":"%s","namespace":"","name":"%s","snap":"%s","device":"%s"}' "$between" "${d##*loop}" "$p" "$i" "$s" "$d"
        between=,
    done
    echo ']'
}

# krbd is told by the cluster; QEMU must be told.
resize() {
    local at size
    "$TRUE" "${all[@]}" || exit $?
    at=$(folder)
    [ -s "$at/dev" ] || return 0
    size=$("$TRUE" --cluster "$cluster" --id "$id" info --format json --pool "$pool" --image "$image" | sed 's/.*"size":\([0-9]*\).*/\1/')
    ask "$at/qmp" "{\"execute\":\"block_resize\",\"arguments\":{\"node-name\":\"n\",\"size\":$size}}"
    # The kernel asks for a file's size once a second.
    until [ "$(outside stat --format %s "$REAL/$(basename "$at")/file")" = "$size" ]; do sleep 0.1; done
    losetup --set-capacity "$(cat "$at/dev")"
}

case "$verb" in
map) map ;;
unmap) unmap ;;
showmapped) show ;;
resize) resize ;;
*) exec "$TRUE" "${all[@]}" ;;
esac
