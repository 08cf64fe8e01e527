//! Runs a filter as the kernel would, for the tests: one call in, one verdict out.

use libc::{
    SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_USER_NOTIF,
};

use super::SockFilter;

pub(super) const X86_64: u32 = 0xc000_003e;
pub(super) const I386: u32 = 0x4000_0003;
pub(super) const AARCH64: u32 = 0xc000_00b7;
pub(super) const ARM: u32 = 0x4000_0028;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allow,
    Errno(i32),
    Ask,
    Kill,
}

/// The verdict over call `number` with `arguments` by a program of the ABI `audit`.
pub(super) fn judge(program: &[SockFilter], audit: u32, number: u32, arguments: &[u64]) -> Verdict {
    let word = |offset: u32| match offset {
        0 => number,
        4 => audit,
        16.. => {
            let argument = arguments.get((offset as usize - 16) / 8).copied().unwrap_or(0);
            if offset.is_multiple_of(8) { argument as u32 } else { (argument >> 32) as u32 }
        }
        _ => panic!("no field at {offset}"),
    };
    let (mut at, mut value) = (0, 0);
    loop {
        let SockFilter { code, jt, jf, k } = program[at];
        at += 1;
        let branch = |taken: bool| usize::from(if taken { jt } else { jf });
        match code {
            0x20 => value = word(k),
            0x54 => value &= k,
            0x05 => at += k as usize,
            0x15 => at += branch(value == k),
            0x35 => at += branch(value >= k),
            0x45 => at += branch(value & k != 0),
            0x06 => return verdict(k),
            _ => panic!("unknown instruction {code:#x}"),
        }
    }
}

fn verdict(value: u32) -> Verdict {
    match value & 0xffff_0000 {
        SECCOMP_RET_ALLOW => Verdict::Allow,
        SECCOMP_RET_ERRNO => Verdict::Errno((value & 0xffff) as i32),
        SECCOMP_RET_USER_NOTIF => Verdict::Ask,
        SECCOMP_RET_KILL_PROCESS => Verdict::Kill,
        other => panic!("unknown verdict {other:#x}"),
    }
}

/// The program as text, one instruction a line, jumps with the lines they lead to.
pub(super) fn listing(program: &[SockFilter]) -> String {
    let line = |(at, step): (usize, &SockFilter)| {
        let (yes, no) = (at + 1 + usize::from(step.jt), at + 1 + usize::from(step.jf));
        let text = match step.code {
            0x20 => format!("load {}", step.k),
            0x54 => format!("and {:#x}", step.k),
            0x05 => format!("go {}", at + 1 + step.k as usize),
            0x15 => format!("if = {:#x} go {yes} else {no}", step.k),
            0x35 => format!("if >= {:#x} go {yes} else {no}", step.k),
            0x45 => format!("if & {:#x} go {yes} else {no}", step.k),
            0x06 => format!("return {:?}", verdict(step.k)),
            code => format!("{code:#x}"),
        };
        format!("{at:>3} {text}\n")
    };
    program.iter().enumerate().map(line).collect()
}
