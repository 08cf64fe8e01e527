//! The cluster and its members; and beneath `/internal` what members say to each other.

use crate::{
    Cluster, ClusterCertificatePut, ClusterGroup, ClusterGroupPost, ClusterGroupPut,
    ClusterGroupsPost, ClusterInstancesPost, ClusterInstancesPut, ClusterMember, ClusterMemberPost,
    ClusterMemberPut, ClusterMemberState, ClusterMemberStatePost, ClusterMembersPost, ClusterPut,
    ClusterRecoverPost, Empty, JoinPost, Joined, Listing, Operation, Patch, Pulse, Standing,
    endpoints::{
        Entity::Server as TheServer,
        Permission::{Can, Untrusted},
        Verb::{Edit, View},
    },
    query::{ListQuery, NoQuery, RemoveQuery, StandingQuery},
};

endpoints! {
    /// Shows whether the server is in a cluster.
    ClusterGet: Get "/1.0/cluster" since "clustering", needs Can(View, TheServer), Sync, NoQuery, Empty => Cluster;

    /// Makes the server the first member of a cluster, or has it join one.
    ClusterReplace: Put "/1.0/cluster" since "clustering", needs Can(Edit, TheServer),
        Async, NoQuery, ClusterPut => Operation;

    /// Lists members.
    ClusterMembersList: Get "/1.0/cluster/members" since "clustering", needs Can(View, TheServer),
        Sync, ListQuery, Empty => Listing<ClusterMember>;

    /// Makes a token with which a server joins.
    ClusterMemberCreate: Post "/1.0/cluster/members" since "clustering_join_token", needs Can(Edit, TheServer),
        Async, NoQuery, ClusterMembersPost => Operation;

    /// Shows a member.
    ClusterMemberGet: Get "/1.0/cluster/members/{name}" since "clustering", needs Can(View, TheServer),
        Sync, NoQuery, Empty => ClusterMember;

    /// Replaces what can be changed of a member.
    ClusterMemberReplace: Put "/1.0/cluster/members/{name}" since "clustering_edit_roles", needs Can(Edit, TheServer),
        Sync, NoQuery, ClusterMemberPut => Empty;

    /// Changes some of what can be changed of a member.
    ClusterMemberPatch: Patch "/1.0/cluster/members/{name}" since "clustering_edit_roles", needs Can(Edit, TheServer),
        Sync, NoQuery, Patch<ClusterMemberPut> => Empty;

    /// Renames a member.
    ClusterMemberRename: Post "/1.0/cluster/members/{name}" since "clustering", needs Can(Edit, TheServer),
        Sync, NoQuery, ClusterMemberPost => Empty;

    /// Removes a member.
    ClusterMemberDelete: Delete "/1.0/cluster/members/{name}" since "clustering", needs Can(Edit, TheServer),
        Sync, RemoveQuery, Empty => Empty;

    /// Shows how a member is.
    ClusterMemberStateGet: Get "/1.0/cluster/members/{name}/state" since "cluster_member_state",
        needs Can(View, TheServer), Sync, NoQuery, Empty => ClusterMemberState;

    /// Replaces the certificate that all members show clients.
    ClusterCertificateReplace: Put "/1.0/cluster/certificate" since "clustering_update_cert",
        needs Can(Edit, TheServer), Sync, NoQuery, ClusterCertificatePut => Empty;

    /// Lists groups of members.
    ClusterGroupsList: Get "/1.0/cluster/groups" since "clustering_groups", needs Can(View, TheServer),
        Sync, ListQuery, Empty => Listing<ClusterGroup>;

    /// Makes a group of members.
    ClusterGroupCreate: Post "/1.0/cluster/groups" since "clustering_groups", needs Can(Edit, TheServer),
        Sync, NoQuery, ClusterGroupsPost => Empty;

    /// Shows a group of members.
    ClusterGroupGet: Get "/1.0/cluster/groups/{name}" since "clustering_groups", needs Can(View, TheServer),
        Sync, NoQuery, Empty => ClusterGroup;

    /// Replaces what can be changed of a group of members.
    ClusterGroupReplace: Put "/1.0/cluster/groups/{name}" since "clustering_groups", needs Can(Edit, TheServer),
        Sync, NoQuery, ClusterGroupPut => Empty;

    /// Changes some of what can be changed of a group of members.
    ClusterGroupPatch: Patch "/1.0/cluster/groups/{name}" since "clustering_groups", needs Can(Edit, TheServer),
        Sync, NoQuery, Patch<ClusterGroupPut> => Empty;

    /// Renames a group of members.
    ClusterGroupRename: Post "/1.0/cluster/groups/{name}" since "clustering_groups", needs Can(Edit, TheServer),
        Sync, NoQuery, ClusterGroupPost => Empty;

    /// Deletes a group that no member is in.
    ClusterGroupDelete: Delete "/1.0/cluster/groups/{name}" since "clustering_groups", needs Can(Edit, TheServer),
        Sync, NoQuery, Empty => Empty;

    /// Lets a server in that brings a token.
    ClusterJoin: Post "/internal/cluster/join" since "", needs Untrusted, Sync, NoQuery, JoinPost => Joined;

    /// Gives a member that was let in all that is in the database.
    ClusterBegin: Post "/internal/cluster/begin" since "", needs Untrusted, Sync, NoQuery, Empty => Empty;

    /// Tells a member that it is one no more.
    ClusterLeave: Post "/internal/cluster/leave" since "", needs Untrusted, Sync, NoQuery, Empty => Empty;

    /// Empties a member for maintenance, or brings back what was there.
    ClusterMemberStateSet: Post "/1.0/cluster/members/{name}/state" since "clustering_evacuation",
        needs Can(Edit, TheServer), Async, NoQuery, ClusterMemberStatePost => Operation;

    /// Gives an instance to the member that asks.
    ClusterInstanceReturn: Put "/internal/cluster/instances" since "", needs Untrusted,
        Async, NoQuery, ClusterInstancesPut => Operation;

    /// Waits for an instance of another member.
    ClusterInstanceReceive: Post "/internal/cluster/instances" since "", needs Untrusted,
        Async, NoQuery, ClusterInstancesPost => Operation;

    /// Has the server go on without the others, when too few are left for a majority.
    ClusterRecover: Post "/internal/cluster/recover" since "", needs Can(Edit, TheServer),
        Async, NoQuery, ClusterRecoverPost => Operation;

    /// Says to a member, and to nobody else, that this one is there and how busy it is.
    ClusterPing: Get "/internal/cluster/ping" since "", needs Untrusted, Sync, NoQuery, Empty => Pulse;

    /// Says whether whoever asks is a member.
    ClusterStanding: Get "/internal/cluster/standing" since "", needs Untrusted, Sync, StandingQuery, Empty => Standing;

    /// The connection between two members' databases.
    ClusterStore: Get "/internal/cluster/store" since "", needs Untrusted, Raw, NoQuery, Empty => Empty;
}
