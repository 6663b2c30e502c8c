//! The node as the mesh sees it.
//!
//! Owns the answers to what peers ask, each from the store or from the service that it concerns. Decides nothing
//! about who belongs: a ticket becomes an intent. Invariant: what one question may read or hold is bounded, and
//! every question is answered.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::{Semaphore, mpsc, oneshot};
use xyn_net::driver::{Event as Notice, Port};
use xyn_net::proto::join::door;
use xyn_net::proto::sync::{Proof, Refused};
use xyn_net::records::{self, known};
use xyn_net::wire::runs::{Question, Withheld};
use xyn_net::wire::{Frame, Growth, Known, Payload, Redeem};
use xyn_store::audit::checkpoint::SignedCheckpoint;
use xyn_store::audit::log;
use xyn_store::audit::signature::{PublicKey, Signature};
use xyn_store::projection::VouchedRow;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::{Invitation, NotRedeemed};
use xyn_store::{Digest, Reader, StoreError};

use super::Shared;
use super::gather::{PARCELS_MAX, Parcel, WAITING_BYTES_MAX};
use crate::governance::Identity;
use crate::node::actor::by_node;
use crate::runtime::{Inner, Intent, Origin, Recording, Refusal};
use crate::services::runs;

/// Notices that wait to be written down; more are only logged.
const NOTICES_MAX: usize = 256;

/// One mesh's desk at the node.
pub(super) struct Desk {
    shared: Arc<Shared>,
    intake: mpsc::Sender<Parcel>,
    room: Arc<Semaphore>,
    notices: mpsc::Sender<Notice>,
}

/// What comes over the desk and takes time.
pub(super) struct Trays {
    pub(super) intake: mpsc::Receiver<Parcel>,
    pub(super) notices: mpsc::Receiver<Notice>,
}

impl Desk {
    pub(super) fn new(shared: Arc<Shared>) -> (Self, Trays) {
        let (intake, parcels) = mpsc::channel(PARCELS_MAX);
        let (notices, noticed) = mpsc::channel(NOTICES_MAX);
        let room = Arc::new(Semaphore::new(WAITING_BYTES_MAX));
        (Self { shared, intake, room, notices }, Trays { intake: parcels, notices: noticed })
    }

    /// Looks something up away from the threads that others wait for; none when it cannot be read.
    async fn look_up<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Inner, &Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Option<T> {
        let inner = self.shared.inner()?;
        let found = tokio::task::spawn_blocking(move || look(&inner, &inner.store.read()?)).await;
        match found.map_err(|error| StoreError::Unavailable(error.to_string())).flatten() {
            Ok(found) => Some(found),
            Err(error) => {
                tracing::warn!(%error, "a peer's question cannot be answered");
                None
            }
        }
    }

    /// Lets in whoever shows a ticket that is good: first its secret is checked, which goes no further, and then an
    /// intent is submitted that says what the ticket says.
    async fn let_in(&self, inner: &Arc<Inner>, peer: PublicKey, request: Redeem) -> door::Decision {
        let env = inner.timeline().map_err(|_| NotRedeemed::Unavailable)?.env();
        if request.env != env {
            return Err(NotRedeemed::OtherEnv);
        }
        let key = Invitation::key_of(request.ticket);
        let invitation = self.look_up(move |_, reader| reader.get::<Invitation>(&key)).await;
        let invitation = invitation.ok_or(NotRedeemed::Unavailable)?.ok_or(NotRedeemed::Unknown)?;
        let now = inner.clock.now();
        invitation.check(request.env, &request.secret, peer, now)?;
        if invitation.redeemed_by().is_none() {
            let input = json!({
                "ticket_id": request.ticket.to_string(),
                "node": peer,
                "consent": request.consent,
            });
            let intent = Intent::new(now, "peer.join", input, Identity::bare(by_node(now).actor));
            inner.submit(intent, Origin::Here).await.map_err(not_redeemed)?;
        }
        let welcome = self.look_up(move |inner, reader| {
            let (statements, roster) = (reader.statements(env)?, inner.timeline()?.roster());
            Ok(records::welcome(statements, &roster, inner.store.key().public(), peer))
        });
        welcome.await.ok_or(NotRedeemed::Unavailable)
    }

    /// Hands a parcel over when there is room for it.
    fn hand_in(
        &self,
        peer: PublicKey,
        feed: FeedId,
        frames: Vec<Frame>,
    ) -> Option<oneshot::Receiver<Result<Known, Refused>>> {
        let bytes: usize = frames.iter().map(|frame| frame.bytes.len()).sum();
        let room = Arc::clone(&self.room).try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()?;
        let first = frames.first().map_or(0, |frame| frame.from);
        let frames = frames.into_iter().map(|frame| frame.bytes).collect();
        let (answer, answered) = oneshot::channel();
        self.intake.try_send(Parcel { peer, feed, first, frames, answer, room }).ok()?;
        Some(answered)
    }
}

impl Port for Desk {
    async fn read(&self, feed: FeedId, after: u64, to: u64, credit: u32) -> Vec<Frame> {
        let frames = self.look_up(move |inner, reader| {
            let env = inner.timeline()?.env().root();
            records::frames(reader, env, &feed, after, to, credit as usize)
        });
        frames.await.unwrap_or_default()
    }

