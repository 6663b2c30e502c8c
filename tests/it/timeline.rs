//! The timeline by command: what is said, shown, compared, named, talked about, branched and joined.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::node::{Answer, Folder, Node, Said};

fn note(folder: &Folder, title: &str) -> String {
    folder.xyn(["timeline", "note", title]).ok().trim().to_owned()
}

/// The lines of JSON that a command says.
fn lines(said: &str) -> Vec<Value> {
    said.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

#[tokio::test]
async fn what_people_say_is_logged_shown_compared_and_named() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    let (one, two) = (note(&folder, "one"), note(&folder, "two"));
    let log = lines(&folder.xyn(["timeline", "log", "--kind", "note", "--json"]).ok());
    let told: Vec<_> = log.iter().map(|moment| (&moment["entry_id"], &moment["title"])).collect();
    assert_eq!(told, [(&json!(one), &json!("one")), (&json!(two), &json!("two"))]);
    assert!(folder.xyn(["timeline", "log"]).ok().contains("two"));

    folder.xyn(["timeline", "label", "v1", &two]).ok();
    folder.xyn(["timeline", "pin", &two]).ok();
    let shown = folder.xyn(["timeline", "show", &two, "--json"]).json();
    assert_eq!((&shown["labels"], &shown["is_pinned"]), (&json!(["v1"]), &json!(true)));
    assert_eq!(folder.xyn(["timeline", "show", "v1", "--json"]).json(), shown, "by its name");
    for list in [["timeline", "label"], ["timeline", "pin"]] {
        let listed = folder.xyn(list).ok();
        assert!(listed.lines().count() == 2 && listed.contains(&two) && listed.contains("two"), "{listed}");
    }
    assert!(folder.xyn(["timeline", "label", "v1"]).ok().contains(&two));
    assert_eq!(folder.xyn(["timeline", "label", "v0"]).ok(), "");
    folder.xyn(["timeline", "show", "v0"]).says(3, &["the id or the label `v0`", "xyn timeline label"]);
    folder.xyn(["timeline", "note", "about it", "--about", "v1"]).ok();
    folder.xyn(["timeline", "label", "v1", "--remove"]).ok();
    folder.xyn(["timeline", "pin", &two, "--remove"]).ok();
    let shown = folder.xyn(["timeline", "show", &two, "--json"]).json();
    assert_eq!((&shown["labels"], &shown["is_pinned"]), (&json!([]), &json!(false)));
    assert_eq!(folder.xyn(["timeline", "pin", &two, "--remove"]).code, 6, "it is not pinned");

    let diff = folder.xyn(["timeline", "diff", &one, &two, "--json"]).json();
    assert_eq!((&diff["changes"], &diff["to"]["title"]), (&json!([]), &json!("two")));
    let sum = folder.xyn(["timeline", "digest", "--json"]).json();
    let moments = lines(&folder.xyn(["timeline", "log", "--json"]).ok()).len();
    assert_eq!((sum["moments"].as_u64(), &sum["left_out"]), (Some(moments as u64), &json!(0)));
    folder.xyn(["timeline", "label", "v2", &two]).ok();
    let digest = folder.xyn(["timeline", "digest"]).ok();
    assert_ne!(digest.trim(), sum["digest"], "boards count, too");
    assert!(node.stop().await.success());
    // A stopped node's folder is enough to read.
    assert_eq!(folder.xyn(["timeline", "digest"]).ok(), digest);
    assert!(folder.xyn(["timeline", "show", &one]).ok().contains("one"));
    let stops = lines(&folder.xyn(["timeline", "scrub", "--from", &two, "--json"]).ok());
    assert_eq!(stops[0]["moment"]["entry_id"], json!(two));
    assert_eq!(stops[0]["state"]["workspaces"], json!([]));
    assert!(folder.xyn(["timeline", "scrub", "--step", "99999d"]).ok().contains("MOMENT"));
    assert_eq!(folder.xyn(["timeline", "log", "--excluded", "--json"]).ok(), "");
}

