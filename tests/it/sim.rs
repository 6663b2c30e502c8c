//! `xyn sim run`: what it says, draws, writes and ends with.

use std::fs;

use serde_json::{Value, json};

use crate::node::{Folder, Said};

/// A small world in which every law holds.
const CALM: &str = "
name: calm
seed: 1
nodes: 3
topology: full
keeping: rows
lasts: 2m
settles_within: 3m
work: [{every: 10s, batch: 2}]
";
/// The same with a liar whom the laws take for honest, and a stop that has nothing to do with it.
const BROKEN: &str = "faults:
  - {at: 10s, for: 5s, fault: {stop: {node: 0}}}
  - {at: 30s, fault: {turn: {node: 2, into: liar, unnoticed: true}}}
";

#[test]
fn a_world_that_holds_is_reported_as_text_document_and_picture() {
    let folder = Folder::new();
    let (file, picture) = (folder.file("calm.yaml", CALM), folder.file("calm.svg", ""));
    let text = folder.xyn(["sim", "run", &file, "--svg", &picture]).ok();
    assert!(
        text.contains("scenario   calm, seed 1: 3 nodes") && text.ends_with("every law held\n"),
        "{text}"
    );
    let drawn = fs::read_to_string(&picture).expect("it was drawn");
    let report = folder.xyn(["sim", "run", &file, "--json"]).json();
    // The line has a point for each sample, from the left edge to the right one, and what is held there as its height.
    let line =
        drawn.split_once("<polyline").and_then(|(_, rest)| rest.split_once("points=\"")).expect("a line").1;
    let line = line.split_once('"').expect("its end").0;
    let points: Vec<(u64, u64)> = line
        .split(' ')
        .map(|point| {
            let (x, y) = point.split_once(',').expect("two numbers");
            (x.parse().expect("a number"), y.parse().expect("a number"))
        })
        .collect();
    let samples = report["samples"].as_array().expect("samples");
    let height = |sample: &Value| 280 - sample["held_thousandths"].as_u64().expect("a number") * 240 / 1000;
    assert!(samples.len() > 10 && points.len() == samples.len(), "{drawn}");
    assert!(points.iter().map(|point| point.1).eq(samples.iter().map(height)), "{line}: {samples:?}");
    let (first, last) = (points[0], points[points.len() - 1]);
    assert!(first.0 < 60 && last == (840, 40), "all that was said is held at the end: {line}");
    assert_eq!((&report["violation"], &report["scenario"]["nodes"]), (&Value::Null, &json!(3)));
    let trace = report["trace"].as_str().expect("a hash");
    assert!(text.contains(&format!("trace      {trace}")), "the same world again: {trace}\n{text}");
}

#[test]
fn a_world_that_breaks_a_law_ends_with_1_and_its_smallest_form_can_be_seen_again() {
    let folder = Folder::new();
    let (file, smallest) =
        (folder.file("broken.yaml", &format!("{CALM}{BROKEN}")), folder.file("small.json", ""));
    let said = folder.xyn(["sim", "run", &file, "--failure", &smallest]);
    said.says(1, &["verdict    BROKEN", "which is honest: it lied", "see it again with: xyn sim run"]);
    let kept: Value = serde_json::from_str(&fs::read_to_string(&smallest).expect("written")).expect("JSON");
    let faults = kept["faults"].as_array().expect("a schedule");
    assert!(faults.len() == 1 && !faults[0]["fault"]["turn"].is_null(), "{faults:?}");
    let again = || folder.xyn(["sim", "run", &smallest, "--json", "--failure", &smallest]);
    let report = |said: &Said| -> Value {
        let mut documents = serde_json::Deserializer::from_str(&said.out).into_iter();
        documents.next().expect("a document").expect("it is JSON")
    };
    let (one, two) = (again(), again());
    assert_eq!((one.code, two.code), (1, 1));
    assert_eq!(report(&one)["violation"], report(&two)["violation"]);
    assert!(report(&one)["violation"]["broken"]["framed"].is_object(), "{one:?}");
}

#[test]
fn worlds_of_the_standard_mix_are_summed_up() {
    let folder = Folder::new();
    let summary = folder.xyn(["sim", "run", "--seeds", "1..4", "--json"]).json();
    assert_eq!((&summary["worlds"], &summary["broken"]), (&json!(3), &json!({})));
    assert!(summary["entries"].as_u64() > Some(0) && summary["seeds_per_second"].as_f64() > Some(0.0));
    folder.xyn(["sim", "run", "--seed", "2"]).says(0, &["scenario   mix 2, seed 2", "every law held"]);
}

#[test]
fn what_is_no_world_is_refused_with_its_place() {
    let folder = Folder::new();
    let file = folder.file("wrong.yaml", &CALM.replace("lasts: 2m", "lasts: 2 minutes"));
    folder.xyn(["sim", "run", &file]).says(1, &["wrong.yaml:7:8", "2 minutes", "scenarios/scenarios"]);
    let file = folder.file("unfit.yaml", &CALM.replace("nodes: 3", "nodes: 0"));
    folder.xyn(["sim", "run", &file]).says(1, &["unfit.yaml", "a world has 1 to"]);
    let file = folder.file("number.yaml", &CALM.replace("nodes: 3", "nodes: abc"));
    folder.xyn(["sim", "run", &file]).says(1, &["number.yaml:4:8", "a whole number is wanted"]);
    folder.xyn(["sim", "run", "nowhere.yaml"]).says(3, &["nowhere.yaml"]);
    folder.xyn(["sim", "run"]).says(2, &["--seed"]);
    folder.xyn(["sim", "run", "--seeds", "9..3"]).says(2, &["the greater one"]);
    folder.xyn(["sim", "run", "--seed", "abc"]).says(2, &["a whole number"]);
    let file = folder.file("calm.yaml", CALM);
    folder.xyn(["sim", "run", &file, "--svg", "/nope/x.svg"]).says(3, &["cannot write `/nope/x.svg`"]);
    folder
        .xyn(["sim", "capsule", "x.caps", "--scenario", &file])
        .says(2, &["--pub <KEY|FILE>", "--ring <FILE>"]);
}
