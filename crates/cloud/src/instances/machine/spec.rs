//! From options to what a monitor is given to hold a virtual machine.

use std::{
    fs,
    io::Read,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use runtime::files::Made;
use spec::{CpuLimit, InstanceSpec, Limits, Mount, Process, Root};
use vm::{Accel, Boot, Firmware, Folders, Loader, Machine, Screen};

use super::{
    super::{Kind, apparmor, options::Typed},
    memory::{Frame, Places, unreadable},
    processors::Processors,
};
use crate::{
    Error, Result, World,
    blocking::blocking,
    db::instances::{self as rows, Instance},
    disk, names,
};

/// The kernel's command line of an image that brings a kernel and none.
const USUAL_CMDLINE: &str = "console=ttyS0 root=/dev/sda";
/// What variables are called that came in a backup of LXD's.
const FROM_LXD: &str = "qemu.nvram";
/// Asks for new variables, once.
const APPLY_NVRAM: &str = "volatile.apply_nvram";
/// Places for cards that are plugged while it runs, besides one for each device that it has.
const SPARE: usize = 6;
/// More than any kernel takes (`COMMAND_LINE_SIZE`), in bytes.
const LONGEST: u64 = 4096;

/// What a start gives a machine besides its options.
pub(crate) struct Given<'a> {
    pub(crate) generation: u64,
    /// How it is built that comes from another server.
    pub(crate) arrives: Option<&'a Frame>,
    /// Where copies of what lies beside its disk are, while its root is not attached.
    pub(crate) beside: Option<&'a Path>,
    /// What its templates became.
    pub(crate) made: Vec<Made>,
}

/// The specification of a machine, once its root is attached; what it needs on disk is made.
pub(crate) async fn resolve(
    world: &World,
    instance: &Instance,
    typed: &Typed,
    Given { generation, arrives, beside, made: templates }: Given<'_>,
) -> Result<InstanceSpec> {
    let beside = beside.map(Path::to_owned);
    let id = names::instance_id(&instance.project, &instance.name);
    let pool = world.pools.open(world, typed.root_pool()?).await?;
    let (volume, own) = (instance.root()?, world.dirs.machine(&id));
    let (machine, mut items) = (plan(world, instance, typed), super::drive::items(instance, typed));
    items.extend(super::drive::templates(generation, templates));
    if machine.0.huge_pages {
        super::limits::check_huge_pages(machine.0.memory)?;
    }
    let chip = super::tpm::of(&typed.devices).map(str::to_owned);
    let fresh = !instance.stateful && arrives.is_none();
    let forget = typed.options.volatile.apply_nvram == Some(true) && fresh;
    let made = blocking("prepare machine", move || {
        let folder = match beside {
            Some(copies) => copies,
            None => pool.folder(&volume)?,
        };
        if forget {
            forget_variables(&folder.join("nvram"))?;
        }
        let (machine, mut folders) = on_disk(machine, &folder, &own, &items)?;
        if let Some(chip) = chip {
            let place = folder.join("nvram").join(format!("tpm.{chip}"));
            make(&place, 0o700)?;
            folders.tpm = Some(place);
        }
        Ok::<_, Error>((machine, folders, own))
    });
    let (machine, folders, own) = made.await?;
    if forget {
        note_forgotten(world, instance).await?;
    }
    let (mounts, mut devices) = vm::confine(&machine, &folders);
    let passed = super::pci::take(world, &id, typed).await?;
    let rlimits = super::pci::rlimits(&passed);
    devices.extend(passed);
    let mut process = Process::init("/");
    process.argv = match arrives {
        Some(frame) => vm::adopted(&vm::command(&machine), &frame.argv)
            .map_err(|why| Error::invalid("migration", why))?,
        None if instance.stateful => {
            super::check_memory(typed)?;
            former(world, instance, machine.tpm).await.map_err(unreadable(instance))?
        }
        None => vm::command(&machine),
    };
    process.env.retain(|(key, _)| key == "PATH");
    Ok(InstanceSpec {
        machine: true,
        hostname: String::from("qemu"),
        idmap: Some(world.host.ids_shared),
        mounts: mounts.into_iter().map(|mount| Mount { recursive: false, ..mount }).collect(),
        devices,
        rlimits,
        apparmor: apparmor::load(world, &id, Kind::VirtualMachine, typed).await?,
        limits: limits(&Processors::of(world, (&instance.project, &instance.name), typed)),
        run_dir: world.dirs.run(&id),
        log_dir: world.dirs.log(&id),
        ..InstanceSpec::new(
            &world.tag,
            &id,
            generation,
            Root::Dir { path: own.join("root") },
            process,
        )
    })
}

