//! `dpkg-deb`: the files in a package file.

use std::path::Path;

use crate::control::Control;
use crate::error::Result;
use crate::run::run;
use crate::tool::Tool;

/// Unpacks the files of `package` into a folder, which is made. Nothing is installed and none of its
/// scripts run.
pub fn extract(package: &Path, into: &Path, control: &Control) -> Result<()> {
    run(Tool::new("dpkg-deb", "dpkg").arg("-x").args([package, into]), control).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_package_is_an_error_that_says_so() {
        if !crate::installed("dpkg-deb") {
            eprintln!("SKIP: dpkg-deb is not installed");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.deb");
        std::fs::write(&file, "no package").unwrap();
        let error = extract(&file, &folder.path().join("to"), &Control::none()).unwrap_err();
        assert!(error.to_string().contains("x.deb"), "{error}");
    }
}
