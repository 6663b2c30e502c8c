//! Handing the file of a capsule to a node, on from where that broke off.
//!
//! Owns the frames that the API takes (`api/src/upload/parts.rs`): the list of the file's chunks, then those that the
//! node lacks. Decides nothing about the capsule: the node proves it. Invariant: what is sent is what the list says; a
//! file that changes meanwhile is told.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use futures::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use xyn_store::Digest;
use xyn_store::blobs::{Cutter, Manifest, Parcel};

use super::Context;
use super::keys::Trust;
use super::node::items;
use crate::cli::on_the_way::at_length;
use crate::client::Client;
use crate::failure::Failure;

/// Where parts of a blob are taken.
const PARTS: &str = "/artifacts/blobs/parts";
/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;
/// Frames that wait for the network.
const QUEUE: usize = 16;

/// Hands the file of a capsule to the node, which proves it. What was sent is told in `sent_bytes`.
pub(super) async fn hand_in(
    client: &Client,
    path: &Path,
    trust: &Trust,
    context: &Context,
) -> Result<Value, Failure> {
    let mut body = trust.fields()?;
    let at = |failure: Failure| failure.at(path.display().to_string());
    let sent_bytes = at_length(context, "handing it in", send(client, path, &mut body)).await.map_err(at)?;
    let taken = client.post_at_length("/capsule-imports", &body);
    let mut answer = at_length(context, "proving it", taken).await.map_err(at)?;
    answer["sent_bytes"] = json!(sent_bytes);
    Ok(answer)
}

/// Sees to it that the node has the bytes of the file, whose digest `body` says then; answers how many were sent.
async fn send(client: &Client, path: &Path, body: &mut Value) -> Result<u64, Failure> {
    let unread = |error: io::Error| Failure::file("read", path, &error);
    let file = File::open(path).map_err(unread)?;
    let list = at_rest(move || listed(file)).await.map_err(unread)?;
    let (file, manifest) = list;
    body["sha256"] = json!(manifest.object());
    let list = frame(&manifest.encode());
    let known = client.post_bytes(PARTS, list.clone()).await?;
    let wanted = wanted(&manifest, &known["lacking"]);
    if wanted.is_empty() {
        return Ok(0);
    }
    let sent_bytes = wanted.iter().map(|(_, _, length)| u64::from(*length)).sum();
    let (sender, receiver) = mpsc::channel(QUEUE);
    let reading = at_rest(move || {
        let chunks = wanted.iter().map(|chunk| read(&file, chunk));
        for frame in [Ok(list)].into_iter().chain(chunks) {
            let (frame, failed) = match frame {
                Ok(bytes) => (Ok(bytes), Ok(())),
                Err(error) => (Err(io::Error::from(error.kind())), Err(error)),
            };
            let sent = sender.blocking_send(frame);
            failed?;
            // Who takes no more says why.
            if sent.is_err() {
                break;
            }
        }
        Ok(())
    });
    let pieces = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let (read, taken) = tokio::join!(reading, client.post_bytes(PARTS, reqwest::Body::wrap_stream(pieces)));
    read.map_err(unread)?;
    match taken {
        Ok(taken) if items(&taken["lacking"]).next().is_none() => Ok(sent_bytes),
        Ok(_) => Err(Failure::failed("not_taken", "the node still lacks a part of the file").hint(AGAIN)),
        Err(failure) if failure.code == "interrupted" => Err(failure.hint(AGAIN)),
        Err(failure) => Err(failure),
    }
}

/// What to do when it broke off.
const AGAIN: &str = "hand it in again: what came stays there, and it goes on behind that";

/// Where a chunk of a file begins, its digest and its length.
type Place = (u64, Digest, u32);

/// The chunks of a file.
fn listed(mut file: File) -> io::Result<(File, Manifest)> {
    let (mut cutter, mut parts, mut buffer) = (Cutter::default(), Vec::new(), vec![0; READ_BYTES]);
    let mut take = |chunk: &[u8]| {
        parts.extend((!chunk.is_empty()).then(|| (Digest::of(chunk), chunk.len() as u32)));
        Ok::<_, io::Error>(())
    };
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => cutter.write(&buffer[..count], &mut take)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let (digest, _) = cutter.finish(&mut take)?;
    Ok((file, Manifest::new(digest, parts)))
}

/// Those chunks of `manifest` that lie where the node says that it lacks something, each once.
fn wanted(manifest: &Manifest, lacking: &Value) -> Vec<Place> {
    let span = |span: &Value| Some(span["from"].as_u64()?..span["from"].as_u64()? + span["bytes"].as_u64()?);
    let mut spans = items(lacking).filter_map(span).peekable();
    let (mut at, mut seen, mut wanted) = (0, std::collections::HashSet::new(), Vec::new());
    for (digest, length) in manifest.parts() {
        while spans.next_if(|span| span.end <= at).is_some() {}
        if spans.peek().is_some_and(|span| span.contains(&at)) && seen.insert(*digest) {
            wanted.push((at, *digest, *length));
        }
        at += u64::from(*length);
    }
    wanted
}

/// The frame with a chunk of the file.
fn read(file: &File, (at, digest, length): &Place) -> io::Result<Vec<u8>> {
    let mut chunk = vec![0; *length as usize];
    file.read_exact_at(&mut chunk, *at)?;
    match Digest::of(&chunk) == *digest {
        true => Ok(frame(&Parcel::of(&chunk))),
        false => Err(io::Error::other("it was changed while it was read")),
    }
}

/// `bytes`, and before them how many they are.
fn frame(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_le_bytes()[..], bytes].concat()
}

/// Works on a file away from what waits for the network.
async fn at_rest<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_lacks_is_sent_once_and_nothing_else() {
        let [a, b, c] = [b"a", b"b", b"c"].map(|bytes| Digest::of(bytes));
        let manifest = Manifest::new(Digest::of(b""), vec![(a, 10), (b, 20), (a, 10), (c, 5), (b, 20)]);
        let sent = |lacking: Value| wanted(&manifest, &lacking);
        assert_eq!(sent(json!([])), []);
        assert_eq!(sent(json!([{ "from": 0, "bytes": 65 }])), [(0, a, 10), (10, b, 20), (40, c, 5)]);
        assert_eq!(
            sent(json!([{ "from": 10, "bytes": 20 }, { "from": 40, "bytes": 25 }])),
            [(10, b, 20), (40, c, 5)]
        );
    }

    #[test]
    fn the_list_of_a_file_is_that_of_its_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        for length in [0_usize, 1, 3_000_000] {
            let content: Vec<u8> = (0..length).map(|at| (at * at % 251) as u8).collect();
            std::fs::write(&path, &content).expect("written");
            let (file, manifest) = listed(File::open(&path).expect("there")).expect("read");
            assert_eq!((manifest.object(), manifest.size_bytes()), (Digest::of(&content), length as u64));
            assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest.clone()));
            std::fs::write(&path, vec![7; length]).expect("written");
            let changed = manifest.parts().first().map(|(digest, bytes)| read(&file, &(0, *digest, *bytes)));
            assert!(changed.is_none_or(|read| read.is_err()), "what was changed meanwhile is not sent");
        }
    }
}
