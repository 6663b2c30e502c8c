//! Secrets, without their values.

use serde::Serialize;
use utoipa::ToSchema;
use xyn_actors::services::secrets::{Known, SecretName};
use xyn_store::Timestamp;
use xyn_store::scope::Principal;

use crate::schema;

/// What may be known of a secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct Secret {
    #[schema(value_type = String)]
    name: SecretName,
    /// Counts the values it had, from 1.
    version: u32,
    /// When it got the one it has.
    #[schema(schema_with = schema::instant)]
    at: Timestamp,
    /// Who put that.
    #[schema(value_type = String)]
    by: Principal,
}

impl From<Known> for Secret {
    fn from(known: Known) -> Self {
        let Known { name, version, at, by } = known;
        Self { name, version, at, by }
    }
}

/// A value that was kept.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the action answers with")]
pub(crate) struct SecretPut {
    name: String,
    /// Counts the values it had, from 1.
    version: u32,
}

/// A secret that was forgotten.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the action answers with")]
pub(crate) struct SecretRemoved {
    name: String,
}
