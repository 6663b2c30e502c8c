//! Builds of small apps on this machine's own bubblewrap.

use std::fs;

use super::*;
use crate::workcell::tests::{cell, small};
use crate::workcell::{Bounds, Exceeded};

fn recipe(steps: &[&str], out_dir: &str) -> Recipe {
    let steps = steps.iter().map(|step| step.parse().expect("a line")).collect();
    let out_dir = out_dir.parse().expect("a path");
    Recipe { steps, out_dir, epoch: 1_700_000_000, network: Network::None, env: BTreeMap::new() }
}

fn build(recipe: &Recipe) -> Result<Built, NotBuilt> {
    recipe.build(&cell(small()), |tree| {
        fs::create_dir(tree).expect("made");
        for (name, text) in [("main.txt", "hello\n"), ("more.txt", "there\n"), (".gitignore", "*.html\n")] {
            fs::write(tree.join(name), text).expect("written");
        }
        Ok(())
    })
}

/// What a build of `steps` into `dist` is refused with.
fn refused(steps: &[&str]) -> String {
    build(&recipe(steps, "dist")).expect_err("it is refused").to_string()
}

#[test]
fn a_build_in_two_places_gives_one_tree_bit_for_bit() {
    // Everything that commonly differs: order, times, owners, places, the clock, names.
    let steps = [
        "mkdir -p dist && cat *.txt > dist/index.html && find . -name '*.txt' | sort > dist/files",
        "tar -czf dist/all.tgz *.txt && date -u -d @$SOURCE_DATE_EPOCH > dist/date && pwd > dist/place",
        "id > dist/id && env | sort > dist/env && hostname > dist/host && ls -l main.txt > dist/ls",
    ];
    let [one, two] = [(); 2].map(|()| build(&recipe(&steps, "dist")).expect("it is built"));
    assert_ne!(one.room.tree(), two.room.tree());
    assert_eq!(one.differs_from_build(&two).expect("sound"), []);
    assert_eq!(one.root(), two.root());
    assert_eq!(fs::read_to_string(one.room.tree().join("dist/index.html")).expect("there"), "hello\nthere\n");
}

#[test]
fn what_ignore_files_name_counts_all_the_same() {
    let [with, without] = ["true", "rm index.html"].map(|last| {
        let steps = ["echo '<h1>' > index.html", last];
        build(&recipe(&steps, ".")).expect("it is built")
    });
    assert_eq!(with.differs_from_build(&without).expect("sound"), ["index.html".parse().expect("a path")]);
}

#[test]
fn differences_are_found_by_the_list_that_was_packed() {
    let first = build(&recipe(&["mkdir -p d/e && echo 1 > d/a && echo 2 > d/b && echo 3 > d/e/c"], "d"));
    let listed = first.expect("it is built").byproducts().expect("sound");
    assert_eq!(listed.len(), 3);
    let second = build(&recipe(&["mkdir -p d/e && echo 1 > d/a && echo 4 > d/e/c && echo 5 > d/f"], "d"));
    let different = second.expect("it is built").differs_from(&listed).expect("sound");
    assert_eq!(different.iter().map(RelPath::as_str).collect::<Vec<_>>(), ["b", "e/c", "f"]);
}

#[test]
fn a_step_that_fails_is_told_with_what_it_said() {
    let message = refused(&["true", "echo fine; printf 'no such\\033[2Jthing\\n' >&2; exit 3", "true"]);
    assert!(message.starts_with("step 2 (`echo fine;"), "{message}");
    assert!(message.ends_with("ended with 3\n  no such·[2Jthing"), "{message}");
}

#[test]
fn what_leads_out_of_the_build_is_refused() {
    for (steps, told) in [
        ("ln -s /etc dist", "`dist` is in the way"),
        ("ln -s ../.. up; mkdir up/x; ln -s . dist", "`dist` is in the way"),
        ("mkdir dist; ln -s /etc/passwd dist/users", "`users`: no tree holds this link"),
        ("mkdir dist; ln -s ../../../x dist/up", "`up`: no tree holds this link"),
        ("mkdir dist; mkfifo dist/pipe", "holds a device, a pipe or a socket"),
        ("true", "`dist` is in the way"),
        ("echo > dist", "`dist` is in the way"),
        ("mkdir -p dist/.git/hooks", ".git"),
        ("mkdir dist; echo > \"dist/$(printf 'a\\nb')\"", "what was built into `dist`"),
    ] {
        let message = refused(&[steps]);
        assert!(message.contains(told), "{steps}: {message}");
    }
}

#[test]
fn the_time_of_a_build_is_that_of_all_its_steps() {
    let wall = std::time::Duration::from_secs(4);
    let cell = cell(Bounds { wall, ..small() });
    let made = recipe(&["sleep 1"; 60], ".").build(&cell, |tree| {
        fs::create_dir(tree).expect("made");
        Ok(())
    });
    let source = match made.expect_err("it takes too long") {
        NotBuilt::Stopped { source: WorkcellError::Exceeded(source), .. } => source,
        other => panic!("{other}"),
    };
    assert_eq!(source, Exceeded::Wall(wall));
}

#[test]
fn a_list_of_hosts_is_refused_because_nobody_can_hold_a_build_to_it() {
    let allow = Network::Allow(vec!["registry.example".parse().expect("a line")]);
    let asks = Recipe { network: allow, ..recipe(&["true"], ".") };
    let message = build(&asks).expect_err("it is refused").to_string();
    assert!(message.contains("`/build/network`") && message.contains("`registry.example`"), "{message}");
}

#[test]
fn what_is_not_what_was_looked_at_any_more_is_not_kept() {
    let (folder, recipe) =
        (tempfile::tempdir().expect("a folder"), recipe(&["mkdir d && echo 1 > d/a"], "d"));
    let store = xyn_store::Store::open(folder.path(), xyn_store::Options::default()).expect("opens");
    let root =
        Folder::open(folder.path()).and_then(|all| snapshot_whole(store.blobs(), &all, Limits::default()));
    let root = root.expect("kept");
    let built = build(&recipe).expect("it is built");
    fs::write(built.room.tree().join("d/a"), "2\n").expect("changed");
    let refused = recipe.keep(&built, store.blobs(), &root).expect_err("it is refused");
    assert!(matches!(&refused, NotBuilt::Changed { before, .. } if *before == built.root()), "{refused}");
}
