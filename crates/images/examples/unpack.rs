//! Inspects and unpacks an image: `cargo run -p images --example unpack -- IMAGE [ROOTFS] FOLDER`.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use exec::Control;
use images::{Files, Limits, inspect, unpack};

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let (files, into) = match &args[..] {
        [main, into] => (Files::unified(main), into),
        [main, rootfs, into] => (Files::split(main, rootfs), into),
        _ => return Err("which image, and into which folder?".into()),
    };
    let start = Instant::now();
    println!("{:#?}", inspect(&files, &Control::none())?);
    println!("inspected after {:?}", start.elapsed());
    let done = unpack(&files, into, &Limits::default(), &Control::none())?;
    println!("unpacked after {:?}: {done:?}", start.elapsed());
    Ok(())
}
