//! `exec` and `shell`: a program inside an instance.

use std::{env, os::unix::ffi::OsStrExt};

use wire::{ConfigMap, InstanceExecPost};

use crate::{
    context::Context,
    error::{Error, Result},
    pairs, terminal,
};

mod session;

/// A program, and how to run it.
#[derive(Debug, clap::Args)]
pub(crate) struct Exec {
    /// Instance
    instance: String,
    /// Program and its arguments, best after --
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<std::ffi::OsString>,
    #[command(flatten)]
    how: How,
}

/// A login shell, as root.
#[derive(Debug, clap::Args)]
pub(crate) struct Shell {
    /// Instance
    instance: String,
    #[command(flatten)]
    how: How,
}

/// How to run a program.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct How {
    /// Variable to set
    #[arg(long, value_name = "KEY=VALUE")]
    env: Vec<String>,
    /// User id to run as
    #[arg(long, default_value_t = 0)]
    user: u32,
    /// Group id to run as
    #[arg(long, default_value_t = 0)]
    group: u32,
    /// Folder to run in; the home of the user otherwise
    #[arg(long)]
    cwd: Option<String>,
    /// Give it a terminal
    #[arg(short = 't', long, conflicts_with = "force_noninteractive")]
    force_interactive: bool,
    /// Give it pipes
    #[arg(short = 'T', long)]
    force_noninteractive: bool,
    /// Terminal or pipes
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    /// Give it no input
    #[arg(short = 'n', long)]
    disable_stdin: bool,
}

/// Terminal or pipes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Mode {
    /// A terminal when this is one.
    #[default]
    Auto,
    /// A terminal.
    Interactive,
    /// Pipes.
    NonInteractive,
}

impl Exec {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let command =
            self.command.iter().map(|word| String::from_utf8_lossy(word.as_bytes()).into_owned());
        run(cx, &self.instance, command.collect(), &self.how).await
    }
}

impl Shell {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let command = ["su", "-l"].map(str::to_owned).to_vec();
        run(cx, &self.instance, command, &self.how).await
    }
}

async fn run(cx: &Context, instance: &str, command: Vec<String>, how: &How) -> Result<u8> {
    let request =
        request(command, how, terminal::is_interactive(), terminal::size(), env::var("TERM").ok())?;
    session::run(cx, instance, &request, how.disable_stdin).await
}

fn request(
    command: Vec<String>,
    how: &How,
    at_terminal: bool,
    size: Option<(u16, u16)>,
    term: Option<String>,
) -> Result<InstanceExecPost> {
    if how.disable_stdin && (how.force_interactive || how.mode == Mode::Interactive) {
        return Err(Error::Usage("a terminal cannot be had without input"));
    }
    let interactive = !how.force_noninteractive
        && !how.disable_stdin
        && match how.mode {
            Mode::Interactive => true,
            Mode::NonInteractive => false,
            Mode::Auto => how.force_interactive || at_terminal,
        };
    let mut environment = ConfigMap::new();
    if interactive && let Some(term) = term {
        environment.insert("TERM".into(), term);
    }
    environment.extend(pairs::map(&how.env)?);
    let (width, height) = size.filter(|_| interactive).unwrap_or_default();
    Ok(InstanceExecPost {
        command,
        wait_for_websocket: true,
        interactive,
        environment,
        width,
        height,
        record_output: false,
        user: how.user,
        group: how.group,
        cwd: how.cwd.clone().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn parse(words: &str, at_terminal: bool) -> Value {
        let words = ["microcloud", "exec"].into_iter().chain(words.split(' '));
        let Command::Exec(exec) = Arguments::try_parse_from(words).unwrap().command else {
            panic!()
        };
        let command = exec.command.iter().map(|word| word.to_str().unwrap().to_owned()).collect();
        let term = Some("xterm".into());
        json!(request(command, &exec.how, at_terminal, Some((80, 24)), term).unwrap())
    }

    #[test]
    fn at_a_terminal() {
        let want = json!({
            "command": ["ls", "-l"], "wait-for-websocket": true, "interactive": true,
            "environment": { "TERM": "xterm" }, "width": 80, "height": 24, "record-output": false,
            "user": 0, "group": 0, "cwd": "",
        });
        assert_eq!(parse("web -- ls -l", true), want);
    }

    #[test]
    fn in_a_pipe() {
        let got = parse("web ls", false);
        assert_eq!((&got["interactive"], &got["environment"]), (&json!(false), &json!({})));
        assert_eq!((&got["width"], &got["height"]), (&json!(0), &json!(0)));
    }

    #[test]
    fn options_stand_before_the_program_only() {
        let got = parse("web --user 1000 --cwd /tmp --env A=1 -- sh -c true --user 5", true);
        assert_eq!(got["command"], json!(["sh", "-c", "true", "--user", "5"]));
        assert_eq!(
            (&got["user"], &got["cwd"], &got["environment"]["A"]),
            (&json!(1000), &json!("/tmp"), &json!("1"))
        );
    }

    #[test]
    fn the_kind_can_be_forced() {
        assert_eq!(parse("web -T -- true", true)["interactive"], false);
        assert_eq!(parse("web -t -- true", false)["interactive"], true);
        assert_eq!(parse("web --mode non-interactive -- true", true)["interactive"], false);
        assert_eq!(parse("web -n -- true", true)["interactive"], false);
    }
}
