//! Limits of resources.

use std::collections::BTreeMap;

use crate::values::choice;
use crate::{
    CpuAllowance, CpuLimit, CpuSet, KernelLimit, MemoryLimit, Options, Problem, Size, Weight,
};

/// Limits of resources (`limits.*`).
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "instance", group = "resource-limits", check = Self::consistent)]
pub struct Limits {
    /// Processors that the instance sees.
    ///
    /// A number lets the server pick and balance them; ranges such as `0-3,5` pin the instance to
    /// these. A virtual machine that is pinned to processors of several NUMA nodes has as many nodes,
    /// each with its part of the memory.
    #[option(key = "limits.cpu", default_text = "all")]
    pub cpu: Option<CpuLimit>,
    /// NUMA nodes whose processors the instance may run on.
    ///
    /// Such as `0` or `0,2-3`. Where `limits.cpu` names processors, those count.
    #[option(key = "limits.cpu.nodes", default_text = "all")]
    pub cpu_nodes: Option<CpuSet>,
    /// Whether the processors of a virtual machine are bound one by one.
    ///
    /// `auto` binds each to one that the server picks. Those that `limits.cpu` names are bound always.
    #[option(key = "limits.cpu.pin_strategy", default = "none", condition = "virtual machine")]
    pub cpu_pin_strategy: PinStrategy,
    /// How much time on the processors.
    ///
    /// `50%` is a weight when others want to run too; `25ms/100ms` is a fixed limit.
    #[option(key = "limits.cpu.allowance", default_text = "100%", condition = "container")]
    pub cpu_allowance: Option<CpuAllowance>,
    /// Weight against instances with the same allowance.
    #[option(key = "limits.cpu.priority", default = "10", condition = "container")]
    pub cpu_priority: Weight,
    /// Memory that the instance may use.
    #[option(key = "limits.memory", default_text = "all")]
    pub memory: Option<MemoryLimit>,
    /// Whether the memory of a machine is of the host's huge pages.
    ///
    /// They must be set aside on the host before the machine starts (`vm.nr_hugepages`), and its memory
    /// does not change while it runs.
    #[option(
        key = "limits.memory.hugepages",
        default = "false",
        apply = restart,
        condition = "virtual machine"
    )]
    pub memory_hugepages: bool,
    /// Whether the memory limit may be exceeded while there is enough.
    ///
    /// `hard` never lets the instance go beyond it, `soft` only when the machine has memory to
    /// spare.
    #[option(key = "limits.memory.enforce", default = "hard", condition = "container")]
    pub memory_enforce: MemoryEnforce,
    /// Whether the instance's memory may be swapped out.
    #[option(key = "limits.memory.swap", default = "true", condition = "container")]
    pub memory_swap: bool,
    /// Most processes at a time.
    #[option(key = "limits.processes", default_text = "no limit", condition = "container")]
    pub processes: Option<u64>,
    /// Weight of reads and writes against those of other instances.
    ///
    /// Felt where the disk is busy, and its scheduler or the kernel's `io.cost` heeds it.
    #[option(key = "limits.disk.priority", default_text = "5", condition = "container")]
    pub disk_priority: Option<Weight>,
    /// Bytes of huge pages of 64 KiB.
    #[option(key = "limits.hugepages.64KB", default_text = "no limit", condition = "container")]
    pub hugepages_64kb: Option<Size>,
    /// Bytes of huge pages of 1 MiB.
    #[option(key = "limits.hugepages.1MB", default_text = "no limit", condition = "container")]
    pub hugepages_1mb: Option<Size>,
    /// Bytes of huge pages of 2 MiB.
    #[option(key = "limits.hugepages.2MB", default_text = "no limit", condition = "container")]
    pub hugepages_2mb: Option<Size>,
    /// Bytes of huge pages of 1 GiB.
    #[option(key = "limits.hugepages.1GB", default_text = "no limit", condition = "container")]
    pub hugepages_1gb: Option<Size>,
    /// Limit of each process, as setrlimit knows it.
    ///
    /// The name is that of the limit, such as `nofile`. One number is both limits, `1000:3000` the
    /// soft and the hard one.
    #[option(
        pattern = "limits.kernel.*",
        apply = restart,
        condition = "container",
        since = "kernel_limits"
    )]
    pub kernel: BTreeMap<String, KernelLimit>,
}

choice! {
    /// Whether processors of a machine are bound.
    pub enum PinStrategy {
        None = "none",
        Auto = "auto",
    }
}

choice! {
    /// How strictly a limit of memory holds.
    pub enum MemoryEnforce {
        Hard = "hard",
        Soft = "soft",
    }
}

/// The limits of Linux, named as in `getrlimit(2)`.
const KERNEL_LIMITS: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

impl Limits {
    /// What of huge pages may be used, in bytes: of 64 KiB, 1 MiB, 2 MiB and 1 GiB.
    pub fn hugepages(&self) -> [Option<u64>; 4] {
        let all = [self.hugepages_64kb, self.hugepages_1mb, self.hugepages_2mb, self.hugepages_1gb];
        all.map(|size| size.map(Size::bytes))
    }

    fn consistent(&self) -> Vec<Problem> {
        let unknown = self.kernel.keys().filter(|name| !KERNEL_LIMITS.contains(&name.as_str()));
        let sentence = || format!("is no kernel limit; there are {}", KERNEL_LIMITS.join(", "));
        let problem = |name| Problem::conflict(format!("limits.kernel.{name}"), sentence());
        let none = self.processes.filter(|processes| *processes == 0);
        let none = none.map(|_| Problem::invalid("limits.processes", "0", "at least 1"));
        unknown.map(problem).chain(none).collect()
    }
}
