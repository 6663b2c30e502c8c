//! Checks on this machine's own bubblewrap.

use std::fs;

use super::*;
use crate::container::Base;
use crate::fixture::Place;
use crate::workcell::tests::{cell, small, to_door};
use crate::workcell::{Bounds, Exceeded};

/// The checks of an app that has these, each a name and what it runs.
fn checks(checks: &[(&str, &str)]) -> Checks {
    let checks: Vec<_> =
        checks.iter().map(|(name, run)| serde_json::json!({ "name": name, "run": run })).collect();
    let env = serde_json::json!({ "env": { "MODE": "strict", "API_KEY": "seven" } });
    let written = serde_json::json!(
        { "id": "shop", "name": "The shop", "version": "1.4.2", "app": env, "checks": checks }
    );
    let mut authored = Authored::read(written.to_string().as_bytes()).expect("sound");
    Checks::of(&mut authored, Timestamp::from_micros(1_700_000_000_000_000)).expect("it has some")
}

/// An app with two files, of which one is not packed.
fn app() -> Place {
    let place = Place::new();
    place.put("app/main.txt", "hello\n");
    place.put("app/notes.txt", "not for others\n");
    place.put("app/.gitignore", "notes.txt\n");
    place
}

fn run(place: &Place, all: &[(&str, &str)]) -> Result<Checked, NotChecked> {
    checks(all).run_folder(&cell(small()), &place.path("app")).map(|(_, checked)| checked)
}

#[test]
fn a_check_sees_what_is_packed_and_can_change_nothing_of_it() {
    let place = app();
    let all = [
        ("content", "grep -q hello main.txt && test ! -e notes.txt && test -e .gitignore"),
        ("read-only", "! echo evil > main.txt && ! touch new && ! rm main.txt && ! mkdir d"),
        ("scratch", "cp main.txt /tmp/mine && echo more >> /tmp/mine"),
        ("unchanged", "grep -q hello main.txt && test ! -e new && test \"$(wc -l < main.txt)\" = 1"),
        (
            "variables",
            "test \"$MODE\" = strict && test -z \"$API_KEY\" && test $SOURCE_DATE_EPOCH = 1700000000",
        ),
        ("walls", "test ! -e /etc/passwd && ! cat /proc/net/route | grep -q '[0-9]'"),
    ];
    let checked = run(&place, &all).expect("none vetoes");
    let passed: Vec<_> = checked.passed.iter().map(Slug::as_str).collect();
    assert_eq!(passed, all.map(|(name, _)| name));
    assert!(checked.sandboxed);
    assert_eq!(fs::read_to_string(place.path("app/main.txt")).expect("there"), "hello\n");
}

#[test]
fn every_veto_is_told_with_its_name_its_code_and_the_last_that_it_said() {
    let all = [
        ("fine", "true"),
        ("long", "seq 100; printf 'no \\033[2Jgood\\n' >&2; exit 3"),
        ("also-fine", "true"),
        ("killed", "kill -9 $$"),
    ];
    let refused = match run(&app(), &all) {
        Err(NotChecked::Vetoed(vetoes)) => vetoes,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused.iter().map(|veto| veto.name.as_str()).collect::<Vec<_>>(), ["long", "killed"]);
    let said = NotChecked::Vetoed(refused).to_string();
    assert!(said.starts_with("the check `long` (`seq 100; printf "), "{said}");
    assert!(said.contains(") ended with 3\n  91\n"), "{said}");
    assert!(
        said.contains("\n  100\n  no ·[2Jgood\nthe check `killed` (`kill -9 $$`) ended with 137"),
        "{said}"
    );
}

#[test]
fn a_check_that_uses_up_what_it_is_given_stops_the_pack_by_name() {
    let wall = std::time::Duration::from_secs(2);
    let all = checks(&[("fine", "true"), ("endless", "while :; do :; done"), ("never", "true")]);
    let stopped = all.run_folder(&cell(Bounds { wall, ..small() }), &app().path("app"));
    match stopped.expect_err("it takes too long") {
        NotChecked::Stopped { name, source: WorkcellError::Exceeded(source), .. } => {
            assert_eq!((name.as_str(), source), ("endless", Exceeded::Wall(wall)));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn the_tree_that_was_looked_at_is_the_one_that_is_packed_and_walls_are_told() {
    let place = app();
    let bare = Workcell::without_walls(to_door(), small());
    let (root, checked) = checks(&[("fine", "true")]).run_folder(&bare, &place.path("app")).expect("fine");
    assert!(!checked.sandboxed);
    let made = crate::fixture::open(&place.capsule("shop.caps"));
    assert_eq!(root, made.outline().root());
}

#[test]
fn an_app_without_checks_has_none_to_run() {
    let mut authored = Authored::read(crate::fixture::SHOP.as_bytes()).expect("sound");
    assert!(Checks::of(&mut authored, Timestamp::EPOCH).is_none());
}
