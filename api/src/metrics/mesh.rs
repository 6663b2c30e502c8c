//! What the mesh counts: who is here, how far behind this node is, and what went to and fro.
//!
//! Invariant: a label names a member that is connected or a reason of the program's, so there are only so many.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use xyn_actors::services::mesh::{Peer, Status};

type Floating = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Member {
    node: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Direction {
    direction: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// How often something was refused, by reason.
type Refused = BTreeMap<&'static str, u64>;

/// Registers what `status` says, and what was refused of that which peers said.
pub(super) fn register(registry: &mut Registry, status: &Status, said_refused: &Refused) {
    let Status { peers, traffic, .. } = status;
    let here = Floating::default();
    here.set(peers.len() as f64);
    registry.register("mesh_peers", "Members that are connected", here);
    let lag = per_member(peers, |peer| Some(peer.lag_records as f64));
    registry.register("mesh_lag_records", "Records that a member says it has and this node has not", lag);
    let round_trip = per_member(peers, |peer| Some(peer.round_trip?.as_secs_f64()));
    registry.register_with_unit("mesh_round_trip", "How long a ping takes", Unit::Seconds, round_trip);
    let records = both_ways(traffic.records_in, traffic.records_out);
    let help =
        "New records that came, and records that were sent: to whoever asked, and as news, once for all";
    registry.register("mesh_records", help, records);
    let bytes = both_ways(traffic.bytes_in, traffic.bytes_out);
    registry.register_with_unit("mesh", "Bytes of messages", Unit::Bytes, bytes);
    let blobs = both_ways(traffic.blob_bytes_in, traffic.blob_bytes_out);
    registry.register_with_unit("mesh_blobs", "Bytes of content among them", Unit::Bytes, blobs);
    registry.register("mesh_refused", "Peers and messages that were refused", by_reason(&traffic.refused));
    let said = by_reason(said_refused);
    registry.register("mesh_said_refused", "Records, proofs and tickets that were refused", said);
}

fn by_reason(refused: &Refused) -> Family<Reason, Counter> {
    let family = Family::<Reason, Counter>::default();
    for (&reason, &count) in refused {
        family.get_or_create(&Reason { reason }).inc_by(count);
    }
    family
}

fn per_member(peers: &[Peer], figure: impl Fn(&Peer) -> Option<f64>) -> Family<Member, Floating> {
    let family = Family::<Member, Floating>::default();
    for peer in peers {
        if let Some(figure) = figure(peer) {
            family.get_or_create(&Member { node: peer.node.to_string() }).set(figure);
        }
    }
    family
}

fn both_ways(inward: u64, outward: u64) -> Family<Direction, Counter> {
    let family = Family::<Direction, Counter>::default();
    for (direction, count) in [("in", inward), ("out", outward)] {
        family.get_or_create(&Direction { direction }).inc_by(count);
    }
    family
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prometheus_client::encoding::text;
    use xyn_actors::services::mesh::Traffic;
    use xyn_store::Timestamp;
    use xyn_store::audit::signature::PublicKey;

    use super::*;

    #[test]
    fn the_mesh_is_counted_by_member_direction_and_reason() {
        let peer = Peer {
            node: PublicKey::from_bytes([0xab; 32]),
            address: "/ip6/::1/tcp/1".into(),
            since: Timestamp::EPOCH,
            lag_records: 7,
            round_trip: Some(Duration::from_millis(2)),
        };
        let refused = BTreeMap::from([("stranger", 3)]);
        let traffic = Traffic {
            records_in: 10,
            records_out: 20,
            bytes_in: 30,
            bytes_out: 40,
            refused,
            ..Traffic::default()
        };
        let status = Status { peers: vec![peer], traffic, ..Status::default() };
        let mut registry = Registry::with_prefix("xyn");
        register(&mut registry, &status, &BTreeMap::from([("bad_signature", 2)]));
        let mut out = String::new();
        text::encode(&mut out, &registry).expect("encodes");
        let lag = format!("xyn_mesh_lag_records{{node=\"{}\"}} 7.0", "ab".repeat(32));
        for line in [
            "xyn_mesh_peers 1.0",
            &lag,
            "xyn_mesh_records_total{direction=\"in\"} 10",
            "xyn_mesh_bytes_total{direction=\"out\"} 40",
            "xyn_mesh_refused_total{reason=\"stranger\"} 3",
            "xyn_mesh_said_refused_total{reason=\"bad_signature\"} 2",
        ] {
            assert!(out.contains(line), "{line}: {out}");
        }
    }
}
