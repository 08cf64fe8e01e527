//! The command line: the verbs of `lxc`, and a few of our own.
//!
//! [`main`] is called by the binary for every word that is not a role of its own (`daemon`, `monitor`). It parses the
//! words, makes a [`Context`](context::Context) and runs one command; a command is a struct of arguments with a
//! method `run`, one file a noun. What a command sends is made by pure functions, which is what the tests look at.
//!
//! A run is short: one thread, one connection, nothing set up that the command does not use.
#![allow(clippy::print_stderr, reason = "a command line talks to people")]

#[macro_use]
mod stdout;

mod aliases;
mod arguments;
mod candidates;
mod commands;
mod context;
mod edit;
mod error;
mod output;
mod pairs;
mod question;
mod remotes;
mod secret;
mod settings;
mod terminal;
mod thing;
mod verbs;

use std::{ffi::OsString, io, pin::Pin, process::ExitCode};

use clap::Parser;

use crate::{aliases::Aliases, arguments::Arguments, context::Context, remotes::Remotes};

/// Runs the command in `args`, of which the first is the program's name. Returns its exit status: that of the program
/// for `exec`, 1 for an error, 2 for words that make no sense.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    candidates::answer();
    let chosen = Aliases::load().and_then(|aliases| {
        let (words, known) = (aliases.expand(args.into_iter().collect()), Remotes::load()?);
        Ok((remotes::choose(words, &known)?, known))
    });
    let ((words, server), known) = match chosen {
        Ok(chosen) => chosen,
        Err(error) => {
            eprint!("{}", error::text(&error));
            return ExitCode::FAILURE;
        }
    };
    let arguments = match Arguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(error) => {
            let status = u8::try_from(error.exit_code()).unwrap_or(2);
            return error.print().map_or(ExitCode::FAILURE, |()| ExitCode::from(status));
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = match Context::new(&arguments.global, known, &server) {
                Ok(cx) => {
                    // Behind a pointer it is compiled once, not once for each way that the runtime polls it.
                    let command: Pin<Box<dyn Future<Output = _>>> =
                        Box::pin(arguments.command.run(&cx));
                    runtime.block_on(command)
                }
                Err(error) => Err(error),
            };
            // A thread may wait for a key that nobody will press.
            runtime.shutdown_background();
            outcome
        }
        Err(source) => Err(error::Error::Runtime(source)),
    };
    match outcome {
        Ok(status) => ExitCode::from(status),
        Err(error::Error::Stdio(cause)) if cause.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::from(stdout::PIPE_CLOSED)
        }
        Err(error) => {
            eprint!("{}", error::text(&error));
            ExitCode::FAILURE
        }
    }
}
