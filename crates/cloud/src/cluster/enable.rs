//! Makes a server that is alone the first member of a cluster, in place.

use options::{ListenAddress, Options, Value, names, server::ServerOptions};

use crate::{
    Caller, Error, Result, World,
    db::{members as rows, server},
    names::DEFAULT_PROJECT,
    server::doors,
};

/// The key of the address that the others reach a member by.
pub(super) const CLUSTER_ADDRESS: &str = "cluster.https_address";
/// The key of the address that clients reach a server by.
pub(super) const CLIENT_ADDRESS: &str = "core.https_address";

/// Makes the server the first member of a cluster of its own. `address` is where the others are to reach it: what
/// the options say, if it is empty.
pub async fn enable(world: &World, caller: &Caller, name: &str, address: &str) -> Result<()> {
    if world.is_clustered() {
        return Err(Error::InCluster { name: world.me() });
    }
    let name = if name.is_empty() { world.me() } else { name.to_owned() };
    check_name(&name)?;
    let address = settle_address(world, address, None).await?;
    world.keep_shared_identity(&world.own_identity()?.pem(), &world.shared_key()?)?;
    let certificate = world.own_identity()?.pem();
    world
        .store
        .write(|db| {
            let own = super::own(db)?;
            let (name, address) = (name.clone(), address.clone());
            let certificate = certificate.clone();
            Ok::<_, Error>(rows::update(db, &rows::Member { name, address, certificate, ..own })?)
        })
        .await?;
    super::refresh(world)?;
    world.tell(caller, DEFAULT_PROJECT, "cluster-enabled", String::from("/1.0/cluster"));
    Ok(())
}

pub(super) fn check_name(name: &str) -> Result<()> {
    // As a host is called, since that is what it mostly is.
    names::check_instance(name).map_err(|why| Error::invalid("member name", why))
}

/// Listens there, and says where the others find it; `towards` is where one of them is.
pub(super) async fn settle_address(
    world: &World,
    wanted: &str,
    towards: Option<&str>,
) -> Result<String> {
    let options =
        world.store.read(|db| Ok::<_, Error>(ServerOptions::parse_known(&server::get(db)?)?))?;
    let chosen = options.cluster_address.clone().or_else(|| options.https_address.clone());
    let asked = match wanted {
        "" => None,
        text => Some(ListenAddress::parse(text).map_err(|why| Error::invalid("address", why))?),
    };
    let address = match (asked, chosen) {
        (Some(asked), _) => asked,
        (None, Some(chosen)) => chosen,
        (None, None) => {
            ListenAddress::parse(":8443").map_err(|why| Error::invalid("address", why))?
        }
    };
    let reached = own_address(&address, towards);
    if reached.starts_with("127.") || reached.starts_with("[::1]") || reached.is_empty() {
        let why = format!(
            "\"{reached}\" is reached by no other machine: name one of this machine, such as 192.168.1.10:8443"
        );
        return Err(Error::invalid("address", why));
    }
    let key = if options.https_address.is_none() { CLIENT_ADDRESS } else { CLUSTER_ADDRESS };
    let listens = options.https_address.as_ref().is_some_and(|open| doors::covers(open, &address));
    if !listens {
        let change = |mut put: wire::ServerPut| {
            put.config.insert(String::from(key), address.to_string());
            Ok(put)
        };
        crate::server::update(world, &Caller::default(), None, change).await?;
    }
    Ok(reached)
}

/// Where this machine is reached that listens at `address`: where it listens everywhere, at that by which it speaks to
/// the one it is to be reached by, or else to the rest of the world.
pub(super) fn own_address(address: &ListenAddress, towards: Option<&str>) -> String {
    let everywhere = doors::is_everywhere(address);
    let near = towards.filter(|_| everywhere).and_then(crate::server::own_towards);
    match near {
        Some(ip) => doors::with_port(ip, address),
        None => {
            let reached = crate::server::reached(address, doors::HTTPS_PORT);
            reached.into_iter().next().unwrap_or_default()
        }
    }
}
