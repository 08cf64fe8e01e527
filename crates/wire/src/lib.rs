//! The words of the REST API: its types, and the one list of its endpoints.
//!
//! The API is LXD's, as of 5.21, so names of fields are given. A reader of JSON here is as forgiving as LXD's:
//! unknown fields are ignored, absent ones and `null` mean the default. `config` maps are plain strings;
//! giving them a meaning is the work of the crate `options`.
//!
//! From [`endpoints::ENDPOINTS`] come the router, the client, the OpenAPI document and the list of what is still
//! missing (`not-yet.txt`). This crate does no I/O and knows no HTTP library.

#[macro_use]
mod lenient;

pub mod backup;
pub mod bucket;
pub mod certificate;
mod cluster;
mod database;
pub mod endpoints;
pub mod event;
pub mod image;
pub mod instance;
pub mod instance_requests;
pub mod instance_state;
mod listing;
pub mod metadata;
pub mod network;
pub mod openapi;
pub mod operation;
mod patch;
pub mod profile;
pub mod project;
pub mod query;
mod recover;
pub mod resources;
mod response;
pub mod server;
mod session;
pub mod snapshot;
mod status;
pub mod storage;
mod time;
mod uefi;
pub mod volume;
pub mod warning;

use std::collections::BTreeMap;

pub use self::{
    backup::{
        BackupVolumeSnapshot, InstanceBackup, InstanceBackupPost, InstanceBackupsPost,
        StorageBucketBackup, StorageBucketBackupPost, StorageBucketBackupsPost,
        StorageVolumeBackup, StorageVolumeBackupPost, StorageVolumeBackupsPost,
    },
    bucket::{
        StorageBucket, StorageBucketKey, StorageBucketKeyPut, StorageBucketKeysPost,
        StorageBucketPut, StorageBucketsPost,
    },
    certificate::{Certificate, CertificateAddToken, CertificatePut, CertificatesPost},
    cluster::{
        Cluster, ClusterCertificatePut, ClusterGroup, ClusterGroupPost, ClusterGroupPut,
        ClusterGroupsPost, ClusterInstancesPost, ClusterInstancesPut, ClusterMember,
        ClusterMemberConfigKey, ClusterMemberJoinToken, ClusterMemberPost, ClusterMemberPut,
        ClusterMemberState, ClusterMemberStatePost, ClusterMemberSysInfo, ClusterMembersPost,
        ClusterPut, ClusterRecoverPost, JoinPost, Joined, JoinedMember, Pulse, Standing,
    },
    database::{Database, DatabaseCopy, DatabaseRestorePost},
    endpoints::{Endpoint, Entity, Info, Kind, Method, Permission, Verb},
    event::{Event, EventKind, EventLifecycle, EventLogging, Requestor},
    image::{
        Image, ImageAlias, ImageAliasesEntry, ImageAliasesEntryPost, ImageAliasesEntryPut,
        ImageAliasesPost, ImageExportPost, ImageMetadata, ImageMetadataTemplate, ImagePut,
        ImageSource, ImagesPost, ImagesPostSource,
    },
    instance::{
        Instance, InstanceFull, InstancePost, InstancePostTarget, InstancePut, InstanceRebuildPost,
        InstanceType, InstancesPost,
    },
    instance_requests::{
        ConsoleKind, ExecControl, ExecMetadata, InstanceConsolePost, InstanceExecPost,
        InstanceSource, InstanceStatePut, InstancesPut, StateAction, WindowSize,
    },
    instance_state::{
        InstanceState, InstanceStateCpu, InstanceStateDisk, InstanceStateMemory,
        InstanceStateNetwork, InstanceStateNetworkAddress, InstanceStateNetworkCounters,
    },
    listing::Listing,
    metadata::{ConfigGroup, ConfigKey, MetadataConfiguration},
    network::{
        Network, NetworkLease, NetworkPost, NetworkPut, NetworkState, NetworkStateAddress,
        NetworkStateBond, NetworkStateBridge, NetworkStateCounters, NetworkStateOvn,
        NetworkStateVlan, NetworksPost,
    },
    operation::{Operation, OperationClass},
    patch::Patch,
    profile::{Profile, ProfilePost, ProfilePut, ProfilesPost},
    project::{Project, ProjectPost, ProjectPut, ProjectState, ProjectStateResource, ProjectsPost},
    recover::{RecoverPost, Recovered, RecoveredVolume},
    resources::{
        Resources, ResourcesCpu, ResourcesMemory, ResourcesNetwork, ResourcesStorage,
        ResourcesStoragePool, ResourcesStoragePoolInodes, ResourcesStoragePoolSpace,
        ResourcesSystem,
    },
    response::{Empty, Response, ResponseType},
    server::{Server, ServerEnvironment, ServerPut, ServerStorageDriver, Wear},
    session::{
        ClusterGuest, ClusterNearby, ClusterSession, ClusterWords, ClusterWordsPost, MovedPut,
        SessionElement, SessionHello, SessionProof, SessionWelcome,
    },
    snapshot::{
        InstanceSnapshot, InstanceSnapshotPost, InstanceSnapshotPut, InstanceSnapshotsPost,
    },
    status::StatusCode,
    storage::{
        StoragePool, StoragePoolPut, StoragePoolRekeyPost, StoragePoolUnlockPost,
        StoragePoolVerified, StoragePoolsPost,
    },
    time::Timestamp,
    uefi::{InstanceUEFIVariable, InstanceUEFIVars},
    volume::{
        StorageVolume, StorageVolumePost, StorageVolumePut, StorageVolumeSnapshot,
        StorageVolumeSnapshotPost, StorageVolumeSnapshotPut, StorageVolumeSnapshotsPost,
        StorageVolumeSource, StorageVolumeState, StorageVolumeStateUsage, StorageVolumesPost,
    },
    warning::{Warning, WarningPut},
};

/// A `config` map as it travels: keys and values are strings.
pub type ConfigMap = BTreeMap<String, String>;

/// A `devices` map as it travels: the options of each device by its name.
pub type DevicesMap = BTreeMap<String, ConfigMap>;

/// The project a request means when it names none.
pub const DEFAULT_PROJECT: &str = "default";

#[cfg(test)]
mod surface;
#[cfg(test)]
mod tests;
