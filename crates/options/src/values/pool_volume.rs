//! Volumes of storage pools.

use std::fmt;

use super::value;
use crate::names::{check_pool, check_volume};

/// A custom volume by its pool and its name: `POOL/VOLUME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolVolume {
    /// The pool's name.
    pub pool: String,
    /// The volume's name.
    pub volume: String,
}

impl PoolVolume {
    fn read(text: &str) -> Option<Self> {
        let (pool, volume) = text.split_once('/')?;
        check_pool(pool).ok()?;
        check_volume(volume).ok()?;
        Some(Self { pool: pool.to_owned(), volume: volume.to_owned() })
    }
}

value!(
    PoolVolume,
    "pool-volume",
    "a storage pool and a custom volume in it, such as default/images",
    PoolVolume::read
);

impl fmt::Display for PoolVolume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pool, self.volume)
    }
}
