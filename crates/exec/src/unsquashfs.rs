//! `unsquashfs`: unpacks a squashfs file.

use std::path::Path;
use std::time::Duration;

use crate::control::{Control, Progress};
use crate::error::Result;
use crate::mksquashfs::bar_percent;
use crate::run::run;
use crate::tool::Tool;

const TIMEOUT: Duration = Duration::from_secs(2 * 3600);
const STAGE: &str = "unpack squashfs";

/// Unpacks `image` into the folder `target`, which may exist. Owners, modes, device nodes and
/// extended attributes are kept, and to fail at one of them is an error.
pub fn unpack(image: &Path, target: &Path, control: &Control) -> Result<()> {
    let tool = Tool::new("unsquashfs", "squashfs-tools")
        .args(["-f", "-d"])
        .args([target, image])
        .timeout(TIMEOUT)
        .on_line(|line| {
            if let Some(percent) = bar_percent(line) {
                control.report(Progress::percent(STAGE, percent));
            }
        });
    run(tool, control)?;
    // Of what is unpacked in an instant it may show nothing.
    control.report(Progress::percent(STAGE, 100));
    Ok(())
}

/// The content of one file of `image`, for example its `metadata.yaml`; `path` without a leading
/// slash.
pub fn read(image: &Path, path: &Path, control: &Control) -> Result<Vec<u8>> {
    let tool = Tool::new("unsquashfs", "squashfs-tools").arg("-cat").args([image, path]);
    Ok(run(tool, control)?.stdout)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::mksquashfs::{Compression, pack};

    #[test]
    fn what_was_packed_comes_back() {
        if !crate::installed("mksquashfs") {
            eprintln!("SKIP: mksquashfs is not installed");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let image = folder.path().join("x.squashfs");
        fs::create_dir_all(from.join("skip/me")).unwrap();
        fs::write(from.join("hello"), "world").unwrap();
        fs::set_permissions(from.join("hello"), fs::Permissions::from_mode(0o4751)).unwrap();
        let _ = chown(from.join("hello"), Some(1234), Some(5678));
        let owner = fs::metadata(from.join("hello")).unwrap();

        let none = Control::none();
        pack(&from, &image, Compression::Zstd(3), &["skip".as_ref()], &none).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let control = Control::new(move |p| sink.lock().unwrap().push(p.percent));
        unpack(&image, &to, &control).unwrap();

        assert_eq!(fs::read_to_string(to.join("hello")).unwrap(), "world");
        assert!(!to.join("skip").exists());
        let back = fs::metadata(to.join("hello")).unwrap();
        assert_eq!((back.uid(), back.gid()), (owner.uid(), owner.gid()));
        assert_eq!(back.mode(), owner.mode());
        assert_eq!(seen.lock().unwrap().last(), Some(&Some(100)));
        assert_eq!(read(&image, "hello".as_ref(), &none).unwrap(), b"world");
    }

    #[test]
    fn what_is_no_squashfs_is_an_error_that_says_so() {
        if !crate::installed("unsquashfs") {
            eprintln!("SKIP: unsquashfs is not installed");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("broken");
        fs::write(&image, "no image").unwrap();
        let error = unpack(&image, &folder.path().join("to"), &Control::none()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("unsquashfs") && text.contains("broken"), "{text}");
    }
}
