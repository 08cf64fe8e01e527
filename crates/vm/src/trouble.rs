//! What QEMU tells of a machine that cannot go on as it should, though QEMU runs.

use crate::Event;

/// Something that happened to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// Its kernel panicked. What follows is the guest's affair: it stands, or starts again by itself.
    Panicked,
    /// It was started again, by whomever.
    Reset,
    /// Its watchdog ran out, and starts it again.
    Watchdog,
    /// There was no room for what it wrote: it stands before that write, which is tried again by `cont`.
    NoRoom,
}

impl Happening {
    /// What an event means; `None` for all others.
    pub fn of(event: &Event) -> Option<Happening> {
        match event.name.as_str() {
            "GUEST_PANICKED" => Some(Happening::Panicked),
            "RESET" => Some(Happening::Reset),
            "WATCHDOG" => Some(Happening::Watchdog),
            "BLOCK_IO_ERROR" if event.data["action"] == "stop" => Some(Happening::NoRoom),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_write_that_stopped_the_machine_is_trouble() {
        let error = |action: &str| {
            let data = json!({ "operation": "write", "action": action, "nospace": true });
            let (name, timestamp) = ("BLOCK_IO_ERROR".into(), Default::default());
            Happening::of(&Event { name, data, timestamp })
        };
        assert_eq!((error("stop"), error("report")), (Some(Happening::NoRoom), None));
    }
}
