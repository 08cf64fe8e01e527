//! Which devices a privileged container may use.

use std::{
    fs::{self, File},
    os::fd::{AsFd, OwnedFd},
};

use spec::DeviceNode;

use super::Group;
use crate::{
    devfilter::{program, rules, v1_lines},
    error::{At, Result},
};

impl Group {
    /// Lets a privileged container use only the standard devices and these. The program that does
    /// so on version 2 is returned, to be given as `last` when the devices change.
    pub(crate) fn allow_devices(
        &self,
        devices: &[DeviceNode],
        last: Option<&OwnedFd>,
    ) -> Result<Option<OwnedFd>> {
        let rules = rules(devices);
        if let Some(folder) = self.v1("devices") {
            for (file, line) in v1_lines(&rules) {
                let file = folder.join(file);
                fs::write(&file, line).at("write", &file)?;
            }
            return Ok(None);
        }
        let Some(folder) = self.unified() else { return Ok(None) };
        let group = File::open(&folder).at("open", &folder)?;
        let last = last.map(AsFd::as_fd);
        let filter = sys::attach_device_filter(group.as_fd(), &program(&rules), last);
        filter.map(Some).at("filter devices of", &folder)
    }
}
