//! Manifests, whole: what an author writes, what is read, and what is refused.

mod golden;
mod hostile;
mod laws;
mod reading;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::sign::SecretKey;

/// What an author writes who says all there is to say.
pub(crate) const AUTHORED: &str = r#"{
  "id": "shop",
  "name": "The Shop",
  "version": "1.4.2",
  "app": {
    "framework": "nextjs",
    "node": "20.x",
    "env": { "PORT": "8080", "DATABASE_URL": null }
  },
  "services": [
    { "name": "db", "type": "postgres", "config": { "version": 16 } },
    { "name": "cache", "type": "kv" }
  ],
  "build": { "steps": ["npm ci", "npm run build"], "network": { "allow": ["registry.npmjs.org"] } },
  "seeds": [
    { "name": "tables", "type": "sql", "path": "seeds/tables.sql", "service": "db" },
    { "name": "images", "type": "files", "path": "seeds/images" }
  ],
  "rights": { "license": "MIT OR Apache-2.0", "scope": "public", "resaleAllowed": false },
  "minCore": "0.1.0",
  "designTokens": { "colour": { "accent": "teal" } },
  "xMascot": { "name": "Otto", "legs": 8 }
}"#;

/// What packing found out about it.
pub(crate) fn facts() -> Facts {
    let path = |text: &str| text.parse().expect("a path");
    let seeds = BTreeMap::from([
        (path("seeds/tables.sql"), Digest::of(b"tables")),
        (path("seeds/images"), Digest::of(b"images")),
    ]);
    let sbom = Attestation {
        kind: "https://cyclonedx.org/bom".parse().expect("a line"),
        sha256: Digest::of(b"the envelope of a list of packages"),
        meta: Map::new(),
        extra: Extra::new(),
    };
    Facts {
        tree: Digest::of(b"tree"),
        seeds,
        generation: 7,
        created_at: "2026-11-21T12:00:00Z".parse().expect("an instant"),
        packer: "ada@lab".parse().expect("a line"),
        key_id: SecretKey::from_bytes(&[1; 32]).public().id(),
        attestations: vec![sbom],
    }
}

/// The manifest that comes of both.
pub(crate) fn sample() -> Manifest {
    fill(Authored::read(AUTHORED.as_bytes()).expect("sound"), facts()).expect("complete")
}

fn document() -> Value {
    serde_json::from_slice(&sample().to_bytes().expect("sound")).expect("JSON")
}

/// The sample, after a change, as it is read.
fn changed(change: impl FnOnce(&mut Value)) -> Result<Manifest, InvalidManifest> {
    let mut document = document();
    change(&mut document);
    Manifest::read(document.to_string().as_bytes())
}

fn refusal(change: impl FnOnce(&mut Value)) -> String {
    changed(change).expect_err("refused").to_string()
}

fn shortest() -> Value {
    json!({ "id": "a", "name": "A", "version": "0.1.0" })
}
