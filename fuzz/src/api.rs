//! Bodies and queries of the API: the first byte says of which type.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};
use wire::{query::*, *};

/// A type: how it is read, and an example.
struct Kind {
    read: fn(&str),
    example: fn() -> String,
}

macro_rules! bodies {
    ($($type:ident),* $(,)?) => {
        &[
            $( Kind { read: body::<$type>, example: example::<$type> }, )*
            Kind { read: body::<InstanceStatePut>, example: || STATE.to_owned() },
        ]
    };
}

macro_rules! patches {
    ($($type:ident),* $(,)?) => {
        &[ $( Kind { read: patch::<$type>, example: example::<$type> } ),* ]
    };
}

macro_rules! queries {
    ($($type:ident),* $(,)?) => {
        &[ $( Kind { read: query::<$type>, example: asked::<$type> } ),* ]
    };
}

/// It has no default, as one must say what to do.
const STATE: &str = r#"{"action":"stop","force":true,"timeout":10,"stateful":false}"#;

const BODIES: &[Kind] = bodies![
    CertificatePut,
    CertificatesPost,
    ClusterCertificatePut,
    ClusterGroupPost,
    ClusterGroupPut,
    ClusterGroupsPost,
    ClusterInstancesPost,
    ClusterInstancesPut,
    ClusterMemberPost,
    ClusterMemberPut,
    ClusterMemberStatePost,
    ClusterMembersPost,
    ClusterPut,
    ClusterRecoverPost,
    ClusterWordsPost,
    DatabaseRestorePost,
    ImageAliasesEntryPost,
    ImageAliasesEntryPut,
    ImageAliasesPost,
    ImageMetadata,
    ImagePut,
    ImagesPost,
    InstanceBackupPost,
    InstanceBackupsPost,
    InstanceConsolePost,
    InstanceExecPost,
    InstancePost,
    InstancePut,
    InstanceRebuildPost,
    InstanceSnapshotPost,
    InstanceSnapshotPut,
    InstanceSnapshotsPost,
    InstanceUEFIVars,
    InstancesPost,
    InstancesPut,
    JoinPost,
    MovedPut,
    NetworkPost,
    NetworkPut,
    NetworksPost,
    ProfilePost,
    ProfilePut,
    ProfilesPost,
    ProjectPost,
    ProjectPut,
    ProjectsPost,
    RecoverPost,
    ServerPut,
    SessionHello,
    SessionProof,
    StorageBucketBackupPost,
    StorageBucketBackupsPost,
    StorageBucketKeyPut,
    StorageBucketKeysPost,
    StorageBucketPut,
    StorageBucketsPost,
    StoragePoolPut,
    StoragePoolRekeyPost,
    StoragePoolUnlockPost,
    StoragePoolsPost,
    StorageVolumeBackupPost,
    StorageVolumeBackupsPost,
    StorageVolumePost,
    StorageVolumePut,
    StorageVolumeSnapshotPost,
    StorageVolumeSnapshotPut,
    StorageVolumeSnapshotsPost,
    StorageVolumesPost,
    WarningPut,
];

const PATCHES: &[Kind] = patches![
    CertificatePut,
    ClusterGroupPut,
    ClusterMemberPut,
    ImageAliasesEntryPut,
    ImageMetadata,
    ImagePut,
    InstancePut,
    InstanceSnapshotPut,
    NetworkPut,
    ProfilePut,
    ProjectPut,
    ServerPut,
    StorageBucketPut,
    StoragePoolPut,
    StorageVolumePut,
    StorageVolumeSnapshotPut,
    WarningPut,
];

const QUERIES: &[Kind] = queries![
    EventsQuery,
    FileQuery,
    ImageQuery,
    ListQuery,
    ProjectQuery,
    RemoveQuery,
    SecretQuery,
    StandingQuery,
    TargetQuery,
    TemplateQuery,
    ThingQuery,
    WaitQuery,
];

fn kinds() -> impl Iterator<Item = &'static Kind> {
    BODIES.iter().chain(PATCHES).chain(QUERIES)
}

/// Reads it as what it says that it is.
pub fn look(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    if let Some(kind) = kinds().nth(usize::from(*first)) {
        (kind.read)(text);
    }
}

fn body<T: Serialize + DeserializeOwned + PartialEq + Debug>(text: &str) {
    if let Ok(read) = serde_json::from_str::<T>(text) {
        same(&read);
    }
}

/// What is written is read as the same.
fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_string(value).unwrap();
    let again = serde_json::from_str::<T>(&text);
    assert_eq!(&again.unwrap_or_else(|why| panic!("{text}: {why}")), value);
}

fn patch<T: Serialize + DeserializeOwned + PartialEq + Debug + Default>(text: &str) {
    let Ok(patch) = serde_json::from_str::<Patch<T>>(text) else { return };
    if let Ok(patched) = patch.apply(&T::default()) {
        same(&patched);
    }
}

fn query<T: Serialize + DeserializeOwned + PartialEq + Debug>(text: &str) {
    let Ok(read) = serde_urlencoded::from_str::<T>(text) else { return };
    let text = serde_urlencoded::to_string(&read).unwrap();
    let again = serde_urlencoded::from_str::<T>(&text);
    assert_eq!(again.unwrap_or_else(|why| panic!("{text}: {why}")), read);
}

fn example<T: Serialize + Default>() -> String {
    serde_json::to_string(&T::default()).unwrap()
}

fn asked<T: Serialize + Default>() -> String {
    format!("project=a&recursion=1&target=b&{}", serde_urlencoded::to_string(T::default()).unwrap())
}

/// One of each kind.
pub fn seeds() -> Vec<Vec<u8>> {
    let seed =
        |(number, kind): (usize, &Kind)| [&[number as u8], (kind.example)().as_bytes()].concat();
    kinds().enumerate().map(seed).collect()
}
