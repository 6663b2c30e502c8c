//! The catalogue of capsules for the local network: served, and announced by mDNS (RFC 6762, 6763).
//!
//! Says on the network that a node is there, which environment it is of and where its catalogue is; nothing of what is
//! in it. Invariant: what listens on this machine alone is announced to nobody.

use std::net::SocketAddr;

use mdns_sd::{ServiceDaemon, ServiceInfo};
use tokio::net::TcpListener;
use xyn_actors::runtime::Runtime;
use xyn_api::{AppState, Guard};

/// What is announced.
const SERVICE: &str = "_xyn._tcp.local.";
/// Digits of a node's key by which it is told apart from others.
const KEY_DIGITS: usize = 12;

/// Serves the catalogue on `listeners` until `shutdown` is done; without one there is nothing to do.
pub(super) async fn serve(
    listeners: Vec<TcpListener>,
    runtime: &Runtime,
    shutdown: impl Future<Output = ()>,
) {
    if listeners.is_empty() {
        return;
    }
    let addresses = listeners.iter().filter_map(|listener| listener.local_addr().ok());
    let announced = addresses.filter(|address| !address.ip().is_loopback());
    let announcements: Vec<_> = announced.filter_map(|address| announce(runtime, address)).collect();
    let state = AppState::new(runtime.clone(), Guard::anybody());
    xyn_api::serve_catalogue(listeners, state, shutdown).await;
    for daemon in announcements {
        // The daemon says goodbye to the network by itself; one that is gone has nothing to say.
        let _ = daemon.shutdown();
    }
}

/// Announces the catalogue at `address`. A network without multicast is no reason not to serve it.
fn announce(runtime: &Runtime, address: SocketAddr) -> Option<ServiceDaemon> {
    let announced = info(runtime, address).and_then(|info| {
        let daemon = ServiceDaemon::new()?;
        daemon.register(info)?;
        Ok(daemon)
    });
    announced.inspect_err(|error| tracing::warn!(%error, "the catalogue is not announced")).ok()
}

fn info(runtime: &Runtime, address: SocketAddr) -> Result<ServiceInfo, mdns_sd::Error> {
    let key: String = runtime.store().key().public().to_string().chars().take(KEY_DIGITS).collect();
    let env = runtime.timeline().map(|timeline| timeline.env().to_string()).unwrap_or_default();
    let properties = [("path", "/capsules"), ("env", env.as_str())];
    let (host, port) = (format!("xyn-{key}.local."), address.port());
    let name = format!("xyn-{key}");
    match address.ip() {
        ip if ip.is_unspecified() => {
            Ok(ServiceInfo::new(SERVICE, &name, &host, "", port, &properties[..])?.enable_addr_auto())
        }
        ip => ServiceInfo::new(SERVICE, &name, &host, ip, port, &properties[..]),
    }
}
