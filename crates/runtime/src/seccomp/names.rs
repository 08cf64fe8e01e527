//! Numbers of system calls on the four ABIs.

/// The columns of the table after the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Abi {
    X86_64,
    I386,
    Aarch64,
    Arm,
}

/// A text file, because four hundred lines of Rust would say no more. Read only for the few names in
/// a policy; `-` where an ABI lacks a call.
const TABLE: &str = include_str!("syscalls.txt");

/// Whether any ABI has the call.
pub(super) fn known(name: &str) -> bool {
    row(name).is_some()
}

/// The call's number; `None` where this ABI lacks it.
pub(super) fn number(name: &str, abi: Abi) -> Option<u32> {
    row(name)?.split(' ').nth(abi as usize)?.parse().ok()
}

/// What follows the name.
fn row(name: &str) -> Option<&'static str> {
    rows().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
}

fn rows() -> impl Iterator<Item = &'static str> {
    TABLE.lines().filter(|line| !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        let rows: Vec<&str> = rows().collect();
        assert!(rows.is_sorted() && rows.len() > 450);
        for row in rows {
            let fields: Vec<&str> = row.split(' ').collect();
            assert_eq!(fields.len(), 5, "{row}");
            let fine = |field: &&str| *field == "-" || field.parse::<u32>().is_ok();
            assert!(fields[1..].iter().all(fine), "{row}");
        }
        assert!(!known("#") && !known("") && !known("rea"));
    }

    #[test]
    fn it_agrees_with_the_c_library_of_this_machine() {
        let Some(abi) = super::super::Arch::host().map(|arch| arch.abis()[0]) else {
            eprintln!("SKIP: no table for this processor");
            return;
        };
        let calls = [
            ("read", libc::SYS_read),
            ("mount", libc::SYS_mount),
            ("umount2", libc::SYS_umount2),
            ("init_module", libc::SYS_init_module),
            ("finit_module", libc::SYS_finit_module),
            ("delete_module", libc::SYS_delete_module),
            ("kexec_load", libc::SYS_kexec_load),
            ("kexec_file_load", libc::SYS_kexec_file_load),
            ("open_by_handle_at", libc::SYS_open_by_handle_at),
            ("socket", libc::SYS_socket),
            ("bpf", libc::SYS_bpf),
            ("clone3", libc::SYS_clone3),
            ("mount_setattr", libc::SYS_mount_setattr),
            ("mseal", libc::SYS_mseal),
        ];
        for (name, expected) in calls {
            assert_eq!(number(name, abi).map(i64::from), Some(expected), "{name}");
        }
    }

    /// The headers of the C library's package have all calls up to its kernel version.
    #[test]
    fn it_agrees_with_the_kernel_headers() {
        let folder = "/usr/include/x86_64-linux-gnu/asm/";
        for (file, abi) in [("unistd_64.h", Abi::X86_64), ("unistd_32.h", Abi::I386)] {
            let Ok(text) = std::fs::read_to_string(format!("{folder}{file}")) else {
                eprintln!("SKIP: no {folder}{file}");
                return;
            };
            for line in text.lines().filter_map(|line| line.strip_prefix("#define __NR_")) {
                let (name, expected) = line.split_once(' ').unwrap();
                assert_eq!(number(name, abi), expected.trim().parse().ok(), "{name} in {file}");
            }
        }
    }
}
