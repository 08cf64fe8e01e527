//! QEMU's threads as the host counts them.

use std::{fs, path::Path};

use crate::{Error, Result};

/// The host's numbers of threads that are told as QEMU counts them, in their order.
pub(crate) fn on_host(pid: i32, inside: &[i32]) -> Result<Vec<i32>> {
    let folder = format!("/proc/{pid}/task");
    let folder = Path::new(&folder);
    let mut known = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::file("read", folder))? {
        let file = entry.map_err(Error::file("read", folder))?.path().join("status");
        // One that ended meanwhile is no processor's.
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
        let mut ids = line.split_whitespace().filter_map(|id| id.parse::<i32>().ok());
        let (host, last) = (ids.next(), ids.next_back());
        known.extend(host.map(|host| (last.unwrap_or(host), host)));
    }
    let of = |id: &i32| known.iter().find(|(inside, _)| inside == id).map(|(_, host)| *host);
    Ok(inside.iter().filter_map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_found_by_the_numbers_inside() {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        assert_eq!(on_host(own, &[own]).unwrap(), [own]);
        assert_eq!(on_host(own, &[-1]).unwrap(), Vec::<i32>::new());
    }
}
