//! Reading: one question of this node, until the whole account is here.
//!
//! Owns how the pieces are put together. Invariant: what is answered is the account whose digest the peer gave with
//! its first piece.

use xyn_store::audit::signature::PublicKey;
use xyn_store::{Digest, Timestamp};

use super::{ANSWER_TIMEOUT, NotRead, Output, READINGS_MAX, READINGS_PER_PEER, RESTARTS_MAX, ReadId, Runs};
use crate::proto::conduct::Misdeed;
use crate::wire::runs::{ACCOUNT_BYTES_MAX, PIECE_BYTES_MAX, Piece, Question, Runs as Message};

/// An account on its way.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    read: ReadId,
    pub(super) peer: PublicKey,
    question: Question,
    /// Digest and length of the account whose pieces came.
    whole: Option<(Digest, u32)>,
    bytes: Vec<u8>,
    /// When the piece that is awaited was asked for.
    since: Timestamp,
    restarts: u32,
}

impl Runs {
    /// Asks `peer`, if it is here.
    pub(super) fn read(
        &mut self,
        read: ReadId,
        peer: PublicKey,
        question: Question,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let refused = match self.peers.contains_key(&peer) {
            false => NotRead::Away,
            true if self.readings.len() >= READINGS_MAX || self.open(peer) >= READINGS_PER_PEER => {
                NotRead::Busy
            }
            true => {
                let (whole, bytes) = (None, Vec::new());
                return self.ask(
                    Reading { read, peer, question, whole, bytes, since: now, restarts: 0 },
                    now,
                    out,
                );
            }
        };
        out.push(Output::Read { read, result: Err(refused) });
    }

    /// Asks for the next piece, under a number of its own.
    fn ask(&mut self, mut reading: Reading, now: Timestamp, out: &mut Vec<Output>) {
        let number = self.next_number;
        self.next_number += 1;
        reading.since = now;
        let from = u32::try_from(reading.bytes.len()).unwrap_or(u32::MAX);
        let message = Message::Ask { number, question: reading.question.clone(), from };
        out.push(Output::Send { peer: reading.peer, message });
        self.readings.insert(number, reading);
    }

    /// Questions to `peer` that are open.
    pub(super) fn open(&self, peer: PublicKey) -> usize {
        self.readings.values().filter(|reading| reading.peer == peer).count()
    }

    /// Whether `peer` is asked this, and has not answered.
    pub(super) fn is_asked(&self, number: u64, peer: PublicKey) -> bool {
        self.readings.get(&number).is_some_and(|reading| reading.peer == peer)
    }

    /// A piece came that was asked for.
    pub(super) fn came(&mut self, number: u64, piece: &Piece, now: Timestamp, out: &mut Vec<Output>) {
        let Some(mut reading) = self.readings.remove(&number) else { return };
        let (peer, read, said) = (reading.peer, reading.read, (piece.whole, piece.length));
        if *reading.whole.get_or_insert(said) != said {
            if reading.restarts == RESTARTS_MAX {
                return out.push(Output::Read { read, result: Err(NotRead::Changing) });
            }
            reading.restarts += 1;
            (reading.whole, reading.bytes) = (None, Vec::new());
            return self.ask(reading, now, out);
        }
        reading.bytes.extend_from_slice(&piece.bytes);
        let (length, here) = (piece.length as usize, reading.bytes.len());
        // Whoever sends less than it could would be waited for for ever.
        let is_whole = here == length;
        let fits = length <= ACCOUNT_BYTES_MAX && here <= length;
        let is_sound =
            fits && if is_whole { Digest::of(&reading.bytes) == piece.whole } else { piece.is_full() };
        match (is_sound, is_whole) {
            (true, true) => out.push(Output::Read { read, result: Ok(reading.bytes) }),
            (true, false) => self.ask(reading, now, out),
            (false, _) => {
                out.push(Output::Read { read, result: Err(NotRead::False) });
                self.blame(peer, Misdeed::Lie, now, out);
            }
        }
    }

    /// Ends a question.
    pub(super) fn end(&mut self, number: u64, result: Result<Vec<u8>, NotRead>, out: &mut Vec<Output>) {
        if let Some(reading) = self.readings.remove(&number) {
            out.push(Output::Read { read: reading.read, result });
        }
    }

    /// Gives up on answers that did not come. A peer is not to blame: it may be of a version that tells nothing.
    pub(super) fn overdue(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        let late = self.readings.iter().filter(|(_, it)| now.since(it.since) >= ANSWER_TIMEOUT);
        for number in late.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.end(number, Err(NotRead::Late), out);
        }
    }
}

impl Piece {
    /// Whether it is as long as a piece can be.
    fn is_full(&self) -> bool {
        self.bytes.len() == PIECE_BYTES_MAX
    }
}
