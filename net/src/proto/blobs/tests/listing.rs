//! A manifest on its way: what a peer makes of it, and what the store says of another one.

use xyn_store::blobs::Manifest;

use super::*;
use crate::wire::Payload;
use crate::wire::blobs::PAGE_BYTES_MAX;

const OBJECT: [u8; 32] = [7; 32];

/// A core that asked its one peer for a blob.
fn asked(now: Timestamp) -> (Blobs, AskId) {
    let mut core = Blobs::default();
    core.handle(Input::Connected(public(1)), now);
    let want = Want::named(Digest::from_bytes(OBJECT), 1 << 30);
    let ask = question(&core.handle(Input::Fetch(want), now)).expect("whether it has it");
    (core, ask)
}

fn question(outputs: &[Output]) -> Option<AskId> {
    outputs.iter().find_map(|output| if let Output::Ask { ask, .. } = output { Some(*ask) } else { None })
}

fn page(name: Digest, length: u32, page: &[u8]) -> Option<Vec<u8>> {
    let page = Payload::new(page).expect("is a page");
    Some(wire::encode(&Answer::Manifest { name, length, page }))
}

#[test]
fn a_manifest_that_becomes_longer_than_any_while_it_comes_is_not_listened_to() {
    let now = Timestamp::from_micros(1);
    let name = Digest::of(b"a manifest");
    for second in [MANIFEST_BYTES_MAX, MANIFEST_BYTES_MAX + 1] {
        let (mut core, ask) = asked(now);
        let begun = page(name, MANIFEST_BYTES_MAX, &[0; 4096]);
        let next =
            question(&core.handle(Input::Answered { ask, bytes: begun }, now)).expect("for the next page");
        let junk = page(name, second, &[0; PAGE_BYTES_MAX]);
        let goes_on = question(&core.handle(Input::Answered { ask: next, bytes: junk }, now)).is_some();
        assert_eq!(goes_on, second == MANIFEST_BYTES_MAX, "of {second} bytes");
    }
}

#[test]
fn a_long_manifest_is_waited_for_as_long_as_whole_pages_of_it_come() {
    let name = Digest::of(b"a manifest");
    for (bytes, is_waited_for) in [(PAGE_BYTES_MAX, true), (1, false)] {
        let mut now = Timestamp::from_micros(1);
        let (mut core, mut ask) = asked(now);
        let mut failed = false;
        for _ in 0..8 {
            let answer = page(name, MANIFEST_BYTES_MAX, &vec![0; bytes]);
            let outputs = core.handle(Input::Answered { ask, bytes: answer }, now);
            let Some(next) = question(&outputs) else { break };
            ask = next;
            now = now.after(ANSWER_TIMEOUT - TICK);
            let outputs = core.handle(Input::Tick, now);
            failed |= outputs.iter().any(|it| matches!(it, Output::Progress(_, Progress::Failed(_))));
        }
        assert_eq!(failed, !is_waited_for, "pages of {bytes} bytes");
    }
}

#[test]
fn what_was_found_missing_of_another_manifest_opens_nothing() {
    let now = Timestamp::from_micros(1);
    let object = Digest::from_bytes(OBJECT);
    let manifests = [1, 2].map(|length| Manifest::new(object, vec![(Digest::of(&[length]), length.into())]));
    let mut core = Blobs::default();
    core.handle(Input::Connected(public(1)), now);
    let mut opening = Vec::new();
    for manifest in &manifests {
        // The second time it was given up, and is wanted again.
        core.handle(Input::Stop(object), now);
        let ask = question(&core.handle(Input::Fetch(Want::named(object, 1 << 30)), now)).expect("asks");
        let answer = Answer::page(&manifest.encode(), 0, GREETING_BYTES).expect("is short");
        let outputs = core.handle(Input::Answered { ask, bytes: Some(wire::encode(&answer)) }, now);
        let opened =
            outputs.into_iter().find_map(|it| if let Output::Open(it) = it { Some(it) } else { None });
        opening.push(opened.expect("it is listed"));
    }
    for (at, manifest) in opening.into_iter().enumerate() {
        let result = Ok(manifest.parts().iter().map(|(chunk, _)| *chunk).collect());
        let outputs = core.handle(Input::Opened { manifest, result }, now);
        assert_eq!(question(&outputs).is_some(), at == 1, "chunks are asked for by the second alone");
    }
}
