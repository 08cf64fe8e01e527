//! Whether a majority of the votes is there, as far as it is known without asking.

use std::time::Duration;

use crate::World;

/// Ten heartbeats (`store::Options::heartbeat`): a leader that was not answered for so long, or was not heard for so
/// long, is about to be replaced, if there are enough members for that.
const RECENT: Duration = Duration::from_millis(1500);

impl World {
    /// Whether what is changed now is likely to be changed at once. Where this is wrong, it takes as long as the
    /// database waits for a leader to find out.
    pub(crate) fn has_majority(&self) -> bool {
        let status = self.store.status();
        match status.leader {
            None => false,
            Some(leader) if leader == status.me => {
                status.acknowledged.is_some_and(|ago| ago < RECENT)
            }
            Some(leader) => self.cluster.links.spoke_within(leader, RECENT),
        }
    }
}
