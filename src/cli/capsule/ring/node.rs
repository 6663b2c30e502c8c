//! `xyn capsule ring use` and `current`: the ring that is in force on a node.

use std::path::Path;

use serde_json::{Value, json};
use xyn_capsules::manifest::Line;
use xyn_capsules::sign::{Envelope, Ring};
use xyn_store::Timestamp;

use super::words::{Current, Use};
use super::{Context, envelope, keys, refused, told, write};
use crate::cli::table::text;
use crate::client::Need;
use crate::failure::{Exit, Failure};

/// The environment of the node.
pub(super) async fn env(context: &Context) -> Result<Line, Failure> {
    let env = text(&context.client(Need::Read).await?.get("/mesh").await?, "env");
    env.parse().map_err(|_| {
        let failure = Failure::failed("no_environment", "the node has no environment yet");
        failure.hint("start it with: xyn up; or name the environment with --env")
    })
}

pub(super) async fn put(arguments: &Use, context: &Context) -> Result<Exit, Failure> {
    let Use { ring, roots, threshold } = arguments;
    let mut body = json!({ "ring": document(ring)? });
    if !roots.is_empty() {
        let roots = roots.iter().map(|root| Ok(keys::public(root)?.to_string()));
        body["keys"] = json!(roots.collect::<Result<Vec<_>, Failure>>()?);
        body["threshold"] = json!(threshold);
    }
    let client = context.client(Need::Node).await?;
    let answer =
        client.post("/key-ring", &body).await.map_err(|failure| failure.at(ring.display().to_string()))?;
    context.out.answer(&answer, |_| text(&answer, "version"))?;
    context.out.note("it says who counts from now on; see it with: xyn capsule ring current");
    Ok(Exit::Done)
}

pub(super) async fn current(arguments: &Current, now: Timestamp, context: &Context) -> Result<Exit, Failure> {
    let answer =
        context.client(Need::Read).await?.get("/key-ring").await.map_err(|failure| match failure.exit {
            Exit::NotFound => failure.hint("put one into force with: xyn capsule ring use FILE --pub ROOT"),
            _ => failure,
        })?;
    let ring: Ring = serde_json::from_value(answer["ring"].clone())
        .map_err(|error| Failure::unexpected(format!("no key ring: {error}")))?;
    if let Some(path) = &arguments.out {
        let envelope = Envelope::read(answer["envelope"].to_string().as_bytes());
        write(path, &envelope.map_err(|error| refused(path, &error.into()))?)?;
    }
    context.out.answer(&answer, |paint| told(&ring, now, paint))?;
    Ok(Exit::Done)
}

/// The ring in a file as the node takes it.
fn document(path: &Path) -> Result<Value, Failure> {
    let unread =
        |error: serde_json::Error| Failure::failed("ring", error.to_string()).at(path.display().to_string());
    serde_json::from_slice(&envelope(path)?.to_bytes()).map_err(unread)
}
