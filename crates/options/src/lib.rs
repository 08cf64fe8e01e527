//! Configuration options, declared once as typed structs.
//!
//! A struct with `#[derive(Options)]` is the document, the validator and the parsed form at once:
//!
//! ```
//! use options::{Options, Raw, Setting};
//!
//! /// Options of a pond.
//! #[derive(Debug, Options)]
//! #[options(entity = "pond", group = "water")]
//! struct Pond {
//!     /// Depth in centimetres.
//!     ///
//!     /// Ducks want at least thirty.
//!     #[option(key = "water.depth", default = "50", apply = restart)]
//!     depth: Setting<u8>,
//! }
//!
//! let raw = Raw::from_iter([("water.depth", "deep")]);
//! let problems = Pond::parse(&raw).unwrap_err();
//! assert_eq!(
//!     problems.to_string(),
//!     r#"invalid value "deep" for "water.depth": auto, none or a whole number from 0 to 255"#
//! );
//! ```
//!
//! On the struct: `entity`, `check = Self::f` (rules across keys, `fn(&self) -> Vec<Problem>`), and
//! for all its fields `group`, `apply`, `scope`. On a field: `key`, or `pattern` for a family of
//! keys (`user.*`, `volatile.<name>.hwaddr`; the field is a `BTreeMap` by what stands for the
//! name), or `nested` (another struct of options, each key behind `prefix`); `default` (holds when
//! the key is absent), `default_text` (the same in words), `initial` (written into the
//! configuration when the object is made), `apply = live | restart | create`, `scope = global |
//! local`, `condition`, `since` (API extension). The type of the field is the validator: a
//! [`Value`], or an `Option` of one.
//!
//! The doors parse a [`Raw`] map once; beneath them everything takes the typed structs of
//! [`instance`], [`device`], [`network`], [`storage`], [`project`] and [`server`]. From the tables
//! also come [`metadata()`], the list of what is missing (`not-yet.txt`) and which change needs a
//! restart ([`Changes`]). Names of things are checked in [`names`]. This crate knows no other of
//! ours and does no I/O.

// The derive macro names this crate by its outside name.
extern crate self as options;

pub use changes::{Change, Changes};
pub use config::Config;
pub use kind::Kind;
pub use options_derive::Options;
pub use parse::{Options, Reader};
pub use problem::{Problem, Problems, Why};
pub use raw::Raw;
pub use table::{Apply, Family, Found, Nested, Opt, Scope, Table};
pub use tables::{
    TABLES, ceph, device, instance, lvm, member, network, project, server, storage, zfs,
};
pub use tables::{
    ceph::{CephPoolOptions, CephVolumeOptions},
    device::{Device, Devices},
    instance::InstanceOptions,
    lvm::{AnyVolumeOptions, BlockOptions, LvmPoolOptions, LvmVolumeOptions, StripeOptions},
    network::BridgeOptions,
    project::ProjectOptions,
    server::ServerOptions,
    storage::{BtrfsPoolOptions, BucketOptions, DirPoolOptions, VolumeOptions},
    zfs::{DatasetOptions, ZfsPoolOptions, ZfsVolumeOptions},
};
pub use values::{
    AbsolutePath, Algorithm, Arguments, BitRate, Bounded, Compression, CpuAllowance, CpuLimit,
    CpuSet, Cron, DeviceId, DiskRate, Domain, Expiry, FileMode, FileSystemName, FuseProgram,
    IdRange, IdmapEntry, IdmapSide, InterfaceName, Ipv4Range, Ipv6Range, KernelLimit, LeaseTime,
    Lines, List, ListenAddress, Mac, MemoryLimit, ModuleName, OrNone, PciAddress, PoolVolume,
    Protocol, ProxyAddress, Retention, SeccompProfile, Setting, Size, SnapshotPattern,
    UplinkSubnet, Url, Value, Vlan, Vlans, Weight,
};

mod changes;
mod config;
mod kind;
pub mod metadata;
pub mod names;
mod nearest;
mod parse;
mod problem;
mod raw;
pub mod surface;
mod table;
mod tables;
mod values;

pub use metadata::metadata;

#[cfg(test)]
mod tests;