/// The variables went; the next start is to keep those that are new now.
async fn note_forgotten(world: &World, instance: &Instance) -> Result<()> {
    let written = world.store.write(|db| {
        let Some(mut row) = rows::get(db, &instance.project, &instance.name)? else {
            return Ok(());
        };
        row.config.remove(APPLY_NVRAM);
        Ok::<_, Error>(rows::set_config(db, row.id, &row.config)?)
    });
    written.await
}

/// What a machine was is what it goes on as, whatever its options say now.
async fn former(world: &World, instance: &Instance, tpm: bool) -> Result<Vec<String>> {
    let argv = Places::of(world, instance).await?.frame()?.argv;
    match vm::has_tpm(&argv) == tpm {
        true => Ok(argv),
        false => Err(Error::invalid("devices", "a TPM came or went since its memory was kept")),
    }
}

/// The machine as its options say; how it boots is known when its folder is looked at.
fn plan(world: &World, instance: &Instance, typed: &Typed) -> (Machine, Loader) {
    let options = &typed.options;
    let loader = loader(typed);
    if world.host.accel == Accel::Tcg {
        tracing::warn!(
            name = instance.name,
            "it runs in QEMU's translator, some ten times slower: /dev/kvm is missing here, or emulates"
        );
    }
    let processors = Processors::of(world, (&instance.project, &instance.name), typed);
    let most_cpus = u32::try_from(world.host.cpus.len()).unwrap_or(u32::MAX);
    let machine = Machine {
        name: instance.name.clone(),
        uuid: instance.config.get("volatile.uuid").unwrap_or_default().to_owned(),
        architecture: world.host.architecture.clone(),
        accel: world.host.accel,
        memory: super::memory_of(world, typed),
        huge_pages: options.limits.memory_hugepages,
        cpus: processors.count,
        most_cpus,
        nodes: processors.nodes(&world.host.nodes, most_cpus),
        places: typed.devices.len() + SPARE,
        seed: super::drive::has_seed(typed),
        tpm: super::tpm::of(&typed.devices).is_some(),
        boot: Boot::Firmware(Firmware::Bios),
        screen: Screen::None,
        extra: options.overrides.qemu.as_ref().map_or_else(Vec::new, |it| it.words().to_vec()),
    };
    (machine, loader)
}

/// What a machine's firmware lets boot.
pub(crate) fn loader(typed: &Typed) -> Loader {
    let security = &typed.options.security;
    match (security.csm, security.secureboot) {
        (true, _) => Loader::Legacy,
        (false, true) => Loader::Signed,
        (false, false) => Loader::Any,
    }
}

/// The limits of QEMU itself: the host's processors that it may use.
pub(super) fn limits(processors: &Processors) -> Limits {
    let cpus = processors.set().map(|set| CpuLimit { set: Some(set), ..CpuLimit::default() });
    Limits { cpus, ..Limits::default() }
}

/// Makes the folders that QEMU sees, and its variables if this machine has none yet.
fn on_disk(
    (mut machine, loader): (Machine, Loader),
    folder: &Path,
    own: &Path,
    items: &[vm::drive::Item],
) -> Result<(Machine, Folders)> {
    let (root, io) = (own.join("root"), own.join("io"));
    make(&root, 0o755)?;
    // Sockets of an earlier start are in the way.
    disk::remove_folder(&io)?;
    make(&io, 0o700)?;
    // Of an earlier run; there is none mostly.
    let _ = fs::remove_file(own.join(super::trouble::NOTE));
    let drive = own.join("drive");
    vm::drive::write_folder(items, &drive).map_err(Error::file("write", &drive))?;
    let mut folders = Folders { io, drive, nvram: None, boot: None, tpm: None };
    let boot = folder.join("boot");
    machine.boot = if is_plain(&boot.join("kernel")) {
        let cmdline = command_line(&boot.join("cmdline"))?;
        let initrd = is_plain(&boot.join("initrd"));
        folders.boot = Some(boot);
        Boot::Kernel { initrd, cmdline }
    } else {
        let firmware = vm::find_firmware(&machine.architecture, loader)?;
        if let Firmware::Uefi { variables, .. } = &firmware {
            folders.nvram = Some(nvram(folder, variables)?);
        }
        Boot::Firmware(firmware)
    };
    machine.screen = Screen::of(&machine.boot);
    Ok((machine, folders))
}

