//! The kinds of trouble, under the names that LXD's API gives them.

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The kernel counts no disks of instances.
    NoBlkio,
    /// The kernel limits no processors.
    NoCpu,
    /// The kernel binds no instances to processors.
    NoCpuset,
    /// The kernel limits no memory.
    NoMemory,
    /// The kernel limits no processes.
    NoPids,
    /// There is no AppArmor.
    NoAppArmor,
    /// Folders cannot be given to virtual machines.
    NoVirtiofsd,
    /// A file of the database was damaged.
    Database,
    /// Instances of a kind cannot run, or not as they should.
    InstanceType,
    /// A network is not as it should be.
    Network,
    /// A storage pool does not serve.
    Pool,
    /// Images or backups are kept on a volume that is not there.
    Depot,
    /// An instance that should run could not be started.
    Autostart,
}

impl Kind {
    /// All of them.
    #[cfg(test)]
    pub(super) const ALL: [Kind; 13] = [
        Kind::NoBlkio,
        Kind::NoCpu,
        Kind::NoCpuset,
        Kind::NoMemory,
        Kind::NoPids,
        Kind::NoAppArmor,
        Kind::NoVirtiofsd,
        Kind::Database,
        Kind::InstanceType,
        Kind::Network,
        Kind::Pool,
        Kind::Depot,
        Kind::Autostart,
    ];

    /// As clients are told.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::NoBlkio => "Couldn't find the CGroup blkio",
            Kind::NoCpu => "Couldn't find the CGroup CPU controller",
            Kind::NoCpuset => "Couldn't find the CGroup CPUset controller",
            Kind::NoMemory => "Couldn't find the CGroup memory controller",
            Kind::NoPids => "Couldn't find the CGroup pids controller",
            Kind::NoAppArmor => "AppArmor support has been disabled",
            Kind::NoVirtiofsd => "Missing virtiofsd",
            Kind::Database => "Database was damaged",
            Kind::InstanceType => "Instance type not operational",
            Kind::Network => "Network unavailable",
            Kind::Pool => "Storage pool unavailable",
            Kind::Depot => "Volume of images or backups unavailable",
            Kind::Autostart => "Failed to autostart instance",
        }
    }

    /// How bad one of that name is.
    pub(crate) fn severity(name: &str) -> &'static str {
        let high = [Kind::Network, Kind::Pool, Kind::Depot];
        match high.iter().any(|kind| kind.name() == name) {
            true => "high",
            false => "low",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_has_a_name_of_its_own() {
        let names: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        assert_eq!(Kind::severity(Kind::Pool.name()), "high");
        assert_eq!(Kind::severity(Kind::NoPids.name()), "low");
    }
}
