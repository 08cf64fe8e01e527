#!/usr/bin/env bash
# A throw-away virtual machine with Debian's stock cloud kernel and control groups of version 2 alone, emulated (no KVM needed):
# for what the machine's own kernel lacks. `cargo xtask test --rig vm` uses it.
#
#   vm.sh build          a root tree by mmdebstrap, an ext4 image of it, a small initrd: about a minute, once
#   vm.sh run FOLDER     boots; the guest gets FOLDER's files in /mnt/in and runs `run.sh` there as root; its output is printed,
#                        its status returned. The root image is never written to.
#
# With ZFS=1 it has ZFS too, whose modules take ten minutes more to build. With ARCH=arm64 it is an aarch64, whatever this
# machine is, of the release SUITE.
#
# Needs: mmdebstrap e2fsprogs kmod cpio busybox-static qemu-system-x86 (or qemu-system-arm). RIG is its folder. DISK keeps a disk of the guest, /dev/vdd,
# in a file of that name after the run; what the guest writes to /dev/virtio-ports/plug comes into FOLDER/plug.log at once; KILL
# ends the guest that many seconds after it said `rig: ready`, as a power cut does.
set -euo pipefail
: "${RIG:?folder of the rig}" "${MEMORY:=3072}" "${CPUS:=2}" "${PATIENCE:=1500}" "${ZFS:=}" "${ARCH:=amd64}" "${SUITE:=bookworm}" "${DISK:=}" "${KILL:=}"
PACKAGES=binutils,btrfs-progs,busybox-static,ca-certificates,curl,dbus,e2fsprogs,iproute2,kmod,linux-image-cloud-$ARCH,lxd-client,mmdebstrap
PACKAGES=$PACKAGES,mount,nftables,procps,squashfs-tools,udev,util-linux,bsdutils,xz-utils
# Its modules are built against the headers of the kernel.
[ -z "$ZFS" ] || PACKAGES=$PACKAGES,cryptsetup-bin,dkms,linux-headers-cloud-amd64,qemu-system-x86,qemu-utils,xfsprogs,zfs-dkms,zfsutils-linux

build() {
    # Another may be at it.
    exec 9> "$RIG.lock"; flock 9
    [ -e "$RIG/ready" ] && return
    rm -rf "$RIG"; mkdir -p "$RIG"
    local mirror
    # One of the two forms of the list is there.
    mirror=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null | sed -n 's/^URIs: *//p; s/^deb .*\(http[^ ]*\).*/\1/p' | head -n 1) || true
    local sources=("deb $mirror $SUITE main contrib") hooks=()
    if [ -n "$ZFS" ]; then
        # Of bookworm's own version the driver cannot use.
        sources+=("deb $mirror bookworm-backports main contrib")
        # shellcheck disable=SC2016 # their own shell expands them
        hooks=(--setup-hook='mkdir -p "$1/etc/apt/preferences.d"; printf "Package: src:zfs-linux\nPin: release n=bookworm-backports\nPin-Priority: 990\n" > "$1/etc/apt/preferences.d/zfs"'
            --customize-hook='for k in "$1"/lib/modules/*; do chroot "$1" dkms autoinstall -k "${k##*/}"; done')
    fi
    local variant=apt
    if [ "$ARCH" != "$(dpkg --print-architecture)" ]; then
        # Nothing of it runs here: packages are unpacked, and what their scripts would do that is missed is done by hand.
        variant=extract PACKAGES=$PACKAGES,base-files,base-passwd,bash,coreutils,dash,findutils,grep,gzip,hostname,iproute2,libc-bin,mawk,sed,tar,util-linux
        hooks+=(--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr)
    fi
    mmdebstrap --variant=$variant --architectures="$ARCH" --mode=root --aptopt='APT::Install-Recommends "false"' --include="$PACKAGES" "${hooks[@]}" "$SUITE" "$RIG/root" "${sources[@]}"
    [ "$variant" = apt ] || settle "$RIG/root"
    local kernel
    kernel=$(basename "$(echo "$RIG"/root/lib/modules/*)")
    cp "$RIG/root/boot/vmlinuz-$kernel" "$RIG/vmlinuz"
    guest > "$RIG/root/rig-init"
    chmod +x "$RIG/root/rig-init"
    mke2fs -q -F -t ext4 -O ^has_journal -d "$RIG/root" "$RIG/root.ext4" 3G
    initrd "$kernel"
    rm -rf "$RIG/root"
    touch "$RIG/ready"
}

# What scripts of packages do that are only unpacked.
settle() {
    cp "$1/usr/share/base-passwd/passwd.master" "$1/etc/passwd"; cp "$1/usr/share/base-passwd/group.master" "$1/etc/group"
    ln -sfn dash "$1/bin/sh"; ln -sfn mawk "$1/usr/bin/awk"
    local kernel
    kernel=$(basename "$(echo "$1"/lib/modules/*)")
    depmod -b "$1" "$kernel"
    mkdir -p "$1"/{proc,sys,dev,run,tmp,mnt,root}
}

