//! A person at a terminal, and what a member shows to be read out.

use std::process::Command;

use serde_json::Value;

use crate::{Background, Client, Daemon, until};

impl Daemon {
    /// Our client as a person has it who sits at a terminal and types these lines; what is shown comes on standard
    /// output.
    #[track_caller]
    pub fn typed(&self, words: &str, lines: &[&str]) -> Background {
        let cli = self.command(Client::Cli);
        let line = format!("{} {words}", cli.get_program().display());
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]);
        for (key, value) in cli.get_envs() {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        Background::start(command, text.into_bytes())
    }

    /// The session of a member (`cluster add`), once it waits for machines that join.
    #[track_caller]
    pub fn session(&self) -> Value {
        until("a member that waits", || {
            let asked = self.try_request("GET", "/internal/cluster/session", &[], b"").ok()?;
            let session = &asked.body["metadata"];
            (asked.status == 200 && session["ended"] == "").then(|| session.clone())
        })
    }
}
