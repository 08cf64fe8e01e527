//! What the API was asked since the daemon began.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::text::Text;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it was to.
    Succeeded,
    /// The client was wrong.
    ClientError,
    /// The server was.
    ServerError,
}

/// Names of the outcomes, in their order.
const OUTCOMES: [&str; 3] = ["succeeded", "error_client", "error_server"];

/// Counts requests by what they are about.
#[derive(Debug, Default)]
pub struct Requests(Mutex<BTreeMap<&'static str, Count>>);

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    ongoing: u64,
    completed: [u64; 3],
}

/// A request under way; one whose answer was never made ended by the client's fault, which left.
pub struct Ongoing<'a> {
    requests: &'a Requests,
    about: &'static str,
    outcome: Outcome,
}

impl Requests {
    /// One begins.
    pub fn begin(&self, path: &'static str) -> Ongoing<'_> {
        let about = about(path);
        self.all().entry(about).or_default().ongoing += 1;
        Ongoing { requests: self, about, outcome: Outcome::ClientError }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<&'static str, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, text: &mut Text) {
        let all = self.all().clone();
        for (about, count) in &all {
            text.add("lxd_api_requests_ongoing", &[("entity_type", about)], count.ongoing);
            for (outcome, number) in OUTCOMES.iter().zip(count.completed) {
                let labels = [("entity_type", *about), ("result", *outcome)];
                text.add("lxd_api_requests_completed_total", &labels, number);
            }
        }
    }
}

impl Ongoing<'_> {
    /// It was answered.
    pub fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Ongoing<'_> {
    fn drop(&mut self) {
        let mut all = self.requests.all();
        let count = all.entry(self.about).or_default();
        count.ongoing = count.ongoing.saturating_sub(1);
        count.completed[self.outcome as usize] += 1;
    }
}

/// The kind of thing that an endpoint is about, as LXD names it.
fn about(path: &'static str) -> &'static str {
    let mut parts = path.split('/').skip(2);
    let first = parts.next().unwrap_or_default();
    let has = |part: &str| path.split('/').any(|one| one == part);
    match first {
        "certificates" | "auth" => "identity",
        "instances" if has("backups") => "instance_backup",
        "instances" if has("snapshots") => "instance_snapshot",
        "instances" => "instance",
        "images" if has("aliases") => "image_alias",
        "images" => "image",
        "networks" => "network",
        "operations" => "operation",
        "profiles" => "profile",
        "projects" => "project",
        "storage-pools" if has("buckets") => "storage_bucket",
        "storage-pools" | "storage-volumes" if has("volumes") || first == "storage-volumes" => {
            "storage_volume"
        }
        "storage-pools" => "storage_pool",
        "warnings" => "warning",
        _ => "server",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_what_they_are_about() {
        let requests = Requests::default();
        let going = requests.begin("/1.0/instances/{name}/state");
        requests.begin("/1.0/storage-pools/{pool}/volumes").end(Outcome::Succeeded);
        drop(requests.begin("/1.0/instances"));
        let mut text = Text::default();
        requests.tell(&mut text);
        let text = text.finish();
        for line in [
            "lxd_api_requests_ongoing{entity_type=\"instance\"} 1",
            "lxd_api_requests_completed_total{entity_type=\"instance\",result=\"error_client\"} 1",
            "lxd_api_requests_completed_total{entity_type=\"storage_volume\",result=\"succeeded\"} 1",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        going.end(Outcome::ServerError);
        assert_eq!(requests.all()["instance"].completed, [0, 1, 1]);
        assert_eq!(about("/1.0/events"), "server");
        assert_eq!(about("/1.0/instances/{name}/snapshots"), "instance_snapshot");
    }
}
