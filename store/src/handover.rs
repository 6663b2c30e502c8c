//! Which key a folder's node goes by, while it changes it.
//!
//! Owns the one instant of the change: at the opening of the folder, once the roster in it says that the prepared
//! key has the seat. Invariant: nothing is signed with either key between the look and the change.

use std::path::Path;

use crate::Reader;
use crate::audit::key::NodeKey;
use crate::error::StoreError;

/// The key to go by: `key`, or the one that was prepared in `folder` where that has the seat now.
pub(crate) fn settle(key: NodeKey, folder: &Path, reader: &Reader) -> Result<NodeKey, StoreError> {
    let Some(next) = NodeKey::next(folder)? else { return Ok(key) };
    let Some(env) = reader.environment()? else { return Ok(key) };
    let heir = reader.roster(env)?.heir(key.public());
    if heir == key.public() || heir != next.public() {
        return Ok(key);
    }
    NodeKey::take_over(folder)?;
    tracing::info!(old = %key.public(), new = %heir, "the node goes by its new key");
    Ok(next)
}
