//! What strangers and disks can hand to this program: a target for every parser, with where to begin.
//!
//! Owns what must hold of each: for the fuzzer, `XYN_FUZZ=<name> cargo +nightly fuzz run parsers corpus/<name>`, and
//! for the test that tries each for a while with a stable compiler. Invariant: a target panics only over a fault.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use serde_json::json;
use xyn_actors::blueprint;
use xyn_actors::events::Position;
use xyn_actors::governance;
use xyn_actors::intake::{self, cron, webhook};
use xyn_actors::record;
use xyn_actors::web::range::{self, Wanted};
use xyn_store::audit::leaf::Salt;
use xyn_store::audit::signature::PublicKey;
use xyn_store::envelope::{self, Envelope, Sealed};
use xyn_store::ids::{self, RunId};
use xyn_store::projection::{
    ArtifactRow, BlueprintRow, ClaimRow, Cursor, DraftRow, GateRow, IntentRow, PolicyRow, Row, RunRow,
    StepRow, TimerRow,
};
use xyn_store::scope::{Attribution, CorrelationId, Principal};
use xyn_store::{Digest, Timestamp};

#[path = "blobs.rs"]
mod blobs;
#[path = "caps.rs"]
mod caps;
#[path = "capsules.rs"]
mod capsules;
#[path = "entries.rs"]
mod entries;
#[path = "exchange.rs"]
mod exchange;
#[path = "foreign.rs"]
mod foreign;
#[path = "kept.rs"]
mod kept;
#[path = "mesh.rs"]
mod mesh;
#[path = "runs.rs"]
mod runs;
#[path = "scans.rs"]
mod scans;
#[path = "written.rs"]
mod written;

use blobs::{answers, packed, parcels, questions};
use caps::{containers, directories, private};
use capsules::{app_manifests, claims, key_rings, signed_envelopes};
use exchange::{images, layers, zips};
use foreign::{addresses, documents, places, proofs, streams, words_of_members};
use mesh::{frames, manifests, messages, notes, records, statements, tickets};
use runs::{accounts, inquiries};
use scans::{leaks, locks, queries};
use written::{blueprints, patterns, policies, scenarios, settings, templates};

/// A parser and what to try it with.
pub(crate) struct Target {
    /// Its name.
    pub(crate) name: &'static str,
    /// Panics when what must hold does not.
    pub(crate) run: fn(&[u8]),
    /// Inputs from which others are made.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
}

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        &[$(Target { name: stringify!($name), run: $name::run, seeds: $name::seeds }),*]
    };
}

/// Every target.
pub(crate) const ALL: &[Target] = targets![
    envelopes,
    rows,
    kept,
    words,
    events,
    webhooks,
    schedules,
    ranges,
    templates,
    patterns,
    blueprints,
    policies,
    settings,
    scenarios,
    frames,
    records,
    notes,
    statements,
    tickets,
    manifests,
    messages,
    questions,
    answers,
    packed,
    parcels,
    inquiries,
    accounts,
    streams,
    addresses,
    words_of_members,
    documents,
    proofs,
    places,
    app_manifests,
    signed_envelopes,
    claims,
    key_rings,
    containers,
    private,
    directories,
    zips,
    layers,
    images,
    leaks,
    locks,
    queries,
];

