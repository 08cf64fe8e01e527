//! Where the checks look: the files of a machine.

use std::{env, fs, path::PathBuf};

/// A machine, as its files tell of it.
pub(super) struct Machine {
    /// Before every path; `/`, unless a test shows another machine.
    pub(super) root: PathBuf,
    /// Version of the kernel.
    pub(super) release: String,
    /// As the kernel names it: `x86_64`, `aarch64`.
    pub(super) architecture: String,
    /// Bytes of a page of memory.
    pub(super) page: usize,
    /// Where programs are looked for.
    pub(super) path: Vec<PathBuf>,
    /// Where the server keeps its state.
    pub(super) folder: PathBuf,
}

/// Whether the kernel has something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Module {
    /// Built in, loaded, or to be loaded when it is needed.
    There,
    /// It has not.
    Missing,
    /// No list of its modules is here.
    Unknown,
}

/// Bytes of a page, as the kernel says of this process; what nearly all machines have, if it does not.
fn page() -> usize {
    let maps = fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    let line = maps.lines().find_map(|line| line.strip_prefix("KernelPageSize:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kib.map_or(4096, |kib| kib * 1024)
}

impl Machine {
    pub(super) fn this() -> Machine {
        let uname = rustix::system::uname();
        let text = |c: &std::ffi::CStr| c.to_string_lossy().into_owned();
        let mut path: Vec<PathBuf> =
            env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
        // Where users who are not root do not look, and daemons do.
        path.extend(["/usr/sbin", "/sbin"].map(PathBuf::from));
        Machine {
            root: "/".into(),
            release: text(uname.release()),
            architecture: text(uname.machine()),
            page: page(),
            path,
            folder: crate::context::local_folder(),
        }
    }

    /// A file beneath the root; `path` begins with a slash.
    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.at(path).exists()
    }

    /// A file's text without the white space around it, or nothing.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        let bytes = fs::read(self.at(path)).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        Some(text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned())
    }

    pub(super) fn number(&self, path: &str) -> Option<u64> {
        self.read(path)?.parse().ok()
    }

    /// Names of what is in a folder, sorted.
    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at(folder)).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub(super) fn installed(&self, program: &str) -> bool {
        self.path.iter().any(|folder| self.has(&folder.join(program).to_string_lossy()))
    }

    /// Whether the kernel has a module, in whatever form.
    pub(super) fn module(&self, name: &str) -> Module {
        let spelled = name.replace('-', "_");
        if self.has(&format!("/sys/module/{spelled}")) {
            return Module::There;
        }
        let folder = format!("/lib/modules/{}", self.release);
        let lists = ["modules.builtin", "modules.dep"];
        let lists = lists.map(|list| self.read(&format!("{folder}/{list}")));
        if lists.iter().all(Option::is_none) {
            return Module::Unknown;
        }
        let is_it = |line: &str| {
            let file = line.split(':').next().and_then(|path| path.rsplit('/').next());
            let stem = file.and_then(|file| file.split(".ko").next());
            stem.is_some_and(|stem| stem.replace('-', "_") == spelled)
        };
        let listed = lists.iter().flatten().flat_map(|list| list.lines()).any(is_it);
        if listed { Module::There } else { Module::Missing }
    }

    /// Whether it is a Raspberry Pi.
    pub(super) fn is_pi(&self) -> bool {
        let model = self.read("/proc/device-tree/model").unwrap_or_default();
        model.starts_with("Raspberry Pi")
    }
}
