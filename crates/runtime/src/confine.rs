//! Joins the parts that confine a container: seccomp, capabilities, AppArmor, devices; and lxcfs,
//! which shows it no more than it has.

use std::{io, os::fd::OwnedFd, path::Path};

use spec::InstanceSpec;

use crate::{
    apparmor, caps,
    error::{At, Error, Result},
    lxcfs,
    seccomp::{self, Arch},
};

/// What every program in a container is confined by; made before forking.
pub(crate) struct Confinement {
    filter: Vec<seccomp::SockFilter>,
    asks: bool,
    label: Option<String>,
    privileged: bool,
}

impl Confinement {
    pub(crate) fn of(spec: &InstanceSpec) -> Result<Confinement> {
        Ok(Confinement {
            filter: filter(spec)?,
            asks: spec.seccomp.intercept.any(),
            // A kernel without AppArmor has nowhere to write a label to.
            label: spec.apparmor.clone().filter(|_| apparmor::available()),
            privileged: spec.privileged(),
        })
    }

    /// Just before a program is executed, while still root. `/proc` has to be the container's. Gives what the
    /// filter asks at, if it asks about any call.
    pub(crate) fn enter(&self) -> Result<Option<OwnedFd>> {
        // An own keyring; some kernels have none.
        let _ = sys::join_new_session_keyring();
        if let Some(label) = &self.label {
            apparmor::set_exec_label(label).map_err(io::Error::other).at("set label", label)?;
        }
        caps::give_up(caps::lacking(self.privileged)).at("give up", "capabilities")?;
        let loaded = match (self.filter.is_empty(), self.asks) {
            (true, _) => Ok(None),
            (false, true) => sys::install_asking_filter(&self.filter).map(Some),
            (false, false) => sys::install_filter(&self.filter).map(|()| None),
        };
        loaded.at("install", "seccomp filter")
    }
}

/// Compiles the filter; also the way to check one.
pub(crate) fn filter(spec: &InstanceSpec) -> Result<Vec<seccomp::SockFilter>> {
    match Arch::host() {
        None => Ok(Vec::new()),
        Some(arch) => seccomp::compile(&spec.seccomp, arch)
            .map_err(|error| Error::Invalid { field: format!("seccomp: {error}").into() }),
    }
}

/// Covers files of `/proc` and `/sys` with those of lxcfs: `bind(source, target)`.
pub(crate) fn cover(spec: &InstanceSpec, bind: impl Fn(&Path, &Path) -> Result<()>) -> Result<()> {
    let Some(root) = &spec.lxcfs else { return Ok(()) };
    lxcfs::covers(root, Path::exists).iter().try_for_each(|it| bind(&it.source, &it.target))
}
