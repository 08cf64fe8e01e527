//! Rules as an eBPF program of type `BPF_PROG_TYPE_CGROUP_DEVICE`.
//!
//! ```text
//! r2 = kind, r3 = wanted access, r4 = major, r5 = minor        from the context in r1
//! for each rule:  if kind, access, major and minor fit: return 1
//! return 0                                                     (EPERM for who asked)
//! ```

use spec::DeviceKind;

use super::Rule;

/// Opcodes of `linux/bpf.h`: class, operation and operand in one byte.
pub(super) const LOAD_WORD: u8 = 0x61;
pub(super) const AND: u8 = 0x57;
pub(super) const SHIFT_RIGHT: u8 = 0x77;
pub(super) const MOVE: u8 = 0xb7;
pub(super) const MOVE_REGISTER: u8 = 0xbf;
pub(super) const JUMP_IF_NOT: u8 = 0x55;
pub(super) const EXIT: u8 = 0x95;

/// Registers. The kernel passes the context in the first and takes the answer from the zeroth.
const ANSWER: u8 = 0;
const CONTEXT: u8 = 1;
const KIND: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
const SCRATCH: u8 = 6;

/// The program, eight bytes an instruction, as the kernel reads it on a little endian machine.
pub fn program(rules: &[Rule]) -> Vec<u64> {
    // struct bpf_cgroup_dev_ctx: access above kind in one word, then major, then minor.
    let mut program = vec![
        load(KIND, 0),
        word(MOVE_REGISTER, ACCESS, KIND, 0, 0),
        constant(AND, KIND, 0xffff),
        constant(SHIFT_RIGHT, ACCESS, 16),
        load(MAJOR, 4),
        load(MINOR, 8),
    ];
    program.extend(rules.iter().flat_map(rule));
    program.extend(answer(0));
    program
}

fn rule(rule: &Rule) -> Vec<u64> {
    let kind = match rule.kind {
        DeviceKind::Block => 1,
        DeviceKind::Char => 2,
    };
    // Register, value it must have. More access than the rule gives leaves bits in the scratch one.
    let mut tests = vec![(KIND, kind), (SCRATCH, 0)];
    tests.extend(rule.major.map(|major| (MAJOR, major as i32)));
    tests.extend(rule.minor.map(|minor| (MINOR, minor as i32)));
    let count = tests.len() as i16;
    let mut code = vec![
        word(MOVE_REGISTER, SCRATCH, ACCESS, 0, 0),
        constant(AND, SCRATCH, !i32::from(rule.access.bits())),
    ];
    for (index, (register, value)) in tests.into_iter().enumerate() {
        let over = count - index as i16 - 1 + 2;
        code.push(word(JUMP_IF_NOT, register, 0, over, value));
    }
    code.extend(answer(1));
    code
}

fn answer(value: i32) -> [u64; 2] {
    [constant(MOVE, ANSWER, value), word(EXIT, 0, 0, 0, 0)]
}

fn load(register: u8, offset: i16) -> u64 {
    word(LOAD_WORD, register, CONTEXT, offset, 0)
}

fn constant(code: u8, register: u8, value: i32) -> u64 {
    word(code, register, 0, 0, value)
}

/// `struct bpf_insn`: opcode, two registers in a byte, offset, constant.
fn word(code: u8, to: u8, from: u8, offset: i16, value: i32) -> u64 {
    let [o0, o1] = offset.to_ne_bytes();
    let [v0, v1, v2, v3] = value.to_ne_bytes();
    u64::from_ne_bytes([code, to | from << 4, o0, o1, v0, v1, v2, v3])
}
