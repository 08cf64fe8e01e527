//! What images and their snapshots are called.
//!
//! ```text
//! container_NAME  virtual-machine_NAME  image_FINGERPRINT  custom_NAME  bucket_NAME      volumes
//! beside_UUID         the small files of a volume that is a disk; the uuid stands in the disk's note
//! adopted_UUID_SNAP   a whole image that is a snapshot of the volume with that uuid
//! making_MEMBER_UUID  what a member makes and nobody sees yet
//! zombie_NAME_UUID    deleted, and kept while others are clones of it
//! microcloud_UUID     marks the pool; with `.own` at its end where the OSD pool was made for it
//!
//! @snapshot_NAME      a snapshot that somebody took; of the files beside a disk: @of_NUMBER of the disk's
//! @readonly           what is cloned of an image
//! @zombie_UUID        lives as long as its clones
//! @undo_UUID          what was there before a restore that goes on
//! ```

use uuid::Uuid;

use crate::{VolumeId, VolumeKind};

pub(super) const READONLY: &str = "readonly";
const ZOMBIE: &str = "zombie_";
const MAKING: &str = "making_";
const ADOPTED: &str = "adopted_";
const SNAPSHOT: &str = "snapshot_";
const MARKER: &str = "microcloud_";
const OWN: &str = ".own";

/// The image of a volume.
pub(super) fn of(id: &VolumeId) -> String {
    format!("{}_{}", word(id.kind), encode(&id.name))
}

/// The volume that an image is of; None where it is no volume's.
pub(super) fn volume(image: &str) -> Option<VolumeId> {
    let (kind, name) = image.split_once('_')?;
    let kind = VolumeKind::ALL.into_iter().find(|one| word(*one) == kind)?;
    VolumeId::new(kind, decode(name)?).ok()
}

fn word(kind: VolumeKind) -> &'static str {
    match kind {
        VolumeKind::Container => "container",
        VolumeKind::VirtualMachine => "virtual-machine",
        VolumeKind::Image => "image",
        VolumeKind::Custom => "custom",
        VolumeKind::Bucket => "bucket",
    }
}

/// `rbd` reads what follows an `@` as a snapshot.
fn encode(name: &str) -> String {
    name.replace('%', "%25").replace('@', "%40")
}

fn decode(text: &str) -> Option<String> {
    let name = text.replace("%40", "@").replace("%25", "%");
    (encode(&name) == text).then_some(name)
}

/// A name that nothing has.
pub(super) fn fresh(word: &str) -> String {
    format!("{word}_{}", Uuid::new_v4().simple())
}

pub(super) fn making(member: Uuid, uuid: Uuid) -> String {
    format!("{MAKING}{}_{}", member.simple(), uuid.simple())
}

/// What a member makes.
pub(super) fn made_by(image: &str, member: Uuid) -> Option<Uuid> {
    let (by, uuid) = image.strip_prefix(MAKING)?.split_once('_')?;
    let uuid = Uuid::try_parse(uuid).ok()?;
    (by == member.simple().to_string()).then_some(uuid)
}

/// What an image is while it is made, by its own name: its note may still be another's.
pub(super) fn made(image: &str) -> Option<Uuid> {
    let (_, uuid) = image.strip_prefix(MAKING)?.split_once('_')?;
    Uuid::try_parse(uuid).ok()
}

pub(super) fn beside(uuid: Uuid) -> String {
    format!("beside_{}", uuid.simple())
}

/// Whether an image is a part of a volume.
pub(super) fn is_part(image: &str) -> bool {
    image.starts_with("beside_") || image.starts_with(ADOPTED)
}

/// What an image is called once it is deleted.
pub(super) fn zombie(image: &str) -> String {
    match is_zombie(image) {
        true => image.to_owned(),
        false => fresh(&format!("{ZOMBIE}{image}")),
    }
}

pub(super) fn is_zombie(name: &str) -> bool {
    name.starts_with(ZOMBIE)
}

pub(super) fn adopted(uuid: Uuid, snapshot: &str) -> String {
    format!("{ADOPTED}{}_{}", uuid.simple(), encode(snapshot))
}

/// The name of the snapshot of a volume that an image is.
pub(super) fn adopted_by(image: &str, uuid: Uuid) -> Option<String> {
    let (by, name) = image.strip_prefix(ADOPTED)?.split_once('_')?;
    (by == uuid.simple().to_string()).then(|| decode(name)).flatten()
}

pub(super) fn snapshot(name: &str) -> String {
    format!("{SNAPSHOT}{}", encode(name))
}

/// The name that somebody gave to a snapshot of an image.
pub(super) fn given(snap: &str) -> Option<String> {
    decode(snap.strip_prefix(SNAPSHOT)?)
}

/// The snapshot of what is beside a disk that belongs to one of the disk. Its name stays when that is renamed.
pub(super) fn snap_beside(snap: &str, id: u64) -> String {
    match snap.starts_with(SNAPSHOT) {
        true => format!("of_{id}"),
        false => snap.to_owned(),
    }
}

/// What marks a pool.
pub(super) fn marker(id: Option<Uuid>, own: bool) -> String {
    let end = if own { OWN } else { "" };
    format!("{MARKER}{}{end}", id.unwrap_or_default().simple())
}

/// The identity that an image marks its pool with, and whether the OSD pool was made for it.
pub(super) fn marked(image: &str) -> Option<(Uuid, bool)> {
    let text = image.strip_prefix(MARKER)?;
    let (id, own) = match text.strip_suffix(OWN) {
        Some(id) => (id, true),
        None => (text, false),
    };
    Some((Uuid::try_parse(id).ok()?, own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_volumes_and_never_to_another() {
        let mut seen = std::collections::HashSet::new();
        for name in ["web", "p_web", "b@new", "b%40new", "a%b", "é.block", "x_ext4"] {
            for kind in VolumeKind::ALL {
                let id = VolumeId::new(kind, name).unwrap();
                let image = of(&id);
                assert!(!image.contains('@') && seen.insert(image.clone()), "{image}");
                assert_eq!(volume(&image), Some(id));
            }
            assert_eq!(given(&snapshot(name)).as_deref(), Some(name));
            let uuid = Uuid::new_v4();
            assert_eq!(adopted_by(&adopted(uuid, name), uuid).as_deref(), Some(name));
            assert_eq!(adopted_by(&adopted(uuid, name), Uuid::new_v4()), None);
        }
    }

    #[test]
    fn what_is_no_volume_is_none() {
        let (member, uuid) = (Uuid::new_v4(), Uuid::new_v4());
        let made = making(member, uuid);
        assert_eq!((made_by(&made, member), made_by(&made, uuid)), (Some(uuid), None));
        assert_eq!(super::made(&made), Some(uuid));
        let gone = zombie("container_web");
        assert!(is_zombie(&gone) && zombie(&gone) == gone && gone != zombie("container_web"));
        for image in [made, gone, beside(uuid), adopted(uuid, "s"), marker(Some(uuid), true)] {
            assert_eq!(volume(&image), None, "{image}");
        }
        assert_eq!(marked(&marker(Some(uuid), true)), Some((uuid, true)));
        assert_eq!(marked(&marker(None, false)), Some((Uuid::nil(), false)));
        assert_eq!(marked("lxd_tank"), None);
    }
}
