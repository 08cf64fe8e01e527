//! The variables that a machine's firmware keeps: read and written for clients while it does not run, as it writes
//! them itself while it does.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use storage::VolumeId;
use tasks::{Claim, Guard};
use vm::{Firmware, Variable, Variables};
use wire::{InstanceUEFIVariable, InstanceUEFIVars};

use super::{
    Kind,
    machine::spec::{is_plain, loader, make, own_variables},
    options::Typed,
};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::instances::Instance,
    etag::{self, IfMatch},
    expand,
    storage::OpenPool,
    url,
};

/// Who holds what is claimed for it.
const HOLDER: &str = "an access to its UEFI variables";

/// The variables of an instance.
///
/// # Errors
/// That it has none, that it runs, that its store cannot be read.
pub async fn get(world: &Arc<World>, project: &str, name: &str) -> Result<InstanceUEFIVars> {
    let opened = Opened::new(world, project, name).await?;
    opened.work(|file| Ok(render(&file.read()?))).await
}

/// Makes them these and no others.
///
/// # Errors
/// As [`get`]; and what cannot be a variable, or does not fit.
pub async fn put(
    world: &Arc<World>,
    caller: &Caller,
    (project, name): (&str, &str),
    seen: IfMatch,
    new: &InstanceUEFIVars,
) -> Result<()> {
    let new = parse(new)?;
    let opened = Opened::new(world, project, name).await?;
    if opened.stateful {
        let hint = "its firmware goes on as it was: start it, and stop it without --stateful";
        return Err(Error::State { name: name.to_owned(), is: "kept with its memory", hint });
    }
    let told = name.to_owned();
    opened
        .work(move |file| {
            let old = file.read()?;
            etag::check(&seen, &render(&old), "UEFI variables of", &told)?;
            file.write(&new)
        })
        .await?;
    world.tell(caller, project, "instance-updated", url::instance(project, name));
    Ok(())
}

/// A machine that does not run, and cannot be started meanwhile.
struct Opened {
    pool: OpenPool,
    volume: VolumeId,
    variables: PathBuf,
    stateful: bool,
    guard: Guard,
}

impl Opened {
    async fn new(world: &Arc<World>, project: &str, name: &str) -> Result<Opened> {
        let claim = [Claim::alone(super::lock_name(project, name))];
        let guard = world.locks().lock(&claim, HOLDER).await;
        let (row, typed) = world.store.read(|db| {
            let row = super::find(db, project, name)?;
            let typed = Typed::parse(&expand::expand(db, &row)?)?;
            Ok::<_, Error>((row, typed))
        })?;
        if row.kind() != Kind::VirtualMachine {
            return Err(without("containers have no firmware"));
        }
        if world.guests.get(project, name).is_some() {
            let hint = "its firmware writes them itself meanwhile: stop it first";
            return Err(Error::State { name: name.to_owned(), is: "running", hint });
        }
        if typed.options.volatile.apply_nvram == Some(true) {
            return Err(without(
                "volatile.apply_nvram is true: it begins with new ones when it starts",
            ));
        }
        let pool = world.pools.open(world, typed.root_pool()?).await?;
        let variables = template(&row, &typed)?;
        Ok(Opened { pool, volume: row.root()?, variables, stateful: row.stateful, guard })
    }

    /// Does something with the file; to its end, even if whoever asked goes away.
    async fn work<T: Send + 'static>(
        self,
        what: impl FnOnce(&File) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let Opened { pool, volume, variables, guard, .. } = self;
        let done = tokio::spawn(async move {
            let done = blocking("access to UEFI variables", move || {
                pool.attach(&volume)?;
                let done = pool
                    .folder(&volume)
                    .map_err(Error::from)
                    .and_then(|folder| what(&File::find(&folder, &variables)?));
                let detached = pool.detach(&volume).map_err(Error::from);
                done.and_then(|done| detached.map(|()| done))
            });
            let done = done.await;
            drop(guard);
            done
        });
        done.await.unwrap_or(Err(Error::Broken("access to UEFI variables")))
    }
}

/// What the variables of a machine begin from.
fn template(row: &Instance, typed: &Typed) -> Result<PathBuf> {
    match vm::find_firmware(&row.architecture, loader(typed))? {
        Firmware::Uefi { variables, .. } => Ok(variables),
        Firmware::Bios => Err(without("it boots from a BIOS (security.csm)")),
    }
}

fn without(why: &str) -> Error {
    Error::invalid("UEFI variables", why)
}

