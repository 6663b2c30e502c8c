//! Signatures: the envelopes of 1,000 manifests, each read, checked against a key ring and opened, on one core.
//! Prints one JSON line a figure, the median of several rounds; beside them what the bare checks take.
//!
//! `cargo bench -p xyn-capsules --bench signatures`

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use xyn_capsules::manifest::{Authored, Facts, Manifest, fill};
use xyn_capsules::sign::{Envelope, Grant, Key, RING_FORMAT_VERSION, Ring, Role, SecretKey, seal};
use xyn_store::{Digest, Timestamp};

const MANIFESTS: u64 = 1_000;
const ROUNDS: usize = 9;

const AUTHORED: &str = r#"{
  "id": "shop", "name": "The Shop", "version": "1.4.2",
  "app": { "framework": "nextjs", "runtime": "20.x", "env": { "PORT": "8080", "DATABASE_URL": null } },
  "services": [{ "name": "db", "type": "postgres", "config": { "version": 16 } }],
  "build": { "steps": ["npm ci", "npm run build"] },
  "rights": { "license": "MIT OR Apache-2.0" }
}"#;

fn main() {
    let now = Timestamp::from_micros(1_790_000_000_000_000);
    let secret = SecretKey::from_bytes(&[7; 32]);
    let sealed: Vec<_> = (0..MANIFESTS)
        .map(|number| seal(&manifest(&secret, number, now), &secret).expect("sound").to_bytes())
        .collect();
    report("signatures.envelope_bytes", sealed[0].len() as f64);
    let ring = ring(&secret, now);

    let messages: Vec<_> = sealed.iter().map(|bytes| Digest::of(bytes)).collect();
    let signer = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let signatures: Vec<_> =
        messages.iter().map(|message| ed25519_dalek::Signer::sign(&signer, message.as_bytes())).collect();
    median("beside.verify_strict.1000.ms", || {
        for (message, signature) in messages.iter().zip(&signatures) {
            signer.verifying_key().verify_strict(message.as_bytes(), signature).expect("signed");
        }
    });
    median("signatures.read.1000.ms", || {
        for bytes in &sealed {
            black_box(Envelope::read(bytes).expect("sound"));
        }
    });
    median("signatures.read_checked_and_opened.1000.ms", || {
        for bytes in &sealed {
            let envelope = Envelope::read(bytes).expect("sound");
            black_box(ring.manifest(&envelope, now).expect("signed"));
        }
    });
}

fn manifest(secret: &SecretKey, number: u64, now: Timestamp) -> Manifest {
    let facts = Facts {
        tree: Digest::of(&number.to_le_bytes()),
        seeds: BTreeMap::new(),
        generation: number,
        created_at: now,
        packer: "ada@lab".parse().expect("a line"),
        key_id: secret.public().id(),
        attestations: Vec::new(),
    };
    fill(Authored::read(AUTHORED.as_bytes()).expect("sound"), facts).expect("complete")
}

fn ring(secret: &SecretKey, now: Timestamp) -> Ring {
    let (id, key) = (secret.public().id(), secret.public());
    let grant = Grant { keys: vec![id], threshold: 1 };
    let name = "ada@lab".parse().expect("a line");
    Ring {
        format_version: RING_FORMAT_VERSION,
        env: "lab".parse().expect("a line"),
        version: 1,
        issued_at: now,
        expires: Timestamp::MAX,
        keys: BTreeMap::from([(id, Key { key, name, expires: None, revoked: None })]),
        roles: BTreeMap::from([(Role::Root, grant.clone()), (Role::Publisher, grant)]),
        apps: BTreeMap::new(),
    }
}

fn median(name: &str, work: impl Fn()) {
    let mut took: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed()
        })
        .collect();
    took.sort();
    report(name, took[ROUNDS / 2].as_secs_f64() * 1e3);
}

#[expect(clippy::print_stdout, reason = "a bench reports on stdout")]
fn report(name: &str, value: f64) {
    println!("{{\"name\":\"{name}\",\"value\":{value:.3}}}");
}