    async fn read_proof(&self, feed: FeedId) -> Option<Proof> {
        let proof = self.look_up(move |_, reader| reader.fork(&feed)).await??;
        Payload::behind(0, proof.encode())
    }

    async fn admit(&self, peer: PublicKey, feed: FeedId, frames: Vec<Frame>) -> Result<Known, Refused> {
        if !records::are_as_said(feed, &frames) {
            let why = format!("they are not the records of {} that they are said to be", feed.node);
            self.shared.refuse(peer, "mislabelled", why);
            return Err(Refused::False);
        }
        let Some(answered) = self.hand_in(peer, feed, frames) else {
            self.shared.refuse(peer, "busy", "as many records wait to be judged as may".to_owned());
            return Err(Refused::Busy);
        };
        answered.await.unwrap_or(Err(Refused::Busy))
    }

    async fn admit_proof(&self, peer: PublicKey, feed: FeedId, proof: Proof) -> Result<Known, Refused> {
        let inner = self.shared.inner().ok_or(Refused::Busy)?;
        let timeline = inner.timeline().map_err(|_| Refused::Busy)?;
        let proof = records::proof(timeline.env().root(), feed, &proof).inspect_err(|refused| {
            let (reason, what) = match refused {
                Refused::Newer => ("newer_frame", "is of a newer version; upgrade this node"),
                _ => ("false_proof", "proves nothing"),
            };
            self.shared.refuse(peer, reason, format!("its proof that {} forked {what}", feed.node));
        })?;
        let verdicts = timeline.admit_proof(proof).await.map_err(|error| {
            tracing::warn!(%error, "a proof cannot be kept at the moment");
            Refused::Busy
        })?;
        records::answer(feed, 0, &verdicts).inspect_err(|_| self.shared.judged(peer, feed, &verdicts))?;
        self.look_up(move |_, reader| known(reader, feed)).await.ok_or(Refused::Busy)
    }

    async fn redeem(&self, peer: PublicKey, request: Redeem) -> door::Decision {
        let inner = self.shared.inner().ok_or(NotRedeemed::Unavailable)?;
        let ticket = request.ticket;
        self.let_in(&inner, peer, request).await.inspect_err(|reason| {
            self.shared.refuse(peer, reason.reason(), format!("ticket {ticket}: {reason}"));
        })
    }

    async fn prove(&self, growth: Growth) -> Option<Vec<Digest>> {
        let own = self.shared.inner()?.timeline().ok()?.own();
        if growth.log != own {
            return None;
        }
        let proof = self.look_up(move |_, reader| Ok(log::consistency(reader, growth.from, growth.to).ok()));
        proof.await?
    }

    async fn vouch(&self, checkpoint: SignedCheckpoint) -> Option<Signature> {
        let inner = self.shared.inner()?;
        let mut recording = Recording::default();
        recording.changes().put(&VouchedRow(checkpoint));
        match recording.commit(&inner).await {
            Ok(_) => Some(checkpoint.witness(inner.store.key())),
            Err(error) => {
                tracing::warn!(%error, "a peer's checkpoint cannot be kept at the moment");
                None
            }
        }
    }

    async fn tell_run(&self, peer: PublicKey, question: Question) -> Result<Vec<u8>, Withheld> {
        let inner = self.shared.inner().ok_or(Withheld::Unavailable)?;
        let run = question.run;
        let is_news = || self.shared.account.is_denial_news(inner.clock.now(), peer, run);
        runs::tell::account(&inner, peer, question, is_news).await.inspect_err(|why| {
            self.shared.refuse(peer, "run_withheld", format!("it asked for run {run}: {why}"));
        })
    }

    fn notice(&self, notice: Notice) {
        #[cfg(test)]
        assert!(
            !self.shared.panics.swap(false, std::sync::atomic::Ordering::SeqCst),
            "a mesh that is broken on purpose"
        );
        if let Some(inner) = self.shared.inner() {
            self.shared.account.trace.note(inner.clock.now(), &notice);
        }
        match notice {
            Notice::Listening(address) => tracing::info!(%address, "the mesh listens"),
            Notice::Connected(peer) => tracing::info!(%peer, "connected"),
            Notice::Disconnected(peer) => tracing::info!(%peer, "disconnected"),
            // The driver logs and counts it.
            Notice::Refused { .. } => {}
            Notice::Witnessed { .. } | Notice::Alarm { .. } | Notice::Located { .. } => {
                if let Err(error) = self.notices.try_send(notice) {
                    tracing::warn!(%error, "what a peer said is not written down");
                }
            }
        }
    }
}

fn not_redeemed(refusal: Refusal) -> NotRedeemed {
    match refusal.code() {
        "ticket_used" => NotRedeemed::Used,
        "ticket_expired" => NotRedeemed::Expired,
        "unknown_ticket" => NotRedeemed::Unknown,
        "denied_by_policy" | "approval_required" => NotRedeemed::Denied,
        _ => {
            tracing::warn!(%refusal, "a newcomer was not let in");
            NotRedeemed::Unavailable
        }
    }
}
