//! Runs of other nodes, between whoever wants to be told here and the core that asks.
//!
//! Owns who waits for which answer. Invariant: whoever waits is answered, or sees that the mesh has ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::oneshot;
use xyn_store::audit::signature::PublicKey;

use super::behaviour::Talk;
use super::port::{Port, Refusal};
use super::task::{Done, Task};
use crate::proto::runs::{Input, NotRead, Output, ReadId, Runs};
use crate::wire;
use crate::wire::runs::{Piece, Question, Withheld};

/// Where the bytes of an account go.
pub(super) type Reader = oneshot::Sender<Result<Vec<u8>, NotRead>>;

/// What is read and told of runs by one node.
#[derive(Default)]
pub(super) struct Inquiries {
    core: Runs,
    readers: BTreeMap<ReadId, Reader>,
    next_read: ReadId,
}

impl<P: Port> Task<P> {
    /// Somebody here wants to be told of a run by the node that ran it.
    pub(super) fn inquire(&mut self, peer: PublicKey, question: Question, reader: Reader) {
        let read = self.inquiries.next_read;
        self.inquiries.next_read += 1;
        self.inquiries.readers.insert(read, reader);
        self.runs(Input::Read { read, peer, question });
    }

    pub(super) fn runs(&mut self, input: Input) {
        let now = self.clock.now();
        for output in self.inquiries.core.handle(input, now) {
            match output {
                Output::Send { peer, message } => self.tell(Talk::Runs, peer, wire::encode(&message)),
                Output::Tell { tell, peer, question, from } => {
                    let port = Arc::clone(&self.port);
                    self.jobs.spawn(async move {
                        let account = port.tell_run(peer, question).await;
                        let piece = |account: Vec<u8>| Piece::of(&account, from).ok_or(Withheld::TooLarge);
                        Done::Runs(Input::Told { tell, result: account.and_then(piece) })
                    });
                }
                Output::Read { read, result } => {
                    if let Some(reader) = self.inquiries.readers.remove(&read) {
                        // Whoever asked may have left.
                        let _ = reader.send(result);
                    }
                }
                Output::Drop { peer, reason } => self.drop_peer(peer, Refusal::Misdeed(reason)),
            }
        }
    }
}
