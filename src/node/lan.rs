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
    let key = runtime.store().key().public().to_string();
    let env = runtime.timeline().map(|timeline| timeline.env().to_string()).unwrap_or_default();
    let infos = addresses.filter_map(|address| info(&key, &env, address));
    let announcements: Vec<_> = infos.filter_map(announce).collect();
    let state = AppState::new(runtime.clone(), Guard::anybody());
    xyn_api::serve_catalogue(listeners, state, shutdown).await;
    for daemon in announcements {
        // The daemon says goodbye to the network by itself; one that is gone has nothing to say.
        let _ = daemon.shutdown();
    }
}

/// Announces a catalogue. A network without multicast is no reason not to serve it.
fn announce(info: Result<ServiceInfo, mdns_sd::Error>) -> Option<ServiceDaemon> {
    let announced = info.and_then(|info| {
        let daemon = ServiceDaemon::new()?;
        daemon.register(info)?;
        Ok(daemon)
    });
    announced.inspect_err(|error| tracing::warn!(%error, "the catalogue is not announced")).ok()
}

/// What is said of the catalogue at `address` of the node with this key; nothing where only this machine reaches it.
fn info(key: &str, env: &str, address: SocketAddr) -> Option<Result<ServiceInfo, mdns_sd::Error>> {
    let (ip, port) = (address.ip().to_canonical(), address.port());
    if ip.is_loopback() {
        return None;
    }
    let key: String = key.chars().take(KEY_DIGITS).collect();
    let (name, host) = (format!("xyn-{key}"), format!("xyn-{key}.local."));
    let properties = &[("path", "/capsules"), ("env", env)][..];
    Some(match ip.is_unspecified() {
        true => {
            ServiceInfo::new(SERVICE, &name, &host, "", port, properties).map(ServiceInfo::enable_addr_auto)
        }
        false => ServiceInfo::new(SERVICE, &name, &host, ip, port, properties),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(address: &str) -> Option<ServiceInfo> {
        let address = address.parse().expect("an address");
        info(&"0123456789abcdef".repeat(4), "lab", address).map(|info| info.expect("it can be said"))
    }

    #[test]
    fn a_catalogue_is_announced_with_its_path_and_environment_and_nothing_of_what_is_in_it() {
        for (address, ip) in
            [("[::]:7423", None), ("0.0.0.0:7423", None), ("10.77.0.1:7423", Some("10.77.0.1"))]
        {
            let info = announced(address).expect("others reach it");
            assert_eq!(info.get_type(), "_xyn._tcp.local.");
            assert_eq!(info.get_fullname(), "xyn-0123456789ab._xyn._tcp.local.");
            assert_eq!((info.get_hostname(), info.get_port()), ("xyn-0123456789ab.local.", 7423));
            // Whoever listens everywhere is announced with the addresses that the machine has at the time.
            assert_eq!(info.is_addr_auto(), ip.is_none(), "{address}");
            let addresses: Vec<String> = info.get_addresses().iter().map(ToString::to_string).collect();
            assert_eq!(addresses, Vec::from_iter(ip));
            let mut said: Vec<_> = info.get_properties().iter().map(ToString::to_string).collect();
            said.sort();
            assert_eq!(said, ["env=lab", "path=/capsules"]);
        }
    }

    #[test]
    fn what_only_this_machine_reaches_is_announced_to_nobody() {
        for address in ["127.0.0.1:7423", "127.9.9.9:1", "[::1]:7423", "[::ffff:127.0.0.1]:7423"] {
            assert!(announced(address).is_none(), "{address}");
        }
    }
}
