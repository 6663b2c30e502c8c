//! What may be kept in all: packs and database together, and what is under way.

use super::*;
use crate::journal::{Append, AppendError};
use crate::projection::Changes;

async fn append(store: &Store, changes: Changes) -> Result<(), AppendError> {
    let append = Append { changes, ..Append::default() };
    store.journal().expect("open").append(append).await.map(drop)
}

#[test]
fn a_blob_over_its_limit_is_refused_and_leaves_nothing() {
    let (_folder, store) = store(64 * MIB);
    for (limit_bytes, piece) in [(10, 11), (2 * MIB, 300_000)] {
        let refusal = stream(store.blobs().writer(limit_bytes), &noise(7, 2_200_000), piece);
        assert!(matches!(refusal, Err(BlobError::TooLarge { limit_bytes: named }) if named == limit_bytes));
        assert_eq!((store.blobs().used_bytes(), files(store.blobs()).len()), (0, 0));
    }
}

#[test]
fn the_quota_holds_for_all_blobs_together_with_those_under_way() {
    let (folder, store) = store(3 * MIB);
    let blobs = store.blobs();
    let first = blobs.put(&noise(1, 1_000_000)).expect("within the quota");
    let kept = blobs.used_bytes();
    let under_way = blobs.writer(8 * MIB).write(&noise(2, 1_900_000)).expect("within the quota");
    assert!(blobs.used_bytes() > kept + 1_500_000, "what is cut is written and counted");
    let before = blobs.used_bytes();
    let refused = blobs.put(&noise(3, 2_000_000)).expect_err("more than is left");
    assert!(
        matches!(refused, BlobError::Quota { quota_bytes, left_bytes } if quota_bytes == 3 * MIB && left_bytes < MIB)
    );
    assert!(refused.to_string().contains("3145728"), "{refused}");
    assert_eq!((blobs.used_bytes(), files(blobs).len()), (before, 2), "a refused blob leaves nothing");
    drop(under_way);
    assert_eq!((blobs.used_bytes(), files(blobs).len()), (kept, 1));
    blobs.put(&noise(4, 1_900_000)).expect("what was given up can be used again");
    assert_eq!(blobs.put(&noise(1, 1_000_000)).expect("what is here needs no room"), first);
    let used = blobs.used_bytes();
    store.close();
    drop(store);
    let store = open(folder.path(), 10);
    assert_eq!(store.blobs().used_bytes(), used, "a smaller quota does not keep the store shut");
    assert!(matches!(store.blobs().put(&noise(5, 1)), Err(BlobError::Quota { left_bytes: 0, .. })));
    assert!(store.blobs().read(&first).is_ok());
}

#[tokio::test]
async fn small_blobs_in_the_database_count_and_are_refused_like_large_ones() {
    let (folder, store) = store(50_000);
    let bring = |seed: u8| {
        let mut changes = Changes::new();
        changes.keep_blob(&noise(seed, 15_000));
        changes
    };
    for seed in [1, 2, 1, 3] {
        append(&store, bring(seed)).await.expect("within the quota");
    }
    assert!((45_000..45_100).contains(&store.blobs().used_bytes()), "each counts once");
    assert_eq!(store.blobs().used_bytes(), stored_bytes(&store));
    let refused = append(&store, bring(4)).await.expect_err("more than is left");
    let AppendError::Unavailable(error) = &refused else { panic!("{refused:?}") };
    assert!(
        matches!(&**error, StoreError::Blob(BlobError::Quota { left_bytes: 4_900..5_000, .. })),
        "{error}"
    );
    assert!(matches!(store.blobs().put(&noise(5, 10_000)), Err(BlobError::Quota { .. })));
    assert_eq!(store.blob(&Digest::of(&noise(4, 15_000))).expect("reads"), None);
    let used = store.blobs().used_bytes();
    store.close();
    drop(store);
    assert_eq!(open(folder.path(), MIB).blobs().used_bytes(), used);
}
