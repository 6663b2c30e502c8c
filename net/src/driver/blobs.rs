//! Blobs: what the core asks for, done, and what peers ask, heard.
//!
//! Owns which stream carries which question. A question and its answer share one, so that nobody can send an
//! answer that was not asked for. Invariant: whatever is served is told to the core once, when the answer went
//! out or cannot any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use libp2p::request_response::{InboundRequestId, Message, OutboundFailure, OutboundRequestId};
use tokio::sync::watch;
use xyn_store::Digest;
use xyn_store::audit::signature::PublicKey;

use super::address;
use super::behaviour::ExchangeEvent;
use super::carry::Reply;
use super::codec::BadFrame;
use super::depot::{Closing, Depot};
use super::heard::is_not_spoken;
use super::port::{Port, Refusal};
use super::task::{Done, Task};
use super::{FetchError, Stopped};
use crate::proto::blobs::{AskId, Blobs, Input, NotFetched, Output, Progress, Want};
use crate::wire::blobs::Ask;
use crate::wire::{self, Message as _};

/// The exchange of blobs of one node.
pub(super) struct Trade {
    core: Blobs,
    depot: Arc<Depot>,
    /// Who waits for what.
    fetches: BTreeMap<Digest, watch::Sender<Progress>>,
    asks: BTreeMap<OutboundRequestId, AskId>,
    /// Questions of peers, numbered for the core.
    asked: BTreeMap<u64, Question>,
    numbers: BTreeMap<InboundRequestId, u64>,
    next_number: u64,
}

/// What a peer waits for.
struct Question {
    peer: PublicKey,
    /// None when the answer is on its way.
    reply: Option<Reply>,
}

/// What a job brings.
pub(super) enum Fetched {
    /// What the core waits for.
    Input(Input),
    /// The length of what is wanted, if it is here.
    Looked { want: Want, size_bytes: Option<u64> },
    /// An answer to a peer.
    Answer { peer: PublicKey, id: u64, bytes: Vec<u8> },
    /// Nothing to say.
    Closed,
}

/// A blob on its way here. When nobody holds one any more the blob is given up; what came of it stays.
#[derive(Clone, Debug)]
pub struct Fetch {
    progress: watch::Receiver<Progress>,
}

impl Fetch {
    /// How far it is.
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Waits until it is further.
    pub async fn changed(&mut self) -> Result<Progress, Stopped> {
        self.progress.changed().await.map_err(|_| Stopped)?;
        Ok(*self.progress.borrow_and_update())
    }

    /// Waits until it is here, and answers its length.
    pub async fn finish(mut self) -> Result<u64, FetchError> {
        let is_over = |progress: &Progress| matches!(progress, Progress::Done(_) | Progress::Failed(_));
        let end = *self.progress.wait_for(is_over).await.map_err(|_| Stopped)?;
        match end {
            Progress::Failed(reason) => Err(reason.into()),
            Progress::Done(size_bytes) => Ok(size_bytes),
            Progress::Searching | Progress::Absent | Progress::Fetching { .. } => {
                Err(NotFetched::Nowhere.into())
            }
        }
    }
}

impl Trade {
    pub(super) fn new(depot: Depot) -> Self {
        Self {
            core: Blobs::default(),
            depot: Arc::new(depot),
            fetches: BTreeMap::new(),
            asks: BTreeMap::new(),
            asked: BTreeMap::new(),
            numbers: BTreeMap::new(),
            next_number: 0,
        }
    }
}

impl<P: Port> Task<P> {
    /// Begins to fetch what is wanted, unless it is here or on its way.
    pub(super) fn want(&mut self, want: Want) -> Fetch {
        let object = want.name();
        if let Some(progress) = self.trade.fetches.get(&object) {
            return Fetch { progress: progress.subscribe() };
        }
        let (sender, progress) = watch::channel(Progress::Searching);
        self.trade.fetches.insert(object, sender);
        self.work(move |depot| {
            let size_bytes = depot.size_bytes(&want.goods);
            Fetched::Looked { want, size_bytes }
        });
        Fetch { progress }
    }

