//! Bytes of an answer into a file.
//!
//! Invariant: a broken download never stands where a whole one is looked for.

use std::path::{Path, PathBuf};

use futures::StreamExt;
use indicatif::ProgressBar;
use tokio::io::AsyncWriteExt;

use crate::client::Chunks;
use crate::failure::Failure;

/// Writes what comes to the file `path`, in place of what was there; answers how many bytes came.
pub(super) async fn save(mut body: Chunks, path: &Path, bar: &ProgressBar) -> Result<u64, Failure> {
    let partial = partial_name(path);
    let fail = |error: std::io::Error| Failure::file("write", path, &error);
    let mut file = tokio::fs::File::create_new(&partial).await.map_err(fail)?;
    let mut bytes = 0;
    while let Some(chunk) = body.next().await {
        let written = match chunk {
            Ok(chunk) => {
                bytes += chunk.len() as u64;
                bar.inc(chunk.len() as u64);
                file.write_all(&chunk).await.map_err(fail)
            }
            Err(failure) => Err(failure),
        };
        if let Err(failure) = written {
            // What is left over is worth nothing; that it cannot be removed changes nothing about the failure.
            let _ = tokio::fs::remove_file(&partial).await;
            return Err(failure);
        }
    }
    file.sync_all().await.map_err(fail)?;
    tokio::fs::rename(&partial, path).await.map_err(fail)?;
    Ok(bytes)
}

/// A name that nobody has yet.
fn partial_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    path.with_file_name(name)
}
