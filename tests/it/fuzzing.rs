//! The fuzz targets with a stable compiler: each gets its seeds and what a few changes make of them.
//!
//! 6,000 inputs each, the same in every run; with `XYN_FULL=1` 200,000, other ones each time. A failure names the
//! input, and the seed that `XYN_FUZZ_SEED` repeats the run with.

use crate::crash::Dice;

#[path = "../../fuzz/targets.rs"]
mod targets;

/// Pieces that parsers take for something.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "\"",
    "'",
    "\\u0000",
    "\n",
    ": ",
    "- ",
    "[[",
    "]]",
    "&a ",
    "*a",
    "!!",
    "1e999",
    "-0",
    "\u{202e}",
    "%",
    "999999999999999999999",
    "\0",
    "..",
    "**",
    "|",
    "~",
    "<<: ",
    "null",
    "T24:60:61Z",
    "é",
];

/// Where the dice of the short runs begin.
const SEED: u64 = 20_261_121;

/// Where those of a long run begin.
fn fresh() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("randomness");
    u64::from_le_bytes(bytes)
}

/// What a few changes make of one of `seeds`.
fn changed(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        let end = (at + dice.below(12)).min(bytes.len());
        match dice.below(7) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..at, PIECES[dice.below(PIECES.len())].bytes())),
            3 => drop(bytes.splice(at..at, bytes[at..end].repeat(dice.below(40)))),
            4 => {
                let other = &seeds[dice.below(seeds.len())];
                bytes.truncate(at);
                bytes.extend_from_slice(&other[dice.below(other.len() + 1)..]);
            }
            5 => drop(bytes.splice(at..end, (at..end).map(|_| dice.below(256) as u8).collect::<Vec<_>>())),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << dice.below(8)),
        }
    }
    bytes
}

#[test]
fn no_parser_panics_over_what_it_is_given() {
    let is_full = std::env::var_os("XYN_FULL").is_some();
    let given = std::env::var("XYN_FUZZ_SEED").ok();
    let given = given.map(|seed| seed.parse().expect("XYN_FUZZ_SEED is a number"));
    let inputs = if is_full { 200_000 } else { 6_000 };
    let seed = given.unwrap_or_else(|| if is_full { fresh() } else { SEED });
    eprintln!("fuzzing: {inputs} inputs each, again with XYN_FUZZ_SEED={seed}");
    let workers = targets::ALL.iter().map(|target| {
        std::thread::spawn(move || {
            let (mut dice, seeds) = (Dice::new(seed), (target.seeds)());
            let made = (0..inputs).map(|_| changed(&seeds, &mut dice));
            for input in seeds.iter().cloned().chain(made) {
                let ended = std::panic::catch_unwind(|| (target.run)(&input));
                assert!(ended.is_ok(), "{} panics over `{}`", target.name, input.escape_ascii());
            }
        })
    });
    let workers: Vec<_> = workers.collect();
    let failed = workers.into_iter().filter_map(|worker| worker.join().err());
    let said: Vec<_> =
        failed.map(|panic| panic.downcast_ref::<String>().cloned().unwrap_or_default()).collect();
    assert!(said.is_empty(), "XYN_FUZZ_SEED={seed}\n{}", said.join("\n"));
}
