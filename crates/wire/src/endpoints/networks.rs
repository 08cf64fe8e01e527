//! Networks.

use crate::{
    Empty, Listing, Network, NetworkLease, NetworkPost, NetworkPut, NetworkState, NetworksPost,
    Patch,
    endpoints::{
        Entity::Network as ANetwork,
        Permission::{Authenticated, Can},
        Verb::{Create, Delete, Edit, View},
    },
    query::{ListQuery, TargetQuery},
};

endpoints! {
    /// Lists networks, and the interfaces of the host.
    NetworksList: Get "/1.0/networks" since "network", needs Authenticated, Sync, ListQuery, Empty => Listing<Network>;

    /// Makes a network.
    NetworkCreate: Post "/1.0/networks" since "network", needs Can(Create, ANetwork),
        Sync, TargetQuery, NetworksPost => Empty;

    /// Shows a network.
    NetworkGet: Get "/1.0/networks/{name}" since "network", needs Can(View, ANetwork),
        Sync, TargetQuery, Empty => Network;

    /// Replaces a network's options.
    NetworkReplace: Put "/1.0/networks/{name}" since "network", needs Can(Edit, ANetwork),
        Sync, TargetQuery, NetworkPut => Empty;

    /// Changes some of a network's options.
    NetworkPatch: Patch "/1.0/networks/{name}" since "network", needs Can(Edit, ANetwork),
        Sync, TargetQuery, Patch<NetworkPut> => Empty;

    /// Renames a network that nothing uses.
    NetworkRename: Post "/1.0/networks/{name}" since "network", needs Can(Edit, ANetwork),
        Sync, TargetQuery, NetworkPost => Empty;

    /// Deletes a network that nothing uses.
    NetworkDelete: Delete "/1.0/networks/{name}" since "network", needs Can(Delete, ANetwork),
        Sync, TargetQuery, Empty => Empty;

    /// Shows a network's addresses and counters.
    NetworkStateGet: Get "/1.0/networks/{name}/state" since "network_state", needs Can(View, ANetwork),
        Sync, TargetQuery, Empty => NetworkState;

    /// Lists the addresses that were given out.
    NetworkLeasesList: Get "/1.0/networks/{name}/leases" since "network_leases", needs Can(View, ANetwork),
        Sync, TargetQuery, Empty => Vec<NetworkLease>;
}
