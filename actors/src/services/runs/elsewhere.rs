//! Runs of other nodes: whoever ran one tells what it did, when somebody here asks.
//!
//! Owns whom to ask, and what people are told who get no answer. Keeps nothing of what comes. Invariant: what is shown
//! of another node's run says which node told it.

use std::sync::Arc;

use xyn_net::proto::runs::NotRead;
use xyn_net::wire::Payload;
use xyn_net::wire::runs::{Account, Part, Question, STEPS_MAX, Withheld};
use xyn_store::audit::signature::PublicKey;
use xyn_store::ids::{EntryId, RunId};
use xyn_store::projection::{Cursor, Page, RunRow, StepKey, StepRow};
use xyn_store::scope::Principal;

use crate::runtime::{Inner, Refusal, Runtime};
use crate::services::blocking;
use crate::services::content::who_at;

/// Who tells of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Teller {
    /// The node that ran it.
    pub node: PublicKey,
    /// Whom the roster certifies that node for.
    pub principal: Option<Principal>,
}

/// A run that is not here.
struct Elsewhere {
    run: RunId,
    teller: Teller,
    /// The moment of that node that names it.
    moment: EntryId,
    /// The run and its node, for people.
    told: String,
}

impl Runtime {
    /// How `run`, which is not here, stands on the node that ran it.
    pub async fn run_elsewhere(&self, run: RunId) -> Result<(Teller, RunRow), Refusal> {
        let it = Elsewhere::find(&self.0, run).await?;
        match it.ask(&self.0, Part::Whole).await? {
            Account::Run(told) => Ok((it.teller, told.row(run))),
            _ => Err(it.unsound(&self.0)),
        }
    }

    /// A page of its steps there, in the plan's order.
    pub async fn steps_elsewhere(
        &self,
        run: RunId,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<(Teller, Page<StepRow>), Refusal> {
        let it = Elsewhere::find(&self.0, run).await?;
        let foreign =
            || Refusal::invalid("invalid_cursor", "/cursor", "it is no place among the steps of this run");
        let after = cursor.map(|cursor| StepRow::position(run, cursor).ok_or_else(foreign)).transpose()?;
        let limit = u16::try_from(limit.min(STEPS_MAX)).unwrap_or(u16::MAX);
        let account = it.ask(&self.0, Part::Steps { after, limit }).await?;
        let page = page(run, after, limit, account).ok_or_else(|| it.unsound(&self.0))?;
        Ok((it.teller, page))
    }

    /// The step of it called `name` there, or the item of a fan-out called `step.index`.
    pub async fn step_elsewhere(&self, run: RunId, name: &str) -> Result<(Teller, StepRow), Refusal> {
        let unknown = || Refusal::NotFound { kind: "step", id: name.to_owned() };
        let it = Elsewhere::find(&self.0, run).await?;
        let wanted = Payload::new(name.as_bytes()).ok_or_else(unknown)?;
        match it.ask(&self.0, Part::Step(wanted)).await? {
            Account::Step(Some(step)) if step.name == name => Ok((it.teller, step.row(run))),
            Account::Step(None) => Err(unknown()),
            _ => Err(it.unsound(&self.0)),
        }
    }

    /// Why there are no events of `run`, which is not here.
    pub async fn run_not_here(&self, run: RunId) -> Refusal {
        match Elsewhere::find(&self.0, run).await {
            Ok(it) => it.refusal("and its events stay there; it and its steps can be asked for"),
            Err(refusal) => refusal,
        }
    }
}

/// The page of steps of `run` behind `after` that `account` is; none where it is no such page, or would have whoever
/// turns the pages turn them for ever.
fn page(run: RunId, after: Option<StepKey>, limit: u16, account: Account) -> Option<Page<StepRow>> {
    let Account::Steps { steps, has_more } = account else { return None };
    let places: Vec<_> = after.into_iter().chain(steps.iter().map(|step| step.position)).collect();
    let goes_on = places.is_sorted_by(|one, next| one < next) && !(steps.is_empty() && has_more);
    if !goes_on || steps.len() > usize::from(limit) {
        return None;
    }
    let next = places.last().filter(|_| has_more).map(|last| StepRow::cursor(run, *last));
    Some(Page { items: steps.into_inner().into_iter().map(|step| step.row(run)).collect(), next })
}

impl Elsewhere {
    /// The node that ran `run`, as the timeline tells it.
    async fn find(inner: &Arc<Inner>, run: RunId) -> Result<Self, Refusal> {
        let reading = inner.clone();
        let found = blocking(move || {
            let reader = reading.store.read()?;
            Ok(reader.first_milestone(run)?.zip(reading.roster(&reader)?))
        });
        let missing = || Refusal::NotFound { kind: "run", id: run.to_string() };
        let (entry, roster) = found.await?.ok_or_else(missing)?;
        let node = roster.heir(entry.node);
        if node == inner.store.key().public() {
            return Err(missing());
        }
        let (who, key) = who_at(Some(&roster), node);
        let principal = roster.member(node).map(|member| member.principal.clone());
        let told = format!("run `{run}` is with {who} ({key})");
        Ok(Self { run, teller: Teller { node, principal }, moment: entry.entry_id, told })
    }

