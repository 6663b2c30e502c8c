//! Made-up files that break the rules, each rule in each way it can be broken, and the nearest that keep it.
//!
//! Invariant: every row of the tables is tried here, so a rule that cannot fail fails these tests.

use super::manifest::Manifest;
use super::rules::{dependencies, floors, purity, reserved, shape, top_level};
use super::source::Source;
use super::{FILE_LINES_MAX, IMPURE, PURE};

const LINTS: &str = "[lints]\nworkspace = true\n";

fn manifest(path: &str, dependencies: &str) -> Manifest {
    Manifest::new(path, &format!("{LINTS}[dependencies]\n{dependencies}"))
}

#[track_caller]
fn assert_one(faults: &[String], wanted: &str) {
    assert!(faults.len() == 1 && faults[0].contains(wanted), "wanted one `{wanted}`: {faults:?}");
}

#[test]
fn a_floor_that_imports_one_above_or_beside_it_is_reported() {
    assert!(floors(&[manifest("api/Cargo.toml", "xyn-actors.workspace = true")]).is_empty());
    let above = manifest("store/Cargo.toml", "xyn-actors.workspace = true");
    assert_one(&floors(&[above]), "store/Cargo.toml:4: `actors` is not below `store`");
    let beside = manifest("scenarios/Cargo.toml", "xyn-api = { workspace = true }");
    assert_one(&floors(&[beside]), "`api` is not below `scenarios`");
    let to_test = format!("{LINTS}[dev-dependencies]\nxyn-api.workspace = true");
    assert_one(&floors(&[Manifest::new("net/Cargo.toml", &to_test)]), "`api` is not below `net`");
}

#[test]
fn a_member_that_is_no_floor_or_has_its_own_lints_is_reported() {
    assert_one(&floors(&[manifest("attic/Cargo.toml", "")]), "`attic` is no floor");
    assert_one(&floors(&[Manifest::new("net/Cargo.toml", "")]), "lints are not inherited");
    assert_one(&top_level(&[Source::new("attic/src/lib.rs", "")]), "stands on no floor");
    assert!(top_level(&[Source::new("benches/journal.rs", "")]).is_empty());
}

#[test]
fn a_reserved_crate_outside_its_rooms_is_reported() {
    let faults = |path: &str, text: &str| reserved(&[Source::new(path, text)]);
    assert_one(&faults("actors/src/lib.rs", "use redb::Database;"), "actors/src/lib.rs:1: `redb`");
    assert_one(&faults("net/src/proto/join.rs", "\nlibp2p::PeerId"), "rs:2: `libp2p`");
    assert_one(&faults("src/node.rs", "use axum as web;"), "`axum`");
    assert_one(&faults("actors/src/run/state.rs", "#[actix::main]"), "`actix`");
    for (path, krate) in [
        ("store/src/tables.rs", "redb"),
        ("net/src/driver/swarm.rs", "libp2p"),
        ("actors/src/run/actor.rs", "actix"),
        ("actors/src/runtime/supervisor.rs", "actix"),
    ] {
        assert!(faults(path, &format!("use {krate}::x;")).is_empty(), "{path} may name {krate}");
    }
}

#[test]
fn pure_code_that_names_anything_impure_is_reported() {
    for (word, _) in IMPURE {
        let source = Source::new("actors/src/run/decide.rs", &format!("fn f() {{ {word}; }}"));
        assert_one(&purity(&[source]), &format!("names `{word}`"));
    }
    for module in PURE {
        let source = Source::new(&format!("{module}.rs"), "use std::{io, fs};");
        assert_one(&purity(&[source]), "names `std::fs`");
    }
}

#[test]
fn shells_tests_and_prose_may_name_what_is_impure() {
    let named = "// HashMap\nconst A: &str = \"tokio\";\n#[cfg(test)]\nmod tests { use std::fs; }";
    for (path, text) in [
        ("actors/src/run/decide.rs", named),
        ("actors/src/run/actor.rs", "use tokio::time;"),
        ("actors/src/run/tests.rs", "use std::fs;"),
        ("actors/src/runtime.rs", "use tokio::time;"),
    ] {
        assert_eq!(purity(&[Source::new(path, text)]), Vec::<String>::new());
    }
}

#[test]
fn a_file_of_the_wrong_shape_is_reported() {
    let faults = |path: &str, text: &str| shape(&[Source::new(path, text)]);
    assert!(faults("store/src/journal.rs", "//! The journal.").is_empty());
    assert_one(&faults("store/src/journal.rs", "\nuse a;"), "opens with `//!`");
    assert_one(&faults("store/src/journal.rs", &"//!\n".repeat(FILE_LINES_MAX + 1)), "401 lines");
    assert_one(&faults("store/src/journal/mod.rs", "//! The journal."), "beside its folder");
    assert!(faults("benches/harness/mod.rs", "//! A bench's, and no bench.").is_empty());
    assert_one(&faults("api/src/util/text.rs", "//! Text."), "`util` says nothing");
    assert_one(&faults("api/src/run_helpers.rs", "//! Runs."), "`helpers` says nothing");
    assert_one(&faults("src/a.rs", "//! A.\n#[ignore = \"slow\"]"), "src/a.rs:2: an ignored test");
}

#[test]
fn a_dependency_without_reason_use_or_single_version_is_reported() {
    let root = |line: &str| Manifest::new("Cargo.toml", &format!("[workspace.dependencies]\n{line}"));
    let url = || manifest("store/Cargo.toml", "url-lite.workspace = true");
    let code = [Source::new("store/src/lib.rs", "use url_lite::Url;")];
    let reasoned = || root("url-lite = \"2\" # targets");
    assert!(dependencies(&[reasoned(), url()], &code).is_empty());
    assert_one(&dependencies(&[root("url-lite = \"2\""), url()], &code), "Cargo.toml:2: `url-lite` has no");
    assert_one(&dependencies(&[reasoned()], &code), "`url-lite` is used by no member");
    assert_one(&dependencies(&[reasoned(), url()], &[]), "no code of `store` names `url-lite`");
    let own = manifest("store/Cargo.toml", "url-lite = \"1\"");
    assert_one(&dependencies(&[reasoned(), own], &code), "belongs to the workspace");
}
