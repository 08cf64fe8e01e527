use std::fs;
use std::os::unix::fs::PermissionsExt;

use exec::Control;

use super::{Crypt, identity};
use crate::testing::{Scratch, container, fill_image, image, not_root};
use crate::{DRIVERS, Error, PoolSpec, Secret, Shape, pool_file};

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
    let chosen = |name: &str| std::env::var("LAWS_OF").map_or(true, |only| only == name);
    let those = |name: &str| ["btrfs", "lvm", "zfs"].contains(&name) && chosen(name);
    for driver in DRIVERS.iter().filter(|driver| those(driver.info().name)) {
        if let Some(why) = driver.unable() {
            eprintln!("without {}: {why}", driver.info().name);
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
        spec.options.zfs.pool = Some(format!("disk-{id}"));
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

#[test]
fn a_key_is_changed_and_whatever_happens_meanwhile_one_opens_the_pool() {
    on_every_driver(|mut s| {
        with_image(&s);
        let key = Crypt::of(&s.spec).unwrap().key;
        let file = |end: &str| key.with_extension(end);
        let first = fs::read(&key).unwrap();
        s.driver.rekey(&s.spec, None, Secret::File).unwrap();
        let second = fs::read(&key).unwrap();
        assert_ne!(first, second);
        assert!(!file("key.new").exists() && !file("key.old").exists());
        boot(&s);
        fs::write(&key, &first).unwrap();
        assert!(s.driver.open(&s.spec).is_err(), "the old key opens it no more");
        fs::write(&key, &second).unwrap();
        s.reopen();

        // A crash before the new key opens it, before it has its name, and before the old one is put away.
        boot(&s);
        fs::write(file("key.new"), [7; 64]).unwrap();
        s.reopen();
        assert!(!file("key.new").exists());
        boot(&s);
        let spec = s.spec.clone();
        let crypt = Crypt::of(&spec).unwrap();
        let made = exec::cryptsetup::Made::Random;
        let add = |new: &[u8], end: &str| {
            fs::write(file(end), new).unwrap();
            crypt
                .with_disk(|disk| {
                    exec::cryptsetup::add_key(disk, &key, &file(end), made).unwrap();
                    Ok(())
                })
                .unwrap();
        };
        add(&[8; 64], "key.new");
        fs::hard_link(&key, file("key.old")).unwrap();
        s.reopen();
        assert!(!file("key.new").exists() && !file("key.old").exists());
        boot(&s);
        add(&[9; 64], "key.old");
        s.reopen();
        assert!(!file("key.old").exists());
        boot(&s);
        crypt
            .with_disk(|disk| {
                for (byte, opens) in [(8, false), (9, false)] {
                    fs::write(file("try"), [byte; 64]).unwrap();
                    assert_eq!(exec::cryptsetup::fits(disk, &file("try")), opens, "{byte}");
                }
                Ok(())
            })
            .unwrap();
        assert_eq!(fs::read(&key).unwrap(), second);
        s.reopen();
    });
}

#[test]
fn a_passphrase_is_asked_for_and_kept_nowhere() {
    on_every_driver(|mut s| {
        with_image(&s);
        let key = Crypt::of(&s.spec).unwrap().key;
        let (one, two) = (b"correct horse".as_slice(), b"battery staple".as_slice());
        s.driver.rekey(&s.spec, None, Secret::Passphrase(one)).unwrap();
        assert!(!key.exists());
        s.reopen();
        boot(&s);
        let locked = s.driver.open(&s.spec).err();
        assert!(matches!(locked, Some(Error::Key { .. })), "{locked:?}");
        assert!(matches!(s.driver.unlock(&s.spec, two), Err(Error::Key { .. })));
        s.driver.unlock(&s.spec, one).unwrap();
        s.reopen();
        assert_eq!(s.pool.list().unwrap(), [image("f00")]);

        let unsaid = s.driver.rekey(&s.spec, None, Secret::Passphrase(two));
        assert!(matches!(unsaid, Err(Error::Key { .. })), "{unsaid:?}");
        let wrong = s.driver.rekey(&s.spec, Some(two), Secret::Passphrase(two));
        assert!(matches!(wrong, Err(Error::Key { .. })), "{wrong:?}");
        s.driver.rekey(&s.spec, Some(one), Secret::Passphrase(two)).unwrap();
        boot(&s);
        assert!(s.driver.unlock(&s.spec, one).is_err());
        s.driver.unlock(&s.spec, two).unwrap();
        s.driver.rekey(&s.spec, Some(two), Secret::File).unwrap();
        boot(&s);
        s.reopen();
        boot(&s);
        assert!(s.driver.unlock(&s.spec, two).is_err());
        s.reopen();
    });
}
