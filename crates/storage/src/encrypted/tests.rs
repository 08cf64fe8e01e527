use std::fs;
use std::os::unix::fs::PermissionsExt;

use exec::Control;

use super::{Crypt, identity};
use crate::testing::{Scratch, container, fill_image, image, not_root};
use crate::{DRIVERS, Error, PoolSpec, Shape, pool_file};

/// Runs with an encrypted pool of each driver that can have one here.
fn on_every_driver(work: impl Fn(Scratch)) {
    if not_root() {
        return;
    }
    if !exec::installed("cryptsetup") {
        return eprintln!("SKIP: cryptsetup is not installed");
    }
    if !std::path::Path::new("/sys/class/misc/device-mapper").exists() {
        return eprintln!("SKIP: the kernel has no device mapper");
    }
    for driver in DRIVERS.iter().filter(|driver| driver.info().name != "dir") {
        if let Some(why) = driver.unable() {
            eprintln!("SKIP: {why}");
            continue;
        }
        eprintln!("driver {}", driver.info().name);
        let keys = |spec: &mut PoolSpec| spec.keys = Some(spec.path.with_file_name("keys"));
        work(Scratch::with(*driver, keys));
    }
}

fn with_image(s: &Scratch) {
    let fill: crate::Fill = &mut |into| {
        fill_image(into)?;
        Ok(fs::write(into.join("rootfs/password"), "open sesame open sesame".repeat(4000))?)
    };
    s.pool.create(&image("f00"), &Shape::filesystem(), Some(fill), &Control::none()).unwrap();
}

/// What a boot does.
fn boot(s: &Scratch) {
    s.driver.close(&s.spec).unwrap();
    let device = Crypt::of(&s.spec).unwrap().device();
    assert!(!device.exists(), "{device:?} is still open");
}

#[test]
fn nothing_of_a_pool_can_be_read_without_its_key() {
    on_every_driver(|mut s| {
        with_image(&s);
        let key = Crypt::of(&s.spec).unwrap().key;
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        let file = pool_file::path(&s.spec);
        assert_eq!(identity(&file).unwrap(), s.spec.id);
        let driver = s.driver.info().name;
        assert_eq!(crate::driver_in(&file).unwrap().as_deref(), Some(driver));
        assert_eq!(s.driver.recognise(&s.spec).unwrap(), s.spec.id);
        boot(&s);
        let raw = fs::read(&file).unwrap();
        let has = |text: &[u8]| raw.windows(text.len()).any(|part| part == text);
        assert!(!has(b"open sesame") && !has(b"volume.json"));

        let (away, empty) = (key.with_extension("away"), [0; 64]);
        fs::rename(&key, &away).unwrap();
        let opened = s.driver.open(&s.spec).err();
        assert!(matches!(opened, Some(Error::Key { .. })), "{opened:?}");
        fs::write(&key, empty).unwrap();
        let opened = s.driver.open(&s.spec).err();
        assert!(matches!(opened, Some(Error::Program { .. })), "{opened:?}");
        fs::rename(&away, &key).unwrap();
        s.reopen();
        let folder = s.pool.folder(&image("f00")).unwrap();
        assert!(folder.join("metadata.yaml").exists());
    });
}

#[test]
fn an_encrypted_pool_lives_and_dies_as_any_other() {
    on_every_driver(|mut s| {
        with_image(&s);
        let (shape, control) = (Shape::filesystem(), Control::none());
        let clones = s.pool.clones().unwrap();
        clones.clone_from(&image("f00"), &container("a"), &shape, &control).unwrap();
        s.pool.snapshots().unwrap().take(&container("a"), "s", &control).unwrap();
        s.driver.create(&s.spec).unwrap();
        assert!(matches!(s.driver.delete(&s.spec), Err(Error::PoolInUse { count: 1, .. })));
        boot(&s);
        s.reopen();
        assert_eq!(s.pool.list().unwrap(), [container("a"), image("f00")]);
        let before = s.pool.usage().unwrap().total;
        let mut larger = s.spec.clone();
        larger.options.size = Some(768 << 20);
        s.driver.grow(&larger).unwrap();
        assert_eq!(s.pool.usage().unwrap().total, before + (256 << 20));
        larger.options.size = Some(512 << 20);
        assert!(matches!(s.driver.grow(&larger), Err(Error::PoolSize { .. })));
        s.pool.snapshots().unwrap().restore(&container("a"), "s", &control).unwrap();
        s.pool.delete(&container("a")).unwrap();

        let foreign = PoolSpec { id: Some(uuid::Uuid::new_v4()), ..s.spec.clone() };
        s.driver.delete(&foreign).unwrap();
        s.reopen();
        let (key, device) = {
            let crypt = Crypt::of(&s.spec).unwrap();
            (crypt.key.clone(), crypt.device())
        };
        s.driver.delete(&s.spec).unwrap();
        s.driver.delete(&s.spec).unwrap();
        assert!(!key.exists() && !pool_file::path(&s.spec).exists() && !s.spec.path.exists());
        for _ in 0..100 {
            if !device.exists() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("{device:?} is still there");
    });
}

#[test]
fn a_disk_is_encrypted_found_by_its_identity_and_blank_after_it() {
    on_every_driver(|s| {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(400 << 20).unwrap();
        let (device, _open) = pool_file::attach(file.path()).unwrap();
        exec::mkfs::make(&device, crate::FileSystem::Ext4, exec::mkfs::Files::Any).unwrap();
        let id = uuid::Uuid::new_v4();
        let path = s.spec.path.with_file_name("other");
        let mut spec = PoolSpec {
            name: "other".into(),
            id: Some(id),
            path,
            source: Some(device.clone()),
            ..s.spec.clone()
        };
        spec.options.lvm.group = Some(format!("disk-{id}"));
        assert!(matches!(s.driver.create(&spec), Err(Error::Source { .. })));
        s.driver.delete(&spec).unwrap();
        assert_eq!(exec::wipefs::signatures(&device).unwrap(), ["ext4"]);
        spec.options.wipe = true;
        s.driver.create(&spec).unwrap();
        s.driver.open(&spec).unwrap().keep(b"kept").unwrap();
        s.driver.close(&spec).unwrap();
        // Under another name.
        spec.source = Some("/dev/not-there".into());
        assert_eq!(s.driver.open(&spec).unwrap().kept().unwrap().unwrap(), b"kept");
        spec.source = Some(device.clone());
        s.driver.delete(&spec).unwrap();
        assert!(exec::wipefs::signatures(&device).unwrap().is_empty());
    });
}
