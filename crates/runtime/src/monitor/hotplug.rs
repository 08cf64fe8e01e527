//! Disks and devices that come and go while the instance runs.

use std::{os::fd::AsFd, path::Path};

use spec::{DeviceNode, Mount};

use super::start::Instance;
use crate::{
    container::{dev, hotplug},
    error::Result,
    plan,
};

impl Instance {
    pub(super) fn add_device(&mut self, device: &DeviceNode) -> Result<()> {
        plan::check_device(device)?;
        self.spec.devices.retain(|other| other.path != device.path);
        self.spec.devices.push(device.clone());
        self.filter_devices()?;
        let node = plan::on_host(&self.spec, device);
        self.revoke(&node.path)?;
        dev::remove(self.dev.as_fd(), &node.path)?;
        dev::add(self.dev.as_fd(), self.spec.root_id(), &node)?;
        self.hold(&node.path);
        Ok(())
    }

    /// Keeps hold of the nodes that it was started with; its root does not run yet.
    pub(super) fn hold_devices(&mut self) {
        for device in self.spec.devices.clone() {
            self.hold(&plan::on_host(&self.spec, &device).path);
        }
    }

    fn hold(&mut self, path: &Path) {
        if let Some(node) = dev::hold(self.dev.as_fd(), path) {
            self.nodes.insert(path.to_owned(), node);
        }
    }

    /// Before its name goes. In a privileged container a filter says what may be opened.
    fn revoke(&mut self, path: &Path) -> Result<()> {
        match self.nodes.remove(path) {
            Some(node) if !self.spec.privileged() => dev::revoke(node.as_fd()),
            _ => Ok(()),
        }
    }

    pub(super) fn remove_device(&mut self, path: &Path) -> Result<()> {
        let device = DeviceNode::character(path, 0, 0);
        plan::check_device(&device)?;
        self.spec.devices.retain(|other| other.path != path);
        let path = plan::on_host(&self.spec, &device).path;
        self.revoke(&path)?;
        dev::remove(self.dev.as_fd(), &path)?;
        self.filter_devices()
    }

    fn filter_devices(&mut self) -> Result<()> {
        if self.spec.filters_devices()
            && let Some(filter) =
                self.group.allow_devices(&self.spec.devices, self.filter.as_ref())?
        {
            self.filter = Some(filter);
        }
        Ok(())
    }

    /// The specification tells what is mounted: one that is there is not mounted again.
    pub(super) fn add_mount(&mut self, mount: &Mount) -> Result<()> {
        self.running("mount")?;
        plan::check_mount(mount)?;
        if self.spec.mounts.contains(mount) {
            return Ok(());
        }
        hotplug::mount(&self.spec, self.pid, mount)?;
        self.spec.mounts.push(mount.clone());
        Ok(())
    }

    /// What was not mounted by us is left alone.
    pub(super) fn remove_mount(&mut self, target: &Path) -> Result<()> {
        self.running("unmount")?;
        if !self.spec.mounts.iter().any(|mount| mount.target == target) {
            return Ok(());
        }
        hotplug::unmount(&self.spec, self.pidfd.as_fd(), target)?;
        self.spec.mounts.retain(|mount| mount.target != target);
        Ok(())
    }
}
