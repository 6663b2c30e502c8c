//! What happens when somebody wants a blob, one story a test.

use super::*;

const CUT: usize = 64 << 10;
const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// A bed on which `holders` have a blob and node 0, connected to all of them, wants it.
fn bed(count: usize, holders: &[usize], length: usize) -> (Bed, Digest) {
    let mut bed = Bed::new(count, 1);
    let bytes = content(7, length);
    for holder in holders {
        bed.nodes[*holder].shelf.put(&bytes, CUT);
    }
    (1..count).for_each(|peer| bed.connect(0, peer));
    (bed, Digest::of(&bytes))
}

#[track_caller]
fn assert_done(bed: &Bed, object: Digest) {
    let end = bed.nodes[0].progress.get(&object);
    assert!(matches!(end, Some(Progress::Done(_))), "{end:?}, {:?}", bed.drops);
    assert!(bed.nodes[0].shelf.has(&object));
    let core = &bed.nodes[0].core;
    assert!(
        core.asks.values().all(|asked| matches!(asked.what, ask::What::Nothing)) && core.fetches.is_empty()
    );
}

#[test]
fn a_blob_of_any_length_comes_and_costs_little_more_than_its_bytes() {
    for length in [0, 1, CUT, 20 << 20] {
        let (mut bed, object) = bed(2, &[1], length);
        bed.fetch(0, object);
        bed.until_done(0, object, MINUTE);
        assert_done(&bed, object);
        assert_eq!(bed.nodes[0].progress[&object], Progress::Done(length as u64));
        assert!(bed.nodes[0].came_bytes < length as u64 + length as u64 / 100 + 1000);
    }
}

#[test]
fn a_manifest_longer_than_a_message_comes_page_by_page() {
    let mut bed = Bed::new(2, 1);
    let bytes = content(3, 140 << 20);
    let object = bed.nodes[1].shelf.put(&bytes, 4096);
    bed.nodes[0].shelf.chunks = bed.nodes[1].shelf.chunks.clone();
    assert!(bed.nodes[1].shelf.manifests[&object].encode().len() > wire::MESSAGE_BYTES_MAX);
    bed.connect(0, 1);
    bed.fetch(0, object);
    bed.until_done(0, object, MINUTE);
    assert_done(&bed, object);
}

#[test]
fn three_sources_send_a_share_each_and_nothing_twice() {
    let time = |holders: &[usize]| {
        let (mut bed, object) = bed(4, holders, 40 << 20);
        bed.nodes.iter_mut().for_each(|node| node.bytes_per_second = 4 * MIB);
        bed.fetch(0, object);
        let took = bed.until_done(0, object, MINUTE);
        assert_done(&bed, object);
        assert!(bed.nodes[0].came_bytes < 41 << 20, "{} bytes came", bed.nodes[0].came_bytes);
        for holder in holders {
            let share = bed.nodes[*holder].sent_bytes / MIB;
            assert!(share >= 40 / holders.len() as u64 / 2, "node {holder} sent {share} MiB");
        }
        took
    };
    let (one, three) = (time(&[2]), time(&[1, 2, 3]));
    assert!(three * 5 < one * 2, "{three:?} from three, {one:?} from one");
}

#[test]
fn a_slow_source_beside_a_fast_one_holds_nothing_up() {
    let time = |holders: &[usize]| {
        let (mut bed, object) = bed(3, holders, 40 << 20);
        bed.nodes[1].bytes_per_second = 20_000;
        bed.nodes[2].bytes_per_second = 10 * MIB;
        bed.fetch(0, object);
        let took = bed.until_done(0, object, MINUTE);
        assert_done(&bed, object);
        took
    };
    let (alone, beside) = (time(&[2]), time(&[1, 2]));
    assert!(beside < alone + SECOND * 2, "{beside:?} beside a slow one, {alone:?} without");
}

