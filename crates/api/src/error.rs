//! Errors as the API tells them: the one place where they become statuses.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The verb said so.
    #[error(transparent)]
    Cloud(#[from] cloud::Error),
    /// An operation said so.
    #[error(transparent)]
    Task(#[from] tasks::Error),
    /// The request cannot be understood.
    #[error("invalid {what}: {why}")]
    BadRequest {
        /// The part of it.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The body is larger than any request of this kind needs to be.
    #[error("the request's body is larger than {limit} bytes")]
    TooLarge {
        /// Bytes.
        limit: usize,
    },
    /// The member that a request belongs to does not answer.
    #[error("member \"{member}\" does not answer")]
    Silent {
        /// Its name.
        member: String,
    },
    /// It is too early.
    #[error("the server is starting: try again in a moment")]
    Starting,
    /// The client may not.
    #[error("not authorized")]
    Forbidden,
    /// A defect of the program; the panic is in the log.
    #[error("the request broke off unexpectedly: see the daemon's log")]
    Broken,
    /// No such address.
    #[error("not found")]
    NotFound,
    /// The address is there, but not for this method.
    #[error("this address does not take {0}")]
    Method(http::Method),
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn bad(what: &'static str, why: impl std::fmt::Display) -> Error {
        Error::BadRequest { what, why: why.to_string() }
    }

    fn status(&self) -> StatusCode {
        match self {
            Error::Cloud(error) => of_cloud(error),
            Error::Task(error) => of_task(error),
            Error::BadRequest { .. } => StatusCode::BAD_REQUEST,
            Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Error::Forbidden => StatusCode::FORBIDDEN,
            Error::Silent { .. } | Error::Starting => StatusCode::SERVICE_UNAVAILABLE,
            Error::NotFound => StatusCode::NOT_FOUND,
            Error::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Error::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<tasks::Busy> for Error {
    fn from(busy: tasks::Busy) -> Error {
        Error::Cloud(busy.into())
    }
}

fn of_cloud(error: &cloud::Error) -> StatusCode {
    use cloud::Error as E;
    match error {
        E::NotFound { .. } => StatusCode::NOT_FOUND,
        E::Exists { .. } | E::Busy(_) => StatusCode::CONFLICT,
        E::Changed { .. } => StatusCode::PRECONDITION_FAILED,
        E::Invalid { .. }
        | E::Options(_)
        | E::InUse { .. }
        | E::State { .. }
        | E::Protected { .. }
        | E::Listen { .. }
        | E::Timeout { .. }
        | E::NoMachine { .. }
        | E::Memory { .. }
        | E::Module { .. }
        | E::Away { .. }
        | E::Beside { .. }
        | E::Machine(
            cloud::MachineError::NoFirmware { .. }
            | cloud::MachineError::Host(_)
            | cloud::MachineError::Variables { .. }
            | cloud::MachineError::NoSwtpm
            | cloud::MachineError::NoVirtiofsd,
        )
        | E::Cancelled(_)
        | E::NoCluster
        | E::NotWaiting
        | E::Evacuation { .. }
        | E::InCluster { .. }
        | E::NotEmpty { .. }
        | E::Image(_) => StatusCode::BAD_REQUEST,
        E::Storage(error) if error.is_of_request() => StatusCode::BAD_REQUEST,
        E::Fixed { .. }
        | E::Forbidden
        | E::WrongWords { .. }
        | E::Refused { .. }
        | E::NotTheOne
        | E::NotAllowed { .. } => StatusCode::FORBIDDEN,
        E::Device { source, .. } => match of_cloud(source) {
            // Mostly it asks for what cannot be there: a mount point below a file.
            StatusCode::INTERNAL_SERVER_ERROR => StatusCode::BAD_REQUEST,
            status => status,
        },
        E::Unavailable { .. }
        | E::NoDepot { .. }
        | E::Silent { .. }
        | E::NoLease
        | E::NoPlace { .. }
        | E::Elsewhere { .. }
        | E::Unfit(_)
        | E::Halted { .. }
        | E::Removed => StatusCode::SERVICE_UNAVAILABLE,
        E::Unsupported(_) => StatusCode::NOT_IMPLEMENTED,
        E::Task(error) => of_task(error),
        E::Failed(failure) => match failure.error.downcast_ref::<cloud::Error>() {
            Some(error) => of_cloud(error),
            None => StatusCode::INTERNAL_SERVER_ERROR,
        },
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn of_task(error: &tasks::Error) -> StatusCode {
    use tasks::Error as E;
    match error {
        E::NoOperation(_) => StatusCode::NOT_FOUND,
        E::Busy(_) => StatusCode::CONFLICT,
        E::BadSecret(_) => StatusCode::FORBIDDEN,
        E::NotRunning(_) | E::NotCancellable(_) => StatusCode::BAD_REQUEST,
        E::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        let words = tasks::chain(&self);
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(%status, error = words, "request failed");
        }
        let envelope = wire::Response::<wire::Empty>::error(status.as_u16(), words);
        (status, Json(envelope)).into_response()
    }
}
