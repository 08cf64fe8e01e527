//! Operations.

use std::collections::BTreeMap;

use crate::{
    Empty,
    Entity::Operation as AnOperation,
    Listing, Operation,
    endpoints::{
        Permission::{Authenticated, Can, Untrusted},
        Verb::Delete,
    },
    query::{ListQuery, NoQuery, SecretQuery, WaitQuery},
};

endpoints! {
    /// Lists operations by their state, such as `running`.
    OperationsList: Get "/1.0/operations" since "", needs Authenticated,
        Sync, ListQuery, Empty => BTreeMap<String, Listing<Operation>>;

    /// Shows an operation.
    OperationGet: Get "/1.0/operations/{id}" since "", needs Authenticated, Sync, NoQuery, Empty => Operation;

    /// Cancels an operation.
    OperationDelete: Delete "/1.0/operations/{id}" since "", needs Can(Delete, AnOperation), Sync, NoQuery, Empty => Empty;

    /// Answers when an operation is over, or the time is up.
    OperationWait: Get "/1.0/operations/{id}/wait" since "", needs Untrusted, Sync, WaitQuery, Empty => Operation;

    /// Connects to a stream of an operation, by its secret.
    OperationWebsocket: Get "/1.0/operations/{id}/websocket" since "", needs Untrusted,
        Websocket, SecretQuery, Empty => Empty;
}
