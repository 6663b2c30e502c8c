//! Files that change while they are read.

use std::sync::{Mutex, mpsc};

use super::super::press::{Job, Press};
use super::super::spool::Spool;
use super::super::stream::Stream;
use super::*;
use crate::tree::RelPath;

/// The chunks that `work` leaves of the files it gives to a stream.
fn chunks(work: impl FnOnce(&mut Stream<'_>)) -> Vec<Vec<u8>> {
    let place = Place::new();
    let spool = Spool::new(&place.path("")).expect("made");
    let (pressed, fault) = (Mutex::default(), Mutex::default());
    let press = Press { spool: &spool, base: None, inspect: None, pressed, fault };
    let (send, jobs) = mpsc::sync_channel::<Job>(100);
    let mut stream = Stream::new(&press, send);
    work(&mut stream);
    let (order, _) = stream.end().expect("kept");
    let chunks: std::collections::BTreeMap<_, _> = jobs.iter().map(|job| (job.id, job.raw)).collect();
    order.iter().map(|id| chunks[id].clone()).collect()
}

fn read(stream: &mut Stream<'_>, path: &str, content: &[u8], said: u64) {
    let path: RelPath = path.parse().expect("a path");
    let (digest, length) = stream.read(&path, &mut &content[..], said, 1 << 30).expect("read");
    let seen = &content[..length as usize];
    assert_eq!(digest, xyn_store::Digest::of(seen));
}

#[test]
fn a_file_that_is_read_again_leaves_no_trace_of_the_first_time() {
    let (small, large) = (noise(1, 9_000), noise(2, 3 << 20));
    let plain = chunks(|stream| {
        read(stream, "a", &small, 9_000);
        stream.take().expect("taken");
        read(stream, "b", &large, 3 << 20);
        stream.take().expect("taken");
        read(stream, "c", b"last", 4);
        stream.take().expect("taken");
    });
    assert!(plain.len() >= 3, "{} chunks", plain.len());
    let torn = chunks(|stream| {
        read(stream, "a", &large, 3 << 20);
        read(stream, "a", &small[..100], 200);
        read(stream, "a", &small, 9_000);
        stream.take().expect("taken");
        read(stream, "b", b"short", 5);
        read(stream, "b", &large, 3 << 20);
        stream.take().expect("taken");
        read(stream, "c", &noise(3, 5 << 20), 5 << 20);
        read(stream, "c", b"last", 4);
        stream.take().expect("taken");
        read(stream, "d", b"gone", 4);
    });
    assert!(torn == plain);
}
