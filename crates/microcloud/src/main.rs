//! One program, four roles, chosen by its first word before anything else starts:
//!
//! - `microcloud daemon`: the server of one member;
//! - `microcloud monitor` (internal): what holds one instance, and outlives the daemon;
//! - `microcloud proxy` (internal): what carries connections into one, or out of it;
//! - anything else: the client.

use std::process::ExitCode;

mod daemon;
mod ending;
#[cfg(feature = "testing")]
mod fill;
#[cfg(feature = "testing")]
mod jumps;
mod schema;
mod systemd;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    // The client has a verb of that name too, but it takes options only.
    let of_instance =
        arguments.get(1).is_some_and(|word| !word.as_encoded_bytes().starts_with(b"-"));
    match arguments.first().and_then(|word| word.to_str()) {
        Some("monitor") if of_instance => {
            let code = runtime::monitor_main(arguments.into_iter().skip(1));
            ExitCode::from(u8::try_from(code).unwrap_or(1))
        }
        Some("proxy") if of_instance => {
            let code = runtime::proxy_main(arguments.into_iter().skip(1));
            ExitCode::from(u8::try_from(code).unwrap_or(1))
        }
        Some("daemon") => daemon::main(&arguments[1..]),
        _ => cli::main(std::env::args_os()),
    }
}
