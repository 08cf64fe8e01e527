//! A handle on the monitor of one instance. Each request is a connection of its own, so a handle
//! may be shared between threads, and one that hangs holds up no other.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    time::Duration,
};

use rustix::{
    io::Errno,
    net::sockopt::{Timeout, set_socket_timeout},
};
use spec::{DeviceNode, Limits, Mount};

use super::{
    running::Exec,
    socket::{dial, open_folder},
    watch::Watch,
};
use crate::{
    Console, Error, ExecIo, ExecSpec, Info,
    error::{At, Result},
    files::Files,
    protocol::{Reply, Request, packet},
};

/// A monitor that does not answer for so long is given up on.
const PATIENCE: Duration = Duration::from_secs(60);

/// The monitor of one instance.
#[derive(Debug)]
pub struct Monitor {
    folder: OwnedFd,
}

impl Monitor {
    /// Finds the monitor that serves `run_dir`; `None` if none lives there.
    pub fn connect(run_dir: &Path) -> Result<Option<Monitor>> {
        let folder = match open_folder(run_dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            result => result.at("open", run_dir)?,
        };
        let monitor = Monitor { folder };
        match monitor.info() {
            Ok(_) => Ok(Some(monitor)),
            Err(Error::Gone) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn at(folder: OwnedFd) -> Monitor {
        Monitor { folder }
    }

    /// What it says of itself.
    pub fn info(&self) -> Result<Info> {
        match self.call(&Request::Info)?.0 {
            Reply::Info { info } => Ok(info),
            _ => Err(Error::Unsupported),
        }
    }

    /// Lets PID 1 run; returns when its program was executed, or why it could not be.
    pub fn release(&self) -> Result<()> {
        self.done(&Request::Release)
    }

    /// Sends a signal to PID 1.
    pub fn signal(&self, signal: i32) -> Result<()> {
        self.done(&Request::Signal { signal })
    }

    /// Kills everything inside. Returns at once; [`Watch`] tells when it is done.
    pub fn kill(&self) -> Result<()> {
        self.done(&Request::Kill)
    }

    /// Halts everything inside, or lets it go on; returns when that is so.
    pub fn freeze(&self, on: bool) -> Result<()> {
        self.done(&Request::Freeze { on })
    }

    /// Kills everything inside at that moment ([`crate::deadline::now`]), whatever becomes of the daemon; `None` takes it
    /// back. The latest word counts.
    pub fn set_deadline(&self, at: Option<u64>) -> Result<()> {
        self.done(&Request::Deadline { at })
    }

    /// Sets the limits; those that are `None` are lifted.
    pub fn set_limits(&self, limits: &Limits) -> Result<()> {
        self.done(&Request::SetLimits { limits: limits.clone() })
    }

    /// Its network namespace.
    pub fn netns(&self) -> Result<OwnedFd> {
        one(self.call(&Request::Netns)?.1)
    }

    /// Its files, as its root sees them.
    pub fn files(&self) -> Result<Files> {
        Files::at(one(self.call(&Request::Files)?.1)?)
    }

    /// Attaches to its console.
    pub fn console(&self) -> Result<Console> {
        let mut fds = self.call(&Request::Console)?.1.into_iter();
        let (Some(ring), Some(stream)) = (fds.next(), fds.next()) else {
            return Err(Error::Unsupported);
        };
        Ok(Console { ring: packet::read_file(ring).at("read", "console")?, stream })
    }

    /// The last output of its console, at most 128 KiB.
    pub fn console_log(&self) -> Result<Vec<u8>> {
        packet::read_file(one(self.call(&Request::ConsoleLog)?.1)?).at("read", "console log")
    }

    /// Tells its console how large the window is.
    pub fn resize_console(&self, width: u16, height: u16) -> Result<()> {
        self.done(&Request::ResizeConsole { width, height })
    }

    /// Runs a program inside; it goes on if the caller dies.
    pub fn exec(&self, spec: &ExecSpec, io: ExecIo<'_>) -> Result<Exec> {
        let (given, fds) = match io {
            ExecIo::Given(fds) => (true, fds.to_vec()),
            _ => (false, Vec::new()),
        };
        let null = matches!(io, ExecIo::Null);
        let connection = self.dial()?;
        let request = Request::Exec { spec: spec.clone(), given, null };
        let (reply, fds) = ask(connection.as_fd(), &request, &fds)?;
        Exec::new(connection, reply, fds)
    }

    /// Subscribes to what happens.
    pub fn watch(&self) -> Result<Watch> {
        let connection = self.dial()?;
        match ask(connection.as_fd(), &Request::Watch, &[])?.0 {
            Reply::Done => Watch::new(connection),
            _ => Err(Error::Unsupported),
        }
    }

    /// Mounts a disk into the running instance; a read-only one stays so. One that is there is Ok.
    pub fn add_mount(&self, mount: &Mount) -> Result<()> {
        self.done(&Request::AddMount { mount: mount.clone() })
    }

    /// Unmounts a disk, by its path inside; what is not one is left alone.
    pub fn remove_mount(&self, target: &Path) -> Result<()> {
        self.done(&Request::RemoveMount { target: target.to_owned() })
    }

    /// Makes a device node in the running instance.
    pub fn add_device(&self, device: &DeviceNode) -> Result<()> {
        self.done(&Request::AddDevice { device: device.clone() })
    }

    /// Removes a device node from the running instance.
    pub fn remove_device(&self, path: &Path) -> Result<()> {
        self.done(&Request::RemoveDevice { path: path.to_owned() })
    }

    /// The device nodes that it has been given, at its start or since; what its root did with them is
    /// another matter.
    pub fn devices(&self) -> Result<Vec<DeviceNode>> {
        match self.call(&Request::Devices)?.0 {
            Reply::Devices { devices } => Ok(devices),
            _ => Err(Error::Unsupported),
        }
    }

    fn done(&self, request: &Request) -> Result<()> {
        self.call(request).map(drop)
    }

    fn call(&self, request: &Request) -> Result<(Reply, Vec<OwnedFd>)> {
        ask(self.dial()?.as_fd(), request, &[])
    }

    fn dial(&self) -> Result<OwnedFd> {
        let socket = dial(self.folder.as_fd())?.ok_or(Error::Gone)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE)).at("limit", "socket")?;
        Ok(socket)
    }
}

fn one(fds: Vec<OwnedFd>) -> Result<OwnedFd> {
    fds.into_iter().next().ok_or(Error::Unsupported)
}

/// One request and its reply. A monitor that ends before it answers is gone.
fn ask(socket: BorrowedFd, request: &Request, fds: &[BorrowedFd]) -> Result<(Reply, Vec<OwnedFd>)> {
    match packet::send(socket, request, fds, true) {
        Err(Error::Step { source, .. })
            if source.raw_os_error() == Some(Errno::PIPE.raw_os_error()) =>
        {
            return Err(Error::Gone);
        }
        result => result?,
    }
    match packet::recv(socket)? {
        None => Err(Error::Gone),
        Some((Reply::Failed { fault }, _)) => Err(fault.into()),
        Some(reply) => Ok(reply),
    }
}
