//! The laws of tasks (`tasks::laws`), kept by every task of the cloud in a real world: a store, a
//! pool, monitors, a bridge in a network namespace of its own.

mod backups;
mod bucket_backups;
mod buckets;
mod copies;
mod depots;
mod images;
mod instances;
mod machines;
mod moves;
mod networks;
mod plug;
mod pools;
mod recover;
mod refresh;
mod scene;
mod snapshots;
mod streams;
mod volume_backups;
mod volumes;
mod voyages;