#[test]
fn a_slow_source_alone_is_asked_for_less_until_it_keeps_up() {
    let (mut bed, object) = bed(2, &[1], 3 << 20);
    bed.nodes[1].bytes_per_second = 60_000;
    bed.fetch(0, object);
    bed.until_done(0, object, MINUTE * 3);
    assert_done(&bed, object);
    assert_eq!(bed.drops, []);
}

#[test]
fn a_liar_is_dropped_and_the_blob_comes_from_the_honest() {
    let (mut bed, object) = bed(3, &[1, 2], 10 << 20);
    bed.nodes[1].manner = Manner::Liar;
    bed.fetch(0, object);
    bed.until_done(0, object, MINUTE);
    assert_done(&bed, object);
    assert_eq!(bed.drops, [(0, 1, Misdeed::FalseChunk)]);
}

#[test]
fn a_false_chunk_costs_itself_and_not_those_that_came_with_it() {
    let length = 10 << 20;
    let (mut bed, object) = bed(3, &[1, 2], length);
    bed.nodes[1].manner = Manner::Liar;
    // The liar is heard first.
    bed.nodes[2].busy = bed.now.after(SECOND * 2);
    bed.fetch(0, object);
    bed.until_done(0, object, MINUTE);
    assert_done(&bed, object);
    assert!(bed.nodes[1].sent_bytes > 10 * CUT as u64, "it sent {} bytes", bed.nodes[1].sent_bytes);
    let again = bed.nodes[0].came_bytes - length as u64;
    assert!(again < 4 * CUT as u64, "{again} bytes came again");
}

#[test]
fn whoever_has_the_blob_by_a_false_manifest_is_dropped_when_that_shows() {
    // One names other chunks, which are proved false at the end; the other is the manifest of another blob.
    for is_other in [false, true] {
        let (mut bed, object) = bed(3, &[2], 4 << 20);
        let junk = content(9, 2 << 20);
        if is_other {
            let other = bed.nodes[1].shelf.put(&junk, CUT);
            let manifest = bed.nodes[1].shelf.manifests[&other].clone();
            bed.nodes[1].shelf.manifests.insert(object, manifest);
        } else {
            bed.nodes[1].shelf.forge(object, &junk, CUT);
        }
        bed.nodes[2].busy = bed.now.after(SECOND / 2);
        bed.fetch(0, object);
        bed.until_done(0, object, MINUTE);
        assert_done(&bed, object);
        assert_eq!(bed.drops, [(0, 1, Misdeed::FalseManifest)]);
    }
}

#[test]
fn what_a_mute_source_keeps_back_comes_from_another_and_it_is_dropped_if_it_stays_so() {
    let (mut bed, object) = bed(3, &[1, 2], 10 << 20);
    bed.nodes[1].manner = Manner::Mute;
    bed.fetch(0, object);
    let took = bed.until_done(0, object, MINUTE);
    assert_done(&bed, object);
    assert!(took < SECOND * 3, "{took:?}");

    let (mut bed, object) = self::bed(2, &[1], 10 << 20);
    bed.nodes[1].manner = Manner::Mute;
    for _ in 0..3 {
        bed.fetch(0, object);
        bed.until_done(0, object, PATIENCE * 2);
        assert_eq!(bed.nodes[0].progress[&object], Progress::Failed(NotFetched::Nowhere));
    }
    assert_eq!(bed.drops, [(0, 1, Misdeed::Stall)]);
}

#[test]
fn who_says_it_has_a_blob_and_sends_nothing_is_left_alone_and_dropped_at_last() {
    let (mut bed, object) = bed(2, &[1], 10 << 20);
    bed.nodes[1].manner = Manner::Braggart;
    bed.fetch(0, object);
    bed.until_done(0, object, PATIENCE * 2);
    assert_eq!(bed.nodes[0].progress[&object], Progress::Failed(NotFetched::Nowhere));
    assert!(bed.nodes[0].came_bytes < 10_000 * 20, "{}", bed.nodes[0].came_bytes);
}

