//! The fuzzer's door to the targets: `XYN_FUZZ` names the one to try, each with a corpus of its own.

#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

#[path = "../targets.rs"]
mod targets;

static TARGET: LazyLock<&targets::Target> = LazyLock::new(|| {
    let name = std::env::var("XYN_FUZZ").unwrap_or_default();
    let names: Vec<_> = targets::ALL.iter().map(|target| target.name).collect();
    let found = targets::ALL.iter().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("XYN_FUZZ=`{name}` names no target; there are {names:?}"))
});

/// Lays the seeds of the target into its corpus, which the fuzzer reads next.
fn plant() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(TARGET.name);
    fs::create_dir_all(&corpus).expect("the corpus can be made");
    for (number, seed) in (TARGET.seeds)().iter().enumerate() {
        fs::write(corpus.join(format!("seed-{number}")), seed).expect("the corpus can be written");
    }
}

fuzz_target!(init: plant(), |bytes: &[u8]| (TARGET.run)(bytes));
