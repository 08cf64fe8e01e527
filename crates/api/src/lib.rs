//! The REST API: one file a resource, thin handlers over the verbs of `cloud`.
//!
//! ```text
//! unix socket ─┐
//! door, TLS   ─┴> access (who?) -> routes (permission, query, body) -> handler -> verb -> envelope
//! ```
//! Every endpoint of `wire::endpoints` is registered once in its resource's file; [`routes`] asks
//! for its permission before the handler sees anything. Errors become statuses in [`error`] alone.

use std::{io, path::Path, sync::Arc};

use axum::Router;
use cloud::World;
use tokio::net::UnixListener;

mod access;
mod bucket_backups;
mod buckets;
mod certificates;
mod cluster;
mod database;
mod devlxd;
mod door;
mod error;
mod events;
mod files;
mod filter;
mod forward;
mod images;
mod instances;
mod linger;
mod listing;
mod metrics;
mod networks;
mod operations;
mod profiles;
mod projects;
mod raw;
mod recover;
mod routes;
mod server;
mod session;
mod sftp;
mod sockets;
mod storage;
mod upload;
mod volumes;
mod warnings;

pub use devlxd::desk;
pub use door::{door, metrics_door};
use routes::Routes;

/// Serves the API on a listener until `stop` resolves; requests under way are answered first.
pub async fn serve(
    listener: UnixListener,
    world: Arc<World>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let service = router(world).into_make_service_with_connect_info::<access::Peer>();
    axum::serve(listener, service).with_graceful_shutdown(stop).await
}

/// Binds the API's socket for root and a group, in place of one that a crash left. The caller
/// holds the state folder, so nobody listens there.
pub fn bind(path: &Path, group: Option<u32>) -> io::Result<UnixListener> {
    use std::os::unix::fs::{PermissionsExt, chown};
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    chown(path, Some(0), Some(group.unwrap_or(0)))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

fn router(world: Arc<World>) -> Router {
    let lingering = axum::middleware::map_request(async |request| linger::lingering(request));
    let forwarding = axum::middleware::from_fn_with_state(world.clone(), forward::forward);
    let router = routes().into_router().fallback(routes::nothing);
    router.layer(forwarding).layer(lingering).with_state(world)
}

/// What is behind the door to metrics.
fn metrics_router(world: Arc<World>) -> Router {
    let routes = metrics::routes(server::greeting(Routes::default()));
    routes.into_router().fallback(routes::nothing).with_state(world)
}

fn routes() -> Routes {
    let resources = [
        server::routes,
        metrics::routes,
        certificates::routes,
        cluster::routes,
        session::routes,
        events::routes,
        operations::routes,
        instances::routes,
        images::routes,
        files::routes,
        profiles::routes,
        projects::routes,
        networks::routes,
        storage::routes,
        buckets::routes,
        bucket_backups::routes,
        volumes::routes,
        recover::routes,
        database::routes,
        warnings::routes,
    ];
    resources.into_iter().fold(Routes::default(), |routes, add| add(routes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn every_declared_endpoint_is_served_once() {
        let served = super::routes().served;
        let once: BTreeSet<_> = served.iter().copied().collect();
        assert_eq!(once.len(), served.len(), "an endpoint is registered twice");
        let declared: BTreeSet<_> = wire::endpoints::ENDPOINTS
            .iter()
            .map(|info| (info.method.as_str(), info.path))
            .collect();
        assert_eq!(once, declared);
    }

    #[test]
    fn what_brought_an_endpoint_is_announced() {
        let announced = cloud::server::EXTENSIONS;
        let missing: BTreeSet<_> = wire::endpoints::ENDPOINTS
            .iter()
            .map(|info| info.since)
            .filter(|since| !since.is_empty() && !announced.contains(since))
            .collect();
        assert_eq!(missing, BTreeSet::new());
    }
}