/// Has the app say `word` and keeps it so; answers the root of its files.
fn kept(folder: &Folder, app: &Path, word: &str) -> String {
    fs::write(app.join("index.html"), word).expect("written");
    let snapshot = folder.xyn(["workspace", "snapshot", "shop", "-m", word, "--json"]).json();
    snapshot["root"].as_str().expect("a root").to_owned()
}

/// Deploys the app as it is then; answers the root of what is served.
fn deployed(folder: &Folder, app: &Path, word: &str, version: &str) -> String {
    let authored = json!({ "id": "shop", "name": "The shop", "version": version });
    fs::write(app.join("capsule.json"), authored.to_string()).expect("written");
    let root = kept(folder, app, word);
    folder.xyn(["capsule", "pack", "--workspace", "shop"]).ok();
    folder.xyn(["capsule", "deploy", "shop", "--stage", "dev"]).ok();
    root
}

#[tokio::test]
async fn what_changed_in_a_workspace_and_a_deployment_between_two_moments_is_told_alike_everywhere() {
    let (folder, place) = (Folder::new(), tempfile::tempdir().expect("a folder"));
    let app = place.path().join("shop");
    fs::create_dir(&app).expect("made");
    let node = Node::start(&folder).await;
    folder.xyn(["workspace", "add", app.to_str().expect("a path of text")]).ok();
    let none = note(&folder, "nothing yet");
    let before = deployed(&folder, &app, "open", "1.0.0");
    let one = note(&folder, "one");
    let after = deployed(&folder, &app, "closed", "2.0.0");
    let draft = kept(&folder, &app, "half done");
    let two = note(&folder, "two");

    let changed = |[files, served]: [[Option<&String>; 2]; 2]| {
        let [of_files, of_stage] = ["workspace:shop", "stage:local/shop/dev"];
        json!([
            { "of": of_files, "before": files[0], "after": files[1] },
            { "of": of_stage, "before": served[0], "after": served[1] },
        ])
    };
    let [first, second, third] = [&before, &after, &draft].map(Some);
    let table = [
        (&one, &two, changed([[first, third], [first, second]])),
        (&two, &one, changed([[third, first], [second, first]])),
        (&none, &two, changed([[None, third], [None, second]])),
        (&one, &one, json!([])),
    ];
    for (from, to, changes) in table {
        let told = folder.xyn(["timeline", "diff", from, to, "--json"]).json();
        assert_eq!(told["changes"], changes, "{told}");
        assert_eq!((&told["from"]["entry_id"], &told["to"]["entry_id"]), (&json!(from), &json!(to)));
        assert_eq!(node.get(&format!("/api/v1/timeline/diff?from={from}&to={to}")).await, told);
    }
    let between = node.all(&format!("/api/v1/timeline/diff?from={one}&to={two}")).await;
    let titles = between.iter().map(|moment| moment["title"].as_str().expect("a moment has a title"));
    // What the gates found is told when it is signed.
    let titles: Vec<&str> = titles.filter(|title| !title.contains("attested")).collect();
    let of_capsule = ["The shop 2.0.0: packed, generation 2", "The shop 2.0.0: deployed to dev"];
    assert_eq!(titles, ["closed", of_capsule[0], of_capsule[1], "half done", "two"]);

    let said = folder.xyn(["timeline", "diff", &one, &two]).ok();
    let cells = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<Vec<String>> = said.lines().map(cells).collect();
    assert_eq!(lines[0], ["OF", "BEFORE", "AFTER"], "{said}");
    assert_eq!(lines[1], ["workspace:shop", &before, &draft], "{said}");
    assert_eq!(lines[2], ["stage:local/shop/dev", &before, &after], "{said}");
    assert!(lines[3].is_empty() && lines[4].starts_with(&["MOMENT".to_owned()]), "{said}");
    let last: Vec<_> = lines[5..].iter().filter_map(|line| line.last()).collect();
    assert_eq!(
        (last.len(), last[0].as_str(), last[last.len() - 1].as_str()),
        (between.len(), "closed", "two")
    );
    let cut = folder.xyn(["timeline", "diff", &one, &two, "--limit", "1"]).ok();
    assert!(cut.contains("closed") && cut.ends_with("… and more; see --limit\n"), "{cut}");
    assert!(node.stop().await.success());
    assert_eq!(
        folder.xyn(["timeline", "diff", &one, &two]).ok(),
        said,
        "a folder that lies still tells the same"
    );
}

