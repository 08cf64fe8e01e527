//! The server: `/`, `/1.0`, events, resources, descriptions of options.

use crate::{
    Empty,
    Entity::{Metrics as TheMetrics, Server as TheServer},
    Event, MetadataConfiguration, Patch, Resources, Server, ServerPut, Wear,
    endpoints::{
        Permission::{Authenticated, Can, Untrusted},
        Verb::{Edit, View},
    },
    query::{EventsQuery, NoQuery, ProjectQuery, TargetQuery},
};

endpoints! {
    /// Lists the versions of the API.
    RootGet: Get "/" since "", needs Untrusted, Sync, NoQuery, Empty => Vec<String>;

    /// Shows the server: its extensions, options and environment.
    ServerGet: Get "/1.0" since "", needs Untrusted, Sync, TargetQuery, Empty => Server;

    /// Replaces the server's options.
    ServerReplace: Put "/1.0" since "", needs Can(Edit, TheServer), Sync, TargetQuery, ServerPut => Empty;

    /// Changes some of the server's options.
    ServerPatch: Patch "/1.0" since "patch", needs Can(Edit, TheServer), Sync, TargetQuery, Patch<ServerPut> => Empty;

    /// Sends events as they happen.
    EventsGet: Get "/1.0/events" since "", needs Authenticated, Websocket, EventsQuery, Empty => Event;

    /// Shows what the machine has.
    ResourcesGet: Get "/1.0/resources" since "resources", needs Can(View, TheServer), Sync, TargetQuery, Empty => Resources;

    /// Shows what the server writes to its disk.
    WearGet: Get "/internal/wear" since "", needs Can(View, TheServer), Sync, TargetQuery, Empty => Wear;

    /// Tells what instances used and what the server does, as OpenMetrics text.
    MetricsGet: Get "/1.0/metrics" since "metrics", needs Can(View, TheMetrics), Raw, ProjectQuery, Empty => String;

    /// Describes every option there is.
    MetadataConfigurationGet: Get "/1.0/metadata/configuration" since "metadata_configuration", needs Untrusted,
        Sync, NoQuery, Empty => MetadataConfiguration;
}
