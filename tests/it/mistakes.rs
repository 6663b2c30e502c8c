//! What people mistype, and what they are told: what is wrong, in the words they typed, and what to type instead.

use std::net::TcpListener;
use std::process::Command;

use xyn_store::{Options, Store};

use crate::node::{Folder, Node, Said};

/// What is typed, how it ends, and what is said then.
type Row<'a> = (&'a [&'a str], i32, &'a [&'a str]);

const NOBODY: &str = "01a1fc90-60f8-7fec-9a7c-7419f45098b0";

/// Sees to it that each row ends as it says.
fn told(folder: &Folder, table: &[Row<'_>]) {
    for (line, code, words) in table {
        let answer = said(folder, line);
        let text = format!("{}{}", answer.out, answer.err);
        let is_told = answer.code == *code && words.iter().all(|word| text.contains(word));
        assert!(is_told, "{line:?} wants {code} and {words:?}: {answer:?}");
        assert!(!answer.err.contains("it is so already"), "{line:?}: {answer:?}");
    }
}

fn said(folder: &Folder, line: &[&str]) -> Said {
    Said::of(folder.program().args(line))
}

/// A start that ends after `seconds`, if it does not before.
fn up(folder: &Folder, seconds: &str, address: &str) -> Command {
    let mut command = folder.program_by(["timeout", seconds]);
    command.args(["up", "--listen", address]);
    command
}

#[tokio::test]
async fn what_is_not_there_or_does_not_fit_is_told_with_what_to_type() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    let note = |title: &str| folder.xyn(["timeline", "note", title]).ok().trim().to_owned();
    let (one, two) = (note("one"), note("two"));
    said(&folder, &["timeline", "branch", "a", "--at", &one]).ok();
    said(&folder, &["timeline", "label", "here", &two]).ok();
    said(&folder, &["timeline", "log", "--branch", "a"]).says(0, &["nothing matches"]);
    said(&folder, &["timeline", "branch", "a", "--close"]).ok();
    let (dir, https) = (folder.data(), node.url("").replace("http://", "https://"));
    let dir = dir.parent().and_then(|dir| dir.to_str()).expect("a path of this test");
    let table: &[Row<'_>] = &[
        (
            &["timeline", "log", "--branch", "nope"],
            3,
            &["there is no branch `nope`", "xyn timeline branch NAME"],
        ),
        (
            &["timeline", "scrub", "--branch", "nope"],
            3,
            &["there is no branch `nope`", "xyn timeline branch;"],
        ),
        (&["timeline", "scrub", "--from", "2090-01-01"], 0, &["nothing matches"]),
        (&["timeline", "scrub", "--from", "nope"], 3, &["the id or the label `nope`", "--from", "1h"]),
        (&["timeline", "scrub", "--step", "1h30m"], 0, &["two"]),
        (&["timeline", "log", "--since", "2090-01-01 12:00:00"], 0, &["nothing matches"]),
        (&["timeline", "log", "--since", "1h", "--kind", "note"], 0, &["one", "two"]),
        (&["timeline", "log", "--limit", "0"], 2, &["from 1 on"]),
        (&["timeline", "log", "--limit", "1"], 0, &["two", "there are more than these"]),
        (&["timeline", "log", "--kind", "bogus"], 1, &["`bogus` is none of"]),
        (&["audit", "show", "--action", "nope"], 0, &["nothing matches"]),
        (&["audit", "show", "--limit", "1"], 0, &["there are more than these"]),
        (&["audit", "show", "--action", "timeline.note"], 0, &["moment ", &one, &two]),
        (&["peer", "list", "--limit", "0"], 2, &["from 1 on"]),
        (&["peer", "list", "nobody"], 3, &["there is no peer `nobody`"]),
        (&["peer", "invite", "--expires", "60d"], 1, &["--expires", "(30d)"]),
        (&["peer", "invite", "--valid-for", "forever"], 2, &["`ever`"]),
        (&["peer", "join", "abc"], 2, &["at: TICKET"]),
        (&["peer", "trace", "--no-follow"], 0, &["nobody came or left"]),
        (&["timeline", "show", NOBODY], 3, &["there is no moment", "xyn timeline log"]),
        (&["timeline", "pin", NOBODY], 3, &["xyn timeline log"]),
        (&["timeline", "diff", &one, NOBODY], 3, &["xyn timeline log"]),
        (&["timeline", "pin", "nope"], 3, &["the id or the label `nope`", "xyn timeline log"]),
        (&["timeline", "branch", "b", "--at", "nope"], 3, &["the id or the label `nope`"]),
        (&["timeline", "review", &one], 3, &["--open"]),
        (&["timeline", "note", "a\nb"], 1, &["the end of a line", "at: TITLE"]),
        (&["timeline", "diff", &one, &one], 0, &["nothing differs", "nothing happened between them"]),
        (&["timeline", "scrub", "--from", "here"], 0, &["two"]),
        (&["timeline", "branch", "main", "--close"], 6, &["always"]),
        (&["timeline", "branch", "a", "--at", &two], 6, &["`a` was put away", "--reopen"]),
        (&["timeline", "merge", "main"], 6, &["name two branches"]),
        (
            &["timeline", "label", "NOSUCH", "--remove"],
            3,
            &["there is no label `NOSUCH`", "xyn timeline label NAME"],
        ),
        (&["workspace", "add", "/nope/nope"], 3, &["check the path"]),
        (&["workspace", "add", dir, "--name", "a b"], 1, &["letters, digits", "at: --name"]),
        (&["gate", "approve", "nope", "x"], 1, &["not a UUID"]),
        (&["status", "--url", &https], 7, &["does not speak https", "http://"]),
    ];
    told(&folder, table);
}

#[tokio::test]
async fn what_cannot_be_seen_is_refused_by_name_and_never_printed() {
    let folder = Folder::new();
    let _node = Node::start(&folder).await;
    let one = folder.xyn(["timeline", "note", "one"]).ok().trim().to_owned();
    let table: &[Row<'_>] = &[
        (&["timeline", "note", "  "], 1, &["is blank", "at: TITLE"]),
        (&["timeline", "note", "a\u{202e}b"], 1, &["U+202E", "at: TITLE"]),
        (&["timeline", "comment", &one, " "], 1, &["is blank", "at: TEXT"]),
        (&["timeline", "label", "v\u{200b}1", &one], 1, &["`v\\u{200b}1` holds U+200B"]),
        (&["timeline", "branch", "b\u{202e}c", "--at", &one], 1, &["holds U+202E", "at: NAME"]),
        (&["timeline", "show", "\u{202e}"], 3, &["the id or the label `\\u{202e}`"]),
    ];
    told(&folder, table);
}

#[test]
fn a_folder_where_nothing_happened_yet_is_told_of() {
    let folder = Folder::new();
    Store::open(&folder.data(), Options::default()).expect("opens").close();
    folder.xyn(["status"]).says(0, &["0 created"]);
}

#[test]
fn a_start_that_another_program_is_in_the_way_of_says_what_to_type_and_colours_no_file() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = taken.local_addr().expect("an address").to_string();
    let refused = Said::of(&mut up(&folder, "10", &address));
    let data = folder.data();
    refused.says(1, &[&address, &format!("xyn up --data {} --listen 127.0.0.1:PORT", data.display())]);
    folder.xyn(["status"]).says(0, &["stopped"]);
    let ended = Said::of(up(&folder, "2", "127.0.0.1:0").env("XYN_LOG", "info"));
    assert!(ended.err.contains("INFO") && !ended.err.contains('\x1b'), "{ended:?}");
}

#[test]
fn what_mends_a_configuration_is_never_the_command_that_failed() {
    let folder = Folder::new();
    std::fs::create_dir(folder.data()).expect("a folder");
    let config = folder.data().join("config.toml");
    for (text, words) in [
        ("listen = \"foo\"", ["`listen`", "is not a list", "change it there"]),
        ("listen =", ["is not TOML", "line", "mend it in "]),
        ("lisen = []", ["lisen", "listen", "take it out there"]),
    ] {
        std::fs::write(&config, text).expect("a file");
        let refused = folder.xyn(["config", "show"]);
        refused.says(1, &words);
        assert!(!refused.err.contains("config show"), "{refused:?}");
    }
    let file = folder.file("no folder", "");
    let refused = folder.xyn(["up", "--data", &file, "--listen", "127.0.0.1:0"]);
    refused.says(1, &["name a folder, and not a file"]);
    folder.xyn(["status", "--data", &file]).says(7, &["name a folder with --data DIR"]);
}

#[test]
fn the_doctor_does_not_send_people_to_the_doctor_and_names_folders_as_a_shell_reads_them() {
    let folder = Folder::new();
    let data = folder.data().with_file_name("d2 copy");
    let shown = data.to_str().expect("a path of this test");
    Store::open(&data, Options::default()).expect("opens").close();
    std::fs::write(data.join("node.key"), "no key").expect("a file");
    let found = folder.xyn(["doctor", "--data", shown]);
    found.says(1, &[&format!("restore '{shown}/node.key' from a backup")]);
    assert!(!found.out.contains("xyn doctor"), "{found:?}");
    folder.xyn(["peer", "list", "--data", shown]).says(7, &[&format!("xyn doctor --data '{shown}'")]);
}

#[test]
fn the_doctor_says_once_that_nobody_answers() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("an address");
    let found = Folder::new().xyn(["doctor", "--url", &format!("http://{nobody}"), "--json"]);
    assert_eq!(found.code, 1, "{found:?}");
    let document: serde_json::Value = serde_json::from_str(&found.out).expect("a document");
    let findings = document["findings"].as_array().expect("a list");
    let broken: Vec<_> = findings.iter().filter(|finding| finding["state"] == "broken").collect();
    assert!(broken.len() == 1 && broken[0]["check"] == "node", "{findings:?}");
}
