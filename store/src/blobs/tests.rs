//! Blobs on a real folder: crashes, damage, quota.

use std::os::unix::fs::MetadataExt;
use std::thread;

use super::folder::files;
use super::*;

const MIB: u64 = 1 << 20;

fn store(quota_bytes: u64) -> (tempfile::TempDir, Blobs) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let blobs = Blobs::open(&folder.path().join("blobs"), quota_bytes).expect("the folder is writable");
    (folder, blobs)
}

fn sample(seed: u8, size: usize) -> Vec<u8> {
    (0..size).map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed) ^ (at >> 8) as u8).collect()
}

fn stream(mut writer: Writer, bytes: &[u8], piece: usize) -> Result<Written, BlobError> {
    for piece in bytes.chunks(piece) {
        writer = writer.write(piece)?;
    }
    writer.finish()
}

fn temporaries(blobs: &Blobs) -> usize {
    files(&blobs.0.folder).expect("the folder is there").len()
}

#[test]
fn what_is_put_is_read_back_from_a_file_named_by_its_digest() {
    let (_folder, blobs) = store(MIB);
    let bytes = sample(1, INLINE_MAX + 1);
    let digest = blobs.put(&bytes).expect("there is room");
    assert_eq!(digest, Digest::of(&bytes));
    assert_eq!(blobs.read(&digest).expect("just put"), bytes);
    assert_eq!(blobs.verify(&digest).expect("just put"), bytes.len() as u64);
    let (_, size_bytes) = blobs.file(&digest).expect("just put");
    assert_eq!(size_bytes, bytes.len() as u64);
    let name = digest.to_string();
    let metadata = fs::metadata(blobs.0.folder.join(&name[..2]).join(name)).expect("aa/<hex>");
    assert_eq!(metadata.mode() & 0o777, 0o600);
    assert_eq!(temporaries(&blobs), 0);
}

#[test]
fn a_blob_that_is_not_here_is_not_found() {
    let (_folder, blobs) = store(MIB);
    let digest = Digest::of(b"elsewhere");
    assert!(matches!(blobs.read(&digest), Err(BlobError::NotFound(missing)) if missing == digest));
    assert!(matches!(blobs.verify(&digest), Err(BlobError::NotFound(_))));
}

#[test]
fn the_same_bytes_are_written_and_counted_once() {
    let (_folder, blobs) = store(MIB);
    let bytes = sample(2, 40_000);
    let digest = blobs.put(&bytes).expect("there is room");
    let inode = fs::metadata(blobs.path(&digest)).expect("just put").ino();
    blobs.put(&bytes).expect("it is here already");
    stream(blobs.writer(MIB), &bytes, 9_000).expect("it is here already");
    assert_eq!(fs::metadata(blobs.path(&digest)).expect("still there").ino(), inode);
    assert_eq!((blobs.used_bytes(), temporaries(&blobs)), (40_000, 0));
}

#[test]
fn a_flipped_byte_is_detected() {
    let (_folder, blobs) = store(MIB);
    let mut bytes = sample(3, 100_000);
    let digest = blobs.put(&bytes).expect("there is room");
    for at in [0, 65_536, 99_999] {
        bytes[at] ^= 4;
        fs::write(blobs.path(&digest), &bytes).expect("own file");
        assert!(matches!(blobs.read(&digest), Err(BlobError::Damaged { .. })), "byte {at}");
        let error = blobs.verify(&digest).expect_err("a byte was flipped");
        assert!(error.to_string().contains(&blobs.path(&digest).display().to_string()), "{error}");
        bytes[at] ^= 4;
    }
}

#[test]
fn a_truncated_file_is_detected_and_made_whole_by_the_next_put() {
    let (_folder, blobs) = store(MIB);
    let bytes = sample(4, 50_000);
    let digest = blobs.put(&bytes).expect("there is room");
    fs::write(blobs.path(&digest), &bytes[..49_999]).expect("own file");
    assert!(matches!(blobs.read(&digest), Err(BlobError::Damaged { .. })));
    assert!(matches!(blobs.verify(&digest), Err(BlobError::Damaged { .. })));
    let reopened = Blobs::open(&blobs.0.folder, MIB).expect("damage does not keep the store shut");
    assert_eq!(reopened.used_bytes(), 49_999);
    reopened.put(&bytes).expect("there is room");
    assert_eq!(reopened.read(&digest).expect("whole again"), bytes);
    assert_eq!(reopened.used_bytes(), 50_000);
}

#[test]
fn bringing_the_bytes_again_heals_a_blob_with_a_flipped_bit() {
    let (_folder, blobs) = store(MIB);
    let bytes = sample(15, 30_000);
    let digest = blobs.put(&bytes).expect("there is room");
    let mut damaged = bytes.clone();
    damaged[7] ^= 1;
    for piece in [None, Some(4_000)] {
        fs::write(blobs.path(&digest), &damaged).expect("own file");
        match piece {
            None => assert_eq!(blobs.put(&bytes).expect("there is room"), digest),
            Some(piece) => drop(stream(blobs.writer(MIB), &bytes, piece).expect("there is room")),
        }
        assert_eq!(blobs.read(&digest).expect("whole again"), bytes);
        assert_eq!((blobs.used_bytes(), temporaries(&blobs)), (30_000, 0));
    }
}

