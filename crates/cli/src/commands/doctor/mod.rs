//! `doctor`: what this machine has of what instances need, and what to do about the rest.
//!
//! ```text
//! Machine ── the files of the kernel and the system, beneath a root ──> checks, a file a topic ──> Finding
//! ```
//! The checks only look, and need neither a daemon nor root. `--fix` does what is safe and can be undone by deleting
//! a line ([`mend`]); what would restart something, install programs or choose for somebody is told in words.

mod disks;
mod hardware;
mod kernel;
mod limits;
mod machine;
mod mend;
mod programs;
#[cfg(test)]
mod tests;

use wire::endpoints::server::ServerGet;

use super::OK;
use crate::{context::Context, error::Result};
use machine::Machine;
use mend::Mend;

/// The exit status if something is wrong.
const WRONG: u8 = 1;
/// How wide the names of topics are.
const TOPIC: usize = 16;

/// Looks for what this machine lacks, and says what helps.
#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    /// Do what is safe: limits of the kernel, and on a Raspberry Pi the memory control group
    #[arg(long)]
    fix: bool,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// All is there.
    Well,
    /// Something that some will miss.
    Advice,
    /// Something that instances need.
    Wrong,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    verdict: Verdict,
    topic: &'static str,
    says: String,
    /// What a person can do about it.
    fix: Option<String>,
    /// What `--fix` does about it.
    mend: Option<Mend>,
}

impl Finding {
    fn new(verdict: Verdict, topic: &'static str, says: impl Into<String>) -> Finding {
        Finding { verdict, topic, says: says.into(), fix: None, mend: None }
    }

    fn well(topic: &'static str, says: impl Into<String>) -> Finding {
        Finding::new(Verdict::Well, topic, says)
    }

    fn advice(topic: &'static str, says: impl Into<String>) -> Finding {
        Finding::new(Verdict::Advice, topic, says)
    }

    fn wrong(topic: &'static str, says: impl Into<String>) -> Finding {
        Finding::new(Verdict::Wrong, topic, says)
    }

    fn fix(self, words: impl Into<String>) -> Finding {
        Finding { fix: Some(words.into()), ..self }
    }

    fn mend(self, mend: Mend) -> Finding {
        Finding { fix: self.fix.or_else(|| Some(mend.words())), mend: Some(mend), ..self }
    }

    fn lines(&self) -> String {
        let word = match self.verdict {
            Verdict::Well => "ok",
            Verdict::Advice => "note",
            Verdict::Wrong => "WRONG",
        };
        let first = format!("{word:<6} {:<TOPIC$} {}", self.topic, self.says);
        let fix = self.fix.as_ref().map(|fix| format!("\n{:<6} {:<TOPIC$} -> {fix}", "", ""));
        first + &fix.unwrap_or_default()
    }
}

impl Doctor {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let machine = Machine::this();
        let mut found = look(&machine);
        if self.fix {
            mend(&machine, &found)?;
            found = look(&machine);
        }
        found.push(server(cx).await);
        for finding in &found {
            outln!("{}", finding.lines());
        }
        let count = |verdict| found.iter().filter(|finding| finding.verdict == verdict).count();
        let (wrong, notes) = (count(Verdict::Wrong), count(Verdict::Advice));
        outln!("{wrong} wrong, {notes} to know of");
        if !self.fix && found.iter().any(|finding| finding.mend.is_some()) {
            outln!("Some of it mends itself with: sudo microcloud doctor --fix");
        }
        Ok(if wrong == 0 { OK } else { WRONG })
    }
}

/// All that can be seen without a server.
fn look(machine: &Machine) -> Vec<Finding> {
    [
        kernel::look(machine),
        limits::look(machine),
        programs::look(machine),
        disks::look(machine),
        hardware::look(machine),
    ]
    .concat()
}

fn mend(machine: &Machine, found: &[Finding]) -> Result<()> {
    for mend in found.iter().filter_map(|finding| finding.mend.as_ref()) {
        mend.apply(machine)?;
        outln!("done: {}", mend.words());
    }
    Ok(())
}

/// The server that a client here would ask.
async fn server(cx: &Context) -> Finding {
    match cx.client.get::<ServerGet>(&[], &cx.target()).await {
        Ok(server) => {
            let version = server.environment.unwrap_or_default().server_version;
            Finding::well("server", format!("{version} answers"))
        }
        Err(error) => Finding::advice("server", error.to_string())
            .fix("sudo systemctl start microcloud; a new one: sudo microcloud init"),
    }
}
