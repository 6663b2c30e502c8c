//! What holds for every set of statements, however wild.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const PEOPLE: u8 = 7;

fn people() -> std::ops::Range<u8> {
    0..PEOPLE
}

#[derive(Clone, Debug)]
enum Act {
    Seat(u8, u8, u8, Role),
    Revoke(u8, u8, Vec<(u8, u64)>),
    Rotate(u8, u8, u8, Vec<(u8, u64)>),
    Renew(u8, u8, Role, i64, i64),
    Fork(u8, u64),
    Misplace(prop::sample::Index),
}

fn role() -> impl Strategy<Value = Role> {
    prop::sample::select(vec![Role::User, Role::Operator, Role::OwnerAdmin])
}

fn act() -> impl Strategy<Value = Act> {
    let heads = || vec((people(), 0..6u64), 0..4);
    prop_oneof![
        6 => (people(), people(), role()).prop_map(|(who, node, role)| Act::Seat(who, who, node, role)),
        2 => (people(), people(), people())
            .prop_map(|(who, under, node)| Act::Seat(who, under, node, Role::User)),
        3 => (people(), people(), heads()).prop_map(|(who, node, last)| Act::Revoke(who, node, last)),
        2 => (people(), people(), people(), heads())
            .prop_map(|(who, old, new, last)| Act::Rotate(who, old, new, last)),
        // Few times, so that certificates tie and older ones come later.
        3 => (people(), people(), role(), 0..3i64, 0..30i64)
            .prop_map(|(who, node, role, until, at)| Act::Renew(who, node, role, until, at)),
        1 => (people(), 0..4u64).prop_map(|(who, seq)| Act::Fork(who, seq)),
        1 => any::<prop::sample::Index>().prop_map(Act::Misplace),
    ]
}

fn said(acts: Vec<Act>) -> Said {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    for act in acts {
        match act {
            Act::Seat(who, under, node, role) => {
                said.seat(who, Seat::Under(public(under)), node, role);
            }
            Act::Revoke(who, node, last) => {
                said.revoke(who, node, &last);
            }
            Act::Rotate(who, old, new, last) => {
                said.rotate(who, old, new, &last);
            }
            Act::Renew(who, node, role, until, at) => {
                said.renew(who, node, role, until, at);
            }
            Act::Fork(who, seq) => {
                said.forks.insert(feed(who), Cut::from(head(seq)));
            }
            Act::Misplace(at) => {
                let at = at.index(said.placed.len());
                said.placed[at].place = Some(Place { feed: feed(PEOPLE), record: head(1) });
            }
        }
    }
    said
}

fn said_anything() -> impl Strategy<Value = Said> {
    vec(act(), 0..24).prop_map(said)
}

fn cases() -> ProptestConfig {
    ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.placed.iter().map(|placed| placed.statement.statement())).finish()
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn order_and_repetition_change_nothing(
        (said, order) in said_anything().prop_flat_map(|said| {
            let twice: Vec<Placed> = said.placed.iter().chain(&said.placed).cloned().collect();
            (Just(said), Just(twice).prop_shuffle())
        }),
    ) {
        prop_assert_eq!(Roster::fold(env(), &order, said.forks.clone()), said.roster());
    }

    #[test]
    fn ranks_make_a_tree(said in said_anything()) {
        let roster = said.roster();
        prop_assert!(roster.member(public(ROOT)).is_none());
        for (node, member) in roster.members() {
            prop_assert!(roster.ranks_above(public(ROOT), node));
            prop_assert!(!roster.ranks_above(node, node));
            for other in member.above.iter().filter(|other| **other != public(ROOT)) {
                prop_assert!(!roster.ranks_above(node, *other));
                prop_assert!(roster.member(*other).expect("whoever is above is a member").rank < member.rank);
            }
        }
    }

    #[test]
    fn nobody_belongs_for_longer_than_who_let_it_in(said in said_anything()) {
        let roster = said.roster();
        for (_, member) in roster.members() {
            let issuer = roster.member(roster.heir(member.issuer));
            if let Some(end) = issuer.and_then(|issuer| issuer.expires) {
                prop_assert!(member.expires.is_some_and(|own| own <= end));
            }
        }
    }

    #[test]
    fn what_is_said_of_a_member_by_those_not_above_it_changes_nothing(said in said_anything()) {
        let roster = said.roster();
        for (node, member) in roster.members() {
            let mut heard = said.clone();
            heard.placed.retain(|placed| member.above.contains(&placed.statement.statement().issuer));
            let without = heard.roster();
            prop_assert_eq!(without.member(node), Some(member));
            for who in people().filter(|who| public(*who) == node) {
                prop_assert_eq!(without.cut(feed(who)), roster.cut(feed(who)));
            }
        }
    }

    #[test]
    fn the_newest_renewal_by_whoever_is_above_holds_and_moves_nobody(
        said in said_anything(), pair in any::<prop::sample::Index>(), role in role(),
    ) {
        let before = said.roster();
        let is_heard = |who: &u8| *who == ROOT || before.cut(feed(*who)) == Cut::Nowhere;
        let below = |who| people().map(move |node| (who, node));
        let mut pairs: Vec<_> = people().filter(is_heard).flat_map(below).collect();
        pairs.retain(|(who, node)| before.ranks_above(public(*who), public(*node)));
        // The root is above Alice at least.
        let (who, node) = pairs[pair.index(pairs.len())];
        let mut renewed = said.clone();
        let id = renewed.renew(who, node, role, 77, 1_000).expect("whoever is above may renew");
        let roster = renewed.roster();
        prop_assert_eq!(roster.not_counted().get(&id), None);
        let issuer = before.member(public(who));
        let most = issuer.map_or(Role::OwnerAdmin, |issuer| issuer.role);
        let end = Some(Timestamp::from_micros(77));
        let was = before.member(public(node)).expect("it has a seat");
        let mut wanted = Member {
            role: role.min(most),
            issuer: public(who),
            issued_at: Timestamp::from_micros(1_000),
            expires: issuer.and_then(|issuer| issuer.expires).or(end),
            certified_until: end,
            ..was.clone()
        };
        wanted.certificates.insert(id);
        prop_assert_eq!(roster.member(public(node)), Some(&wanted));
        for (other, member) in roster.members().filter(|(other, _)| *other != public(node)) {
            let was = before.member(other).expect("nobody comes by it");
            prop_assert_eq!(member, &Member { role: member.role, expires: member.expires, ..was.clone() });
        }
        prop_assert_eq!(roster.members().count(), before.members().count());
    }

    #[test]
    fn the_root_has_the_last_word(said in said_anything(), node in 1..PEOPLE) {
        let mut revoked = said.clone();
        revoked.revoke(ROOT, node, &[]);
        let roster = revoked.roster();
        prop_assert_eq!(roster.cut(feed(node)), Cut::Everything);
        let now = Timestamp::EPOCH;
        prop_assert!(roster.admit(public(node), now).is_err());
    }
}