    async fn ask(&self, inner: &Arc<Inner>, part: Part) -> Result<Account, Refusal> {
        let service = inner.mesh().ok_or_else(|| self.refusal("and the mesh of this node is off"))?;
        let away = || self.refusal("which is not connected now");
        let mesh = service.wire().map_err(|_| away())?;
        let question = Question { run: self.run, moment: self.moment, part };
        // A mesh that ends meanwhile is started again, and connects anew.
        let read = mesh.read_run(self.teller.node, question).await.map_err(|_| away())?;
        read.map_err(|why| match why {
            NotRead::Away => away(),
            NotRead::Busy => Refusal::Overloaded { message: why.to_string() },
            NotRead::False => self.unsound(inner),
            NotRead::Withheld(Withheld::Denied) => {
                let message = format!("{}, and {why}", self.told);
                Refusal::Forbidden { code: "run_withheld", message }
            }
            why => self.refusal(&format!("and {why}")),
        })
    }

    fn refusal(&self, why: &str) -> Refusal {
        Refusal::Conflict { code: "run_elsewhere", message: format!("{}, {why}", self.told) }
    }

    /// What came is no answer to what was asked.
    fn unsound(&self, inner: &Inner) -> Refusal {
        let why = format!("what it told of run {} is no answer to what it was asked", self.run);
        if let Some(mesh) = inner.mesh() {
            mesh.disbelieve(self.teller.node, why.clone());
        }
        Refusal::Conflict { code: "content_unsound", message: format!("{}: {why}", self.told) }
    }
}

#[cfg(test)]
mod tests {
    use xyn_net::wire::Bounded;
    use xyn_net::wire::runs::Step;
    use xyn_store::projection::StepStatus;
    use xyn_store::{Timestamp, ids};

    use super::*;

    fn run() -> RunId {
        ids::derived(Timestamp::EPOCH, &[b"run"])
    }

    fn told(places: &[StepKey], has_more: bool) -> Account {
        let step = |position: &StepKey| Step {
            position: *position,
            name: position.to_string(),
            kind: "transform".into(),
            attempt: 1,
            status: StepStatus::Completed,
            waiting_on: None,
            started_at: None,
            completed_at: None,
            logs_artifact_id: None,
            inputs: None,
            outputs: None,
            error: None,
        };
        let steps = Bounded::new(places.iter().map(step).collect()).expect("few");
        Account::Steps { steps, has_more }
    }

    #[test]
    fn a_page_goes_on_behind_its_last_step_and_one_that_leads_nowhere_is_none() {
        let [first, item, second] = [StepKey::step(0), StepKey::item(0, 3), StepKey::step(1)];
        let whole = page(run(), None, 9, told(&[first, item, second], false)).expect("a page");
        assert_eq!((whole.items.len(), whole.next), (3, None));
        let begun = page(run(), Some(first), 1, told(&[item], true)).expect("a page");
        assert_eq!((begun.items[0].run_id, begun.next), (run(), Some(StepRow::cursor(run(), item))));
        assert!(page(run(), Some(second), 9, told(&[], false)).is_some_and(|page| page.items.is_empty()));
        let lies = [
            (None, 9, told(&[], true)),
            (None, 9, told(&[item, first], false)),
            (None, 9, told(&[item, item], true)),
            (Some(item), 9, told(&[item], true)),
            (Some(second), 9, told(&[first], true)),
            (None, 1, told(&[first, item], false)),
            (None, 9, Account::Step(None)),
        ];
        for (after, limit, account) in lies {
            let shown = format!("{account:?}");
            assert!(page(run(), after, limit, account).is_none(), "{shown}");
        }
    }
}
