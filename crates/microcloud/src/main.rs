//! One program, three roles, chosen by its first word before anything else starts:
//!
//! - `microcloud daemon`: the server of one member;
//! - `microcloud monitor` (internal): what holds one instance, and outlives the daemon;
//! - anything else: the client.

use std::process::ExitCode;

mod daemon;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.first().and_then(|word| word.to_str()) {
        Some("monitor") => {
            let code = runtime::monitor_main(arguments.into_iter().skip(1));
            ExitCode::from(u8::try_from(code).unwrap_or(1))
        }
        Some("daemon") => daemon::main(&arguments[1..]),
        _ => cli::main(std::env::args_os()),
    }
}
