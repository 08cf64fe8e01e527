#!/bin/sh
# A disc that installs a system, as those of distributions do: UEFI boots its loader, the loader a kernel, and what
# runs there writes a disk that boots by itself. It is the machine of guest.sh both times.
#
# disc.sh GUEST DISC [DISK]: from the folder that guest.sh made; DISK is what the disc installs. Needs xorriso, mtools, cpio.
set -eu
guest=$(realpath "$1"); out=$(realpath -m "$2"); disk=${3:+$(realpath -m "$3")}
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -q download grub-efi-amd64-signed >&2
dpkg-deb -x grub-efi-amd64-signed_*.deb deb
# The one for discs: it looks for the disk that has `.disk/info`, and there for its configuration.
loader=deb/usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed

# system NAME: a folder with all that boots, whose first program is standard input.
system() {
    mkdir -p "$1/EFI/BOOT" "$1/.disk" "$1/boot/grub" more
    cp "$loader" "$1/EFI/BOOT/BOOTX64.EFI"; cp "$guest/kernel" "$1/vmlinuz"; echo "$1" > "$1/.disk/info"
    printf 'linux /vmlinuz console=ttyS0 quiet no_timer_check tsc=reliable\ninitrd /initrd\nboot\n' > "$1/boot/grub/grub.cfg"
    cat > more/init; chmod +x more/init
    # The kernel unpacks one archive after the other: the later file wins.
    (cd more && echo init | cpio -o -H newc --quiet | gzip -1) | cat "$guest/initrd" - > "$1/initrd"
}

system installed <<'END'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
echo "the installed system is up" > /dev/console
exec /bin/busybox poweroff -f
END
mformat -C -i disk.img -T 65536 ::
mcopy -s -i disk.img installed/EFI installed/.disk installed/boot installed/vmlinuz installed/initrd ::
[ -z "$disk" ] || cp disk.img "$disk"

system disc <<'END'
#!/bin/busybox sh
/bin/busybox mkdir -p /sbin /usr/bin /usr/sbin /mnt
/bin/busybox --install -s
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module" 2> /dev/null; done < /modules/order
for wait in 1 2 3 4 5 6 7 8 9 10; do
    [ -b /dev/sda ] && mount -t iso9660 -o ro LABEL=INSTALLER /mnt 2> /dev/null && break
    for disc in /dev/sr*; do
        mount -t iso9660 -o ro "$disc" /mnt 2> /dev/null && [ -e /mnt/disk.img ] && break 2
        umount /mnt 2> /dev/null
    done
    sleep 1
done
dd if=/mnt/disk.img of=/dev/sda bs=1M conv=fsync 2> /dev/null && echo "it is installed" > /dev/console
exec poweroff -f
END
cp disk.img disc/
# What the firmware reads of a disc is a file system of its own.
mformat -C -i disc/efi.img -T 16384 ::
mcopy -s -i disc/efi.img disc/EFI ::
xorriso -as mkisofs -quiet -V INSTALLER -r -e efi.img -no-emul-boot -o "$out" disc