    /// Lets go of the memory of parcels while there are none.
    pub(super) fn spare_memory(&self) {
        if self.trade.asks.is_empty() && self.trade.asked.is_empty() {
            self.trade.depot.spare().clear();
        }
    }

    /// Gives up what nobody waits for any more.
    pub(super) fn give_up_unwanted(&mut self) {
        let unwanted = self.trade.fetches.extract_if(.., |_, progress| progress.receiver_count() == 0);
        let unwanted: Vec<Digest> = unwanted.map(|(object, _)| object).collect();
        unwanted.into_iter().for_each(|object| self.blobs(Input::Stop(object)));
    }

    pub(super) fn blobs(&mut self, input: Input) {
        let now = self.clock.now();
        for output in self.trade.core.handle(input, now) {
            match output {
                Output::Ask { peer, ask, message } => self.put_question(peer, ask, &message),
                Output::Open(manifest) => self.work(move |depot| {
                    let result = depot.open(&manifest);
                    Fetched::Input(Input::Opened { manifest, result })
                }),
                Output::Gather(manifest) => self.work(move |depot| {
                    let result = depot.gather(&manifest);
                    Fetched::Input(Input::Opened { manifest, result })
                }),
                Output::Keep { object, ask, chunks, parcel } => self.work(move |depot| {
                    let (kept, fault) = depot.keep(&object, &chunks, parcel);
                    Fetched::Input(Input::Kept { ask, kept, fault })
                }),
                Output::Assemble(object) => self.work(move |depot| {
                    let result = depot.assemble(&object);
                    Fetched::Input(Input::Assembled { object, result })
                }),
                Output::Close(object) => {
                    // At once, so that whoever opens it again meanwhile is not closed in its stead.
                    let closing = self.trade.depot.close(&object);
                    self.work(move |_| {
                        closing.into_iter().for_each(Closing::end);
                        Fetched::Closed
                    });
                }
                Output::Serve { peer, id, ask } => {
                    self.work(move |depot| Fetched::Answer { peer, id, bytes: depot.answer(&ask) })
                }
                Output::Progress(object, progress) => self.tell_progress(object, progress),
                Output::Drop { peer, reason } => self.drop_peer(peer, Refusal::Misdeed(reason)),
            }
        }
    }

    fn work(&mut self, job: impl FnOnce(&Depot) -> Fetched + Send + 'static) {
        let depot = Arc::clone(&self.trade.depot);
        self.jobs.spawn_blocking(move || Done::Blobs(job(&depot)));
    }

    fn put_question(&mut self, peer: PublicKey, ask: AskId, message: &Ask) {
        let bytes = wire::encode(message);
        self.traffic.bytes_out += bytes.len() as u64;
        let exchange = &mut self.swarm.behaviour_mut().gate.members.blobs;
        let id = exchange.send_request(&address::peer_id(peer), Ok(bytes));
        self.trade.asks.insert(id, ask);
    }

    fn tell_progress(&mut self, object: Digest, progress: Progress) {
        if let Some(sender) = self.trade.fetches.get(&object) {
            sender.send_replace(progress);
        }
        if matches!(progress, Progress::Done(_) | Progress::Failed(_)) {
            self.trade.fetches.remove(&object);
        }
    }

