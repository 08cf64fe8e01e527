//! Filters as text, as the kernel reads them, and in the kernel.

use rustix::io::Errno;

use super::machine::{AARCH64, ARM, I386, Verdict, X86_64, judge, listing};
use super::names::{Abi, number};
use super::*;

const ENOSYS: Verdict = Verdict::Errno(libc::ENOSYS);
const EACCES: Verdict = Verdict::Errno(libc::EACCES);

/// Every ABI with its family and audit number.
const ABIS: [(Arch, Abi, u32); 4] = [
    (Arch::X86_64, Abi::X86_64, X86_64),
    (Arch::X86_64, Abi::I386, I386),
    (Arch::Aarch64, Abi::Aarch64, AARCH64),
    (Arch::Aarch64, Abi::Arm, ARM),
];

fn policy(change: impl Fn(&mut Seccomp)) -> Seccomp {
    let mut policy = Seccomp::default();
    change(&mut policy);
    policy
}

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|&line| line.to_owned()).collect()
}

fn call(policy: &Seccomp, (arch, abi, audit): (Arch, Abi, u32), name: &str) -> Verdict {
    call_with(policy, (arch, abi, audit), name, &[])
}

fn call_with(
    policy: &Seccomp,
    (arch, abi, audit): (Arch, Abi, u32),
    name: &str,
    arguments: &[u64],
) -> Verdict {
    let program = compile(policy, arch).unwrap();
    judge(&program, audit, number(name, abi).unwrap(), arguments)
}

#[test]
fn the_default_list_as_text() {
    for (arch, golden) in [
        (Arch::X86_64, include_str!("golden/default-x86_64.txt")),
        (Arch::Aarch64, include_str!("golden/default-aarch64.txt")),
    ] {
        let text = listing(&compile(&Seccomp::default(), arch).unwrap());
        assert_eq!(text, golden, "now:\n{text}");
    }
}

#[test]
fn the_default_list_holds_on_every_abi() {
    let policy = Seccomp::default();
    for abi in ABIS {
        for name in ["kexec_load", "open_by_handle_at", "init_module", "finit_module"] {
            assert_eq!(call(&policy, abi, name), ENOSYS, "{name} {abi:?}");
        }
        assert_eq!(call(&policy, abi, "delete_module"), ENOSYS);
        for name in ["read", "execve", "mount", "clone", "umount2", "ioctl"] {
            assert_eq!(call(&policy, abi, name), Verdict::Allow, "{name} {abi:?}");
        }
    }
}

#[test]
fn only_a_forced_umount_is_refused() {
    let policy = Seccomp::default();
    let (force, detach) = (libc::MNT_FORCE as u64, libc::MNT_DETACH as u64);
    for abi in ABIS {
        assert_eq!(call_with(&policy, abi, "umount2", &[0, force]), EACCES);
        assert_eq!(call_with(&policy, abi, "umount2", &[0, force | detach]), EACCES);
        assert_eq!(call_with(&policy, abi, "umount2", &[0, detach]), Verdict::Allow);
        assert_eq!(call_with(&policy, abi, "umount2", &[force, 0]), Verdict::Allow);
    }
}

#[test]
fn foreign_abis_do_not_get_through() {
    let program = compile(&Seccomp::default(), Arch::X86_64).unwrap();
    assert_eq!(judge(&program, X86_64, 0x4000_0000, &[]), ENOSYS, "x32 read");
    assert_eq!(judge(&program, X86_64, 0x4000_0000 | 304, &[]), ENOSYS, "x32 open_by_handle_at");
    assert_eq!(judge(&program, AARCH64, 0, &[]), Verdict::Kill);
    let program = compile(&Seccomp::default(), Arch::Aarch64).unwrap();
    assert_eq!(judge(&program, X86_64, 0, &[]), Verdict::Kill);
}

