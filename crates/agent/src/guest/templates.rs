//! Files that the host made of templates, put in place before anything else of the system needs them.
//!
//! They lie beside this program, which came from the same drive. The drive is there again when the guest restarts by
//! itself: files are put in place once for each start by the host, which is noted in [`DONE`].

use std::{fs, io, path::Path};

use runtime::files::Server;
use rustix::fs::{Mode, OFlags, open};

use crate::words::Templates;

/// Which start's files are in place.
const DONE: &str = "/var/lib/microcloud-agent/templates";

/// Puts them in place; none is fine. What is wrong with one is told, and the others are put in place.
pub fn apply() -> Vec<String> {
    let program = std::env::current_exe().ok();
    let Some(folder) = program.as_deref().and_then(Path::parent) else { return Vec::new() };
    match from(&folder.join(Templates::FILE), Path::new("/"), Path::new(DONE)) {
        Ok(wrong) => wrong,
        Err(error) => vec![format!("templates: {error}")],
    }
}

fn from(file: &Path, root: &Path, done: &Path) -> io::Result<Vec<String>> {
    let text = match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let templates: Templates = serde_json::from_slice(&text).map_err(io::Error::other)?;
    let this = templates.generation.to_string();
    if fs::read_to_string(done).is_ok_and(|last| last.trim() == this) {
        return Ok(Vec::new());
    }
    let root = open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let mut server = Server::new(root);
    let put = templates.files.iter().map(|one| (one, server.make(one)));
    let failed = put.filter_map(|(one, put)| Some((one, put.err()?)));
    let mut wrong: Vec<String> =
        failed.map(|(one, error)| format!("{}: {error}", one.path.display())).collect();
    let noted = done.parent().map_or(Ok(()), fs::create_dir_all);
    if let Err(error) = noted.and_then(|()| fs::write(done, &this)) {
        wrong.push(format!("{}: {error}", done.display()));
    }
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use runtime::files::{Made, Owner};

    use super::*;

    #[test]
    fn files_are_put_in_place_once_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("root")).unwrap();
        fs::write(at("root/busy"), "").unwrap();
        let given = |generation, text: &str| {
            let owner = Owner { mode: Some(0o600), ..Owner::default() };
            let make = |path: &str| Made {
                path: path.into(),
                contents: text.into(),
                owner,
                create_only: false,
            };
            let files = vec![make("/busy/x"), make("/a/b/name")];
            let text = serde_json::to_vec(&Templates { generation, files }).unwrap();
            fs::write(at("t.json"), text).unwrap();
            from(&at("t.json"), &at("root"), &at("var/done")).unwrap()
        };
        let read = || fs::read_to_string(at("root/a/b/name")).unwrap();
        assert_eq!(given(1, "one").len(), 1, "one cannot be");
        assert_eq!(read(), "one");
        assert!(given(1, "two").is_empty() && read() == "one", "the same start");
        given(2, "three");
        assert_eq!(read(), "three");
        fs::remove_file(at("t.json")).unwrap();
        assert!(from(&at("t.json"), &at("root"), &at("var/done")).unwrap().is_empty());
    }
}
