//! Whether KVM runs a machine's instructions by the processor (`linux/kvm.h`, x86 only).
//!
//! That `/dev/kvm` is there and answers says nothing: some hosts have one that emulates each instruction. So a
//! machine of one page is made that counts down in 64-bit mode, and is given a moment to do it.

use std::{
    fs::File,
    io, mem,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr,
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::call::check;

const CREATE_VM: u64 = 0xae01;
const GET_VCPU_MMAP_SIZE: u64 = 0xae04;
const CREATE_VCPU: u64 = 0xae41;
const SET_USER_MEMORY_REGION: u64 = 0x4020_ae46;
const RUN: u64 = 0xae80;
const SET_REGS: u64 = 0x4090_ae82;
const GET_SREGS: u64 = 0x8138_ae83;
const SET_SREGS: u64 = 0x4138_ae84;

/// `KVM_EXIT_IO`, and where `struct kvm_run` has the reason of an exit.
const EXIT_IO: u32 = 2;
const EXIT_REASON: usize = 8;

/// The memory of the machine: tables of pages, then its program.
const MEMORY: usize = 1 << 20;
const TABLES: u64 = 0x1000;
const PROGRAM: u64 = 0x8000;
/// Between two kicks of one that does not come back.
const KICK: Duration = Duration::from_millis(10);

/// `struct kvm_userspace_memory_region`.
#[repr(C)]
struct Region {
    slot: u32,
    flags: u32,
    guest: u64,
    size: u64,
    host: u64,
}

/// `struct kvm_regs`.
#[repr(C)]
#[derive(Default)]
struct Registers {
    /// rax to r15.
    general: [u64; 16],
    rip: u64,
    rflags: u64,
}

/// `struct kvm_segment`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Segment {
    base: u64,
    limit: u32,
    selector: u16,
    kind: u8,
    present: u8,
    dpl: u8,
    db: u8,
    s: u8,
    l: u8,
    g: u8,
    avl: u8,
    unusable: u8,
    padding: u8,
}

/// `struct kvm_sregs`.
#[repr(C)]
struct SystemRegisters {
    /// cs, ds, es, fs, gs, ss.
    segments: [Segment; 6],
    tr: Segment,
    ldt: Segment,
    tables: [u64; 4],
    cr0: u64,
    cr2: u64,
    cr3: u64,
    cr4: u64,
    cr8: u64,
    efer: u64,
    apic_base: u64,
    interrupts: [u64; 4],
}

/// Whether a loop of so many turns ends in time in a machine of KVM's.
///
/// # Errors
/// `/dev/kvm` cannot be opened, or refuses to make such a machine.
pub fn kvm_counts(turns: u32, within: Duration) -> io::Result<bool> {
    let kvm = File::options().read(true).write(true).open("/dev/kvm")?;
    let machine = made(&kvm, CREATE_VM)?;
    let memory = Mapping::new(MEMORY, None)?;
    memory.put(TABLES, &(TABLES + 0x1003).to_le_bytes());
    memory.put(TABLES + 0x1000, &(TABLES + 0x2003).to_le_bytes());
    // Present, writable, one page of 2 MiB.
    memory.put(TABLES + 0x2000, &0x83_u64.to_le_bytes());
    memory.put(PROGRAM, &program(turns));
    let region =
        Region { slot: 0, flags: 0, guest: 0, size: MEMORY as u64, host: memory.start as u64 };
    // SAFETY: the kernel reads the structure; the memory it names lives as long as the machine below.
    unsafe { call(&machine, SET_USER_MEMORY_REGION, &raw const region as u64)? };
    let processor = made(&machine, CREATE_VCPU)?;
    // SAFETY: no pointer.
    let size = unsafe { call(&kvm, GET_VCPU_MMAP_SIZE, 0)? };
    let state = Mapping::new(size as usize, Some(&processor))?;
    set_registers(&processor)?;
    let ran = run(&processor, within)?;
    Ok(ran && state.word(EXIT_REASON) == EXIT_IO)
}

/// Runs it until it comes back by itself; false if it had to be interrupted.
fn run(processor: &OwnedFd, within: Duration) -> io::Result<bool> {
    let signal = libc::SIGRTMAX() - 1;
    // SAFETY: a handler that does nothing, and none of ours is replaced: nobody else uses this signal. Without
    // SA_RESTART, so that KVM_RUN comes back.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = nothing as *const () as usize;
        check(libc::sigaction(signal, &raw const action, ptr::null_mut()).into())?;
    }
    // SAFETY: it is this thread's own, which is there until the scope below ends.
    let me = unsafe { libc::pthread_self() } as usize;
    let (done, waiting) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut patience = within;
            while waiting.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
                // SAFETY: the thread waits for this one.
                unsafe { libc::pthread_kill(me as libc::pthread_t, signal) };
                patience = KICK;
            }
        });
        // SAFETY: no pointer; what the machine writes lies in the mappings.
        let ran = unsafe { call(processor, RUN, 0) };
        drop(done);
        match ran {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            ran => ran.map(|_| true),
        }
    })
}