#[test]
fn compat_programs_can_be_refused_as_a_whole() {
    let policy = policy(|policy| policy.deny_compat = true);
    for (arch, abi, audit) in ABIS {
        let native = matches!(abi, Abi::X86_64 | Abi::Aarch64);
        let expected = if native { Verdict::Allow } else { ENOSYS };
        assert_eq!(call(&policy, (arch, abi, audit), "read"), expected, "{abi:?}");
    }
}

#[test]
fn an_allow_list_stands_alone() {
    let policy = policy(|policy| policy.allow = lines(&["read", "init_module", "", "# no"]));
    for abi in ABIS {
        assert_eq!(call(&policy, abi, "read"), Verdict::Allow);
        assert_eq!(call(&policy, abi, "write"), ENOSYS);
        assert_eq!(call(&policy, abi, "init_module"), Verdict::Allow, "explicitly wished");
        assert_eq!(call(&policy, abi, "delete_module"), ENOSYS);
    }
}

#[test]
fn the_user_may_refuse_more_or_take_off() {
    let policy = policy(|policy| {
        let list = ["keyctl", "mount errno 1", "bpf kill", "open_by_handle_at allow"];
        policy.deny = lines(&list);
    });
    for abi in ABIS {
        assert_eq!(call(&policy, abi, "keyctl"), ENOSYS);
        assert_eq!(call(&policy, abi, "mount"), Verdict::Errno(libc::EPERM));
        assert_eq!(call(&policy, abi, "bpf"), Verdict::Kill);
        assert_eq!(call(&policy, abi, "open_by_handle_at"), Verdict::Allow);
        assert_eq!(call(&policy, abi, "init_module"), ENOSYS, "the default list goes on");
    }
}

#[test]
fn without_the_default_list_nothing_is_refused() {
    let policy = policy(|policy| policy.deny_default = false);
    for abi in ABIS {
        assert_eq!(call(&policy, abi, "init_module"), Verdict::Allow);
        assert_eq!(call_with(&policy, abi, "umount2", &[0, 1]), Verdict::Allow);
    }
}

#[test]
fn multiplexed_calls_are_caught_too() {
    let policy = policy(|policy| policy.deny = lines(&["socket", "shmget", "semop"]));
    let i386 = ABIS[1];
    assert_eq!(call(&policy, i386, "socket"), ENOSYS);
    assert_eq!(call_with(&policy, i386, "socketcall", &[1]), ENOSYS);
    assert_eq!(call_with(&policy, i386, "socketcall", &[2]), Verdict::Allow, "bind");
    assert_eq!(call_with(&policy, i386, "ipc", &[23]), ENOSYS, "shmget");
    assert_eq!(call_with(&policy, i386, "ipc", &[0x1_0001]), ENOSYS, "semop, version 1");
    assert_eq!(call_with(&policy, i386, "ipc", &[24]), Verdict::Allow, "shmctl");
    assert_eq!(call(&policy, i386, "read"), Verdict::Allow, "the number is loaded again");
}

#[test]
fn calls_of_other_abis_are_skipped_and_misspelt_ones_are_not() {
    let policy = |line: &str| policy(|policy| policy.deny = lines(&[line]));
    compile(&policy("arch_prctl"), Arch::Aarch64).expect("a call of x86 only");
    let error = compile(&policy("arch_prcntl"), Arch::Aarch64).unwrap_err();
    assert!(matches!(error, Error::UnknownCall { .. }), "{error}");
}

#[test]
fn the_longest_allow_list_fits() {
    let all = include_str!("syscalls.txt").lines().skip(1);
    let all: Vec<String> = all.map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    let program = compile(&policy(|policy| policy.allow = all.clone()), Arch::X86_64).unwrap();
    assert!(program.len() < LONGEST);
    let twice = policy(|policy| policy.allow = [&all[..], &all, &all].concat());
    assert!(matches!(compile(&twice, Arch::X86_64), Err(Error::TooLong { .. })));
}

