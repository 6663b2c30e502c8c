//! Folders under Xyn's eye, from outside: kept, compared, brought back, also over a crash.

use std::fs;

use serde_json::Value;

use crate::node::{Folder, Node};

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("`{value}` is no text"))
}

#[tokio::test]
async fn a_folder_is_kept_moment_by_moment_and_brought_back() {
    let folder = Folder::new();
    let work = tempfile::tempdir().expect("a folder");
    let shop = work.path().join("shop");
    fs::create_dir_all(shop.join("src")).expect("made");
    fs::write(shop.join("src/main.rs"), "fn main() {}\n").expect("written");
    fs::write(shop.join(".gitignore"), "target\n").expect("written");
    let shop = shop.to_str().expect("a path of text");

    let node = Node::start(&folder).await;
    assert_eq!(folder.xyn(["workspace", "add", shop]).ok(), "shop\n");
    let first = folder.xyn(["workspace", "snapshot", shop, "-m", "begin"]).ok();
    fs::write(format!("{shop}/src/main.rs"), "fn main() { todo() }\n").expect("written");
    fs::write(format!("{shop}/notes"), "later\n").expect("written");
    let listed = folder.xyn(["workspace", "diff", "shop"]).ok();
    assert_eq!(listed, "added    notes\nchanged  src/main.rs\n");
    let refused = folder.xyn(["workspace", "restore", "shop", first.trim()]);
    assert_eq!(refused.code, 6, "{refused:?}");
    let second = folder.xyn(["workspace", "snapshot", "shop", "-m", "sketch", "--json"]).json();
    assert_eq!(second["changed"], true);
    let same = folder.xyn(["workspace", "snapshot", "shop", "--json"]).json();
    assert_eq!((&same["changed"], &same["entry_id"]), (&Value::Bool(false), &second["entry_id"]));
    let moments = node.get("/api/v1/timeline?kind=edit&first=oldest").await;
    let titles: Vec<_> =
        moments["items"].as_array().expect("moments").iter().map(|it| text(&it["title"])).collect();
    assert_eq!(titles, ["begin", "sketch"]);
    node.kill_9();

    let node = Node::start(&folder).await;
    let back = folder.xyn(["workspace", "restore", "shop", first.trim(), "--remove"]).ok();
    assert!(
        back.starts_with("1 written, 1 removed; moment ") && back.ends_with(" on branch main\n"),
        "{back}"
    );
    assert_eq!(fs::read_to_string(format!("{shop}/src/main.rs")).expect("there"), "fn main() {}\n");
    let aside = work.path().join("aside");
    let to = aside.to_str().expect("a path of text");
    folder.xyn(["workspace", "restore", "shop", text(&second["root"]), "--to", to]).ok();
    assert_eq!(fs::read_to_string(aside.join("notes")).expect("there"), "later\n");
    folder.xyn(["timeline", "label", "first", first.trim()]).ok();
    assert!(node.stop().await.success());

    // What is at rest can be compared as well.
    let between = folder.xyn(["workspace", "diff", "shop", first.trim(), text(&second["entry_id"])]).ok();
    let by_label = folder.xyn(["workspace", "diff", "shop", "first", text(&second["entry_id"])]).ok();
    assert_eq!(by_label, between);
    assert_eq!(between, "added    notes\nchanged  src/main.rs\n");
    assert_eq!(folder.xyn(["store", "verify", "--json"]).code, 0);
}