# The guest's first process.
guest() {
    cat <<'GUEST'
#!/bin/bash
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm; mount -t devpts devpts /dev/pts; mount -t tmpfs tmpfs /dev/shm; mount -t tmpfs tmpfs /run
ln -sf /proc/self/fd /dev/fd; ln -sf fd/0 /dev/stdin; ln -sf fd/1 /dev/stdout; ln -sf fd/2 /dev/stderr
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p /run/lock /run/udev; hostname rig; ip link set lo up
/lib/systemd/systemd-udevd --daemon; udevadm trigger --subsystem-match=block; udevadm settle --timeout=10
# A kernel this old cannot map ids on tmpfs: what tests make lies on a disk.
mkfs.ext4 -q /dev/vdc; mount /dev/vdc /tmp
for module in overlay loop btrfs xfs zfs dm-mod dm-crypt virtio_console; do modprobe -q $module; done
# The kernel has no 9p: the folder comes as an archive on a disk.
mkdir -p /mnt/in; tar -xf /dev/vdb -C /mnt/in
udevadm settle --timeout=10; echo "rig: ready"
cd /mnt/in; bash run.sh </dev/null 2>&1; echo "rig: status $?"
umount /tmp 2>/dev/null; sync
echo o > /proc/sysrq-trigger; sleep 5
GUEST
}

# Busybox, and the modules that reach the disk.
initrd() {
    local folder module path
    folder=$(mktemp -d)
    mkdir -p "$folder"/{bin,dev,proc,new,modules}
    cp "$RIG/root/bin/busybox" "$folder/bin/"
    for module in virtio_pci virtio_blk; do
        modprobe -d "$RIG/root" -S "$1" --show-depends $module
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r path; do
        cp "$path" "$folder/modules/"; basename "$path" >> "$folder/modules/order"
    done
    cat > "$folder/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
while read -r module; do /bin/busybox insmod /modules/$module; done < /modules/order
n=0; while [ ! -b /dev/vda ] && [ $n -lt 100 ]; do n=$((n+1)); /bin/busybox usleep 50000; done
/bin/busybox mount -t ext4 /dev/vda /new && exec /bin/busybox switch_root /new /rig-init
INIT
    chmod +x "$folder/init"
    (cd "$folder" && find . | cpio -o -H newc --quiet | gzip -1) > "$RIG/initrd"
    rm -rf "$folder"
}

run() {
    local work status more=()
    work=$(mktemp -d "$RIG/run.XXXXXX")
    local machine=(qemu-system-x86_64 -M q35 -cpu max) console=ttyS0
    [ "$ARCH" = amd64 ] || machine=(qemu-system-aarch64 -M virt -cpu "max,pauth-impdef=on") console=ttyAMA0
    # shellcheck disable=SC2064 # now, not then
    trap "rm -rf '$work'" EXIT
    if [ -n "$DISK" ]; then
        [ -e "$DISK" ] || truncate -s 4G "$DISK"
        # Whatever reached it stays when the guest is killed; what it has not been told to write is lost.
        more=(-drive "file=$DISK,if=virtio,format=raw" -device virtio-serial -device virtserialport,chardev=plug,name=plug
            -chardev "file,id=plug,path=$1/plug.log,append=on")
    fi
    tar -cf "$work/in.tar" -C "$1" .
    truncate -s %1M "$work/in.tar"; truncate -s 6G "$work/disk"
    timeout "$PATIENCE" "${machine[@]}" -accel tcg,thread=multi,tb-size=512 -m "$MEMORY" -smp "$CPUS" \
        -display none -no-reboot -nodefaults -serial stdio -nic none -kernel "$RIG/vmlinuz" -initrd "$RIG/initrd" \
        -append "console=$console quiet loglevel=3 panic=-1 mitigations=off random.trust_cpu=on tsc=reliable no_timer_check" \
        -object rng-random,filename=/dev/urandom,id=r -device virtio-rng-pci,rng=r \
        -drive "file=$RIG/root.ext4,if=virtio,format=raw,snapshot=on" -drive "file=$work/in.tar,if=virtio,format=raw,readonly=on" \
        -drive "file=$work/disk,if=virtio,format=raw,cache=unsafe" -pidfile "$work/pid" "${more[@]}" </dev/null | stdbuf -oL tr -d '\r' | cut_power "$work" | tee "$work/log" || true
    status=$(sed -n 's/^rig: status //p' "$work/log" | tail -n 1)
    return "${status:-255}"
}

# Passes the output on, and kills the guest where that is asked for.
cut_power() {
    local line
    while IFS= read -r line; do
        printf '%s\n' "$line"
        if [ -n "$KILL" ] && [ "$line" = "rig: ready" ]; then (sleep "$KILL"; kill -KILL "$(cat "$1/pid")") & fi
    done
}

case ${1:-} in
    build) build ;;
    run) run "$2" ;;
    *) sed -n '2,15p' "$0"; exit 2 ;;
esac