#[tokio::test]
async fn a_moment_is_talked_about_and_reviewed() {
    let folder = Folder::new();
    let _node = Node::start(&folder).await;
    let plan = note(&folder, "the plan");
    let comment = folder.xyn(["timeline", "comment", &plan, "helo"]).ok().trim().to_owned();
    folder.xyn(["timeline", "comment", &plan, "hello", "--rewrite", &comment]).ok();
    let said = folder.xyn(["timeline", "comment", &plan, "--json"]).json();
    assert_eq!(
        (&said["comments"][0]["text"], said["comments"].as_array().map(Vec::len)),
        (&json!("hello"), Some(1))
    );
    assert_eq!(said["comments"][0]["by"], "operator@local");

    assert_eq!(folder.xyn(["timeline", "review", &plan]).code, 3, "nobody asked for one");
    folder.xyn(["timeline", "review", &plan, "--open", "is it ready?"]).ok();
    assert!(folder.xyn(["timeline", "review"]).ok().contains("the plan"));
    folder.xyn(["timeline", "review", &plan, "--say", "nearly"]).ok();
    folder.xyn(["timeline", "review", &plan, "--approve", "go"]).ok();
    folder.xyn(["timeline", "review", &plan, "--resolve"]).ok();
    let review = folder.xyn(["timeline", "review", &plan, "--json"]).json();
    assert_eq!((&review["status"], &review["comments"][1]["text"]), (&json!("resolved"), &json!("nearly")));
    assert_eq!(review["verdicts"][0]["title"], "approved `the plan`: go");
    assert_eq!(folder.xyn(["timeline", "review", "--json"]).json()["items"], json!([]), "none is open");
    assert_eq!(
        folder.xyn(["timeline", "review", "--all", "--json"]).json()["items"][0]["status"],
        "resolved"
    );
}

#[tokio::test]
async fn a_branch_is_begun_and_joined_once() {
    let folder = Folder::new();
    let _node = Node::start(&folder).await;
    let base = note(&folder, "base");
    folder.xyn(["timeline", "branch", "try", "--at", &base]).ok();
    folder.xyn(["timeline", "note", "aside", "--branch", "try"]).ok();
    let branches = folder.xyn(["timeline", "branch", "--json"]).json();
    assert_eq!((&branches["items"][1]["name"], &branches["items"][1]["base"]), (&json!("try"), &json!(base)));
    let told = folder.xyn(["timeline", "branch", "try", "--at", &base]).ok();
    assert_eq!(told, format!("branch try begins at {base}\n"), "it is so already");
    let later = note(&folder, "later");
    let elsewhere = folder.xyn(["timeline", "branch", "try", "--at", &later]);
    assert_eq!(elsewhere.code, 6, "{elsewhere:?}");
    assert!(
        elsewhere.err.contains(&format!("`try` is there, and begins at the moment {base}")),
        "{elsewhere:?}"
    );
    let typo = folder.xyn(["timeline", "note", "lost", "--branch", "tyr"]);
    assert_eq!(typo.code, 3, "{typo:?}");
    assert!(
        typo.err.contains("there is no branch `tyr`") && typo.err.contains("xyn timeline branch NAME"),
        "{typo:?}"
    );
    assert_eq!(
        folder.xyn(["timeline", "branch", "--json"]).json()["items"].as_array().map(Vec::len),
        Some(2)
    );
    let merged = folder.xyn(["timeline", "merge", "try", "--json"]).json();
    assert_eq!((&merged["base"], &merged["changes"]), (&json!(base), &json!([])));
    let again = folder.xyn(["timeline", "merge", "try"]);
    assert_eq!(again.code, 6, "{again:?}");
}

