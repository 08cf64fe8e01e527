//! What this machine's kernel and parser can do.

use std::fs;
use std::path::Path;

/// Whether profiles can be loaded here and are obeyed.
pub fn available() -> bool {
    available_in(Path::new("/"))
}

/// The language a profile is written in (`abi` rule). The parser fits it to an older kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abi {
    /// AppArmor 3.
    V3,
    /// AppArmor 4: user namespaces, io_uring and POSIX message queues have rules of their own, and
    /// are refused without.
    V4,
}

/// What profiles can make use of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// The newest language the installed parser knows; `None` is older than 3.
    pub abi: Option<Abi>,
    /// The kernel can put a namespace with further profiles below a profile.
    pub stacking: bool,
}

impl Features {
    /// Asks the kernel and the parser's files.
    pub fn probe() -> Features {
        Features::probe_in(Path::new("/"))
    }

    fn probe_in(root: &Path) -> Features {
        let has = |path: &str| root.join(path).exists();
        let yes = |path: &str| fs::read_to_string(root.join(path)).is_ok_and(|t| t.trim() == "yes");
        let abi = if has("etc/apparmor.d/abi/4.0") {
            Some(Abi::V4)
        } else {
            has("etc/apparmor.d/abi/3.0").then_some(Abi::V3)
        };
        let domain = "sys/kernel/security/apparmor/features/domain/stack";
        Features { abi, stacking: yes(domain) }
    }
}

fn available_in(root: &Path) -> bool {
    let enabled = fs::read_to_string(root.join("sys/module/apparmor/parameters/enabled"));
    enabled.is_ok_and(|text| text.trim() == "Y")
        && root.join("sys/kernel/security/apparmor/.load").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_probed_by_its_files() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert!(!available_in(root.path()));
        assert_eq!(Features::probe_in(root.path()), Features::default());

        put("sys/module/apparmor/parameters/enabled", "Y\n");
        assert!(!available_in(root.path()), "securityfs is not mounted");
        put("sys/kernel/security/apparmor/.load", "");
        assert!(available_in(root.path()));
        put("sys/module/apparmor/parameters/enabled", "N\n");
        assert!(!available_in(root.path()));

        put("etc/apparmor.d/abi/3.0", "");
        put("sys/kernel/security/apparmor/features/domain/stack", "yes\n");
        let features = Features::probe_in(root.path());
        assert_eq!(features, Features { abi: Some(Abi::V3), stacking: true });
        put("etc/apparmor.d/abi/4.0", "");
        assert_eq!(Features::probe_in(root.path()).abi, Some(Abi::V4));
    }
}
