//! The variables of a virtual machine's UEFI firmware.

use std::collections::BTreeMap;

api! {
    /// The variables that a virtual machine's firmware keeps.
    pub struct InstanceUEFIVars {
        /// By name and vendor: `BootOrder-8be4df61-93ca-11d2-aa0d-00e098032b8c`.
        pub variables: BTreeMap<String, InstanceUEFIVariable>,
    }

    /// A variable of a firmware.
    pub struct InstanceUEFIVariable {
        /// What it holds, hexadecimal.
        pub data: String,
        /// Its attributes: the sum of 1 (lasts), 2 (before the system runs), 4 (for the system), ...
        pub attr: u32,
        /// When one that is signed was written: `EFI_TIME`, hexadecimal; empty: never.
        pub timestamp: String,
        /// Of stores that keep one; those of EDK2 do not.
        pub digest: String,
    }
}