/// Whether a file of an image's is one itself. A link would lead to a file of this machine.
pub(crate) fn is_plain(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|it| it.is_file())
}

/// What the kernel of an image is told.
fn command_line(path: &Path) -> Result<String> {
    if !is_plain(path) {
        return Ok(USUAL_CMDLINE.to_owned());
    }
    let mut text = String::new();
    let read =
        fs::File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text));
    read.map_err(Error::file("read", path))?;
    if text.len() as u64 > LONGEST {
        let why = format!("its boot/cmdline is longer than {LONGEST} bytes");
        return Err(Error::invalid("image", why));
    }
    Ok(text.trim().to_owned())
}

/// The machine's own variables, in a folder beside its disk; and what they begin from, if there are none yet.
/// Another firmware (secure boot or not) has others, so those are called as what they began from.
pub(crate) fn own_variables(folder: &Path, variables: &Path) -> (PathBuf, Option<PathBuf>) {
    let own = folder.join("nvram");
    let (file, given) = (own.join(variables.file_name().unwrap_or_default()), own.join(FROM_LXD));
    let length = |file: &Path| fs::metadata(file).map(|it| it.len()).ok();
    // Of another length they are of a firmware that is built otherwise.
    let usable = is_plain(&given) && length(&given) == length(variables);
    let from = if usable { given } else { variables.to_owned() };
    let known = is_plain(&file);
    (file, (!known).then_some(from))
}

/// The variables that a machine starts with.
fn nvram(folder: &Path, variables: &Path) -> Result<PathBuf> {
    let own = folder.join("nvram");
    let (file, from) = own_variables(folder, variables);
    if let Some(from) = &from {
        make(&own, 0o700)?;
        let new = own.join(".new");
        fs::copy(from, &new).map_err(Error::file("copy", from))?;
        disk::sync(&new)?;
        fs::rename(&new, &file).map_err(Error::file("rename", &new))?;
        disk::sync(&own)?;
    }
    Ok(file)
}

/// Where the variables are of a machine whose firmware keeps some, in the folder of what lies beside its disk.
pub(crate) fn variables_in(world: &World, typed: &Typed, folder: &Path) -> Result<Option<PathBuf>> {
    if is_plain(&folder.join("boot").join("kernel")) {
        return Ok(None);
    }
    match vm::find_firmware(&world.host.architecture, loader(typed))? {
        Firmware::Uefi { variables, .. } => Ok(Some(own_variables(folder, &variables).0)),
        Firmware::Bios => Ok(None),
    }
}

/// Removes the variables of all firmwares, and no chip's memory. Nothing there is Ok.
fn forget_variables(folder: &Path) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(Error::file("read", folder))?,
    };
    for entry in entries {
        let file = entry.map_err(Error::file("read", folder))?.path();
        if is_plain(&file) {
            fs::remove_file(&file).map_err(Error::file("remove", &file))?;
        }
    }
    Ok(())
}

pub(crate) fn make(folder: &Path, mode: u32) -> Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(mode).create(folder);
    made.map_err(Error::file("make", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_told_nothing_of_this_machines_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cmdline");
        assert_eq!(command_line(&path).unwrap(), USUAL_CMDLINE);
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert_eq!(command_line(&path).unwrap(), USUAL_CMDLINE);
        fs::remove_file(&path).unwrap();
        fs::write(&path, " quiet\n").unwrap();
        assert_eq!(command_line(&path).unwrap(), "quiet");
        fs::write(&path, "x".repeat(5000)).unwrap();
        assert!(command_line(&path).unwrap_err().to_string().contains("longer than 4096"));
    }
}
