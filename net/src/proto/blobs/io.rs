//! What a node is told of blobs, and what it must do.
//!
//! Owns the words between core and driver. Invariant: each question among the outputs names the input that
//! answers it.

use std::sync::Arc;

use xyn_store::Digest;
use xyn_store::audit::signature::PublicKey;
use xyn_store::blobs::Manifest;

use crate::proto::conduct::Misdeed;
use crate::wire::Payload;
use crate::wire::blobs::{Ask, PARCEL_BYTES_MAX};

/// Chunks that came: opaque here.
pub type Parcel = Payload<PARCEL_BYTES_MAX>;

/// The number of a question, never used twice by one node.
pub type AskId = u64;

/// What is wanted, and why members give it.
#[derive(Clone, Debug)]
pub struct Want {
    /// The blob that a moment of the timeline names, and that leads to what is wanted; or is it.
    pub root: Digest,
    /// What of it is wanted.
    pub goods: Goods,
}

/// Something that can be fetched.
#[derive(Clone, Debug)]
pub enum Goods {
    /// A blob of which nothing is known but its digest.
    Blob {
        /// Which.
        object: Digest,
        /// The most bytes it may have.
        limit_bytes: u64,
    },
    /// Blobs so small that each is one chunk, with what their lengths are said to be. They go under one name as
    /// if they were the chunks of one blob, and each is kept for itself.
    Bundle(Arc<Manifest>),
}

impl Want {
    /// The blob `object` itself.
    pub fn named(object: Digest, limit_bytes: u64) -> Self {
        Self { root: object, goods: Goods::Blob { object, limit_bytes } }
    }

    /// Small blobs that `root` leads to.
    pub fn bundle(root: Digest, parts: Vec<(Digest, u32)>) -> Self {
        let names: Vec<u8> = parts.iter().flat_map(|(digest, _)| *digest.as_bytes()).collect();
        Self { root, goods: Goods::Bundle(Arc::new(Manifest::new(Digest::of(&names), parts))) }
    }

    /// The name under which it is fetched: that of the blob, or of the bundle.
    pub fn name(&self) -> Digest {
        match &self.goods {
            Goods::Blob { object, .. } => *object,
            Goods::Bundle(manifest) => manifest.object(),
        }
    }
}

/// What happens to a node.
#[derive(Clone, Debug)]
pub enum Input {
    /// A member is connected.
    Connected(PublicKey),
    /// It is gone.
    Disconnected(PublicKey),
    /// Somebody here wants what is not here.
    Fetch(Want),
    /// Nobody here waits for it any more.
    Stop(Digest),
    /// The answer to [`Output::Ask`].
    Answered {
        /// To which question.
        ask: AskId,
        /// An [`Answer`](crate::wire::blobs::Answer); none when there is none to wait for any more.
        bytes: Option<Vec<u8>>,
    },
    /// The answer to [`Output::Open`] and [`Output::Gather`]: the chunks that are not here, in the blob's order, each once.
    Opened {
        /// As told.
        manifest: Arc<Manifest>,
        /// What is missing.
        result: Result<Vec<Digest>, NotKept>,
    },
    /// The answer to [`Output::Keep`].
    Kept {
        /// As told.
        ask: AskId,
        /// The chunks that are here now, in the order in which they were asked for.
        kept: Vec<Digest>,
        /// What was wrong with another one that came.
        fault: Option<NotKept>,
    },
    /// The answer to [`Output::Assemble`].
    Assembled {
        /// The blob.
        object: Digest,
        /// Whether it is known, durably, now.
        result: Result<(), NotKept>,
    },
    /// A peer asks something.
    Asked {
        /// Who.
        peer: PublicKey,
        /// The driver's number of it.
        id: u64,
        /// An [`Ask`].
        bytes: Vec<u8>,
    },
    /// The answer to [`Output::Serve`] went out, or never will.
    Served {
        /// Who asked.
        peer: PublicKey,
    },
    /// Time passed.
    Tick,
}

/// Why something that came was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// It is not what it is said to be.
    #[error("it does not verify")]
    False,
    /// The store is full.
    #[error("the blob store is full: {left_bytes} bytes are left")]
    Full {
        /// What is left of its quota.
        left_bytes: u64,
    },
    /// The store cannot keep anything at the moment; its log says why.
    #[error("the blob store could not keep it")]
    Failed,
}

/// Why a blob was not fetched. What came of it stays, so that another attempt goes on from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFetched {
    /// Nobody sent anything of it for a while.
    #[error("nobody who is connected has it")]
    Nowhere,
    /// Whoever has it says that it is larger than wanted.
    #[error("it has {size_bytes} bytes, more than the limit of {limit_bytes}")]
    TooLarge {
        /// Its length, as peers say.
        size_bytes: u64,
        /// What was asked for.
        limit_bytes: u64,
    },
    /// Too many others are waited for already.
    #[error("too many blobs are being fetched already")]
    Busy,
    /// It cannot be kept here.
    #[error(transparent)]
    NotKept(#[from] NotKept),
}

/// How far a blob is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It waits for others, or who has it is being asked.
    Searching,
    /// Nobody who is connected has what is missing. Whoever comes is asked as well.
    Absent,
    /// Its chunks come.
    Fetching {
        /// Its length.
        size_bytes: u64,
        /// How much of it is here.
        here_bytes: u64,
        /// Peers that have it.
        sources: usize,
    },
    /// It is here: its length.
    Done(u64),
    /// It was given up.
    Failed(NotFetched),
}

/// What the driver must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Ask a peer, and answer with [`Input::Answered`].
    Ask {
        /// Whom.
        peer: PublicKey,
        /// The number of the question.
        ask: AskId,
        /// The question.
        message: Ask,
    },
    /// Begin to take in a blob, or go on with it, and answer with [`Input::Opened`].
    Open(Arc<Manifest>),
    /// Begin to take in a bundle, and answer with [`Input::Opened`].
    Gather(Arc<Manifest>),
    /// Verify and keep chunks, and answer with [`Input::Kept`].
    Keep {
        /// The blob.
        object: Digest,
        /// The question to which they are the answer.
        ask: AskId,
        /// What was asked for: the chunks are some of these, in this order.
        chunks: Vec<Digest>,
        /// The chunks.
        parcel: Parcel,
    },
    /// Put the blob together and prove it, or make the bundle lasting, and answer with [`Input::Assembled`].
    Assemble(Digest),
    /// Nothing more of this blob comes for now: make lasting what came.
    Close(Digest),
    /// Answer a peer, and tell when that is done with [`Input::Served`].
    Serve {
        /// Who asked.
        peer: PublicKey,
        /// The driver's number of it.
        id: u64,
        /// What it asked.
        ask: Ask,
    },
    /// Tell whoever waits for a blob how far it is.
    Progress(Digest, Progress),
    /// Close the connection, shun the peer and say why in the log.
    Drop {
        /// Whose.
        peer: PublicKey,
        /// Why.
        reason: Misdeed,
    },
}
