//! Work that blocks (disks, programs, monitors), done beside the async threads.

use crate::{Error, Result};

/// Runs `work` on a thread that may block; `what` names it if it panics.
pub(crate) async fn blocking<T, E>(
    what: &'static str,
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T>
where
    T: Send + 'static,
    E: Into<Error> + Send + 'static,
{
    // One type for all that give the same, so that the runtime's part is not compiled for each.
    let work: Box<dyn FnOnce() -> Result<T> + Send> = Box::new(|| work().map_err(Into::into));
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(Error::Broken(what)),
    }
}
