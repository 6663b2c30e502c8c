//! A front: the port of a deployment, and what answers behind it.
//!
//! Owns the sockets from the first deployment of an app on, whatever is deployed behind them later. Invariant: the
//! port is open from before the first release serves until the node stops, and every request is answered by one
//! release, whole.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use rustix::io::Errno;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::process::{self, Instance};
use super::site::{Body, Site};
use crate::web::server::{self, Limits};

/// Bounds of what comes to a deployed app.
const LIMITS: Limits = Limits {
    connections: 4096,
    head_read: Duration::from_secs(10),
    head_bytes: 64 << 10,
    headers: 100,
    h2_streams: 200,
    drain: Duration::from_secs(10),
};
/// How long answers of a release may go on after another took over.
const RETIRED_AFTER: Duration = Duration::from_secs(30);
/// Ports that are tried until one is free in every family.
const PORTS_TRIED: usize = 16;

/// What answers requests.
#[derive(Clone)]
pub(super) enum Serving {
    /// A site.
    Site(Arc<Site>),
    /// A process.
    Process(Arc<Instance>),
}

/// The port of a deployment.
pub(super) struct Front {
    port: u16,
    serving: Arc<ArcSwap<Serving>>,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Front {
    /// Opens `port`, or any that is free, on the loopback addresses of the machine; `serving` answers.
    pub(super) async fn open(port: Option<u16>, serving: Serving) -> io::Result<Self> {
        let listeners = bind(port).await?;
        let port = listeners[0].local_addr()?.port();
        let serving = Arc::new(ArcSwap::from_pointee(serving));
        let (stop, mut stopping) = watch::channel(false);
        let answering = serving.clone();
        let service = move |from: IpAddr| {
            let serving = answering.clone();
            service_fn(move |request| answer(serving.load_full(), request, from))
        };
        let task = tokio::spawn(async move {
            // A front that is gone has stopped as well.
            let stopped = async { drop(stopping.wait_for(|stopping| *stopping).await) };
            server::serve(listeners, LIMITS, service, stopped).await;
        });
        Ok(Self { port, serving, stop, task: Mutex::new(Some(task)) })
    }

    /// Where it is reached.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// From now on `serving` answers; requests under way are answered by what was there.
    pub(super) fn switch(&self, serving: Serving) {
        let before = self.serving.swap(Arc::new(serving));
        if let Serving::Process(instance) = &*before {
            // It ends by itself when its last answer is through; one that never is does not keep it for ever.
            let instance = Arc::downgrade(instance);
            tokio::spawn(async move {
                tokio::time::sleep(RETIRED_AFTER).await;
                instance.upgrade().iter().for_each(|instance| instance.end());
            });
        }
    }

    /// Closes the port, waits for the requests under way, and ends what runs.
    pub(super) async fn close(&self) {
        self.stop.send_replace(true);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // A front that was cut off has stopped as well.
            let _ = task.await;
        }
        if let Serving::Process(instance) = &*self.serving.load_full() {
            instance.end();
            instance.ended().await;
        }
    }
}

impl Serving {
    /// Whether `path` is answered well. The error says how it was answered instead.
    pub(super) async fn probe(&self, path: &str) -> Result<(), String> {
        match self {
            Self::Site(site) => {
                let answer = site.answer(&http::Method::GET, path, None, &http::HeaderMap::new()).await;
                match answer.status() {
                    status if status.is_success() => Ok(()),
                    status => Err(format!("`{path}` is answered with {status}")),
                }
            }
            // It does not begin to serve before it is.
            Self::Process(_) => Ok(()),
        }
    }
}

async fn answer(
    serving: Arc<Serving>,
    request: Request<Incoming>,
    from: IpAddr,
) -> Result<Response<Body>, Infallible> {
    Ok(match &*serving {
        Serving::Site(site) => {
            let uri = request.uri();
            site.answer(request.method(), uri.path(), uri.query(), request.headers()).await
        }
        Serving::Process(instance) => process::answer(instance.clone(), request, from).await,
    })
}

/// Listens on both loopback addresses at one port. A machine without IPv6 has the other only.
async fn bind(port: Option<u16>) -> io::Result<Vec<TcpListener>> {
    let mut taken = None;
    for _ in 0..PORTS_TRIED {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or_default())).await?;
        let chosen = first.local_addr()?.port();
        match TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, chosen))).await {
            Ok(second) => return Ok(vec![first, second]),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                taken = Some(error);
                if port.is_some() {
                    break;
                }
            }
            Err(error) if is_without_ipv6(&error) => return Ok(vec![first]),
            Err(error) => return Err(error),
        }
    }
    Err(taken.unwrap_or_else(|| io::Error::from(ErrorKind::AddrInUse)))
}

fn is_without_ipv6(error: &io::Error) -> bool {
    let unsupported = Errno::AFNOSUPPORT.raw_os_error();
    error.kind() == ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(unsupported)
}
