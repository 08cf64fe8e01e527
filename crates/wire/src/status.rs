//! Status codes of operations and instances.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A state as a number: 100 to 199 are passing or lasting states, 200 to 399 success, 400 to 599 failure.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct StatusCode(pub u16);

macro_rules! codes {
    ($( $(#[$meta:meta])* $name:ident = $code:literal $text:literal, )*) => {
        impl StatusCode {
            $( $(#[$meta])* pub const $name: Self = Self($code); )*

            /// The word the API uses for the code; empty for an unknown one.
            pub fn name(self) -> &'static str {
                match self { $( Self::$name => $text, )* _ => "" }
            }
        }
    };
}

codes! {
    /// The operation was made.
    CREATED = 100 "Operation created",
    /// It was started.
    STARTED = 101 "Started",
    /// It stands still.
    STOPPED = 102 "Stopped",
    /// It runs.
    RUNNING = 103 "Running",
    /// Somebody asked to cancel it.
    CANCELLING = 104 "Cancelling",
    /// It waits for its turn.
    PENDING = 105 "Pending",
    /// It is on its way up.
    STARTING = 106 "Starting",
    /// It is on its way down.
    STOPPING = 107 "Stopping",
    /// It gives up.
    ABORTING = 108 "Aborting",
    /// It is being frozen.
    FREEZING = 109 "Freezing",
    /// It is frozen.
    FROZEN = 110 "Frozen",
    /// It was thawed.
    THAWED = 111 "Thawed",
    /// It is broken.
    ERROR = 112 "Error",
    /// It runs and said that it is ready.
    READY = 113 "Ready",
    /// It went well.
    SUCCESS = 200 "Success",
    /// It went wrong.
    FAILURE = 400 "Failure",
    /// It was cancelled.
    CANCELLED = 401 "Cancelled",
}

impl StatusCode {
    /// Whether an operation with this code is over.
    pub fn is_final(self) -> bool {
        self.0 >= 200
    }
}
