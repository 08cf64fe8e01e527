//! Warnings: what the server could not do as asked.

use crate::{
    Empty,
    Entity::Warning as AWarning,
    Listing, Patch, Warning, WarningPut,
    endpoints::{
        Permission::Can,
        Verb::{Delete, Edit, View},
    },
    query::{ListQuery, NoQuery},
};

endpoints! {
    /// Lists warnings, the oldest first.
    WarningsList: Get "/1.0/warnings" since "warnings", needs Can(View, AWarning),
        Sync, ListQuery, Empty => Listing<Warning>;

    /// Shows a warning.
    WarningGet: Get "/1.0/warnings/{uuid}" since "warnings", needs Can(View, AWarning),
        Sync, NoQuery, Empty => Warning;

    /// Says that somebody knows, or not.
    WarningReplace: Put "/1.0/warnings/{uuid}" since "warnings", needs Can(Edit, AWarning),
        Sync, NoQuery, WarningPut => Empty;

    /// Says that somebody knows, or not.
    WarningPatch: Patch "/1.0/warnings/{uuid}" since "warnings", needs Can(Edit, AWarning),
        Sync, NoQuery, Patch<WarningPut> => Empty;

    /// Deletes a warning.
    WarningDelete: Delete "/1.0/warnings/{uuid}" since "warnings", needs Can(Delete, AWarning),
        Sync, NoQuery, Empty => Empty;
}
