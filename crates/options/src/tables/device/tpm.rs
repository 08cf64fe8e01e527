//! TPMs.

use crate::Options;

/// Options of a TPM 2: a virtual machine's needs none. `path` and `pathrm` are of a container's, which cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, Options)]
#[options(entity = "device-tpm", group = "device-conf")]
pub struct Tpm {}
