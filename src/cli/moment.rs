//! Moments as people name them: by id, or by label.

use serde_json::Value;
use xyn_store::ids::EntryId;

use crate::cli::table::text;
use crate::client::Client;
use crate::failure::{Exit, Failure};

/// The id of the moment that `said` is, or that has it as a label.
pub(super) async fn named(client: &Client, said: &str) -> Result<String, Failure> {
    if said.parse::<EntryId>().is_ok() {
        return Ok(said.to_owned());
    }
    let labels = client.list("/timeline/labels", &[("name", said.to_owned())], 1).await?;
    let missing = || {
        let message = format!("no moment has the id or the label `{said}`");
        let hint = "list moments with: xyn timeline log, and labels with: xyn timeline label; \
                    give one with: xyn timeline label NAME MOMENT";
        Failure::new(Exit::NotFound, "not_found", message).hint(hint)
    };
    labels["items"].get(0).map(|label| text(label, "entry_id")).ok_or_else(missing)
}

/// The same for a moment that may be left out.
pub(super) async fn optional(client: &Client, said: Option<String>) -> Result<Value, Failure> {
    match said {
        Some(said) => Ok(named(client, &said).await?.into()),
        None => Ok(Value::Null),
    }
}
