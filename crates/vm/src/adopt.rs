//! The arguments of a machine that comes from another server. They are made here, of its options; what the other
//! server says is only compared, as it may say anything. A few may differ, and are taken from there.

use crate::command::{PORT, ports};

/// Processors that a machine may be made for.
const MOST: u32 = 1024;

/// Our own arguments, so changed that QEMU takes the memory of the machine that `theirs` made.
///
/// # Errors
/// Which argument is another one, and so would make another machine.
pub fn adopted(own: &[String], theirs: &[String]) -> Result<Vec<String>, String> {
    let waits = ["-incoming", "defer"];
    let theirs = theirs.strip_suffix(&waits.map(str::to_owned)[..]).unwrap_or(theirs);
    let own = with_ports(own, count_of_ports(theirs));
    if own.len() != theirs.len() {
        return Err(format!(
            "QEMU is given {} arguments here and {} there: the servers make machines otherwise",
            own.len(),
            theirs.len()
        ));
    }
    let mut all = Vec::with_capacity(own.len() + waits.len());
    let mut flag = "";
    for (own, theirs) in own.iter().zip(theirs) {
        let word = match own == theirs {
            true => own.clone(),
            false => other(flag, own, theirs).ok_or_else(|| {
                format!(
                    "QEMU's {flag} is \"{own}\" here and \"{theirs}\" there: it must be the same"
                )
            })?,
        };
        all.push(word);
        flag = own;
    }
    all.extend(waits.map(str::to_owned));
    Ok(all)
}

fn count_of_ports(argv: &[String]) -> usize {
    argv.iter().filter(|word| word.starts_with(PORT)).count()
}

/// With so many ports in the place of those that are there: one that was plugged later may need them, and each server has
/// its own mind about how many are spare.
fn with_ports(own: &[String], count: usize) -> Vec<String> {
    // Each behind its flag.
    let first = own.iter().position(|word| word.starts_with(PORT));
    let (before, rest) = own.split_at(first.map_or(own.len(), |at| at.saturating_sub(1)));
    let after = rest.iter().skip(2 * count_of_ports(own));
    before.iter().cloned().chain(ports(count)).chain(after.cloned()).collect()
}

/// What is taken where both differ, if that may be.
fn other(flag: &str, own: &str, theirs: &str) -> Option<String> {
    match flag {
        // What it is called in lists of processes.
        "-name" => Some(own.to_owned()),
        // The board by the name that stays.
        "-machine" => {
            let ((_, own), (board, rest)) = (own.split_once(',')?, theirs.split_once(',')?);
            let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
            (own == rest && board.chars().all(plain)).then(|| theirs.to_owned())
        }
        // How many it has now is another matter.
        "-smp" => {
            let (now, most) = theirs.split_once(",maxcpus=")?;
            let (now, most): (u32, u32) = (now.parse().ok()?, most.parse().ok()?);
            (now > 0 && now <= most && most <= MOST).then(|| format!("{now},maxcpus={most}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_machine_is_what_it_is_here_but_for_board_and_places_for_processors() {
        let own = "qemu -name w -machine q35,memory-backend=memory -smp 1,maxcpus=2 -m 64M";
        let theirs = "qemu -name v -machine pc-q35-7.2,memory-backend=memory -smp 2,maxcpus=8 -m 64M \
                      -incoming defer";
        let made = adopted(&words(own), &words(theirs)).unwrap();
        let wanted = "qemu -name w -machine pc-q35-7.2,memory-backend=memory -smp 2,maxcpus=8 -m 64M \
                      -incoming defer";
        assert_eq!(made, words(wanted));
    }

    #[test]
    fn it_has_as_many_ports_as_there() {
        let with = |count| [words("qemu -m 64M"), ports(count), words("-device i6300esb")].concat();
        for (own, theirs) in [(8, 16), (16, 8), (8, 8)] {
            let made = adopted(&with(own), &with(theirs)).unwrap();
            assert_eq!(made, [with(theirs), words("-incoming defer")].concat());
        }
        let mut odd = with(8);
        odd[4].push_str(",x-speed=16");
        assert!(adopted(&with(8), &odd).unwrap_err().contains("-device"));
        let many = [with(8), ["-device"; 40].map(|_| format!("{PORT}x")).to_vec()].concat();
        assert!(adopted(&with(8), &many).unwrap_err().contains("arguments"));
    }

    #[test]
    fn what_another_server_says_makes_no_other_machine() {
        let own = words("qemu -machine q35,x=y -smp 1,maxcpus=2 -m 64M");
        for (theirs, said) in [
            (
                "qemu -machine q35,x=y -smp 1,maxcpus=2 -m 65M",
                "-m is \"64M\" here and \"65M\" there",
            ),
            ("qemu -machine q35,x=z -smp 1,maxcpus=2 -m 64M", "-machine"),
            ("qemu -machine q35|sh,x=y -smp 1,maxcpus=2 -m 64M", "-machine"),
            ("qemu -machine q35,x=y -smp 1,maxcpus=2,dies=9 -m 64M", "-smp"),
            ("qemu -machine q35,x=y -smp 3,maxcpus=2 -m 64M", "-smp"),
            ("evil -machine q35,x=y -smp 1,maxcpus=2 -m 64M", "\"evil\""),
            ("qemu -machine q35,x=y -smp 1,maxcpus=2 -m 64M -drive file=/etc/shadow", "arguments"),
        ] {
            let why = adopted(&own, &words(theirs)).unwrap_err();
            assert!(why.contains(said), "{why}");
        }
    }
}
