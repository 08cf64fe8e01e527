#!/bin/sh
# The smallest virtual machine that is worth testing with: Debian's cloud kernel, busybox and a few modules, in
# memory. It takes an address by DHCP on each card, says on its console which disks it finds, counts its boots on
# the first of them, and keeps a shell there.
#
# guest.sh FOLDER [ARCH]: makes kernel, initrd and cmdline there. The agent comes by the disc that a machine is handed.
set -eu
out=$(realpath "$1")
arch=${2:-amd64}
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cd "$work"

busybox=$(command -v busybox) tty=ttyS0 modules='virtio_scsi pvpanic-pci button'
if [ "$arch" != amd64 ]; then
    # What is not this machine's, apt has lists of its own for; and the power button is a pin.
    mkdir -p apt/lists/partial apt/cache/archives/partial; : > apt/status
    printf '%s\n' "APT::Architecture \"$arch\";" "APT::Architectures \"$arch\";" "Dir::State::lists \"$work/apt/lists\";" \
        "Dir::State::status \"$work/apt/status\";" "Dir::Cache \"$work/apt/cache\";" 'APT::Sandbox::User "root";' > apt/conf
    export APT_CONFIG="$work/apt/conf"
    apt-get -q update >&2
    apt-get -q download busybox-static >&2
    dpkg-deb -x busybox-static_*.deb busybox
    busybox=busybox/bin/busybox tty=ttyAMA0 modules='virtio_scsi gpio_keys'
fi
# Which kernel that is, the package without a version says.
package=$(apt-cache depends "linux-image-cloud-$arch" | awk '/Depends: linux-image-/ { print $2; exit }')
package=${package%:*}
apt-get -q download "$package" >&2
dpkg-deb -x "$package"_*.deb deb
version=$(basename deb/lib/modules/*)
depmod -b deb "$version"

mkdir -p root/bin root/dev root/etc root/modules root/proc root/sys root/run
cp "$busybox" root/bin/busybox
for module in virtio_pci $modules virtio_blk nvme sd_mod sr_mod isofs virtio_net virtio_console virtio_rng virtio_balloon ext4 evdev virtiofs vmw_vsock_virtio_transport; do
    # Kernels of other architectures have some of them built in, or not at all.
    modprobe -d deb -S "$version" --show-depends $module || [ "$arch" != amd64 ]
done | while read -r word path _; do
    [ "$word" = insmod ] && [ ! -e "root/modules/${path##*/}" ] || continue
    cp "$path" root/modules/; echo "${path##*/}" >> root/modules/order
done

cat > root/init <<'END'
#!/bin/busybox sh
/bin/busybox mkdir -p /sbin /usr/bin /usr/sbin /mnt /tmp
/bin/busybox --install -s
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/pts && mount -t devpts -o ptmxmode=666 pts /dev/pts
while read -r module; do insmod "/modules/$module" 2>/dev/null; done < /modules/order
hostname guest
ip link set lo up
# Asked to go by its power button, it goes.
for device in /dev/input/event*; do
    [ -e "$device" ] && { head -c 1 "$device" > /dev/null; poweroff -f; } &
done
cards() {
    for card in /sys/class/net/*; do
        card=${card##*/}; [ "$card" = lo ] || [ -e "/run/$card" ] && continue
        : > "/run/$card"; ip link set "$card" up
        udhcpc -i "$card" -s /bin/lease -q -n -t 20 -T 1 > /dev/null 2>&1 &
    done
}
disks() {
    for disk in /sys/block/sd* /sys/block/sr*; do
        name=${disk##*/}
        [ -e "$disk" ] && size=$(($(cat "$disk/size") / 2048)) || continue
        [ "$(cat "/run/$name" 2> /dev/null)" != $size ] || continue
        echo $size > "/run/$name"
        echo "disk $name: $size MiB" > /dev/console
    done
    for seen in /run/sd* /run/sr*; do
        [ -e "$seen" ] && [ ! -e "/sys/block/${seen##*/}" ] || continue
        rm "$seen"; echo "disk ${seen##*/} is gone" > /dev/console
    done
}
agent() {
    # /run is of the initial memory, and so what is in it may be executed.
    for disc in /dev/sr*; do
        mount -t iso9660 -o ro "$disc" /mnt 2> /dev/null || continue
        [ -x /mnt/lxd-agent ] && cp /mnt/lxd-agent /mnt/hostname /mnt/*.json /run/
        umount /mnt
    done
    [ -x /run/lxd-agent ] && exec /run/lxd-agent
}
cards
echo "nodes: $(cat /sys/devices/system/node/online)" > /dev/console
# The root may take a moment to be found.
for _ in 1 2 3 4 5 6 7 8 9 10; do [ -b /dev/sda ] && break; sleep 0.1; done
boots=$(($(head -c 16 /dev/sda | tr -dc 0-9) + 1))
printf '%-16s' $boots | dd of=/dev/sda conv=notrunc,fsync 2> /dev/null
disks
agent &
echo "guest is up, boot $boots" > /dev/console
# Others may come later.
while :; do sleep 1; cards; disks; done &
tty=/dev/$(sed 's/.*console=\([^ ]*\).*/\1/' /proc/cmdline)
while :; do setsid cttyhack sh; done < "$tty" > "$tty" 2>&1
END
cat > root/bin/lease <<'END'
#!/bin/busybox sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/${mask:-24}" dev "$interface"
for via in $router; do ip route add default via "$via"; done
END
chmod +x root/init root/bin/lease
(cd root && find . | cpio -o -H newc --quiet | gzip -1) > "$out/initrd"
cp "deb/boot/vmlinuz-$version" "$out/kernel"
# Under QEMU's translator on a busy machine the kernel takes a late timer for a broken one.
echo "console=$tty quiet no_timer_check tsc=reliable" > "$out/cmdline"
