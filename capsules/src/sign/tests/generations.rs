//! Generations: forward, and back only with leave.

use super::*;

fn admitted(manifest: &Manifest) -> Admitted<Manifest> {
    ring().manifest(&sealed(manifest, &[1]), now()).expect("signed")
}

fn candidate(number: u64) -> Admitted<Manifest> {
    admitted(&generation(number))
}

fn allowed(leave: Rollback) -> Admitted<Statement<Rollback>> {
    let envelope = sealed(&about_sample(leave), &[4]);
    ring().statement::<Rollback>(&envelope, &sample().tree, now()).expect("signed")
}

fn seen(number: u64) -> Seen {
    let highest = Mark { generation: number, capsule: candidate(number).verified().digest() };
    Seen { highest: Some(highest), ..Seen::nothing(line("prod"), slug("shop")) }
}

fn decided(seen: &Seen, number: u64, leave: Option<Rollback>) -> Result<Step, Refused> {
    decide(seen, &candidate(number), leave.map(allowed).as_ref(), now())
}

#[test]
fn what_is_newer_is_installed_and_remembered() {
    let nothing = Seen::nothing(line("prod"), slug("shop"));
    let Ok(Step::Forward(first)) = decided(&nothing, 1, None) else { panic!("the first is refused") };
    assert_eq!(first, seen(1));
    assert_eq!(decided(&first, 2, None), Ok(Step::Forward(seen(2))));
    assert_eq!(decided(&seen(2), 2, None), Ok(Step::Again));
    assert_eq!(decided(&nothing, 0, None), Ok(Step::Forward(seen(0))));
}

#[test]
fn what_is_older_needs_leave() {
    let refused = Refused::Older { app: slug("shop"), env: line("prod"), found: 7, highest: 9 };
    assert_eq!(decided(&seen(9), 7, None), Err(refused.clone()));
    assert_eq!(
        refused.to_string(),
        "generation 7 of `shop` is older than 9, which was seen in `prod`; it needs a signed leave to \
         go back, or pack a newer one"
    );
    assert_eq!(decided(&seen(9), 7, Some(leave(9, 7))), Ok(Step::Back));
}

#[test]
fn a_leave_is_for_what_it_names_and_nothing_else() {
    let refusal = |leave: Rollback, number| match decided(&seen(9), number, Some(leave)) {
        Err(Refused::OtherLeave { what, said, wanted }) => (what, said, wanted),
        other => panic!("{other:?}"),
    };
    let text = |what, said: &str, wanted: &str| (what, said.to_owned(), wanted.to_owned());
    let other_env = Rollback { env: line("dev"), ..leave(9, 7) };
    assert_eq!(refusal(other_env, 7), text("environment", "dev", "prod"));
    let other_app = Rollback { app: slug("blog"), ..leave(9, 7) };
    assert_eq!(refusal(other_app, 7), text("app", "blog", "shop"));
    assert_eq!(refusal(leave(8, 7), 7), text("a way from generation", "8", "9"), "a newer one came since");
    assert_eq!(refusal(leave(9, 7), 6), text("a way to generation", "7", "6"));
}

#[test]
fn a_leave_is_for_one_content() {
    let another = Manifest { tree: Digest::of(b"another tree"), ..generation(7) };
    let refused = decide(&seen(9), &admitted(&another), Some(&allowed(leave(9, 7))), now());
    let (said, wanted) = (sample().tree.to_string(), another.tree.to_string());
    assert_eq!(refused, Err(Refused::OtherLeave { what: "content", said, wanted }));
}

#[test]
fn a_leave_that_dev_gave_is_none_in_prod() {
    let mut dev = Ring { env: line("dev"), ..ring() };
    dev.roles.insert(Role::Rollback, grant(&[5], 1));
    let envelope = sealed(&about_sample(leave(9, 7)), &[5]);
    let given = dev.statement::<Rollback>(&envelope, &sample().tree, now()).expect("signed for dev");
    let refused = decide(&seen(9), &candidate(7), Some(&given), now());
    let (said, wanted) = ("dev".to_owned(), "prod".to_owned());
    assert_eq!(refused, Err(Refused::OtherLeave { what: "environment", said, wanted }));
}

#[test]
fn a_leave_ends() {
    let given = leave(9, 7);
    let (from, until) = (given.issued_at, given.expires);
    let decided = |now| decide(&seen(9), &candidate(7), Some(&allowed(given.clone())), now);
    let last = until.before(std::time::Duration::from_micros(1));
    assert_eq!(decided(last), Ok(Step::Back));
    assert_eq!(decided(until), Err(Refused::Leave { from, until, now: until }));
    assert_eq!(decided(from.before(CLOCK_SKEW)), Ok(Step::Back));
    let early = from.before(CLOCK_SKEW * 2);
    assert_eq!(decided(early), Err(Refused::Leave { from, until, now: early }));
}

#[test]
fn a_jump_to_the_end_of_the_numbers_is_refused() {
    for found in [1 << 63, u64::MAX, 9 + GENERATION_JUMP_MAX + 1] {
        let refused = Refused::Jump { app: slug("shop"), found, highest: 9 };
        assert_eq!(decided(&seen(9), found, None), Err(refused));
    }
    assert!(matches!(decided(&seen(9), 9 + GENERATION_JUMP_MAX, None), Ok(Step::Forward(_))));
    let nothing = Seen::nothing(line("prod"), slug("shop"));
    let refused = Refused::Jump { app: slug("shop"), found: 1 << 63, highest: 0 };
    assert_eq!(decided(&nothing, 1 << 63, None), Err(refused), "not even as the first");
}

#[test]
fn a_generation_is_one_capsule() {
    let other = Manifest { name: line("The Other Shop"), ..generation(9) };
    let (have, other) = (candidate(9).verified().digest(), admitted(&other));
    let found = other.verified().digest();
    let refused = Refused::Fork { app: slug("shop"), generation: 9, have, found };
    assert_eq!(decide(&seen(9), &other, None, now()), Err(refused));
}

#[test]
fn other_keys_do_not_make_older_capsules_new() {
    let mut next = Ring { version: 2, issued_at: at("2026-11-20T00:00:00Z"), ..ring() };
    next.roles.insert(Role::Publisher, grant(&[5], 1));
    let next = ring().succeed(&sealed(&next, &[9]), now()).expect("signed by the root");
    let old = next.manifest(&sealed(&generation(7), &[5]), now()).expect("signed by the new publisher");
    let refused = Refused::Older { app: slug("shop"), env: line("prod"), found: 7, highest: 9 };
    assert_eq!(decide(&seen(9), &old, None, now()), Err(refused));
}

#[test]
fn the_capsule_of_another_app_is_refused() {
    let blog = Seen::nothing(line("prod"), slug("blog"));
    let refused = Refused::App { found: slug("shop"), wanted: slug("blog") };
    assert_eq!(decided(&blog, 1, None), Err(refused));
}