    /// A job is done.
    pub(super) fn fetched(&mut self, done: Fetched) {
        match done {
            Fetched::Input(input) => self.blobs(input),
            Fetched::Looked { want, size_bytes: Some(size_bytes) } => {
                self.tell_progress(want.name(), Progress::Done(size_bytes));
            }
            Fetched::Looked { want, size_bytes: None } => {
                // Unless nobody waits for it any more.
                if self.trade.fetches.contains_key(&want.name()) {
                    self.blobs(Input::Fetch(want));
                }
            }
            Fetched::Answer { peer, id, bytes } => {
                let size = bytes.len() as u64;
                let reply = self.trade.asked.get_mut(&id).and_then(|question| question.reply.take());
                let exchange = &mut self.swarm.behaviour_mut().gate.members.blobs;
                match reply.map(|reply| exchange.send_response(reply, bytes)) {
                    Some(Ok(())) => {
                        self.traffic.bytes_out += size;
                        self.traffic.blob_bytes_out += size;
                    }
                    // It left, or does not wait any more.
                    Some(Err(_)) | None => {
                        self.trade.asked.remove(&id);
                        self.blobs(Input::Served { peer });
                    }
                }
            }
            Fetched::Closed => {}
        }
    }

    pub(super) fn traded(&mut self, event: ExchangeEvent) {
        match event {
            ExchangeEvent::Message {
                peer,
                connection_id,
                message: Message::Request { request, channel, request_id },
            } => {
                let Some(node) = address::node(peer) else { return };
                match request {
                    Ok(bytes) => self.was_asked(node, request_id, bytes, channel),
                    Err(fault) => self.misspoke(node, connection_id, Refusal::Frame(fault)),
                }
            }
            ExchangeEvent::Message { message: Message::Response { request_id, response }, .. } => {
                self.traffic.bytes_in += response.len() as u64;
                self.traffic.blob_bytes_in += response.len() as u64;
                self.was_answered(request_id, Some(response));
            }
            ExchangeEvent::OutboundFailure { peer, request_id, error, .. } => {
                self.was_answered(request_id, None);
                let node = address::node(peer);
                if is_not_spoken(&error) {
                    self.refuse(node, Refusal::Protocol(Ask::PROTOCOL));
                } else if let (Some(node), Some(fault)) = (node, too_large(&error)) {
                    self.drop_peer(node, Refusal::Frame(fault));
                } else {
                    tracing::debug!(%peer, %error, "a question about a blob was not answered");
                }
            }
            ExchangeEvent::InboundFailure { peer, request_id, error, .. } => {
                tracing::debug!(%peer, %error, "an answer about a blob did not go out");
                self.answer_ended(request_id);
            }
            ExchangeEvent::ResponseSent { request_id, .. } => self.answer_ended(request_id),
        }
    }

    fn was_asked(&mut self, peer: PublicKey, id: InboundRequestId, bytes: Vec<u8>, reply: Reply) {
        self.traffic.bytes_in += bytes.len() as u64;
        let number = self.trade.next_number;
        self.trade.next_number += 1;
        self.trade.numbers.insert(id, number);
        self.trade.asked.insert(number, Question { peer, reply: Some(reply) });
        self.blobs(Input::Asked { peer, id: number, bytes });
    }

    fn was_answered(&mut self, id: OutboundRequestId, bytes: Option<Vec<u8>>) {
        if let Some(ask) = self.trade.asks.remove(&id) {
            self.blobs(Input::Answered { ask, bytes });
        }
    }

    /// An answer went out, or nobody waits for it any more. One that is still to be read is told of when it
    /// was.
    fn answer_ended(&mut self, id: InboundRequestId) {
        let question = self.trade.numbers.remove(&id).and_then(|number| self.trade.asked.remove(&number));
        if let Some(Question { peer, reply: None }) = question {
            self.blobs(Input::Served { peer });
        }
    }
}

/// An answer that is longer than any may be: what else goes wrong may be a bad line.
fn too_large(error: &OutboundFailure) -> Option<BadFrame> {
    let OutboundFailure::Io(error) = error else {
        return None;
    };
    let fault = error.get_ref().and_then(|inner| inner.downcast_ref::<BadFrame>()).copied();
    fault.filter(|fault| matches!(fault, BadFrame::TooLarge { .. }))
}
