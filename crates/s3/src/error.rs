//! Errors as S3 tells them: the one place where they become codes of it.

use http::StatusCode;
use objects::Error as E;
use s3s::{S3Error, S3ErrorCode, S3Result};

/// What a store said.
pub(crate) fn of_objects(error: E) -> S3Error {
    let code = match &error {
        E::NoObject { .. } => S3ErrorCode::NoSuchKey,
        E::Marker { .. } => S3ErrorCode::MethodNotAllowed,
        E::NoUpload { .. } => S3ErrorCode::NoSuchUpload,
        E::NoPart { .. } => S3ErrorCode::InvalidPart,
        E::PartOrder { .. } => S3ErrorCode::InvalidPartOrder,
        E::PartTooSmall { .. } => S3ErrorCode::EntityTooSmall,
        E::Condition { .. } => S3ErrorCode::PreconditionFailed,
        E::Key { length: 0 } => S3ErrorCode::InvalidArgument,
        E::Key { .. } => S3ErrorCode::KeyTooLongError,
        E::Full { .. } => return full(&error),
        other if other.is_no_space() => return no_space(),
        E::Damaged { .. } | E::Sum | E::Index { .. } | E::Version { .. } | E::Io { .. } => {
            return broken(&error);
        }
    };
    S3Error::with_message(code, error.to_string())
}

/// What a verb of the cloud said.
pub(crate) fn of_cloud(error: cloud::Error) -> S3Error {
    match error {
        cloud::Error::Objects(error) => of_objects(error),
        cloud::Error::NotFound { .. } => S3Error::new(S3ErrorCode::NoSuchBucket),
        other => broken(&other),
    }
}

/// The bucket's limit, by the name that other servers use; S3 itself has no limits.
fn full(error: &E) -> S3Error {
    beside("QuotaExceeded", StatusCode::FORBIDDEN, error.to_string())
}

fn no_space() -> S3Error {
    let text = String::from("the storage pool is full");
    beside("InsufficientStorage", StatusCode::INSUFFICIENT_STORAGE, text)
}

/// The body is not the one that was signed.
pub(crate) fn other_contents() -> S3Error {
    let text = String::from("the SHA-256 of what came is another");
    beside("XAmzContentSHA256Mismatch", StatusCode::BAD_REQUEST, text)
}

/// s3s knows the code, with another status than S3.
pub(crate) fn no_encryption() -> S3Error {
    let text = String::from("the server side encryption configuration was not found");
    let code = "ServerSideEncryptionConfigurationNotFoundError";
    beside(code, StatusCode::NOT_FOUND, text)
}

/// There are rules for access by policies and lists alone.
pub(crate) fn no_public_access_block() -> S3Error {
    let text = String::from("the bucket has no public access block");
    beside("NoSuchPublicAccessBlockConfiguration", StatusCode::NOT_FOUND, text)
}

/// An error whose code s3s does not know.
fn beside(code: &'static str, status: StatusCode, text: String) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), text);
    error.set_status_code(status);
    error
}

pub(crate) fn broken(error: &(dyn std::error::Error + 'static)) -> S3Error {
    tracing::error!(error = tasks::chain(error), "request failed");
    S3Error::with_message(S3ErrorCode::InternalError, "see the daemon's log")
}

/// Does work that blocks.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> objects::Result<T> + Send + 'static,
) -> S3Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(of_objects),
        Err(panic) => Err(broken(&panic)),
    }
}
