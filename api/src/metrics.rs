//! What is counted, and how Prometheus reads it.
//!
//! Owns the counters of the HTTP face. Labels are bounded: routes as they are registered, methods that
//! exist, classes of status, members that are connected; never anything that a caller chooses.

mod mesh;

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use http::{Method, StatusCode};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use xyn_actors::runtime::Runtime;
use xyn_actors::services::mesh::Status;

/// The route of requests that no route is for.
pub(crate) const UNMATCHED: &str = "unmatched";
/// The media type of what [`Metrics::render`] gives.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the latency histogram, in seconds: from a read of one row to a run that is waited for.
const LATENCY_BOUNDS_S: [f64; 12] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// The counters of the HTTP face.
pub(crate) struct Metrics {
    latency: Family<Labels, Histogram, fn() -> Histogram>,
    streams: Gauge<f64, AtomicU64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    route: String,
    status: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let latency: fn() -> Histogram = || Histogram::new(LATENCY_BOUNDS_S);
        Self { latency: Family::new_with_constructor(latency), streams: Gauge::default() }
    }
}

impl Metrics {
    /// Counts an answered request.
    pub(crate) fn count(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let labels = Labels { method: method_word(method), route: route.to_owned(), status: class(status) };
        self.latency.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Counts an event stream for as long as the answer is kept.
    pub(crate) fn stream(&self) -> OpenStream {
        self.streams.inc();
        OpenStream(self.streams.clone())
    }

    /// Everything that is counted here, in `runtime`, in its store and in its `mesh`, as OpenMetrics text.
    pub(crate) fn render(
        &self,
        runtime: &Runtime,
        uptime: Duration,
        mesh: Option<&Status>,
    ) -> Result<String, std::fmt::Error> {
        let mut registry = Registry::with_prefix("xyn");
        registry.register_with_unit(
            "http_request_duration",
            "Requests answered, by how long they took",
            Unit::Seconds,
            self.latency.clone(),
        );
        registry.register("http_streams", "Event streams that are open", self.streams.clone());
        register_node(&mut registry, runtime, uptime);
        if let (Some(status), Some(service)) = (mesh, runtime.mesh()) {
            mesh::register(&mut registry, status, &service.refused());
        }
        let mut out = String::new();
        text::encode(&mut out, &registry)?;
        Ok(out)
    }
}

/// An event stream that is counted.
pub(crate) struct OpenStream(Gauge<f64, AtomicU64>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What the Runtime and the store count, read at this instant.
fn register_node(registry: &mut Registry, runtime: &Runtime, uptime: Duration) {
    let gauge = |value: f64| {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value);
        gauge
    };
    let uptime_s = uptime.as_secs_f64();
    registry.register_with_unit("uptime", "Since the node came up", Unit::Seconds, gauge(uptime_s));
    let blobs = runtime.store().blobs().used_bytes();
    registry.register_with_unit("blobs", "Content kept as files", Unit::Bytes, gauge(blobs as f64));
    let runs = runtime.runs_in_memory();
    registry.register("runs_in_memory", "Runs that an actor holds", gauge(runs as f64));
    let in_line = runtime.runs_in_line();
    registry.register("runs_in_line", "Runs that wait for a place", gauge(in_line as f64));
    if let Some((entries, backlog)) = journal(runtime) {
        registry.register("journal_entries", "Entries of the journal", gauge(entries as f64));
        registry.register("event_backlog_entries", "Entries not yet dispatched", gauge(backlog as f64));
        let milestones = runtime.milestone_backlog() as f64;
        registry.register("milestone_backlog_entries", "Entries not yet told to the team", gauge(milestones));
    }
    let counters = [
        ("intents_accepted", "Intents allowed", &runtime.metrics().intents_accepted),
        ("intents_denied", "Intents denied", &runtime.metrics().intents_denied),
        ("intents_parked", "Intents parked", &runtime.metrics().intents_parked),
        ("timers_fired", "Timers fired", &runtime.metrics().timers_fired),
        ("events_dispatched", "Events dispatched", &runtime.metrics().events_dispatched),
    ];
    for (name, help, counter) in counters {
        registry.register(name, help, ConstCounter::new(counter.get()));
    }
}

/// Entries of the journal, and how many of them are not dispatched yet; none when it cannot be written.
pub(crate) fn journal(runtime: &Runtime) -> Option<(u64, u64)> {
    let entries = *runtime.store().journal().ok()?.head().borrow();
    Some((entries, runtime.event_backlog()))
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}

/// The method, or one word for all that no route has.
fn method_word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_method_and_class() {
        let metrics = Metrics::default();
        metrics.count(&Method::GET, "/api/v1/runs/{run_id}", StatusCode::OK, Duration::from_millis(3));
        metrics.count(&Method::GET, "/api/v1/runs/{run_id}", StatusCode::NO_CONTENT, Duration::ZERO);
        let mut registry = Registry::default();
        registry.register("latency", "help", metrics.latency.clone());
        let mut out = String::new();
        text::encode(&mut out, &registry).expect("encodes");
        let labels = r#"{method="GET",route="/api/v1/runs/{run_id}",status="2xx"}"#;
        assert!(out.contains(&format!("latency_count{labels} 2")), "{out}");
    }

    #[test]
    fn an_open_stream_is_counted_until_it_is_dropped() {
        let metrics = Metrics::default();
        let stream = metrics.stream();
        assert_eq!(metrics.streams.get(), 1.0);
        drop(stream);
        assert_eq!(metrics.streams.get(), 0.0);
    }
}
