//! The key ring of the environment.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use xyn_actors::services::capsules;
use xyn_store::ids::EntryId;
use xyn_store::scope::Principal;
use xyn_store::{Digest, Timestamp};

use crate::error::ApiError;
use crate::schema;

/// The key ring that is in force.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyRing {
    /// The environment.
    env: String,
    /// Grows by one with each change.
    version: u64,
    /// When it came into force here.
    #[schema(schema_with = schema::instant)]
    at: Timestamp,
    /// Who put it there.
    #[schema(value_type = String)]
    by: Principal,
    /// Who may do what.
    #[schema(value_type = Object)]
    ring: Value,
    /// The same as it was signed, for whoever is to take it.
    #[schema(value_type = Object)]
    envelope: Value,
}

impl TryFrom<capsules::KeyRing> for KeyRing {
    type Error = ApiError;

    fn try_from(known: capsules::KeyRing) -> Result<Self, ApiError> {
        let capsules::KeyRing { row, ring, envelope } = known;
        let unwritten = |error: serde_json::Error| ApiError::unexpected(&error.to_string());
        Ok(Self {
            env: row.env,
            version: row.version,
            at: row.at,
            by: row.by,
            ring: serde_json::to_value(ring).map_err(unwritten)?,
            envelope: serde_json::from_slice(&envelope.to_bytes()).map_err(unwritten)?,
        })
    }
}

/// A key ring that came into force.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the action answers with")]
pub(crate) struct KeyRingTaken {
    /// The environment.
    env: String,
    version: u64,
    /// Digest of its envelope.
    #[schema(schema_with = schema::digest)]
    file: Digest,
    /// The moment that says so.
    #[schema(schema_with = schema::id)]
    entry_id: EntryId,
}
