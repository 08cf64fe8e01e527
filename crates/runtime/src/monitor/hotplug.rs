//! Disks and devices that come and go while the instance runs.

use std::path::Path;

use spec::{DeviceNode, Mount};

use super::start::Instance;
use crate::{
    container::dev,
    error::{Error, Result},
    plan,
};
use std::os::fd::AsFd;

impl Instance {
    pub(super) fn add_device(&mut self, device: &DeviceNode) -> Result<()> {
        plan::check_device(device)?;
        let node = plan::on_host(&self.spec, device);
        dev::add(self.dev.as_fd(), self.spec.root_id(), &node)
    }

    pub(super) fn remove_device(&mut self, path: &Path) -> Result<()> {
        let node = plan::on_host(&self.spec, &DeviceNode::character(path, 0, 0));
        dev::remove(self.dev.as_fd(), &node.path)
    }

    pub(super) fn add_mount(&mut self, _mount: &Mount) -> Result<()> {
        Err(Error::Unsupported)
    }

    pub(super) fn remove_mount(&mut self, _target: &Path) -> Result<()> {
        Err(Error::Unsupported)
    }
}
