//! A root of one static program: for tests, demos, and to see how fast a machine starts containers.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use exec::Control;

use super::files;
use crate::error::At;
use crate::{Error, Result};

const INITTAB: &str = "\
::sysinit:/etc/init.d/rcS
console::respawn:-/bin/sh
::ctrlaltdel:/sbin/poweroff
";

/// The network is brought up beside the rest, so that init does not wait for a lease.
const RC: &str = "\
#!/bin/sh
[ -s /etc/hostname ] && hostname -F /etc/hostname
ip link set lo up
[ -e /sys/class/net/eth0 ] || exit 0
ip link set eth0 up
udhcpc -i eth0 -b -S -t 5 -T 1 -x \"hostname:$(hostname)\" -s /etc/udhcpc.script >/dev/null 2>&1 &
";

const UDHCPC: &str = "\
#!/bin/sh
case \"$1\" in
deconfig)
	ip -4 addr flush dev \"$interface\"
	ip link set \"$interface\" up
	;;
bound | renew)
	ifconfig \"$interface\" \"$ip\" netmask \"${subnet:-255.255.255.0}\" ${broadcast:+broadcast \"$broadcast\"}
	for gateway in $router; do
		# With such a mask the gateway is on no network we know.
		[ \"$subnet\" = 255.255.255.255 ] && ip route replace \"$gateway\" dev \"$interface\"
		ip route replace default via \"$gateway\" dev \"$interface\" && break
	done
	{
		[ -n \"$domain\" ] && echo \"search $domain\"
		for server in $dns; do echo \"nameserver $server\"; done
	} >/etc/resolv.conf.new
	mv /etc/resolv.conf.new /etc/resolv.conf
	;;
esac
";

const OS_RELEASE: &str = "ID=busybox\nNAME=Busybox\nPRETTY_NAME=Busybox\n";

/// Makes the root.
pub(super) fn make(root: &Path, control: &Control) -> Result<()> {
    let program = program()?;
    let applets = exec::busybox::applets(control)?;
    files::folder(root, "", 0o755)?;
    for path in [
        "bin",
        "dev",
        "etc/init.d",
        "home",
        "mnt",
        "proc",
        "run",
        "sbin",
        "sys",
        "usr/bin",
        "usr/sbin",
        "var/log",
        "var/tmp",
    ] {
        files::folder(root, path, 0o755)?;
    }
    files::folder(root, "tmp", 0o1777)?;
    files::folder(root, "var/tmp", 0o1777)?;
    files::folder(root, "root", 0o700)?;
    files::link(root, "var/run", "../run")?;
    fs::copy(&program, root.join("bin/busybox")).at("copy", &program)?;
    for applet in applets {
        let Some(path) = applet.to_str().filter(|path| *path != "bin/busybox") else { continue };
        if let Some(folder) = applet.parent().and_then(Path::to_str) {
            files::folder(root, folder, 0o755)?;
        }
        files::link(root, path, "/bin/busybox")?;
    }
    settings(root)
}

fn settings(root: &Path) -> Result<()> {
    files::write(root, "etc/inittab", 0o644, INITTAB)?;
    files::write(root, "etc/init.d/rcS", 0o755, RC)?;
    files::write(root, "etc/udhcpc.script", 0o755, UDHCPC)?;
    files::write(root, "etc/os-release", 0o644, OS_RELEASE)?;
    files::write(root, "etc/hosts", 0o644, "127.0.0.1\tlocalhost\n::1\tlocalhost\n")?;
    files::write(root, "etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\n")?;
    files::write(root, "etc/group", 0o644, "root:x:0:\ntty:x:5:\n")?;
    files::write(root, "etc/shadow", 0o600, "root:*:::::::\n")?;
    files::write(root, "etc/resolv.conf", 0o644, "")
}

/// The host's busybox, which must need no libraries.
fn program() -> Result<PathBuf> {
    let places = ["/bin/busybox", "/usr/bin/busybox", "/usr/local/bin/busybox"];
    for path in places.map(PathBuf::from) {
        if path.exists() && is_static(&path).at("read", &path)? {
            return Ok(path);
        }
    }
    Err(Error::Missing { what: "a static busybox", package: "busybox-static" })
}

/// Whether an ELF file names no loader of libraries.
fn is_static(path: &Path) -> std::io::Result<bool> {
    const LOADER: u32 = 3; // PT_INTERP
    let file = File::open(path)?;
    let mut head = [0; 64];
    file.read_exact_at(&mut head, 0)?;
    let wide = head[4] == 2;
    let little = head[5] == 1;
    if !head.starts_with(b"\x7fELF") || !little {
        return Ok(false);
    }
    let short = |at: usize| u64::from(u16::from_le_bytes([head[at], head[at + 1]]));
    let word = |at: usize| [head[at], head[at + 1], head[at + 2], head[at + 3]];
    let (table, size, count) = match wide {
        true => (u64::from(u32::from_le_bytes(word(32))), short(54), short(56)),
        false => (u64::from(u32::from_le_bytes(word(28))), short(42), short(44)),
    };
    for n in 0..count {
        let mut kind = [0; 4];
        file.read_exact_at(&mut kind, table + n * size)?;
        if u32::from_le_bytes(kind) == LOADER {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_libraries_is_not_static() {
        assert!(!is_static(Path::new("/proc/self/exe")).unwrap());
        match program() {
            Ok(path) => assert!(is_static(&path).unwrap()),
            Err(e) => {
                eprintln!("SKIP: {e}");
                assert_eq!(
                    e.to_string(),
                    "a static busybox is not installed: apt install busybox-static"
                );
            }
        }
    }
}
