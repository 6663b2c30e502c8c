//! What the writer keeps in memory from one command to the next, and when it opens the timeline anew.

use xyn_store::ids::EventId;
use xyn_store::timeline::WriteError;
use xyn_store::timeline::board::{Edit, EditError};
use xyn_store::timeline::entry::{Note, Refs};
use xyn_store::trust::Role;

use super::super::words::{Author, Founder, noon};
use super::*;
use crate::services::timeline::actor::Command;
use crate::services::timeline::{Acceptance, Change, MemberError, TimelineError};

fn note(title: &str, branch: &str) -> Note {
    let (principal, branch) = (Principal::new("ana@lab"), branch.parse().expect("a name"));
    Note { principal, branch, kind: Kind::Note, title: title.into(), refs: Refs::default() }
}

impl Node {
    /// The acceptance of what has the name `name`: the same name twice is in conflict with itself.
    fn by(&self, name: &str) -> Box<Acceptance> {
        let id: EventId = ids::derived(noon(), &[name.as_bytes()]);
        let by = self.intent("timeline.note", json!({})).attribution();
        Box::new(Acceptance::beside(id, by, Vec::new()))
    }

    fn says(&self, name: &str, branch: &str) -> Command {
        let moments = vec![(ids::derived(noon(), &[name.as_bytes()]), note(name, branch))];
        Command::Say { moments, by: self.by(name) }
    }

    /// Has `author` write twice, and takes the second before `what` is carried out and the first behind it. Answers
    /// what became of that, and how many records then came in at once.
    async fn amid(&self, author: &mut Author, what: Command) -> (Result<(), TimelineError>, u64) {
        author.frames.clear();
        ["one", "two"].into_iter().for_each(|title| author.says(noon(), note(title, "main")));
        let frame = |at: usize| Payload::new(&author.frames[at]).expect("is bounded");
        let takes = async |at: usize| {
            let sent = Sent { from: author.feed.node, frame: frame(at) };
            self.timeline().admit(vec![sent]).await.expect("judges").remove(0)
        };
        assert!(matches!(takes(1).await, Verdict::Gap { .. }));
        let done = self.timeline().tell(what).await.map(drop);
        let verdict = takes(0).await;
        let Verdict::Admitted { first, last, .. } = verdict else { panic!("{verdict:?}") };
        if first == last {
            assert!(matches!(takes(1).await, Verdict::Admitted { .. }));
        }
        (done, last + 1 - first)
    }
}

#[tokio::test]
async fn what_waits_in_memory_outlives_a_refused_command_and_not_a_failed_commit() {
    let home = tempfile::tempdir().expect("a folder");
    let founder = Founder::start(home.path()).await;
    let node = &founder.node;
    let mut author = founder.author(1, "ana@lab", Role::User).await;
    let [begun, later] = ["begun", "later"].map(|title| ids::derived(noon(), &[title.as_bytes()]));
    let branch = Board::Branch("try".parse().expect("a name"));
    let edit = |name: &str, board: &Board, edit: Edit| {
        let (board, edits, by) = (board.clone(), vec![edit], node.by(name));
        Command::Edit { board, edits, by }
    };
    node.timeline().tell(edit("begins", &branch, Edit::Open(begun))).await.expect("begins");

    type Is = fn(&TimelineError) -> bool;
    let stranger = NodeKey::from_secret([9; 32]).public();
    let revoke = Change::Revoke { node: stranger, reason: "who is that?".into() };
    let refused: [(Command, Is); 5] = [
        (Command::Milestones { milestones: Vec::new(), from: u64::MAX, to: 0 }, |it| {
            matches!(it, TimelineError::Said)
        }),
        (node.says("aside", "nowhere"), |it| matches!(it, TimelineError::NoBranch(_))),
        (edit("elsewhere", &branch, Edit::Open(later)), |it| matches!(it, TimelineError::Begun { .. })),
        (edit("nothing", &Board::Label("nobody".into()), Edit::Unlabel), |it| {
            matches!(it, TimelineError::Write(WriteError::Edit(EditError::Nothing)))
        }),
        (Command::Belong { change: revoke, signed: None, by: node.by("revokes") }, |it| {
            matches!(it, TimelineError::Member(MemberError::Stranger(_)))
        }),
    ];
    for (command, is_it) in refused {
        let (done, came) = node.amid(&mut author, command).await;
        let refusal = done.expect_err("it cannot be done");
        assert!(is_it(&refusal), "{refusal:?}");
        assert_eq!(came, 2, "what waited is there: {refusal:?}");
    }

    let (done, came) = node.amid(&mut author, node.says("once", "main")).await;
    assert!(done.is_ok() && came == 2, "{done:?}");
    let (done, came) = node.amid(&mut author, node.says("once", "main")).await;
    assert!(matches!(done, Err(TimelineError::Append(_))), "{done:?}");
    assert_eq!(came, 1, "the heads were ahead of the rows: it was opened anew");
    node.timeline().tell(node.says("again", "main")).await.expect("goes on");
    founder.node.stop().await;
}
