//! Processors that a machine is given while it runs: Linux finds them, and leaves it to others to use them.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use tokio::time::sleep;

const FOLDER: &str = "/sys/devices/system/cpu";
/// Between two looks, which read one line.
const PAUSE: Duration = Duration::from_secs(1);

/// Has each that is new used, for ever. One that somebody in the machine turned off stays off.
pub(super) async fn attend() -> ! {
    let mut known = all();
    let mut last = present();
    loop {
        sleep(PAUSE).await;
        let now = present();
        if now == last {
            continue;
        }
        let there = all();
        for new in there.difference(&known) {
            // Only root may; whoever runs this otherwise has to do it himself.
            let _ = fs::write(Path::new(FOLDER).join(new).join("online"), "1");
        }
        (known, last) = (there, now);
    }
}

fn present() -> String {
    fs::read_to_string(Path::new(FOLDER).join("present")).unwrap_or_default()
}

fn all() -> BTreeSet<String> {
    let names = fs::read_dir(FOLDER).into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let number =
        |name: &str| name.strip_prefix("cpu").is_some_and(|rest| rest.parse::<u32>().is_ok());
    names.filter(|name| number(name)).collect()
}
