//! What is true of this machine: found out once, at start.

use std::{collections::BTreeMap, fs, path::PathBuf};

use crate::Result;

/// Names the folder where a test has made a `sys` and a `dev` with devices.
const DEVICES: &str = "MICROCLOUD_TEST_DEVICES";

/// Facts of the machine that decide how instances run.
#[derive(Clone, Debug)]
pub struct Host {
    /// Host name.
    pub name: String,
    /// LXD's name of the CPU architecture: `x86_64`, `aarch64`, `armv7l`.
    pub architecture: String,
    /// Kernel release.
    pub kernel: String,
    /// Processors that are online.
    pub cpus: Vec<u32>,
    /// The processors of each NUMA node; none where the kernel knows no nodes.
    pub nodes: BTreeMap<u32, Vec<u32>>,
    /// Memory, bytes.
    pub memory: u64,
    /// Where lxcfs is mounted, if it runs.
    pub lxcfs: Option<PathBuf>,
    /// Whether the kernel has AppArmor, and its parser is installed.
    pub apparmor: bool,
    /// Ids that root may hand out.
    pub ids: Vec<runtime::idmap::Range>,
    /// Those that all instances share that are not isolated.
    pub ids_shared: spec::IdMap,
    /// `ID` and `VERSION_ID` of the distribution.
    pub os: (String, String),
    /// What executes the instructions of virtual machines.
    pub accel: vm::Accel,
    /// Another after each boot of the machine.
    pub boot_id: String,
    /// The devices that instances can be given. A test may show others than there are.
    pub devices: vm::host::Tree,
    /// Where the kernel's `sys` and `dev` are, which `devices` reads, too.
    pub kernel_files: PathBuf,
}

impl Host {
    /// Looks at the machine.
    pub fn look() -> Result<Host> {
        let ids = runtime::idmap::host_ranges(&read("/etc/subuid"), &read("/etc/subgid"))?;
        let uname = rustix::system::uname();
        let kernel_files = PathBuf::from(std::env::var_os(DEVICES).unwrap_or_else(|| "/".into()));
        let text = |c: &std::ffi::CStr| c.to_string_lossy().into_owned();
        Ok(Host {
            name: text(uname.nodename()),
            architecture: text(uname.machine()),
            kernel: text(uname.release()),
            cpus: cpus(),
            nodes: nodes(),
            memory: memory(),
            lxcfs: runtime::lxcfs::find(),
            apparmor: runtime::apparmor::available() && exec::installed("apparmor_parser"),
            ids_shared: runtime::idmap::shared(&ids)?,
            ids,
            os: os(),
            accel: vm::Accel::detect(),
            boot_id: read("/proc/sys/kernel/random/boot_id"),
            devices: vm::host::Tree::new(&kernel_files),
            kernel_files,
        })
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn cpus() -> Vec<u32> {
    let set = options::CpuSet::read(&read("/sys/devices/system/cpu/online"));
    set.map_or_else(|| vec![0], |set| set.ids().collect())
}

fn nodes() -> BTreeMap<u32, Vec<u32>> {
    let folder = "/sys/devices/system/node";
    let nodes = options::CpuSet::read(&read(&format!("{folder}/online")));
    let cpus = |node| options::CpuSet::read(&read(&format!("{folder}/node{node}/cpulist")));
    let of = |node| Some((node, cpus(node)?.ids().collect()));
    nodes.iter().flat_map(options::CpuSet::ids).filter_map(of).collect()
}

fn memory() -> u64 {
    let info = read("/proc/meminfo");
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

fn os() -> (String, String) {
    let release = read("/etc/os-release");
    let field = |name: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    (field("NAME"), field("VERSION_ID"))
}
