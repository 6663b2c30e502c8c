//! Where members are: the contacts of a process, fed as the driver feeds them.

use xyn_net::proto::contacts::{Input, Output};
use xyn_net::wire;
use xyn_store::Timestamp;

use super::{Effect, Process, Talk};

impl Process {
    /// Something happened to what this node knows of where others are. Where all know that from the start, nothing
    /// is said of it.
    pub(crate) fn contacts(&mut self, input: Input, now: Timestamp) {
        let Some(contacts) = &mut self.contacts else { return };
        for output in contacts.handle(input, now) {
            match output {
                Output::Send { peer, message } => {
                    self.send(Talk::Contacts, peer, wire::encode(&message).into(), now);
                }
                Output::Keep(contact) => self.effects.push(Effect::Located(contact.node)),
                Output::Introduced(contact) => self.effects.push(Effect::Introduced(contact)),
                Output::Try { contact, .. } => self.effects.push(Effect::Rumoured(contact)),
                Output::Drop { peer, reason } => self.drop_peer(peer, reason, now),
            }
        }
    }
}
