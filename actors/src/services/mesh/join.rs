//! Joining an environment with a ticket, before the node's first start.
//!
//! Owns the order: the ticket's node answers, and then the folder says in one append which environment it
//! belongs to and by whose word. Invariant: a folder belongs to one environment, and a join that was cut short
//! can be done again with the same ticket.

use xyn_net::driver::{self, NotLetIn};
use xyn_store::journal::{Append, AppendError};
use xyn_store::projection::{Changes, ContactRow};
use xyn_store::trust::{EnvId, Ticket};
use xyn_store::{Clock, Store, StoreError};

/// How a join ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// The ticket was redeemed.
    Now,
    /// The folder belongs to the ticket's environment already.
    Before,
}

/// Why a folder does not belong to the ticket's environment.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// It belongs to another one, with all that it holds.
    #[error("this folder belongs to environment `{here}`, and the ticket is for `{ticket}`")]
    Elsewhere {
        /// The folder's.
        here: EnvId,
        /// The ticket's.
        ticket: EnvId,
    },
    /// The node that gave out the ticket did not let it in.
    #[error(transparent)]
    NotLetIn(#[from] NotLetIn),
    /// The folder cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder cannot be written.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// Makes the folder of `store`, on which no node was started yet, one of the ticket's environment.
pub async fn join(store: &Store, clock: &Clock, ticket: Ticket) -> Result<Joined, JoinError> {
    match store.read()?.environment()? {
        Some(here) if here == ticket.env => return Ok(Joined::Before),
        Some(here) => return Err(JoinError::Elsewhere { here, ticket: ticket.env }),
        None => {}
    }
    let contact = ContactRow { node: ticket.issuer, addresses: ticket.addresses.clone() };
    let env = ticket.env;
    let (statements, _) = driver::join(store.key(), ticket, clock).await?;
    let mut changes = Changes::new();
    changes.put_environment(env);
    changes.put(&contact);
    statements.iter().for_each(|placed| changes.put_told(placed));
    store.journal()?.append(Append { changes, ..Append::default() }).await?;
    Ok(Joined::Now)
}
