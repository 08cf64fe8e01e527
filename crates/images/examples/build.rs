//! Builds an image by its recipe: `cargo run -p images --example build -- [--vm] RECIPE FOLDER [KEYRING]`.

use std::path::PathBuf;
use std::time::Instant;

use exec::Control;

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1).peekable();
    let vm = args.next_if(|word| word == "--vm").is_some();
    let kind = if vm { images::Kind::VirtualMachine } else { images::Kind::Container };
    let mut recipe = images::Recipe::of(&args.next().ok_or("which recipe?")?, kind)?;
    let work = PathBuf::from(args.next().ok_or("which folder?")?);
    recipe.keyring = args.next().map(PathBuf::from);
    let control = Control::new(|p| println!("{} {:?} {}", p.stage, p.percent, p.bytes));
    let start = Instant::now();
    let built = images::build(&recipe, &work, &control)?;
    println!("{:?} {:?}", start.elapsed(), built.found);
    Ok(())
}
