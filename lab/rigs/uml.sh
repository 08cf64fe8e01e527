#!/usr/bin/env bash
# Another kernel as an ordinary process: Debian's user-mode linux. It has device mapper (LVM, LUKS) and project quotas, which
# the machine's own kernel may lack; it computes at the machine's speed and boots in about a second. One processor.
# `cargo xtask test --rig uml` uses it.
#
#   uml.sh build          a root tree by mmdebstrap: about half a minute, once
#   uml.sh run FOLDER     boots; the guest has FOLDER, live, at /mnt/share and runs `run.sh` there as root; its output is printed,
#                         its status returned. The tree is never written to, so several guests can run at a time.
#
# Needs: mmdebstrap util-linux. RIG is its folder. DISK keeps the guest's second disk in a file of that name after the run,
# so that what is on it can be looked at by another run; KILL ends the guest that many seconds after it said `rig: ready`, as a
# power cut does.
set -euo pipefail
: "${RIG:?folder of the rig}" "${MEMORY:=768}" "${PATIENCE:=1500}" "${DISK:=}" "${KILL:=}"
PACKAGES=binutils,bsdutils,btrfs-progs,busybox-static,ca-certificates,cryptsetup-bin,curl,dbus,e2fsprogs,iproute2,kmod,lvm2,mmdebstrap
PACKAGES=$PACKAGES,mount,nftables,procps,qemu-system-x86,qemu-utils,squashfs-tools,thin-provisioning-tools,udev,user-mode-linux,util-linux,xfsprogs,xz-utils

build() {
    # Another may be at it.
    exec 9> "$RIG.lock"; flock 9
    [ -e "$RIG/ready" ] && return
    rm -rf "$RIG"; mkdir -p "$RIG"
    local mirror
    # One of the two forms of the list is there.
    mirror=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null | sed -n 's/^URIs: *//p; s/^deb .*\(http[^ ]*\).*/\1/p' | head -n 1) || true
    # Kernels before sid's die on processors with wide registers. What is stored of sid may be past its date.
    mmdebstrap --variant=apt --mode=root --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Check-Valid-Until "false"' \
        --include="$PACKAGES" sid "$RIG/root" "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main"
    touch "$RIG/ready"
}

# The guest's first process.
guest() {
    cat <<'GUEST'
#!/bin/bash
export PATH=/mnt/share/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm; mount -t devpts devpts /dev/pts; mount -t tmpfs tmpfs /dev/shm; mount -t tmpfs tmpfs /run
ln -sf /proc/self/fd /dev/fd; ln -sf fd/0 /dev/stdin; ln -sf fd/1 /dev/stdout; ln -sf fd/2 /dev/stderr
mount -t cgroup2 none /sys/fs/cgroup
kernel=$(uname -r); mkdir -p /usr/lib/modules/$kernel; mount --bind /usr/lib/uml/modules/$kernel /usr/lib/modules/$kernel
mkdir -p /run/lock /run/udev; hostname rig; ip link set lo up
/usr/lib/systemd/systemd-udevd --daemon 2>/dev/null; udevadm trigger --subsystem-match=block; udevadm settle --timeout=10
# What tests make lies on a disk: memory is small.
for module in ext4 overlay loop btrfs xfs dm-mod dm-thin-pool dm-crypt quota_v2; do modprobe -q $module; done
mkfs.ext4 -q /dev/ubda; mount /dev/ubda /tmp
echo "rig: ready"
cd /mnt/share; bash run.sh </dev/null 2>&1; echo "rig: status $?"
umount /tmp 2>/dev/null; sync
echo o > /proc/sysrq-trigger; sleep 5
GUEST
}

run() {
    local work status
    [ -e "$RIG/ready" ] || { echo "uml.sh: first: build" >&2; exit 2; }
    work=$(mktemp -d /dev/shm/rig-uml.XXXXXX)
    # shellcheck disable=SC2064 # now, not then
    trap "rm -rf '$work'" EXIT
    mkdir "$work"/{mnt,mnt/share,over,upper,layer,root}
    guest > "$work/mnt/init"; chmod +x "$work/mnt/init"
    # Sparse, and not in memory.
    local disks; disks=$(mktemp -d "$RIG/run.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$work' '$disks'" EXIT
    truncate -s 8G "$disks/a"
    if [ -n "$DISK" ]; then [ -e "$DISK" ] || truncate -s 4G "$DISK"; else DISK=$disks/b; truncate -s 4G "$DISK"; fi
    : > "$work/mnt/a"; : > "$work/mnt/b"
    # Its own mount namespace: nothing of this is seen outside, and nothing is left of it.
    export RIG MEMORY PATIENCE DISK WORK=$work DISKS=$disks SHARE=$1 KILL
    unshare --mount --propagation private bash -euc '
        mount -t tmpfs tmpfs "$WORK/over"; mkdir "$WORK/over/upper" "$WORK/over/work"
        mount -t overlay overlay -o "lowerdir=$RIG/root,upperdir=$WORK/over/upper,workdir=$WORK/over/work" "$WORK/root"
        mount --bind "$WORK/mnt" "$WORK/root/mnt"; mount --bind "$SHARE" "$WORK/root/mnt/share"
        mount --bind "$DISKS/a" "$WORK/root/mnt/a"; mount --bind "$DISK" "$WORK/root/mnt/b"
        mount -t proc proc "$WORK/root/proc"; mount -t tmpfs tmpfs "$WORK/root/dev"; mkdir "$WORK/root/dev/shm"
        for node in null zero random urandom; do : > "$WORK/root/dev/$node"; mount --bind /dev/$node "$WORK/root/dev/$node"; done
        exec timeout --foreground -s KILL "$PATIENCE" chroot "$WORK/root" env -i HOME=/dev/shm TMPDIR=/dev/shm PATH=/usr/sbin:/usr/bin:/sbin:/bin \
            linux.uml mem="${MEMORY}M" rootfstype=hostfs rootflags=/ rw init=/mnt/init ubda=/mnt/a ubdb=/mnt/b \
            con=null con0=fd:0,fd:1 con1=null quiet loglevel=3 </dev/null' 2>&1 | cut_power "$work" | tee "$work/log" || true
    status=$(sed -n 's/^rig: status //p' "$work/log" | tail -n 1)
    return "${status:-255}"
}

# Passes the output on, and kills the guest where that is asked for.
cut_power() {
    local line
    while IFS= read -r line; do
        line=${line%$'\r'}
        printf '%s\n' "$line"
        if [ -n "$KILL" ] && [ "$line" = "rig: ready" ]; then (sleep "$KILL"; kill_guest "$1") & fi
    done
}

# Every process of the guest has its folder as root. The oldest is its kernel, which goes first: it must not see the others die.
# Numbers of processes start again from the lowest one day, so what counts is when each was started.
kill_guest() {
    local process
    for process in $(guest_by_age "$1" | sort --numeric-sort | cut --delimiter=' ' --fields=2); do
        kill -KILL "$process" 2>/dev/null || true
    done
}

guest_by_age() {
    local folder words
    for folder in /proc/[0-9]*; do
        if [ "$(readlink "$folder/root" 2>/dev/null)" = "$1/root" ]; then
            # The name, which may have blanks in it, ends with the last bracket.
            words=$(sed 's/.*) //' "$folder/stat" 2>/dev/null) || continue
            echo "$(cut --delimiter=' ' --fields=20 <<< "$words") ${folder##*/}"
        fi
    done
}

case ${1:-} in
    build) build ;;
    run) run "$2" ;;
    *) sed -n '2,15p' "$0"; exit 2 ;;
esac
