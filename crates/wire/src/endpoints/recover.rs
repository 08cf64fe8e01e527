//! Recovery after the database is gone: addresses that LXD's server uses too, for its own program.

use crate::{
    RecoverPost, Recovered,
    endpoints::{Entity::Server as TheServer, Permission::Can, Verb::Edit},
    query::TargetQuery,
};

endpoints! {
    /// Looks what is in storage pools and not in the database.
    RecoverValidate: Post "/internal/recover/validate" since "", needs Can(Edit, TheServer),
        Sync, TargetQuery, RecoverPost => Recovered;

    /// Puts what is in storage pools into the database.
    RecoverImport: Post "/internal/recover/import" since "", needs Can(Edit, TheServer),
        Sync, TargetQuery, RecoverPost => Recovered;
}
