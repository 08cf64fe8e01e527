//! What a client must be allowed to do.

/// Kinds of things that permissions are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entity {
    /// The server itself.
    Server,
    /// A project.
    Project,
    /// An instance.
    Instance,
    /// An image.
    Image,
    /// An alias of an image.
    ImageAlias,
    /// A profile.
    Profile,
    /// A network.
    Network,
    /// A storage pool.
    StoragePool,
    /// A storage volume.
    StorageVolume,
    /// A bucket of objects.
    StorageBucket,
    /// A trusted certificate.
    Certificate,
    /// An operation.
    Operation,
    /// A warning.
    Warning,
    /// What monitoring asks for.
    Metrics,
}

/// What is done to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// See it.
    View,
    /// Make one.
    Create,
    /// Change or rename it.
    Edit,
    /// Remove it.
    Delete,
    /// Start, stop, enter it: an instance only.
    Operate,
}

/// What a client must be allowed to do to use an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Nothing: anybody may ask (and may see less).
    Untrusted,
    /// To be known to the server; lists show only what the client may see.
    Authenticated,
    /// This verb on this kind of thing, in the project of the request.
    Can(Verb, Entity),
}
