//! Where an operation stands.

use wire::StatusCode;

/// Where an operation stands.
///
/// ```text
/// Pending -> Running -> Success | Failure
///     \         \-> Cancelling -> Cancelled | Success | Failure
///      \-> Cancelled
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Waits for a name somebody else holds.
    Pending,
    /// Works.
    Running,
    /// Was asked to stop and cleans up.
    Cancelling,
    /// Did what was asked.
    Success,
    /// Did not, and cleaned up.
    Failure,
    /// Stopped because somebody asked, and cleaned up.
    Cancelled,
}

impl Status {
    /// The API's code for it.
    pub fn code(self) -> StatusCode {
        match self {
            Status::Pending => StatusCode::PENDING,
            Status::Running => StatusCode::RUNNING,
            Status::Cancelling => StatusCode::CANCELLING,
            Status::Success => StatusCode::SUCCESS,
            Status::Failure => StatusCode::FAILURE,
            Status::Cancelled => StatusCode::CANCELLED,
        }
    }

    /// Whether it has ended.
    pub fn is_final(self) -> bool {
        matches!(self, Status::Success | Status::Failure | Status::Cancelled)
    }
}
