//! The role `monitor` alone: what the binary does first in its `main`.

fn main() {
    std::process::exit(runtime::monitor_main(std::env::args_os().skip(2)));
}