fn now() -> Timestamp {
    Timestamp::from_micros(1_767_225_600_000_000)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

fn seeds(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Splits the input at its first NUL, for parsers that take two.
fn halves(bytes: &[u8]) -> (&[u8], &[u8]) {
    let at = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    (&bytes[..at], bytes.get(at + 1..).unwrap_or_default())
}

/// Entries of the journal and the records in them, behind a checksum that fits.
mod envelopes {
    use super::*;

    pub(super) fn run(bytes: &[u8]) {
        let Ok(envelope) = envelope::decode(bytes) else { return };
        let sealed =
            Sealed::new(&envelope, &Salt::from_bytes([0; 16])).expect("what was read can be written");
        assert_eq!(envelope::decode(sealed.as_bytes()).expect("own bytes"), envelope);
        let _ = (record::decode(7, &envelope), record::views(7, &envelope));
    }

    pub(super) fn seeds() -> Vec<Vec<u8>> {
        let attribution = Attribution {
            actor: Principal::local_operator(),
            session: None,
            correlation_id: CorrelationId::parse("c").expect("fits"),
            causation_id: None,
        };
        let (stream, at, records) = (ids::derived(now(), &[b"stream"]), now(), record::encode(&[]));
        let envelope = Envelope { stream, seq: 1, at, attribution, records };
        vec![Sealed::new(&envelope, &Salt::from_bytes([7; 16])).expect("encodes").into_bytes()]
    }
}

/// Rows of every table; the first byte says of which.
mod rows {
    use super::*;

    pub(super) fn run(bytes: &[u8]) {
        fn read<R: Row + Debug>(bytes: &[u8]) {
            if let Ok(row) = postcard::from_bytes::<R>(bytes) {
                let _ = (row.key(), format!("{row:?}"), serde_json::to_string(&row));
            }
        }
        let readers: [fn(&[u8]); 10] = [
            read::<RunRow>,
            read::<StepRow>,
            read::<GateRow>,
            read::<IntentRow>,
            read::<ArtifactRow>,
            read::<BlueprintRow>,
            read::<DraftRow>,
            read::<PolicyRow>,
            read::<TimerRow>,
            read::<ClaimRow>,
        ];
        if let Some((table, row)) = bytes.split_first() {
            readers[usize::from(*table) % readers.len()](row);
        }
    }

    pub(super) fn seeds() -> Vec<Vec<u8>> {
        let id = [&[16][..], &[0x5a; 16]].concat();
        (0..10).map(|table| [&[table][..], &id, &id, b"\x02\x05hello\x00\x01\x00{}"].concat()).collect()
    }
}

/// Words with a form: cursors, digests, instants, ids, keys, secrets.
mod words {
    use super::*;

    pub(super) fn run(bytes: &[u8]) {
        fn again<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(text: &str) {
            if let Ok(value) = text.parse::<T>() {
                assert_eq!(value.to_string().parse::<T>().expect("own text"), value);
            }
        }
        let text = text(bytes);
        again::<Cursor>(text);
        again::<Digest>(text);
        again::<PublicKey>(text);
        again::<Timestamp>(text);
        again::<RunId>(text);
        again::<Position>(text);
        let _ = (CorrelationId::parse(text), text.parse::<webhook::Secret>());
        let _ = text.parse::<governance::Approver>();
    }

    pub(super) fn seeds() -> Vec<Vec<u8>> {
        super::seeds(&[
            "00ff10",
            &"ab".repeat(32),
            "2026-01-31T12:00:00.000001Z",
            "0190f5fe-7c00-7a00-8000-000000000001",
            "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
            "role:OwnerAdmin",
            "18446744073709551615.4294967295",
        ])
    }
}

/// Events in their three shapes; their headers stand before the NUL.
mod events {
    use super::*;

    pub(super) fn run(bytes: &[u8]) {
        let (head, body) = halves(bytes);
        let headers = text(head).lines().filter_map(|line| line.split_once(": "));
        let headers: Vec<_> = headers.map(|(name, value)| (name, value.as_bytes())).collect();
        if let Ok(event) = intake::receive(headers, body, now()) {
            blueprint::check_event_name(&event.event_name).expect("only events with a name are received");
        }
    }

    pub(super) fn seeds() -> Vec<Vec<u8>> {
        super::seeds(&[
            "\0{\"event_name\":\"demo.hello\",\"occurred_at\":\"2026-01-31T12:00:00Z\",\"data\":{\"a\":[1.5]}}",
            "content-type: application/cloudevents+json\n\0{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\
             \"type\":\"a.b\",\"data_base64\":\"aGk=\",\"datacontenttype\":\"text/plain\"}",
            "ce-specversion: 1.0\nce-id: 1\nce-source: /s\nce-type: a.b\nce-time: 2026-01-31T12:00:00Z\n\
             ce-x: %C3%A9\ncontent-type: text/plain\n\0hello",
        ])
    }
}

/// Headers of Standard Webhooks: what nobody signed is never taken for signed.
mod webhooks {
    use super::*;

    pub(super) fn run(bytes: &[u8]) {
        let secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX".parse().expect("a secret");
        let lines: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
        let header = |name: &str| match name {
            "webhook-id" => lines.first().copied(),
            "webhook-timestamp" => lines.get(1).copied(),
            "webhook-signature" => lines.get(2).copied(),
            _ => None,
        };
        let verified = webhook::verify(&[secret], header, b"{}", now());
        assert!(verified.is_err(), "forged: {verified:?}");
    }

    pub(super) fn seeds() -> Vec<Vec<u8>> {
        super::seeds(&[
            "m\n1767225600\nv1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= v1a,AA",
            "",
            "m\n-1\nv1,",
        ])
    }
}

/// Schedules; the text behind the NUL is the time zone.
mod schedules {
    use super::*;

    pub(super) fn run(bytes: &[u8]) {
        let (schedule, zone) = halves(bytes);
        let definition =
            json!({ "name": "n", "schedule": text(schedule), "time_zone": text(zone), "missed": "all" });
        let definition = serde_json::from_value(definition).expect("the shape fits");
        let Ok(entry) = cron::Entry::new(definition) else { return };
        let Some(next) = entry.next_after(now()) else { return };
        assert!(next > now(), "a tick of the past");
        assert!(entry.due(now(), next).contains(&next), "the next tick is not due when it comes");
    }

    pub(super) fn seeds() -> Vec<Vec<u8>> {
        super::seeds(&[
            "0 3 * * MON-FRI\0UTC",
            "*/5 0 29 2 * *\0Europe/Berlin",
            "0 0 L * *\0UTC",
            "@daily\0UTC",
        ])
    }
}

/// `Range` headers.
mod ranges {
    use super::*;

    pub(super) fn run(bytes: &[u8]) {
        for length in [0, 1, 1000, u64::MAX] {
            if let Wanted::Part(part) = range::wanted(Some(bytes), length) {
                assert!(part.start < part.end && part.end <= length, "{part:?} of {length}");
            }
        }
    }

    pub(super) fn seeds() -> Vec<Vec<u8>> {
        super::seeds(&["bytes=0-9", "bytes=-5", "bytes=990-", "bytes=0-0,2-3", "bytes=18446744073709551615-"])
    }
}
