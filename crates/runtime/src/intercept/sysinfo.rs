//! What `sysinfo(2)` says of a container.

use std::fs;

use super::{
    caller::Caller,
    clerk::{Office, Outcome, Verdict},
};

/// Fills the caller's structure in: the container's memory, swap, processes and age; the machine's load.
pub(super) fn fill(office: &Office<'_>, caller: &Caller) -> Outcome {
    let host = rustix::system::sysinfo();
    let unit = u64::from(host.mem_unit.max(1));
    let memory = office.group.memory(host.totalram as u64 * unit);
    let usage = office.group.usage();
    let swap_total = host.totalswap as u64 * unit;
    let told = Told {
        uptime: age(office.init.1, host.uptime as u64),
        loads: host.loads,
        total: memory.total.unwrap_or(host.totalram as u64 * unit),
        free: memory.free.unwrap_or(host.freeram as u64 * unit),
        buffers: memory.cached.unwrap_or_default(),
        swap_total,
        swap_free: swap_total.saturating_sub(usage.swap.unwrap_or_default()),
        processes: usage.processes.unwrap_or(host.procs.into()),
    };
    caller.write(caller.argument(0), &told.bytes())?;
    Ok(Verdict::Done)
}

#[derive(Debug, Default)]
struct Told {
    uptime: u64,
    loads: [u64; 3],
    total: u64,
    free: u64,
    buffers: u64,
    swap_total: u64,
    swap_free: u64,
    processes: u64,
}

impl Told {
    /// `struct sysinfo` of a 64-bit ABI (`linux/sysinfo.h`), in bytes.
    fn bytes(&self) -> Vec<u8> {
        let [one, five, fifteen] = self.loads;
        let shared = 0;
        let words = [
            self.uptime,
            one,
            five,
            fifteen,
            self.total,
            self.free,
            shared,
            self.buffers,
            self.swap_total,
            self.swap_free,
        ];
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        bytes.extend(u16::try_from(self.processes).unwrap_or(u16::MAX).to_ne_bytes());
        // Padding; high memory, of which there is none.
        bytes.extend([0; 6 + 16]);
        bytes.extend(1_u32.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes
    }
}

/// Seconds since a process started; field 22 of proc_pid_stat(5) counts hundredths since the machine's boot
/// (`USER_HZ`, which is 100 on all machines we run on).
fn age(process: i32, uptime: u64) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name may hold spaces and brackets.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let started = rest.split_whitespace().nth(19).and_then(|field| field.parse::<u64>().ok());
    started.map_or(uptime, |started| uptime.saturating_sub(started / 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_laid_out_as_the_kernel_does() {
        let told = Told { uptime: 7, swap_free: 9, processes: 70_000, ..Told::default() };
        let bytes = told.bytes();
        assert_eq!(bytes.len(), size_of::<libc::sysinfo>());
        let field = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
        assert_eq!(field(std::mem::offset_of!(libc::sysinfo, uptime)), 7);
        assert_eq!(field(std::mem::offset_of!(libc::sysinfo, freeswap)), 9);
        let procs = std::mem::offset_of!(libc::sysinfo, procs);
        assert_eq!(bytes[procs..procs + 2], u16::MAX.to_ne_bytes());
        assert_eq!(bytes[std::mem::offset_of!(libc::sysinfo, mem_unit)], 1);
    }

    #[test]
    fn a_process_is_no_older_than_the_machine() {
        let uptime = rustix::system::sysinfo().uptime as u64;
        assert!(age(1, uptime) <= uptime);
        assert!(age(std::process::id() as i32, uptime) < 3600);
    }
}
