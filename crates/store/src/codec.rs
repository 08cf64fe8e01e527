//! How things are written to files and streams: MessagePack with field names, so that fields can
//! be added.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::BoxError;

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, BoxError> {
    Ok(rmp_serde::to_vec_named(value)?)
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BoxError> {
    Ok(rmp_serde::from_slice(bytes)?)
}
