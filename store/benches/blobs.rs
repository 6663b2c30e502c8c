//! Blobs: a large file in and out, many small ones, an edited file, a blob that comes in chunk by chunk.
//! Prints one JSON line a figure; beside them what the disk and the hash alone do in the same run.
//!
//! `cargo bench -p xyn-store --bench blobs`; `XYN_BENCH_BYTES` is the size of the large file, 256 MiB by
//! default.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use xyn_store::blobs::{Blobs, CHUNK_MAX, Parcel};
use xyn_store::{Digest, Options, Store, Timestamp};

const SMALL_FILES: usize = 10_000;
const SMALL_BYTES: usize = 4_000;
const LIMIT: u64 = 8 << 30;
const PARCEL_BYTES: usize = 4 << 20;

fn main() {
    let folder =
        tempfile::Builder::new().prefix("blobs-bench").tempdir_in(".").expect("a folder on this disk");
    let size = std::env::var("XYN_BENCH_BYTES").ok().and_then(|text| text.parse().ok()).unwrap_or(256 << 20);
    let noise = noise(1, size);
    let text = text(size);
    rate("blobs.sha256", size, timed(|| Digest::of(&noise)).1);
    rate("blobs.disk.write_and_sync", size, raw_write(&folder.path().join("raw"), &noise));

    let store = open(&folder.path().join("one"));
    for (name, content) in [("noise", &noise), ("text", &text)] {
        let used = store.blobs().used_bytes();
        let (digest, took) = timed(|| put(store.blobs(), content));
        rate(&format!("blobs.put.{name}"), size, took);
        report(
            &format!("blobs.put.{name}.stored_per_byte"),
            (store.blobs().used_bytes() - used) as f64 / size as f64,
        );
        rate(&format!("blobs.put_again.{name}"), size, timed(|| put(store.blobs(), content)).1);
        rate(&format!("blobs.get.{name}"), size, timed(|| read(store.blobs(), &digest)).1);
        rate(
            &format!("blobs.verify.{name}"),
            size,
            timed(|| store.blobs().verify(&digest).expect("is whole")).1,
        );
    }
    edited(store.blobs(), &noise);
    ranges(store.blobs(), &noise);
    intake(store.blobs(), &folder.path().join("two"), &noise);
    small_files(&open(&folder.path().join("three")));
    let (swept, took) = timed(|| store.blobs().sweep([], Timestamp::EPOCH, Duration::ZERO).expect("sweeps"));
    report("blobs.sweep.us_per_item", took.as_secs_f64() * 1e6 / (swept.waiting + swept.removed) as f64);
}

fn open(folder: &Path) -> Store {
    let mut options = Options::default();
    options.blob_quota_bytes = LIMIT;
    Store::open(folder, options).expect("opens")
}

/// As an upload comes: in pieces.
fn put(blobs: &Blobs, content: &[u8]) -> Digest {
    let mut writer = blobs.writer(LIMIT);
    for piece in content.chunks(64 << 10) {
        writer = writer.write(piece).expect("there is room");
    }
    writer.finish().expect("is written").digest()
}

fn read(blobs: &Blobs, digest: &Digest) -> u64 {
    let pieces = blobs.content(digest).expect("is here").pieces(0..u64::MAX);
    pieces.map(|piece| piece.expect("is whole").len() as u64).sum()
}

/// What an edit in the middle costs: bytes beyond those that were typed.
fn edited(blobs: &Blobs, content: &[u8]) {
    let mut content = content.to_vec();
    let middle = content.len() / 2;
    content.splice(middle..middle + 3, *b"edit");
    let used = blobs.used_bytes();
    rate("blobs.put_edited", content.len(), timed(|| put(blobs, &content)).1);
    report("blobs.put_edited.new_bytes", (blobs.used_bytes() - used) as f64);
}

fn ranges(blobs: &Blobs, content: &[u8]) {
    let digest = Digest::of(content);
    let count = 200;
    let (_, took) = timed(|| {
        for n in 0..count {
            let start = (content.len() / count * n) as u64;
            let mut pieces = blobs.content(&digest).expect("is here").pieces(start..start + 1000);
            pieces.try_for_each(|piece| piece.map(drop)).expect("is whole");
        }
    });
    report("blobs.range_of_1000_bytes_us", took.as_secs_f64() * 1e6 / count as f64);
}

/// Both sides of an exchange, without the network.
fn intake(from: &Blobs, folder: &Path, content: &[u8]) {
    let manifest = from.manifest(&Digest::of(content)).expect("reads").expect("is here");
    let chunks: Vec<_> = manifest.parts().iter().map(|(chunk, _)| *chunk).collect();
    let parcels =
        chunks.chunks(12).map(|chunks| from.parcel(chunks, Vec::new(), PARCEL_BYTES).expect("reads"));
    let (parcels, took) = timed(|| parcels.collect::<Vec<_>>());
    rate("blobs.parcel", content.len(), took);
    let store = open(folder);
    let (_, took) = timed(|| {
        let mut intake = store.blobs().intake(manifest.clone(), LIMIT).expect("fits");
        for mut parcel in parcels.iter().map(|parcel| Parcel::new(parcel)) {
            while let Some(took) = intake.take(&mut parcel) {
                took.expect("is sound and was asked for");
            }
        }
        intake.assemble().expect("is the blob")
    });
    rate("blobs.intake", content.len(), took);
}

fn small_files(store: &Store) {
    let content = noise(2, SMALL_FILES * SMALL_BYTES);
    let files: Vec<_> = content.chunks(SMALL_BYTES).collect();
    let (digests, took) = timed(|| {
        let mut batch = store.blobs().batch();
        let digests: Vec<_> = files.iter().map(|file| batch.put(file).expect("there is room")).collect();
        batch.commit().expect("is written");
        digests
    });
    report("blobs.small.batch_put_per_s", SMALL_FILES as f64 / took.as_secs_f64());
    let (_, took) =
        timed(|| digests.iter().for_each(|digest| drop(store.blobs().read(digest).expect("is here"))));
    report("blobs.small.get_per_s", SMALL_FILES as f64 / took.as_secs_f64());
    let alone: Vec<_> = (0..200).map(|n| noise(3 + n, CHUNK_MAX / 8)).collect();
    let (_, took) =
        timed(|| alone.iter().for_each(|file| assert!(store.blobs().put(file).is_ok(), "there is room")));
    report("blobs.lone_put_ms", took.as_secs_f64() * 1e3 / alone.len() as f64);
}

fn raw_write(path: &Path, content: &[u8]) -> Duration {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    let (written, took) = timed(write);
    written.expect("there is room");
    took
}

/// Bytes that cannot be compressed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Bytes as logs and sources have them: words out of some thousand.
fn text(length: usize) -> Vec<u8> {
    let words = noise(9, length / 4);
    let mut bytes = Vec::with_capacity(length + 8);
    for word in words.chunks_exact(2).cycle() {
        if bytes.len() >= length {
            break;
        }
        let _ = write!(bytes, "{:x} ", (u16::from(word[0]) * 7 + u16::from(word[1]) / 16) % 4096);
    }
    bytes.truncate(length);
    bytes
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let value = work();
    (value, begun.elapsed())
}

fn rate(name: &str, bytes: usize, took: Duration) {
    report(&format!("{name}.mb_per_s"), bytes as f64 / 1e6 / took.as_secs_f64());
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn report(figure: &str, value: f64) {
    println!("{{\"figure\":\"{figure}\",\"value\":{value:.3}}}");
}
