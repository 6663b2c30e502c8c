//! The code map of the README: what it names is there.
//!
//! Owns how a path is written in the map: `{a,b}` for several, `<name>` for any, and the beginning left out where the
//! text before it names it. Judges text only.

/// Heading of the section that holds the map.
const SECTION: &str = "## Where things are";

/// Paths that the map in `readme` names, and none of `files` is or lies below.
pub(super) fn strays(readme: &str, files: &[String]) -> Vec<String> {
    let Some((_, rest)) = readme.split_once(SECTION) else {
        return vec![format!("README.md: there is no section `{SECTION}`")];
    };
    let section = rest.split_once("\n## ").map_or(rest, |(section, _)| section);
    // Every other piece between backticks is code.
    let code = section.split('`').skip(1).step_by(2);
    let paths =
        code.filter(|code| code.contains('/') && !code.contains(char::is_whitespace)).flat_map(spelled_out);
    let stray = paths.filter(|path| !files.iter().any(|file| leads_to(path, file)));
    stray.map(|path| format!("README.md: the code map names `{path}`, which is not there")).collect()
}

/// The paths that `path` stands for.
fn spelled_out(path: &str) -> Vec<String> {
    match path.split_once('{').and_then(|(head, rest)| Some((head, rest.split_once('}')?))) {
        Some((head, (choices, tail))) => {
            choices.split(',').flat_map(|choice| spelled_out(&format!("{head}{choice}{tail}"))).collect()
        }
        None => vec![path.to_owned()],
    }
}

/// Whether `path` is `file`, an end of it, or a folder above it.
fn leads_to(path: &str, file: &str) -> bool {
    let wanted: Vec<_> = path.trim_end_matches('/').split('/').collect();
    let there: Vec<_> = file.split('/').collect();
    let fits = |wanted: &str, there: &str| match wanted.split_once('<') {
        Some((head, rest)) => {
            there.starts_with(head) && rest.split_once('>').is_some_and(|(_, tail)| there.ends_with(tail))
        }
        None => wanted == there,
    };
    let mut windows = there.windows(wanted.len()).enumerate();
    windows.any(|(at, window)| {
        let ends = at + wanted.len() == there.len();
        // A file is named to its end, a folder is not.
        let is_whole = if path.ends_with('/') { !ends } else { ends || !path.contains('.') };
        is_whole && window.iter().zip(&wanted).all(|(there, wanted)| fits(wanted, there))
    })
}

#[test]
fn what_the_map_names_and_is_not_there_is_reported() {
    let files = ["store/src/run/steps.rs", "store/src/run/rows.rs", "api/lib.rs"].map(str::to_owned);
    let found = |map: &str| strays(&format!("{SECTION}\n{map}\n## Next `no/where`"), &files);
    for known in
        ["`store/src/`", "`store/src/run`", "`run/{steps,rows}.rs`", "`run/<name>.rs`", "`word` `a / b`"]
    {
        assert_eq!(found(known), [] as [String; 0], "{known}");
    }
    for stray in ["`store/lib/`", "`run/{steps,row}.rs`", "`src/run.rs`", "`rows.rs/`", "`api/<name>.toml`"] {
        assert_eq!(found(stray).len(), 1, "{stray}");
    }
    assert_eq!(strays("# Nothing", &files).len(), 1);
}
