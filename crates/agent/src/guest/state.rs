//! What the machine uses.

use super::reply::{self, Reply};
use crate::words::State;

pub(super) async fn get() -> Reply {
    reply::json(&State::default())
}