#[test]
fn a_file_that_a_stranger_made_longer_does_not_upset_the_count() {
    let (_folder, blobs) = store(MIB);
    let bytes = sample(16, 20_000);
    let digest = blobs.put(&bytes).expect("there is room");
    fs::write(blobs.path(&digest), sample(17, 90_000)).expect("own file");
    blobs.put(&bytes).expect("there is room");
    assert!(blobs.verify(&digest).is_ok());
    assert!(blobs.used_bytes() <= 20_000, "{}", blobs.used_bytes());
}

#[test]
fn many_writers_of_the_same_bytes_make_one_blob() {
    let (_folder, blobs) = store(8 * MIB);
    let bytes = sample(5, 200_000);
    thread::scope(|scope| {
        for turn in 0..8 {
            let (blobs, bytes) = (blobs.clone(), &bytes);
            scope.spawn(move || {
                let written = stream(blobs.writer(MIB), bytes, 1_000 + turn).expect("there is room");
                assert_eq!(blobs.read(&written.digest()).expect("durable when finished"), *bytes);
                blobs.put(bytes).expect("it is here already");
            });
        }
    });
    assert_eq!((blobs.used_bytes(), temporaries(&blobs)), (200_000, 0));
    assert_eq!(Blobs::open(&blobs.0.folder, MIB).expect("reopens").used_bytes(), 200_000);
}

#[test]
fn a_small_stream_stays_off_the_disk_and_a_large_one_goes_there() {
    let (_folder, blobs) = store(MIB);
    for (size, inline) in [(0, true), (INLINE_MAX, true), (INLINE_MAX + 1, false), (300_000, false)] {
        let bytes = sample(6, size);
        let written = stream(blobs.writer(MIB), &bytes, 7_000).expect("there is room");
        assert_eq!((written.digest(), written.size_bytes()), (Digest::of(&bytes), size as u64));
        assert_eq!(matches!(written, Written::Inline(..)), inline, "{size} bytes");
        assert_eq!(is_inline(size as u64), inline);
        match written {
            Written::Inline(_, held) => assert_eq!(held, bytes),
            Written::File { digest, .. } => assert_eq!(blobs.read(&digest).expect("just written"), bytes),
        }
    }
}

#[test]
fn a_blob_over_its_limit_is_refused_and_leaves_nothing() {
    let (_folder, blobs) = store(MIB);
    for (limit_bytes, piece) in [(10, 11), (100_000, 30_000)] {
        let refusal = stream(blobs.writer(limit_bytes), &sample(7, 100_001), piece);
        assert!(matches!(refusal, Err(BlobError::TooLarge { limit_bytes: named }) if named == limit_bytes));
        assert_eq!((blobs.used_bytes(), temporaries(&blobs)), (0, 0));
    }
}

#[test]
fn the_quota_holds_for_all_blobs_together_with_those_under_way() {
    let (_folder, blobs) = store(100_000);
    let first = blobs.put(&sample(8, 60_000)).expect("within the quota");
    let under_way = blobs.writer(MIB).write(&sample(9, 30_000)).expect("within the quota");
    assert_eq!(blobs.used_bytes(), 90_000);
    let refused = blobs.put(&sample(10, 20_000));
    assert!(matches!(refused, Err(BlobError::Quota { quota_bytes: 100_000 })));
    assert_eq!((blobs.used_bytes(), temporaries(&blobs)), (90_000, 1));
    drop(under_way);
    assert_eq!((blobs.used_bytes(), temporaries(&blobs)), (60_000, 0));
    blobs.put(&sample(11, 40_000)).expect("what was given up can be used again");
    assert_eq!(blobs.put(&sample(8, 60_000)).expect("what is here needs no room"), first);
    let reopened = Blobs::open(&blobs.0.folder, 10).expect("a smaller quota does not keep the store shut");
    assert_eq!(reopened.used_bytes(), 100_000);
    assert!(matches!(reopened.put(&sample(12, 1)), Err(BlobError::Quota { .. })));
    assert!(reopened.read(&first).is_ok());
}

#[test]
fn what_a_crash_left_is_thrown_away_and_nothing_else() {
    let (_folder, blobs) = store(MIB);
    let digest = blobs.put(&sample(13, 20_000)).expect("there is room");
    let writer = blobs.writer(MIB).write(&sample(14, 20_000)).expect("there is room");
    // A crash drops nothing.
    std::mem::forget(writer);
    fs::write(blobs.0.folder.join("README"), "not a blob").expect("own folder");
    fs::write(blobs.shard(&digest).join("note"), "not a blob").expect("own folder");
    let reopened = Blobs::open(&blobs.0.folder, MIB).expect("reopens");
    let left: Vec<_> = files(&blobs.0.folder).expect("the folder is there");
    assert!(matches!(&left[..], [(path, _)] if path.ends_with("README")), "{left:?}");
    assert!(blobs.shard(&digest).join("note").exists());
    assert_eq!(reopened.used_bytes(), 20_000);
    assert!(reopened.verify(&digest).is_ok());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("blobs");
    fs::write(&path, "a file in the way").expect("own folder");
    let error = Blobs::open(&path, MIB).expect_err("a file is in the way");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
}

#[test]
fn a_full_disk_is_told_as_such() {
    let error = BlobError::io("write", Path::new("blobs/0.tmp"))(io::ErrorKind::StorageFull.into());
    assert_eq!(
        error.to_string(),
        "cannot write `blobs/0.tmp`: the disk is full; free some space and try again"
    );
}