#[test]
fn a_switched_off_filter_is_empty() {
    let off = policy(|policy| policy.enabled = false);
    assert!(compile(&off, Arch::X86_64).unwrap().is_empty());
}

/// A filter without `no_new_privs` needs privilege, and holds for one thread here.
#[test]
fn the_kernel_takes_it() {
    let Some(arch) = Arch::host() else {
        eprintln!("SKIP: no table for this processor");
        return;
    };
    let policy = policy(|policy| policy.deny = lines(&["mkdirat errno 123"]));
    let program = compile(&policy, arch).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = std::fs::File::open(folder.path()).unwrap();
    let probe = move || {
        let mkdir = |name| rustix::fs::mkdirat(&root, name, 0o700.into());
        mkdir("before").unwrap();
        if let Err(error) = sys::install_filter(&program) {
            eprintln!("SKIP: no filter without privilege: {error}");
            return;
        }
        assert_eq!(mkdir("after").unwrap_err(), Errno::from_raw_os_error(123));
        let flags = rustix::mount::UnmountFlags::FORCE;
        assert_eq!(rustix::mount::unmount("/nowhere", flags), Err(Errno::ACCESS));
        let flags = rustix::mount::UnmountFlags::DETACH;
        assert_eq!(rustix::mount::unmount("/nowhere", flags), Err(Errno::NOENT));
        let module = rustix::system::finit_module(&root, c"", 0);
        assert_eq!(module, Err(Errno::NOSYS));
    };
    std::thread::spawn(probe).join().unwrap();
}

#[test]
fn what_is_done_in_its_stead_is_asked_about() {
    let character = u64::from(libc::S_IFCHR | 0o600);
    let policy = policy(|policy| {
        policy.intercept.mknod = true;
        policy.intercept.device_filters = true;
        policy.intercept.sysinfo = true;
        policy.intercept.mount = Some(spec::InterceptMount::default());
    });
    for abi in ABIS {
        let asks = |name, arguments: &[u64]| call_with(&policy, abi, name, arguments);
        assert_eq!(asks("mknodat", &[0, 0, character]), Verdict::Ask);
        assert_eq!(asks("mknodat", &[0, 0, u64::from(libc::S_IFIFO)]), Verdict::Allow);
        assert_eq!(asks("bpf", &[8]), Verdict::Ask);
        assert_eq!(asks("bpf", &[1]), Verdict::Allow);
        assert_eq!(asks("mount", &[]), Verdict::Ask);
        assert_eq!(asks("fsopen", &[]), ENOSYS);
        assert_eq!(asks("sched_setscheduler", &[]), Verdict::Allow, "not asked for");
        let native = matches!(abi.1, Abi::X86_64 | Abi::Aarch64);
        let expected = if native { Verdict::Ask } else { Verdict::Allow };
        assert_eq!(asks("sysinfo", &[]), expected);
        let numbers = Numbers::of(&policy.intercept, abi.0);
        let of = |name| numbers.kind(abi.2, number(name, abi.1).unwrap());
        assert_eq!(of("mknodat"), Some(Kind::MknodAt));
        assert_eq!(of("mount"), Some(Kind::Mount));
        assert_eq!(of("read"), None);
    }
}

#[test]
fn a_users_list_goes_before_and_an_allow_list_does_not_pass_by() {
    let abi = (Arch::X86_64, Abi::X86_64, X86_64);
    let with = |change: &dyn Fn(&mut Seccomp)| {
        policy(|policy| {
            policy.intercept.mount = Some(spec::InterceptMount::default());
            change(policy);
        })
    };
    let denied = with(&|policy| policy.deny = lines(&["mount errno 13"]));
    assert_eq!(call(&denied, abi, "mount"), EACCES);
    let allowed = with(&|policy| policy.allow = lines(&["mount", "read"]));
    assert_eq!(call(&allowed, abi, "mount"), Verdict::Ask);
    assert_eq!(call(&allowed, abi, "read"), Verdict::Allow);
}
