//! How long the verbs take: `cargo run -p storage --example timing -- FOLDER ROOTFS`, where FOLDER
//! does not exist yet and ROOTFS is any root to make an image of.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use exec::Control;
use storage::{PoolOptions, PoolSpec, Shape, VolumeId, VolumeKind, copy_tree, driver};

const MANY: usize = 100;

#[allow(clippy::print_stdout)]
fn timed<T>(
    what: &str,
    times: usize,
    work: impl FnOnce() -> storage::Result<T>,
) -> storage::Result<T> {
    let start = Instant::now();
    let result = work()?;
    println!("{what}: {:.2} ms", start.elapsed().as_secs_f64() * 1000.0 / times as f64);
    Ok(result)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let path = args.next().ok_or("which folder?")?;
    let rootfs = args.next().ok_or("which root?")?;
    let spec = PoolSpec {
        name: "timing".into(),
        id: None,
        disk: None,
        keys: None,
        path,
        source: None,
        options: PoolOptions::default(),
    };
    let dir = driver("dir").ok_or("no driver dir")?;
    let (control, shape) = (Control::none(), Shape::filesystem());
    timed("create pool", 1, || dir.create(&spec))?;
    let pool = timed("open pool", 1, || dir.open(&spec))?;
    let image = VolumeId::new(VolumeKind::Image, "f00")?;
    let mut fill = |into: &Path| {
        std::fs::create_dir(into.join("rootfs"))?;
        Ok(copy_tree(&rootfs, &into.join("rootfs"), &Control::none()).map(drop)?)
    };
    timed("fill image", 1, || pool.create(&image, &shape, Some(&mut fill), &control))?;
    let clones = pool.clones().ok_or("no clones")?;
    let names = (0..MANY).map(|n| VolumeId::new(VolumeKind::Container, format!("c{n}")));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let each = |work: &dyn Fn(&VolumeId) -> storage::Result<()>| names.iter().try_for_each(work);
    timed("clone", MANY, || each(&|id| clones.clone_from(&image, id, &shape, &control)))?;
    timed("attach", MANY, || each(&|id| pool.attach(id).map(drop)))?;
    timed("list", 1, || pool.list())?;
    timed("delete image in use", 1, || pool.delete(&image))?;
    timed("delete", MANY, || each(&|id| pool.delete(id)))?;
    timed("fill image", 1, || pool.create(&image, &shape, Some(&mut fill), &control))?;
    let plain = shape.clone().plain();
    timed("plain clone", 1, || clones.clone_from(&image, &names[0], &plain, &control))?;
    timed("delete plain", 1, || pool.delete(&names[0]))?;
    pool.delete(&image)?;
    drop(pool);
    timed("delete pool", 1, || dir.delete(&spec))?;
    Ok(())
}