#[tokio::test]
async fn a_branch_that_is_put_away_is_listed_on_demand_and_takes_nothing_until_it_is_open_again() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    let base = note(&folder, "base");
    folder.xyn(["timeline", "branch", "try", "--at", &base]).ok();
    let aside = note_on(&folder, "aside").ok();
    assert_eq!(folder.xyn(["timeline", "branch", "try", "--close"]).ok(), "branch try is put away\n");
    assert_eq!(folder.xyn(["timeline", "branch", "try", "--close"]).code, 6, "it is so already");
    assert_eq!(folder.xyn(["timeline", "branch", "tyr", "--close"]).code, 3);
    assert_eq!(folder.xyn(["timeline", "branch", "main", "--close"]).code, 6);
    assert!(!folder.xyn(["timeline", "branch"]).ok().contains("try"));
    assert!(folder.xyn(["timeline", "branch", "--all"]).ok().contains("try (put away)"));
    for refused in [note_on(&folder, "late"), folder.xyn(["timeline", "merge", "main", "--into", "try"])] {
        assert_eq!(refused.code, 6, "{refused:?}");
        assert!(
            refused.err.contains("`try` was put away") && refused.err.contains("--reopen"),
            "{refused:?}"
        );
    }
    let body = json!({ "name": "try", "closed": false, "entry_id": aside.trim() });
    let refused = node.post("/api/v1/timeline/branch", &body).await;
    assert_eq!((refused.status, refused.body["error"]["code"].as_str()), (409, Some("branch_exists")));
    // What is on it stays, and it is joined as any other.
    assert!(folder.xyn(["timeline", "show", aside.trim()]).ok().contains("aside"));
    folder.xyn(["timeline", "merge", "try"]).ok();
    assert_eq!(folder.xyn(["timeline", "branch", "try", "--reopen"]).ok(), "branch try is open again\n");
    note_on(&folder, "once more").ok();
    assert!(folder.xyn(["timeline", "branch"]).ok().contains("try"));
}

fn note_on(folder: &Folder, title: &str) -> Said {
    folder.xyn(["timeline", "note", title, "--branch", "try"])
}

#[tokio::test]
async fn names_that_mean_harm_are_refused_and_change_nothing() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    let moment = note(&folder, "here");
    let nobody = "01a1fc90-60f8-7fec-9a7c-7419f45098b0";
    for (arguments, code) in [
        (["timeline", "show", "../../etc/passwd"], 3),
        (["timeline", "show", nobody], 3),
        (["timeline", "branch", "a\x1b[2J"], 1),
        (["timeline", "branch", "main"], 6),
        (["timeline", "merge", "nowhere"], 3),
        (["timeline", "comment", nobody], 3),
    ] {
        let said = folder.xyn(arguments);
        assert_eq!(said.code, code, "{arguments:?}: {said:?}");
    }
    let long = "x".repeat(200);
    assert_eq!(folder.xyn(["timeline", "branch", &long]).code, 1);
    assert_eq!(folder.xyn(["timeline", "merge", "main", "--into", "main"]).code, 6);
    assert_eq!(folder.xyn(["timeline", "merge", "try", "--side", "a=mine"]).code, 2);
    assert_eq!(folder.xyn(["timeline", "label", &long, &moment]).code, 1);
    for query in ["cursor=zz", "cursor=0", "branch=%00", "branch=%1b", "kind=x", "since=x", "first=x"] {
        let refused = Answer::of(node.request("GET", &format!("/api/v1/timeline?{query}"))).await;
        assert_eq!(refused.expect("it answers").status, 400, "{query}");
    }
    // Bytes that no page gave out are a place like any other: before all moments, and behind them.
    for (cursor, count) in [("00", 0), ("ffffffff", 1)] {
        let page = node.get(&format!("/api/v1/timeline?kind=note&cursor={cursor}")).await;
        assert_eq!(page["items"].as_array().map(Vec::len), Some(count), "{cursor}: {page}");
    }
    let log = lines(&folder.xyn(["timeline", "log", "--kind", "note", "--json"]).ok());
    assert_eq!(log.len(), 1);
}