#[test]
fn a_disconnect_costs_what_was_under_way_and_it_goes_on_with_whoever_comes() {
    let (mut bed, object) = bed(3, &[1, 2], 40 << 20);
    bed.nodes.iter_mut().for_each(|node| node.bytes_per_second = 10 * MIB);
    bed.disconnect(0, 2);
    bed.fetch(0, object);
    bed.run(SECOND);
    bed.disconnect(0, 1);
    bed.run(SECOND * 20);
    let before = bed.nodes[0].came_bytes;
    assert!(before > 5 * MIB && before < 20 * MIB, "{before} bytes");
    bed.connect(0, 2);
    bed.until_done(0, object, MINUTE);
    assert_done(&bed, object);
    assert!(bed.nodes[0].came_bytes < 41 * MIB, "{} bytes came", bed.nodes[0].came_bytes);
    assert!(bed.nodes[1].sent_bytes + bed.nodes[2].sent_bytes < 40 * MIB + WINDOW_MAX + MIB);
}

#[test]
fn after_a_kill_only_what_is_not_on_the_shelf_is_fetched() {
    let (mut bed, object) = bed(2, &[1], 40 << 20);
    bed.nodes[1].bytes_per_second = 10 * MIB;
    bed.fetch(0, object);
    bed.run(SECOND * 2);
    bed.kill(0);
    let kept: u64 = bed.nodes[0].shelf.chunks.values().map(|chunk| chunk.len() as u64).sum();
    assert!(kept > 10 * MIB && kept < 30 * MIB, "{kept} bytes");
    let before = bed.nodes[0].came_bytes;
    bed.connect(0, 1);
    bed.fetch(0, object);
    bed.until_done(0, object, MINUTE);
    assert_done(&bed, object);
    let after = bed.nodes[0].came_bytes - before;
    assert!(after < 40 * MIB - kept + MIB / 4, "{after} bytes came after {kept} were kept");
}

#[test]
fn what_nobody_has_is_waited_for_and_given_up() {
    let (mut late, object) = bed(2, &[], 1 << 20);
    late.fetch(0, object);
    late.run(PATIENCE / 2);
    assert_eq!(late.nodes[0].progress[&object], Progress::Absent);
    late.nodes[1].shelf.put(&content(7, 1 << 20), CUT);
    late.until_done(0, object, ASK_AGAIN_AFTER + SECOND);
    assert_done(&late, object);

    let (mut never, object) = bed(2, &[], 1 << 20);
    never.fetch(0, object);
    let took = never.until_done(0, object, MINUTE * 5);
    assert_eq!(never.nodes[0].progress[&object], Progress::Failed(NotFetched::Nowhere));
    assert!(took <= PATIENCE + SECOND * 2, "{took:?}");
    assert_eq!(never.drops, []);
}

#[test]
fn that_nobody_has_it_is_told_as_soon_as_everybody_said_so_and_until_somebody_comes() {
    let (mut bed, object) = bed(3, &[], 1 << 20);
    bed.fetch(0, object);
    assert_eq!(bed.nodes[0].progress[&object], Progress::Searching);
    bed.run(SECOND / 10);
    assert_eq!(bed.nodes[0].progress[&object], Progress::Absent);
    bed.disconnect(0, 1);
    assert_eq!(bed.nodes[0].progress[&object], Progress::Absent);
    bed.nodes[1].shelf.put(&content(7, 1 << 20), CUT);
    bed.connect(0, 1);
    assert_eq!(bed.nodes[0].progress[&object], Progress::Searching);
    bed.until_done(0, object, SECOND * 3);
    assert_done(&bed, object);

    let mut alone = Bed::new(1, 1);
    alone.fetch(0, object);
    assert_eq!(alone.nodes[0].progress[&object], Progress::Absent);

    // Who has it goes away in the middle.
    let (mut left, object) = self::bed(2, &[1], 40 << 20);
    left.nodes[1].bytes_per_second = 10 * MIB;
    left.fetch(0, object);
    left.run(SECOND);
    assert!(matches!(left.nodes[0].progress[&object], Progress::Fetching { sources: 1, .. }));
    left.disconnect(0, 1);
    assert_eq!(left.nodes[0].progress[&object], Progress::Absent);
    left.connect(0, 1);
    left.run(SECOND);
    assert!(matches!(left.nodes[0].progress[&object], Progress::Fetching { sources: 1, .. }));
    left.until_done(0, object, MINUTE);
    assert_done(&left, object);
}

