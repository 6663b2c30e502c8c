//! What stands on disk of the timeline, of peers and of who was let in.
//!
//! A row that was damaged does not pass its checksum, so what reaches these readers otherwise is from another
//! version, or was put there by somebody who can make checksums.

use std::fmt::Debug;

use xyn_store::audit::checkpoint::Checkpoint;
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::Signature;
use xyn_store::ids;
use xyn_store::projection::{
    CapsuleRow, ContactRow, DeploymentRow, Row, SessionRow, SnapshotRow, TermRow, VouchedRow, WitnessRow,
    WorkspaceRow,
};
use xyn_store::scope::Principal;
use xyn_store::timeline::board::{Board, View};
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::fork::Proof;
use xyn_store::timeline::{BoardRow, FeedHead, FeedRow, Limit};
use xyn_store::trust::{EnvId, Invitation, Role, Ticket, TicketId, TicketSecret};
use xyn_store::{Digest, Timestamp};

use super::now;

/// Rows; the first byte says of which table.
pub(super) fn run(bytes: &[u8]) {
    fn read<R: Row + Debug>(bytes: &[u8]) {
        let Ok(row) = postcard::from_bytes::<R>(bytes) else { return };
        let again = postcard::to_stdvec(&row).expect("what was read can be written");
        let again = postcard::from_bytes::<R>(&again).expect("own bytes");
        assert_eq!(format!("{row:?}"), format!("{again:?}"));
        assert_eq!((row.key().as_bytes(), row.blobs()), (again.key().as_bytes(), again.blobs()));
    }
    let readers: [fn(&[u8]); 13] = [
        read::<FeedRow>,
        read::<BoardRow>,
        read::<Proof>,
        read::<WitnessRow>,
        read::<VouchedRow>,
        read::<ContactRow>,
        read::<Invitation>,
        read::<CapsuleRow>,
        read::<DeploymentRow>,
        read::<SessionRow>,
        read::<SnapshotRow>,
        read::<WorkspaceRow>,
        read::<TermRow>,
    ];
    if let Some((table, row)) = bytes.split_first() {
        readers[usize::from(*table) % readers.len()](row);
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    fn row(table: u8, row: &impl Row) -> Vec<u8> {
        [&[table][..], &postcard::to_stdvec(row).expect("plain data")].concat()
    }
    let key = NodeKey::from_secret([1; 32]);
    let node = key.public();
    let feed = FeedId { node, incarnation: 1 };
    let moment = ids::derived(now(), &[b"moment"]);
    let board = |board, view| BoardRow { board, view, pending: 1 };
    let size = Checkpoint { node, incarnation: 1, size: 3, root: Digest::of(b"root"), at: Timestamp::EPOCH };
    let (checkpoint, signature) = (size.sign(&key), Signature::from_bytes([6; 64]));
    let ticket = Ticket {
        id: TicketId([7; 8]),
        env: EnvId::rooted_in(node),
        issuer: node,
        addresses: Vec::new(),
        secret: TicketSecret::from_bytes([5; 16]),
        expires: now(),
    };
    let id = [&[16][..], &[0x5a; 16]].concat();
    let mut seeds = vec![
        row(0, &FeedRow { feed, head: FeedHead::default(), limit: Limit::NONE, fork: Some(3) }),
        row(1, &board(Board::Pin(moment), View::Pin(true))),
        row(1, &board(Board::Label("v1".into()), View::Label(Some(moment)))),
        row(3, &WitnessRow { witness: node, checkpoint, signature }),
        row(4, &VouchedRow(checkpoint)),
        row(5, &ContactRow { node, addresses: vec!["/ip6/::1/tcp/4311".into()] }),
        row(6, &Invitation::of(&ticket, Principal::new("ana@lab"), Role::User)),
    ];
    seeds.extend((2..13).map(|table| [&[table][..], &id, &id, b"\x02\x05hello\x00\x01\x00{}"].concat()));
    seeds
}
