//! What peers said and nobody took, by name.
//!
//! Owns the counters and what the log is told. Judges nothing. Invariant: whatever is refused is counted each time, and
//! told once a minute of each peer, so that nobody pushes all else out of the log and the trace.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use xyn_net::driver::Told;
use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;
use xyn_store::ids::RunId;
use xyn_store::timeline::admit::Verdict;
use xyn_store::timeline::board::{LeftOut, Reason};
use xyn_store::timeline::feed::FeedId;

use super::Trace;

/// Records that wait for those before them: so it is whenever news overtake each other, among honest members too.
const GAP: &str = "gap";
/// A change to a board that waits for what it builds on, which is in another feed.
const WAITS: &str = Reason::Waits.word();
/// A run that a policy withholds.
const DENIAL: &str = "denial";
/// Records that were here: what several members hand on comes several times. Only counted, because that is how news
/// travel, and a member that says the same again and again is seen by how many there are.
const DUPLICATE: &str = "duplicate";

/// The account of one node.
#[derive(Debug, Default)]
pub(super) struct Account {
    counts: Mutex<BTreeMap<&'static str, u64>>,
    told: Mutex<Told>,
    pub(super) trace: Trace,
}

impl Account {
    /// How often what was refused, by reason.
    pub(super) fn counts(&self) -> BTreeMap<&'static str, u64> {
        locked(&self.counts).clone()
    }

    /// Counts and tells the frames of `feed` that `peer` sent and nobody takes, and those that are kept although
    /// their author is not to be believed.
    pub(super) fn judged(&self, now: Timestamp, peer: PublicKey, feed: FeedId, verdicts: &[Verdict]) {
        for verdict in verdicts {
            if let Verdict::Admitted { behind, .. } = verdict {
                // Who brought them is forgotten, and who signed them answers for them.
                self.judged(now, feed.node, feed, behind);
            }
            let (reason, why) = match verdict {
                Verdict::Refused(refusal) => (refusal.reason(), refusal.to_string()),
                Verdict::Forked { seq, .. } => ("forked", format!("their author wrote two records {seq}")),
                Verdict::Admitted { from_future: 1.., .. } => {
                    ("from_future", "their time is in the future; they are kept and move no clock".to_owned())
                }
                Verdict::Paced(_) => ("paced", "their author writes faster than is taken".to_owned()),
                Verdict::Gap { have, .. } => {
                    (GAP, format!("those between {have} and them are missing; they wait for them"))
                }
                Verdict::Duplicate => (DUPLICATE, "they are here already".to_owned()),
                Verdict::Admitted { .. } => continue,
            };
            self.refuse(now, peer, reason, format!("records of {}: {why}", feed.node));
        }
    }

    /// Counts and tells changes to boards that were admitted and show on none. Who brought them is not to blame:
    /// whoever signed them answers for them.
    pub(super) fn left_out(&self, now: Timestamp, left_out: &[LeftOut]) {
        for LeftOut { feed, seq, why } in left_out {
            let told = format!("record {seq} is a change to a board and shows on none: {why}");
            self.refuse(now, feed.node, why.word(), told);
        }
    }

    /// Counts, and tells unless it was told, that what `peer` said was refused. What honest members cause every day is
    /// told below the level that the log has by itself, with a name and in the counters all the same: what has to wait,
    /// and what was here.
    pub(super) fn refuse(&self, now: Timestamp, peer: PublicKey, reason: &'static str, why: String) {
        self.count(reason);
        if !locked(&self.told).is_news(reason, Some(peer), String::new(), now) {
            return;
        }
        match reason {
            GAP | WAITS => tracing::info!(%peer, reason, why, "what a peer said has to wait"),
            DUPLICATE => tracing::info!(%peer, reason, why, "what a peer said is of no use"),
            _ => tracing::warn!(%peer, reason, why, "refused what a peer said"),
        }
        self.trace.refused(now, peer, reason, why);
    }

    /// Whether it is to be recorded that a policy denied `peer` to see `run`: each again a minute later, and as many in
    /// one minute as is told of one kind. Notes that it was.
    pub(super) fn is_denial_news(&self, now: Timestamp, peer: PublicKey, run: RunId) -> bool {
        locked(&self.told).is_news(DENIAL, Some(peer), run.to_string(), now)
    }

    fn count(&self, reason: &'static str) {
        *locked(&self.counts).entry(reason).or_default() += 1;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use xyn_store::ids;
    use xyn_store::timeline::admit::Refusal;
    use xyn_store::timeline::board::Measure;

    use super::*;

    const NOW: Timestamp = Timestamp::EPOCH;
    const PEER: PublicKey = PublicKey::from_bytes([1; 32]);
    const FEED: FeedId = FeedId { node: PublicKey::from_bytes([2; 32]), incarnation: 1 };

    fn lines(account: &Account) -> Vec<&'static str> {
        account.trace.after(0, usize::MAX).into_iter().filter_map(|line| line.reason).collect()
    }

    #[test]
    fn what_comes_a_thousand_times_is_counted_each_time_and_told_once_a_minute() {
        let account = Account::default();
        let verdicts: Vec<Verdict> = (1..=1000).map(|seq| Verdict::Refused(Refusal::PastCut(seq))).collect();
        account.judged(NOW, PEER, FEED, &verdicts);
        account.judged(NOW, PEER, FEED, &[Verdict::Paced(FEED), Verdict::Gap { feed: FEED, have: 3 }]);
        account.judged(NOW, FEED.node, FEED, &verdicts[..1]);
        let counted = BTreeMap::from([("past_cut", 1001), ("paced", 1), ("gap", 1)]);
        assert_eq!(account.counts(), counted);
        assert_eq!(lines(&account), ["past_cut", "paced", "gap", "past_cut"], "of another peer it is news");
        account.judged(NOW.after(Duration::from_secs(60)), PEER, FEED, &verdicts);
        assert_eq!(lines(&account).len(), 5);
    }

    #[test]
    fn a_denial_is_news_once_a_minute_for_each_member_and_run() {
        let (account, run) = (Account::default(), |n: u8| ids::derived(NOW, &[&[n]]));
        let is_news = |now, peer, n| account.is_denial_news(now, peer, run(n));
        assert!(is_news(NOW, PEER, 0));
        assert!((0..100).all(|_| !is_news(NOW, PEER, 0)), "it asks again and again");
        assert!(is_news(NOW, PEER, 1) && is_news(NOW, FEED.node, 0));
        let recorded = (2..=255).filter(|n| is_news(NOW, PEER, *n)).count();
        assert!(recorded < 100, "of however many runs: {recorded}");
        assert!(is_news(NOW.after(Duration::from_secs(60)), PEER, 0));
        assert_eq!(
            (account.counts(), lines(&account)),
            (BTreeMap::new(), vec![]),
            "the refusal is counted by itself"
        );
    }

    #[test]
    fn what_shows_on_no_board_is_told_of_its_author_by_name_once_a_minute() {
        let account = Account::default();
        let why = [Reason::Waits, Reason::Senseless, Reason::Rival, Reason::Beyond(Measure::Bytes)];
        let left_out: Vec<LeftOut> =
            (1..=40).map(|seq| LeftOut { feed: FEED, seq, why: why[seq as usize % 4] }).collect();
        account.left_out(NOW, &left_out);
        let words = ["board_full", "board_rival", "board_senseless", "board_waits"];
        assert_eq!(account.counts(), words.map(|word| (word, 10)).into());
        let told = account.trace.after(0, usize::MAX);
        let mut named: Vec<_> = told.iter().filter_map(|line| line.reason).collect();
        named.sort_unstable();
        assert_eq!(named, words);
        assert!(told.iter().all(|line| line.node == Some(FEED.node)));
    }

    #[test]
    fn what_was_here_is_counted_and_told_once() {
        let account = Account::default();
        let admitted =
            Verdict::Admitted { feed: FEED, first: 1, last: 1, from_future: 0, behind: Vec::new() };
        account.judged(NOW, PEER, FEED, &[Verdict::Duplicate, admitted, Verdict::Duplicate]);
        assert_eq!(account.counts(), BTreeMap::from([("duplicate", 2)]));
        assert_eq!(lines(&account).len(), 1);
    }
}
