//! The session behind a connection, which comes and goes while that stays.
//!
//! An instance that is stopped can be started while a client looks at its files: what holds its volume is let go of when
//! nothing is open and what was asked is answered. One that stopped or was started meanwhile is opened again.

use std::sync::Arc;

use rustix::io::Errno;

use super::super::{Of, Session, either::Files};
use crate::{Result, World};

/// Access to the files of one instance.
pub(super) struct Access {
    world: Arc<World>,
    of: Of,
    session: Option<Session>,
}

impl Access {
    pub(super) fn new(world: Arc<World>, of: Of) -> Access {
        Access { world, of, session: None }
    }

    /// Opens it now.
    pub(super) async fn open(&mut self) -> Result<&Session> {
        if self.session.is_none() {
            self.session = Some(Session::open(&self.world, &self.of).await?);
        }
        // It was just opened, if it was not there.
        self.session.as_ref().ok_or(crate::Error::Broken("access to files"))
    }

    /// One of its own for a file that is written, where the session has room for one only.
    pub(super) async fn for_writing(&mut self) -> Result<Option<Session>> {
        match self.open().await?.holds_one_file() {
            true => Ok(Some(Session::open(&self.world, &self.of).await?)),
            false => Ok(None),
        }
    }

    /// Asks something; once more where the instance went away from beneath the session.
    pub(super) async fn ask<T: Send + 'static>(
        &mut self,
        what: impl Fn(&Files) -> runtime::Result<T> + Clone + Send + 'static,
    ) -> Result<T, Failure> {
        let again = self.session.is_some();
        let asked = what.clone();
        let done = self.open().await?.ask_plainly(move |files| asked(files)).await;
        match done {
            Err(crate::Error::Runtime(runtime::Error::Gone)) if again => {
                self.release().await;
                Ok(self.open().await?.ask_plainly(move |files| what(files)).await?)
            }
            done => Ok(done?),
        }
    }

    /// Whether somebody else waits for what it holds.
    pub(super) fn holds(&self) -> bool {
        self.session.as_ref().is_some_and(Session::holds_volume)
    }

    /// Lets go of what it holds.
    pub(super) async fn release(&mut self) {
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }
}

/// Why something could not be done.
pub(super) struct Failure {
    pub(super) errno: Option<Errno>,
    pub(super) words: String,
}

impl From<crate::Error> for Failure {
    fn from(error: crate::Error) -> Failure {
        let errno = match &error {
            crate::Error::Runtime(runtime::Error::Step { source, .. }) => {
                source.raw_os_error().map(Errno::from_raw_os_error)
            }
            crate::Error::NotFound { .. } => Some(Errno::NOENT),
            _ => None,
        };
        Failure { errno, words: tasks::chain(&super::super::explain(error)) }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        let errno = error.raw_os_error().map(Errno::from_raw_os_error);
        Failure { errno, words: error.to_string() }
    }
}