#[test]
fn a_blob_over_the_limit_or_without_room_is_refused_before_a_byte_of_it_comes() {
    let (mut large, object) = bed(2, &[1], 10 << 20);
    large.tell(0, Input::Fetch(Want::named(object, 1 << 20)));
    large.until_done(0, object, SECOND * 3);
    let too_large = NotFetched::TooLarge { size_bytes: 10 << 20, limit_bytes: 1 << 20 };
    assert_eq!(large.nodes[0].progress[&object], Progress::Failed(too_large));
    assert_eq!((large.nodes[1].sent_bytes, large.drops.len()), (0, 0));

    let (mut full, object) = bed(2, &[1], 10 << 20);
    full.nodes[0].shelf.room = Some(5);
    full.fetch(0, object);
    full.until_done(0, object, SECOND * 3);
    let full_store = NotFetched::NotKept(NotKept::Full { left_bytes: 5 });
    assert_eq!(full.nodes[0].progress[&object], Progress::Failed(full_store));
    assert_eq!(full.nodes[1].sent_bytes, 0);
}

#[test]
fn a_liar_who_says_a_blob_is_too_large_keeps_it_from_nobody() {
    let (mut bed, object) = bed(3, &[2], 4 << 20);
    let parts = vec![(Digest::of(b"x"), 200 << 10); 100];
    bed.nodes[1].shelf.manifests.insert(object, xyn_store::blobs::Manifest::new(object, parts));
    bed.nodes[2].busy = bed.now.after(SECOND / 2);
    bed.tell(0, Input::Fetch(Want::named(object, 5 << 20)));
    bed.until_done(0, object, MINUTE);
    assert_done(&bed, object);
}

#[test]
fn a_thousand_small_blobs_come_and_nobody_takes_it_for_a_flood() {
    let mut bed = Bed::new(3, 1);
    let blobs: Vec<_> = (0..1000).map(|seed| content(seed, 600)).collect();
    let objects: Vec<_> = blobs.iter().map(|bytes| bed.nodes[2].shelf.put(bytes, CUT)).collect();
    bed.connect(0, 1);
    bed.connect(0, 2);
    objects.iter().for_each(|object| bed.fetch(0, *object));
    bed.run(MINUTE);
    objects.iter().for_each(|object| assert_done(&bed, *object));
    assert_eq!(bed.drops, []);
}

#[test]
fn more_than_may_wait_are_refused_by_name() {
    let mut bed = Bed::new(1, 1);
    let objects: Vec<_> = (0..OBJECTS_MAX + WAITING_MAX + 1).map(|n| Digest::of(&n.to_be_bytes())).collect();
    objects.iter().for_each(|object| bed.fetch(0, *object));
    let last = objects.last().expect("there are some");
    assert_eq!(bed.nodes[0].progress.get(last), Some(&Progress::Failed(NotFetched::Busy)));
    assert_eq!(bed.nodes[0].core.waiting.len(), WAITING_MAX);
}

#[test]
fn what_nobody_waits_for_any_more_is_closed_and_no_longer_asked_for() {
    let (mut bed, object) = bed(2, &[1], 40 << 20);
    bed.nodes[1].bytes_per_second = 10 * MIB;
    bed.fetch(0, object);
    bed.run(SECOND);
    bed.tell(0, Input::Stop(object));
    let sent = bed.nodes[1].sent_bytes;
    bed.run(MINUTE);
    assert!(bed.nodes[1].sent_bytes - sent <= WINDOW_MAX, "what was asked for may still come");
    assert!(bed.nodes[0].core.asks.is_empty() && bed.nodes[0].core.fetches.is_empty());
    bed.fetch(0, object);
    bed.until_done(0, object, MINUTE);
    assert_done(&bed, object);
}