/// A file of variables.
struct File {
    /// The machine's own.
    own: PathBuf,
    /// What it has so far.
    now: PathBuf,
}

impl File {
    fn find(folder: &Path, variables: &Path) -> Result<File> {
        if is_plain(&folder.join("boot/kernel")) {
            return Err(without("its image boots a kernel at once, without a firmware"));
        }
        let (own, from) = own_variables(folder, variables);
        Ok(File { now: from.unwrap_or_else(|| own.clone()), own })
    }

    fn bytes(&self) -> Result<Vec<u8>> {
        fs::read(&self.now).map_err(Error::file("read", &self.now))
    }

    fn read(&self) -> Result<Variables> {
        Ok(vm::read_variables(&self.bytes()?)?)
    }

    /// All or nothing: the new file takes the old one's place.
    fn write(&self, new: &Variables) -> Result<()> {
        let bytes = vm::write_variables(&self.bytes()?, new)?;
        let folder = self.own.parent().unwrap_or(&self.own);
        make(folder, 0o700)?;
        let draft = folder.join(".new");
        let written = fs::File::create(&draft).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()
        });
        written.map_err(Error::file("write", &draft))?;
        fs::rename(&draft, &self.own).map_err(Error::file("rename", &draft))?;
        let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(Error::file("sync", folder))
    }
}

fn render(found: &Variables) -> InstanceUEFIVars {
    let shown = |variable: &Variable| InstanceUEFIVariable {
        data: hex(&variable.data),
        attr: variable.attributes,
        timestamp: if variable.time == [0; 16] { String::new() } else { hex(&variable.time) },
        digest: String::new(),
    };
    let variables = found.iter().map(|(name, variable)| (name.clone(), shown(variable)));
    InstanceUEFIVars { variables: variables.collect() }
}

fn parse(given: &InstanceUEFIVars) -> Result<Variables> {
    let mut found = Variables::new();
    for (name, one) in &given.variables {
        let wrong = |why: &str| without(&format!("\"{name}\": {why}"));
        if !vm::is_variable(name) {
            return Err(wrong("a name is letters, a hyphen and a GUID in small letters"));
        }
        if !one.digest.is_empty() {
            return Err(wrong("digest: the store has none"));
        }
        let bytes = |what: &str, text: &str| {
            unhex(text).ok_or_else(|| wrong(&format!("{what}: \"{text}\" is not hexadecimal")))
        };
        let time = bytes("timestamp", &one.timestamp)?;
        let time: [u8; 16] = match time.len() {
            0 => [0; 16],
            _ => time.try_into().map_err(|_| wrong("timestamp: it is not 16 bytes long"))?,
        };
        let data = bytes("data", &one.data)?;
        found.insert(name.clone(), Variable::new(data, one.attr, time));
    }
    Ok(found)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "Timeout-8be4df61-93ca-11d2-aa0d-00e098032b8c";

    fn given(name: &str, one: InstanceUEFIVariable) -> InstanceUEFIVars {
        InstanceUEFIVars { variables: [(name.to_owned(), one)].into() }
    }

    #[test]
    fn what_is_shown_is_understood() {
        let one = InstanceUEFIVariable {
            data: String::from("05ff"),
            attr: 7,
            timestamp: "0a".repeat(16),
            digest: String::new(),
        };
        let vars = given(NAME, one);
        let parsed = parse(&vars).unwrap();
        assert_eq!(parsed[NAME].data, [5, 255]);
        assert_eq!(render(&parsed), vars);
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_name() {
        let with = |data: &str, timestamp: &str, digest: &str| InstanceUEFIVariable {
            data: data.to_owned(),
            attr: 7,
            timestamp: timestamp.to_owned(),
            digest: digest.to_owned(),
        };
        for (name, one, words) in [
            ("Timeout", with("05", "", ""), "a GUID"),
            ("Timeout-8BE4DF61-93ca-11d2-aa0d-00e098032b8c", with("05", "", ""), "a GUID"),
            (NAME, with("0", "", ""), "data: \"0\" is not hexadecimal"),
            (NAME, with("+5", "", ""), "data: \"+5\" is not hexadecimal"),
            (NAME, with("05", "07", ""), "timestamp: it is not 16 bytes"),
            (NAME, with("05", "", "aa"), "digest"),
        ] {
            let said = parse(&given(name, one)).unwrap_err().to_string();
            assert!(said.contains(words) && said.contains(name), "{said}");
        }
    }
}
