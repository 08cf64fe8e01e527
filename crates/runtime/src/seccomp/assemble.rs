//! Rules into instructions.
//!
//! ```text
//! load arch
//! for each ABI:  if arch is it:  load number
//!                                for each rule:  if number is it [and the argument fits]: return
//!                                return otherwise
//! return kill
//! ```
//! A test and its return stand together, because a conditional jump reaches 255 instructions at most.

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET,
    BPF_W, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_USER_NOTIF,
};

use super::SockFilter;
use super::rule::{AbiRules, Action, Condition, Rule};

/// Offsets in the kernel's `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

pub(super) fn program(abis: &[AbiRules]) -> Vec<SockFilter> {
    let mut program = vec![load(ARCH)];
    for abi in abis {
        let block = block(abi);
        program.push(jump(BPF_JEQ, abi.audit, 1, 0));
        program.push(statement(BPF_JMP | BPF_JA, block.len() as u32));
        program.extend(block);
    }
    program.push(answer(Action::Kill));
    program
}

fn block(abi: &AbiRules) -> Vec<SockFilter> {
    let mut block = vec![load(NUMBER)];
    if let Some(end) = abi.end {
        block.push(jump(BPF_JGE, end, 0, 1));
        block.push(answer(Action::REFUSE));
    }
    block.extend(abi.rules.iter().flat_map(rule));
    block.push(answer(abi.otherwise));
    block
}

/// The number is loaded before and after it.
fn rule(rule: &Rule) -> Vec<SockFilter> {
    let test = match rule.call.only {
        None => return vec![jump(BPF_JEQ, rule.call.number, 0, 1), answer(rule.action)],
        Some(condition) => test(condition),
    };
    let mut code = vec![jump(BPF_JEQ, rule.call.number, 0, test.len() as u8 + 2)];
    code.extend(test);
    code.push(answer(rule.action));
    code.push(load(NUMBER));
    code
}

/// Goes on with the next instruction if the condition holds, else leaves out one.
fn test(condition: Condition) -> Vec<SockFilter> {
    // Both families are little endian: the lower half of an argument comes first.
    let argument = |index: u8| load(ARGUMENTS + 8 * u32::from(index));
    match condition {
        Condition::AnyBit { argument: index, bits } => {
            vec![argument(index), jump(BPF_JSET, bits, 0, 1)]
        }
        Condition::Equals { argument: index, mask, value } => vec![
            argument(index),
            statement(BPF_ALU | BPF_AND | BPF_K, mask),
            jump(BPF_JEQ, value, 0, 1),
        ],
    }
}

fn load(offset: u32) -> SockFilter {
    statement(BPF_LD | BPF_W | BPF_ABS, offset)
}

fn answer(action: Action) -> SockFilter {
    let value = match action {
        Action::Allow => SECCOMP_RET_ALLOW,
        Action::Errno(number) => SECCOMP_RET_ERRNO | u32::from(number),
        Action::Ask => SECCOMP_RET_USER_NOTIF,
        Action::Kill => SECCOMP_RET_KILL_PROCESS,
    };
    statement(BPF_RET | BPF_K, value)
}

fn statement(code: u32, k: u32) -> SockFilter {
    SockFilter { code: code as u16, jt: 0, jf: 0, k }
}

fn jump(test: u32, k: u32, jt: u8, jf: u8) -> SockFilter {
    SockFilter { code: (BPF_JMP | test | BPF_K) as u16, jt, jf, k }
}
