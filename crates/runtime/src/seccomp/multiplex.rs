//! i386 has calls that stand for many: a rule about `socket` must also catch `socketcall(1, ...)`.

use super::names::{Abi, number};
use super::rule::{Call, Condition};

/// In the order of their numbers in `linux/net.h`, from 1.
const SOCKETCALL: [&str; 20] = [
    "socket",
    "bind",
    "connect",
    "listen",
    "accept",
    "getsockname",
    "getpeername",
    "socketpair",
    "send",
    "recv",
    "sendto",
    "recvfrom",
    "shutdown",
    "setsockopt",
    "getsockopt",
    "sendmsg",
    "recvmsg",
    "accept4",
    "recvmmsg",
    "sendmmsg",
];

/// Numbers in `linux/ipc.h`.
const IPC: [(&str, u32); 12] = [
    ("semop", 1),
    ("semget", 2),
    ("semctl", 3),
    ("semtimedop", 4),
    ("msgsnd", 11),
    ("msgrcv", 12),
    ("msgget", 13),
    ("msgctl", 14),
    ("shmat", 21),
    ("shmdt", 22),
    ("shmget", 23),
    ("shmctl", 24),
];

/// All ways to make the call `name` on this ABI: none, its own number, a multiplexed one, or both.
pub(super) fn calls(name: &str, abi: Abi) -> Vec<Call> {
    let own = number(name, abi).map(|number| Call { number, only: None });
    let shared = if abi == Abi::I386 { multiplexed(name) } else { None };
    own.into_iter().chain(shared).collect()
}

fn multiplexed(name: &str) -> Option<Call> {
    if let Some(index) = SOCKETCALL.iter().position(|call| *call == name) {
        return selected("socketcall", u32::MAX, index as u32 + 1);
    }
    let (_, value) = IPC.iter().find(|(call, _)| *call == name)?;
    // The upper half of the selector is a version.
    selected("ipc", 0xffff, *value)
}

fn selected(name: &str, mask: u32, value: u32) -> Option<Call> {
    let only = Some(Condition::Equals { argument: 0, mask, value });
    Some(Call { number: number(name, Abi::I386)?, only })
}
