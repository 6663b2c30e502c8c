//! What a run did, asked of the node that ran it.

use xyn_store::audit::signature::PublicKey;
use xyn_store::projection::{StepKey, StepStatus};
use xyn_store::{Json, Timestamp, ids};

use super::people::{public, roster};
use super::*;
use crate::proto::runs::NotRead;
use crate::wire::runs::{Account, Part, Question, Step, Withheld};
use crate::wire::{Bounded, Payload};

const ALICE: u8 = 1;
const BOB: u8 = 2;
const CAROL: u8 = 3;

/// What every node of the bed tells `peer`: so many steps, of a quarter of a message each.
pub(super) fn account(peer: PublicKey, count: u16) -> Account {
    let text = format!("{peer} ").repeat((256 << 10) / 65);
    let step = |number| Step {
        position: StepKey::step(number),
        name: number.to_string(),
        kind: "transform".into(),
        attempt: 1,
        status: StepStatus::Completed,
        waiting_on: None,
        started_at: None,
        completed_at: None,
        logs_artifact_id: None,
        inputs: None,
        outputs: Some(Json::of(&text).expect("renders")),
        error: None,
    };
    Account::Steps { steps: Bounded::new((0..count).map(step).collect()).expect("few"), has_more: false }
}

fn question(part: Part) -> Question {
    let (run, moment) =
        (ids::derived(Timestamp::EPOCH, &[b"run"]), ids::derived(Timestamp::EPOCH, &[b"moment"]));
    Question { run, moment, part }
}

#[tokio::test]
async fn the_node_that_ran_it_tells_in_as_many_messages_as_it_takes_or_why_not() {
    for transport in ["tcp/0", "udp/0/quic-v1"] {
        let team = roster(&[ALICE, BOB, CAROL], &[]);
        let bob = Start { transport: transport.into(), ..node(BOB, &team) }.start().await;
        let alice = Start { transport: transport.into(), ..node(ALICE, &team) }.dialling(&[&bob]);
        let mut alice = alice.start().await;
        alice.hear_connected(BOB).await;
        let read =
            async |who: u8, part| alice.mesh.read_run(public(who), question(part)).await.expect("it runs");
        for count in [0, 1, 17] {
            let told = read(BOB, Part::Steps { after: None, limit: count }).await;
            assert_eq!(told, Ok(account(public(ALICE), count)), "{count}");
        }
        assert_eq!(read(BOB, Part::Whole).await, Err(NotRead::Withheld(Withheld::Denied)));
        let name = Payload::new(b"first").expect("short");
        assert_eq!(read(BOB, Part::Step(name)).await, Err(NotRead::False));
        assert_eq!(read(CAROL, Part::Whole).await, Err(NotRead::Away));
        bob.stop().await;
        alice.hear(|event| matches!(event, Event::Disconnected(_)).then_some(())).await;
        assert_eq!(alice.mesh.read_run(public(BOB), question(Part::Whole)).await, Ok(Err(NotRead::Away)));
    }
}
