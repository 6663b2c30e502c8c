//! A source tree that is made, the same one every time, and its next version.
//!
//! Owns what sources have in common: words that come often and others that come rarely, lines that come again
//! with little changed, files of one folder that resemble each other; so that it compresses as sources do,
//! about 7 to 1.

use std::fs;
use std::path::{Path, PathBuf};

/// Bytes of a file on average.
const FILE_BYTES: usize = 15_700;
/// Files in one folder, and folders in one package.
const FOLDER_FILES: usize = 12;
const PACKAGE_FOLDERS: usize = 6;
/// Of the next version.
const EDITED: usize = 107;
const REMOVED: usize = 20;
const ADDED: usize = 20;

/// Numbers that look random and are always the same.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, count: usize) -> usize {
        ((self.next() >> 33) as usize) % count
    }

    /// Small numbers come often, as the commonest words do.
    fn skewed(&mut self, count: usize) -> usize {
        let share = self.below(1 << 20) as f64 / (1 << 20) as f64;
        (((count as f64).powf(share) - 1.0) as usize).min(count - 1)
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        bytes.chunks_mut(8).for_each(|chunk| {
            let number = self.next().to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        });
    }
}

/// Writes the tree; answers its bytes.
pub(crate) fn generate(dir: &Path, files: usize) -> u64 {
    let mut size = 0;
    for index in 0..files {
        let path = dir.join(path_of(index));
        fs::create_dir_all(path.parent().expect("in a folder")).expect("made");
        let text = text_of(index, length_of(index));
        size += text.len() as u64;
        fs::write(path, text).expect("written");
    }
    size
}

/// Copies a tree that is there; answers its bytes.
pub(crate) fn copy(from: &Path, to: &Path) -> u64 {
    let copied = std::process::Command::new("cp").arg("-r").args([from, to]).status().expect("runs");
    assert!(copied.success());
    files_of(to).iter().map(|path| fs::metadata(path).expect("there").len()).sum()
}

/// Makes the next version of the tree in `dir`.
pub(crate) fn change(dir: &Path) {
    let files = files_of(dir);
    let (mut random, step) = (Random::new(2), files.len() / (EDITED + REMOVED + ADDED));
    for number in 0..EDITED + REMOVED + ADDED {
        let path = &files[number * step];
        if number % 7 == 3 && number / 7 < REMOVED {
            fs::remove_file(path).expect("removed");
        } else if number % 7 == 5 && number / 7 < ADDED {
            let text = text_of(1_000_000 + number, FILE_BYTES);
            fs::write(path.with_file_name(format!("added_{number}.rs")), text).expect("written");
        } else {
            let mut text = fs::read(path).expect("there");
            let at = random.below(text.len().max(1));
            let line = format!("\n    let edited_{} = {};\n", random.below(1_000), random.below(1 << 20));
            text.splice(at..at, line.into_bytes());
            fs::write(path, text).expect("written");
        }
    }
}

/// All files, sorted.
fn files_of(dir: &Path) -> Vec<PathBuf> {
    let (mut files, mut open) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let entry = entry.expect("there");
            let kind = entry.file_type().expect("there");
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    files
}

fn path_of(index: usize) -> String {
    let folder = index / FOLDER_FILES;
    let package = folder / PACKAGE_FOLDERS;
    format!("{}-{package}/src/{}{folder}/{}_{index}.rs", word(package), word(folder * 7), word(index * 13))
}

/// Most files are short, and few are long.
fn length_of(index: usize) -> usize {
    let mut random = Random::new(3 + index as u64);
    match index % 100 {
        0 => FILE_BYTES * 12 + random.below(FILE_BYTES * 24),
        1..15 => FILE_BYTES * 2 + random.below(FILE_BYTES * 3),
        _ => random.below(FILE_BYTES * 3 / 4) + 200,
    }
}

/// The words of all, the common ones first.
fn word(number: usize) -> String {
    const PARTS: [&str; 24] = [
        "al", "be", "con", "der", "en", "fa", "get", "hand", "in", "key", "list", "map", "new", "on", "path",
        "ref", "set", "take", "un", "val", "with", "ex", "cur", "name",
    ];
    let (mut left, mut text) = (number + 24, String::new());
    while left > 0 {
        text.push_str(PARTS[left % PARTS.len()]);
        left /= PARTS.len();
    }
    text
}

fn text_of(index: usize, length: usize) -> String {
    let mut random = Random::new(11 + index as u64);
    let package = index / (FOLDER_FILES * PACKAGE_FOLDERS);
    let (mut text, mut lines) = (String::with_capacity(length + 128), Vec::<String>::new());
    text.push_str(
        "// Copyright of those who wrote it. Licensed under either of two licences, at your option.\n",
    );
    while text.len() < length {
        let line = match random.below(100) {
            // A line that was there before, as it was or with its last word changed.
            share @ 0..78 if !lines.is_empty() => {
                let line = &lines[lines.len() - 1 - random.below(lines.len().min(60))];
                let (old, new) =
                    (line.split(' ').next_back().unwrap_or_default(), name(&mut random, package));
                let end = line.len() - old.len();
                if share < 46 { line.clone() } else { format!("{}{new};", &line[..end]) }
            }
            _ => fresh(&mut random, package),
        };
        text.push_str(&line);
        text.push('\n');
        lines.push(line);
    }
    text
}

/// A name of a package or of all.
fn name(random: &mut Random, package: usize) -> String {
    match random.below(3) {
        0 => word(random.skewed(300)),
        1 => word(package * 400 + random.skewed(400)),
        _ => format!("{}_{}", word(random.skewed(200)), word(package * 400 + random.skewed(200))),
    }
}

fn fresh(random: &mut Random, package: usize) -> String {
    let indent = "    ".repeat(random.skewed(5));
    let mut name = || name(random, package);
    let (one, two, three) = (name(), name(), name());
    match random.below(12) {
        0 => format!("{indent}pub fn {one}(&self, {two}: &{three}) -> Result<(), Error> {{"),
        1 => format!("{indent}let {one} = self.{two}.{three}();"),
        2 => format!("{indent}if {one}.is_some() && {two} != {three} {{"),
        3 => format!("{indent}}}"),
        4 => format!("{indent}/// The {one} of what {two} has, unless {three} says otherwise."),
        5 => format!("use crate::{one}::{two};"),
        6 => format!("{indent}match {one}.{two}() {{"),
        7 => format!("{indent}Some({one}) => {two}.push({three}),"),
        8 => format!("{indent}assert_eq!({one}.{two}(), {:#x});", random.next() >> 40),
        9 => String::new(),
        10 => format!("{indent}return Err(Error::new(\"{one} {two} {three}\"));"),
        _ => format!("{indent}{one}: {two}::{three},"),
    }
}
