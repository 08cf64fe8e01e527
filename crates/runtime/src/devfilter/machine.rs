//! Runs a device filter as the kernel would, for the tests.

use super::program::{AND, EXIT, JUMP_IF_NOT, LOAD_WORD, MOVE, MOVE_REGISTER, SHIFT_RIGHT};

/// The answer to `kind` (1 block, 2 character), `access` bits and the device's numbers.
pub(super) fn judge(program: &[u64], kind: u32, access: u32, major: u32, minor: u32) -> bool {
    let context = [access << 16 | kind, major, minor];
    let mut registers = [0u64; 11];
    let mut at = 0;
    loop {
        let [code, both, o0, o1, v0, v1, v2, v3] = program[at].to_ne_bytes();
        let (to, from) = (usize::from(both & 15), usize::from(both >> 4));
        let offset = i16::from_ne_bytes([o0, o1]);
        let value = i32::from_ne_bytes([v0, v1, v2, v3]) as i64 as u64;
        at += 1;
        match code {
            LOAD_WORD => registers[to] = u64::from(context[offset as usize / 4]),
            MOVE_REGISTER => registers[to] = registers[from],
            MOVE => registers[to] = value,
            AND => registers[to] &= value,
            SHIFT_RIGHT => registers[to] >>= value,
            JUMP_IF_NOT if registers[to] != value => at += offset as usize,
            JUMP_IF_NOT => {}
            EXIT => return registers[0] == 1,
            _ => panic!("unknown instruction {code:#x}"),
        }
    }
}