extern "C" fn nothing(_: libc::c_int) {}

/// `mov ecx, turns; again: dec ecx; jnz again; out 0x10, al; hlt`.
fn program(turns: u32) -> Vec<u8> {
    let mut code = vec![0xb9];
    code.extend(turns.to_le_bytes());
    code.extend([0xff, 0xc9, 0x75, 0xfc, 0xe6, 0x10, 0xf4]);
    code
}

/// 64-bit mode, at the start of the program.
fn set_registers(processor: &OwnedFd) -> io::Result<()> {
    // SAFETY: plain integers.
    let mut system: SystemRegisters = unsafe { mem::zeroed() };
    // SAFETY: the kernel fills the structure.
    unsafe { call(processor, GET_SREGS, &raw mut system as u64)? };
    // PAE; protected mode, extension type, numeric errors, paging; long mode enabled and active.
    (system.cr3, system.cr4, system.cr0, system.efer) = (TABLES, 0x20, 0x8000_0031, 0x500);
    let code = Segment {
        limit: u32::MAX,
        selector: 8,
        kind: 11,
        present: 1,
        s: 1,
        l: 1,
        g: 1,
        // SAFETY: plain integers.
        ..unsafe { mem::zeroed() }
    };
    let data = Segment { kind: 3, selector: 16, l: 0, db: 1, ..code };
    system.segments = [code, data, data, data, data, data];
    // SAFETY: the kernel reads the structure.
    unsafe { call(processor, SET_SREGS, &raw const system as u64)? };
    let registers = Registers { rip: PROGRAM, rflags: 2, ..Registers::default() };
    // SAFETY: the kernel reads the structure.
    unsafe { call(processor, SET_REGS, &raw const registers as u64) }.map(drop)
}

/// A machine or a processor.
fn made(of: &impl AsRawFd, request: u64) -> io::Result<OwnedFd> {
    // SAFETY: no pointer, and the kernel has just made the descriptor.
    unsafe { Ok(OwnedFd::from_raw_fd(call(of, request, 0)? as i32)) }
}

/// # Safety
/// `argument` is what `request` asks for.
unsafe fn call(of: &impl AsRawFd, request: u64, argument: u64) -> io::Result<i64> {
    // SAFETY: the caller's.
    check(unsafe { libc::ioctl(of.as_raw_fd(), request as _, argument) }.into())
}

/// Memory that goes with this.
struct Mapping {
    start: *mut u8,
    size: usize,
}

impl Mapping {
    fn new(size: usize, of: Option<&OwnedFd>) -> io::Result<Mapping> {
        let (fd, kind) = match of {
            Some(fd) => (fd.as_raw_fd(), libc::MAP_SHARED),
            None => (-1, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS),
        };
        let allowed = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: new memory, at an address of the kernel's choice.
        let start = unsafe { libc::mmap(ptr::null_mut(), size, allowed, kind, fd, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Mapping { start: start.cast(), size })
    }

    fn put(&self, at: u64, bytes: &[u8]) {
        let at = at as usize;
        assert!(at + bytes.len() <= self.size, "within the mapping");
        // SAFETY: within it, as was just checked, and nothing else refers to it.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.add(at), bytes.len()) };
    }

    fn word(&self, at: usize) -> u32 {
        assert!(at + 4 <= self.size, "within the mapping");
        // SAFETY: within it, as was just checked.
        unsafe { self.start.add(at).cast::<u32>().read_unaligned() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: its own, and nobody refers to it any more.
        unsafe { libc::munmap(self.start.cast(), self.size) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_loop_ends_and_an_endless_one_is_interrupted() {
        let moment = Duration::from_millis(500);
        match kvm_counts(100, Duration::from_secs(20)) {
            Ok(counted) => assert!(counted, "even an emulator ends a hundred turns"),
            Err(error) => return eprintln!("SKIP: no KVM here: {error}"),
        }
        // Four thousand million turns take a second on any processor.
        assert!(!kvm_counts(u32::MAX, moment).unwrap());
    }
}
