//! `artifacts.put`: keeps bytes under a name.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use xyn_store::ids::{self, ArtifactId};

use super::{Content, Context, Effects, Failure, Idempotence, NewArtifact, Spec};
use crate::blueprint::FailureKind;
use crate::governance::Risk;

/// Bytes of an artifact.
pub const ARTIFACT_MAX_BYTES: u64 = 250 << 20;

pub(super) fn spec() -> Spec {
    Spec {
        name: "artifacts.put",
        description: "Keeps text, bytes or an uploaded blob as an artifact.",
        input_schema: json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["name"],
            "properties": {
                "name": { "type": "string", "minLength": 1, "maxLength": 255 },
                "content": {},
                "content_base64": { "type": "string", "format": "byte" },
                "sha256": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
                "byte_length": { "type": "integer", "minimum": 0, "maximum": ARTIFACT_MAX_BYTES },
                "content_type": { "type": "string", "maxLength": 200 },
                "kind": { "enum": ["log", "report", "bundle", "file"] },
                "run_id": { "type": "string", "format": "uuid" },
                "metadata": { "type": "object" }
            },
            "oneOf": [
                { "required": ["content"] },
                { "required": ["content_base64"] },
                { "required": ["sha256", "byte_length"] }
            ]
        }),
        output_schema: json!({
            "type": "object",
            "required": ["artifact_id", "sha256"],
            "properties": {
                "artifact_id": { "type": "string", "format": "uuid" },
                "sha256": { "type": "string" }
            }
        }),
        idempotent: Idempotence::Always,
        risk: Risk::Low,
        redact: &[],
    }
}

pub(super) fn run(input: &Value, context: &Context) -> Result<Effects, Failure> {
    let invalid = |message: String| Failure::certain(FailureKind::Other, "invalid_input", message);
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let (content, default_type) = if let Some(content) = input.get("content") {
        match content {
            Value::String(text) => (Content::Bytes(text.clone().into_bytes()), "text/plain; charset=utf-8"),
            other => (Content::Bytes(other.to_string().into_bytes()), "application/json"),
        }
    } else if let Some(encoded) = text("content_base64") {
        let bytes = BASE64_STANDARD.decode(encoded);
        let bytes = bytes.map_err(|error| invalid(format!("`content_base64` is not base64: {error}")))?;
        (Content::Bytes(bytes), "application/octet-stream")
    } else {
        let sha256 = text("sha256").unwrap_or_default().parse();
        let sha256 = sha256.map_err(|error: xyn_store::digest::InvalidDigest| invalid(error.to_string()))?;
        let byte_length = input.get("byte_length").and_then(Value::as_u64).unwrap_or_default();
        (Content::Stored { sha256, byte_length }, "application/octet-stream")
    };
    let sha256 = match &content {
        Content::Bytes(bytes) => xyn_store::Digest::of(bytes),
        Content::Stored { sha256, .. } => *sha256,
    };
    let id = ids::derived::<ArtifactId>(context.now, &[context.seed.as_bytes(), b"artifact"]);
    let run_id = text("run_id").map(str::parse).transpose();
    let artifact = NewArtifact {
        id,
        name: text("name").unwrap_or_default().to_owned(),
        kind: text("kind").unwrap_or("file").to_owned(),
        content_type: text("content_type").unwrap_or(default_type).to_owned(),
        content,
        run_id: run_id.map_err(|error: ids::InvalidId| invalid(error.to_string()))?,
        metadata: input.get("metadata").cloned().unwrap_or_else(|| json!({})),
    };
    let output = json!({ "artifact_id": id, "sha256": sha256 });
    Ok(Effects { output, artifacts: vec![artifact], ..Effects::default() })
}
