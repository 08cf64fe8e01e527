#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::fs;

use super::*;

const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// The variables that Debian's firmware begins with; with keys of Microsoft's where `keys` is true.
fn real(keys: bool) -> Option<Vec<u8>> {
    let name = if keys { "OVMF_VARS_4M.ms.fd" } else { "OVMF_VARS_4M.fd" };
    let file = fs::read(format!("/usr/share/OVMF/{name}"));
    if file.is_err() {
        eprintln!("SKIP: not installed: ovmf");
    }
    file.ok()
}

fn variable(data: &[u8], attributes: u32) -> Variable {
    Variable { data: data.to_vec(), attributes, ..Variable::default() }
}

/// Where the first variable is in Debian's files.
const FIRST: usize = 100;
/// Where the queue is.
const QUEUE: usize = 0x41000;

#[test]
fn the_keys_of_a_real_file_are_read_and_kept() {
    let Some(file) = real(true) else { return };
    let found = read(&file).unwrap();
    // It was replaced seven times; the last one counts. Another was deleted.
    let orders: Vec<_> =
        found.iter().filter(|(name, _)| name.starts_with("InitialAttemptOrder-")).collect();
    assert_eq!((orders.len(), orders[0].1.data.len()), (1, 8));
    assert!(!found.contains_key(&format!("BootOrder-{GLOBAL}")));
    let secure = &found["SecureBootEnable-f0a30bc7-af08-4556-99c4-001009c93a44"];
    assert_eq!((secure.data.as_slice(), secure.attributes), (&[1][..], 3));
    let keys = &found[&format!("PK-{GLOBAL}")];
    assert_eq!((keys.data.len(), keys.attributes), (1005, 39));
    assert_ne!(keys.time, [0; 16]);

    let again = write(&file, &found).unwrap();
    assert_eq!(again.len(), file.len());
    assert_eq!(read(&again).unwrap(), found);
    // All but the variables is as it was; what was thrown away is gone.
    assert_eq!((&again[..FIRST], &again[0x40000..]), (&file[..FIRST], &file[0x40000..]));
    let states = |file: &[u8]| file.windows(4).filter(|it| *it == [0xaa, 0x55, 0x3c, 0]).count();
    assert!(states(&file) > 5 && states(&again) == 0);
}

#[test]
fn variables_come_change_and_go() {
    let Some(file) = real(false) else { return };
    let mut wanted = read(&file).unwrap();
    let own = "Mine-and-yours-é-01234567-89ab-cdef-0123-456789abcdef";
    wanted.insert(own.to_owned(), variable(b"abc", 7));
    wanted.insert(format!("Timeout-{GLOBAL}"), variable(&[9, 0], 7));
    let new = write(&file, &wanted).unwrap();
    assert_eq!(read(&new).unwrap(), wanted);
    // The GUID lies in its own order: three numbers with their last byte first.
    let guid = [
        0x67, 0x45, 0x23, 0x01, 0xab, 0x89, 0xef, 0xcd, 1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
    ];
    assert!(new.windows(16).any(|bytes| bytes == guid));
    wanted.remove(own);
    let fewer = write(&new, &wanted).unwrap();
    assert_eq!(read(&fewer).unwrap(), wanted);
    assert_eq!(read(&write(&fewer, &Variables::new()).unwrap()).unwrap(), Variables::new());
}

#[test]
fn one_that_was_about_to_be_replaced_counts_if_no_other_does() {
    let Some(file) = real(false) else { return };
    let name = format!("Timeout-{GLOBAL}");
    let mut new = write(&file, &[(name.clone(), variable(&[5, 0], 7))].into()).unwrap();
    new[FIRST + 2] = LEAVING;
    assert_eq!(read(&new).unwrap()[&name].data, [5, 0]);
    new[FIRST + 2] = 0x3c;
    assert!(read(&new).unwrap().is_empty());
}

#[test]
fn what_cannot_be_is_refused_and_named() {
    let Some(file) = real(false) else { return };
    let name = format!("Timeout-{GLOBAL}");
    let said = |name: &str, variable| {
        write(&file, &[(name.to_owned(), variable)].into()).unwrap_err().to_string()
    };
    for (name, variable, words) in [
        ("Timeout", variable(&[1], 7), "a GUID"),
        (&name[7..], variable(&[1], 7), "a GUID"),
        (&*name.to_uppercase(), variable(&[1], 7), "small letters"),
        (&*name, variable(&[], 7), "empty"),
        (&*name, variable(&[1], 6), "non-volatile"),
        (&*name, variable(&[1], 5), "boot service"),
        (&*name, variable(&[1], 0x47), "bits"),
        (&*name, variable(&vec![1; 300_000], 7), "do not fit"),
    ] {
        let said = said(name, variable);
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn other_files_and_broken_ones_are_refused() {
    let unlike = |file: &[u8]| read(file).unwrap_err().to_string();
    assert!(unlike(&[]).contains("no EDK2 variable store"));
    assert!(unlike(&[0; 600_000]).contains("no EDK2 variable store"));
    let Some(file) = real(true) else { return };
    assert!(unlike(&file[..5000]).contains("no EDK2 variable store"));
    let mut other = file.clone();
    other[72] ^= 1;
    assert!(unlike(&other).contains("another format"));
    // A name as long as the whole.
    let mut broken = file.clone();
    broken[FIRST + 36..FIRST + 40].fill(0xf0);
    assert!(unlike(&broken).contains("byte 100 is broken"), "{}", unlike(&broken));
    // Whatever a byte is, nothing panics.
    for at in (0..0x600).chain(QUEUE..QUEUE + 200) {
        for bits in [1, 0x80, 0xff] {
            let mut odd = file.clone();
            odd[at] ^= bits;
            drop(read(&odd));
        }
    }
}

#[test]
fn a_firmware_that_was_ended_amid_a_write_runs_first() {
    let Some(mut file) = real(true) else { return };
    assert_eq!(file[QUEUE..QUEUE + 16], WORKING);
    let entry = QUEUE + WORKING_HEADER;
    // Begun with one record, and its writes allocated; bits are taken away.
    file[entry] = 0xfc;
    file[entry + 24..entry + 32].copy_from_slice(&1_u64.to_le_bytes());
    file[entry + 32..entry + 40].copy_from_slice(&0_u64.to_le_bytes());
    for refused in [read(&file).map(drop), write(&file, &Variables::new()).map(drop)] {
        assert!(refused.unwrap_err().to_string().contains("start the instance once"));
    }
    // Ended, and behind it nothing or another one that is not.
    file[entry] = 0xf8;
    assert!(read(&file).is_ok());
    let next = entry + WRITE_HEADER + 40;
    file[next] = 0xfc;
    assert!(read(&file).is_err());
}
