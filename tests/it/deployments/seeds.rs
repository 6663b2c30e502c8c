//! Seeds on the way back: left alone by a rollback, and applied again by one that is asked to.

use std::fs;

use rusqlite::Connection;
use serde_json::{Value, json};
use xyn_store::timeline::merge_documents;

use super::Bench;
use super::documents::{OURS, THEIRS, bytes};
use super::process::{SERVER, app};
use super::server::Server;

const BACK: [&str; 5] = ["capsule", "rollback", "shop", "--stage", "dev"];
const BACK_WITH_SEEDS: [&str; 6] = ["capsule", "rollback", "shop", "--stage", "dev", "--seeds"];

/// A table of goods that can be made again.
const GOODS: &str =
    "DROP TABLE IF EXISTS goods;\nCREATE TABLE goods (name TEXT);\nINSERT INTO goods VALUES ('tea');";

/// An app with a database that `seeds/first.sql` is for, and with other `seeds`.
fn seeded(seeds: &[Value]) -> Value {
    let mut manifest = app("one");
    let first = json!({ "name": "first", "type": "sql", "path": "seeds/first.sql", "service": "db" });
    manifest["services"] = json!([{ "name": "db", "type": "sqlite" }]);
    manifest["seeds"] = json!([&[first], seeds].concat());
    manifest
}

/// Asks for an act, and confirms what is then said; answers that, and what came of it.
async fn confirmed(bench: &Bench, path: &str, mut body: Value) -> (Value, Value) {
    let asked = bench.node.post(path, &body).await.body["error"].clone();
    assert_eq!(asked["code"], "confirmation_required", "{asked}");
    body["confirm"] = asked["details"]["confirm"].clone();
    (asked, bench.node.post(path, &body).await.ok())
}

#[tokio::test]
async fn a_rollback_leaves_data_alone_until_it_is_asked_for_seeds() {
    let bench = Bench::new().await;
    bench.write("server.pl", SERVER);
    bench.write("seeds/first.sql", GOODS);
    bench.write("seeds/users/list.csv", "ada");
    bench.write("board.automerge", bytes(OURS));
    let users = json!({ "name": "users", "type": "files", "path": "seeds/users" });
    let board = json!({ "name": "board", "type": "crdt", "path": "board.automerge" });
    let manifest = seeded(&[users, board]);
    let first = bench.pack("1.0.0", &manifest);
    let url = bench.deploy("dev");
    let place = bench.folder.data().join("deployments/shop.dev.process");
    let data = |name: &str| place.join("data").join(name);
    let rows = |question: &str| -> Vec<String> {
        let open = Connection::open(data("db.db")).expect("opens");
        let mut rows = open.prepare(question).expect("a table");
        rows.query_map([], |row| row.get(0)).expect("rows").map(|row| row.expect("a text")).collect()
    };
    let goods = || rows("SELECT name FROM goods ORDER BY name");
    assert_eq!(goods(), ["tea"]);

    // What the app makes of it stays, there and back.
    let change = |what: &str| {
        let open = Connection::open(data("db.db")).expect("opens");
        open.execute("INSERT INTO goods VALUES (?1)", [what]).expect("the app's own");
        fs::write(data("users/list.csv"), what).expect("the app's own");
        fs::write(data("board/board.automerge"), bytes(THEIRS)).expect("the app's own");
    };
    change("salt");
    bench.pack("2.0.0", &app("two"));
    bench.deploy("dev");
    bench.node_folder(&BACK).ok();
    let list = |path: std::path::PathBuf| fs::read_to_string(path).expect("there");
    assert_eq!((goods(), list(data("users/list.csv"))), (vec!["salt".into(), "tea".into()], "salt".into()));
    assert_eq!(bench.events("xyn.capsule.rolled_back").await[0]["data"]["seeds_again"], Value::Null);
    bench.node_folder(&BACK).ok();
    assert_eq!(bench.read(&url).await.1, "two /");

    // Who asks for seeds gets them, twice as well, and what was there is kept aside or merged.
    for what in ["rice", "corn"] {
        change(what);
        let said = bench.node_folder(&BACK_WITH_SEEDS);
        assert!(said.err.contains("its seeds were applied again"), "{said:?}");
        assert_eq!((said.ok().trim(), bench.read(&url).await.1), (url.trim(), "one /".to_owned()));
        assert_eq!((goods(), list(data("users/list.csv"))), (vec!["tea".to_owned()], "ada".to_owned()));
        assert_eq!(list(place.join("aside/users/list.csv")), what, "the last that it took the place of");
        let merged = merge_documents(&bytes(THEIRS), &bytes(OURS)).expect("merges");
        assert_eq!(fs::read(data("board/board.automerge")).expect("there"), merged);
        bench.node_folder(&BACK).ok();
    }
    assert_eq!(rows("SELECT name FROM _xyn_seeds"), ["first"], "it is noted once");
    let told = bench.events("xyn.capsule.rolled_back").await;
    let with_seeds: Vec<_> = told.iter().filter(|event| event["data"]["seeds_again"] == true).collect();
    assert_eq!((with_seeds.len(), &with_seeds[0]["data"]["capsule"]), (2, &json!(first)));
    assert_eq!(with_seeds[0]["data"]["seeds"].as_array().map(Vec::len), Some(3), "{told:?}");
    let moments = bench.node.all("/api/v1/timeline?kind=rollback").await;
    let titles: Vec<_> = moments.iter().filter_map(|moment| moment["title"].as_str()).collect();
    assert_eq!(
        titles.iter().filter(|title| title.ends_with("1.0.0: back in dev, with its seeds")).count(),
        2
    );

    // A deployment still applies each seed once.
    change("oats");
    bench.pack("3.0.0", &manifest);
    bench.deploy("dev");
    assert_eq!((goods(), list(data("users/list.csv"))), (vec!["oats".into(), "tea".into()], "oats".into()));
}

#[tokio::test]
async fn statements_run_again_in_postgres_as_they_do_in_a_file() {
    let (server, bench) = (Server::start(), Bench::new().await);
    bench.write("server.pl", SERVER);
    bench.write("seeds/first.sql", GOODS);
    bench.secret("app/shop/db", &server.address("shop"));
    let mut manifest = seeded(&[]);
    manifest["services"][0]["type"] = json!("postgres");
    bench.pack("1.0.0", &manifest);
    let attached = ["capsule", "deploy", "shop", "--stage", "dev", "--service", "db=app/shop/db"];
    bench.node_folder(&attached).ok();
    server.ask("shop", "INSERT INTO goods VALUES ('salt')");
    bench.pack("2.0.0", &app("two"));
    bench.deploy("dev");
    bench.node_folder(&BACK).ok();
    bench.node_folder(&BACK).ok();
    let goods = "SELECT string_agg(name, ' ' ORDER BY name) FROM goods";
    assert_eq!(server.ask("shop", goods), "salt tea");
    bench.node_folder(&BACK_WITH_SEEDS).ok();
    assert_eq!(server.ask("shop", goods), "tea");
    assert_eq!(server.ask("shop", "SELECT count(*) FROM _xyn_seeds"), "1", "it is noted once");
}

#[tokio::test]
async fn statements_that_do_not_bear_to_run_again_leave_everything_as_it_is() {
    let bench = Bench::new().await;
    bench.write("server.pl", SERVER);
    bench.write("seeds/first.sql", "CREATE TABLE goods (name TEXT);\nINSERT INTO goods VALUES ('tea');");
    bench.write("seeds/users/list.csv", "ada");
    bench.pack("1.0.0", &seeded(&[json!({ "name": "users", "type": "files", "path": "seeds/users" })]));
    let url = bench.deploy("dev");
    let list = bench.folder.data().join("deployments/shop.dev.process/data/users/list.csv");
    fs::write(&list, "bob").expect("the app's own");
    bench.pack("2.0.0", &app("two"));
    bench.deploy("dev");
    let words = [
        "`first` (`seeds/first.sql`), line 1",
        "already exists",
        "nothing of it was applied",
        "without seeds",
    ];
    bench.node_folder(&BACK_WITH_SEEDS).says(6, &words);
    assert_eq!(
        (fs::read_to_string(list).expect("there"), bench.read(&url).await.1),
        ("bob".into(), "two /".into())
    );
    bench.node_folder(&BACK).ok();
    assert_eq!(bench.read(&url).await.1, "one /");
}

#[tokio::test]
async fn production_restates_that_seeds_are_applied_again() {
    let bench = Bench::new().await;
    let policy = "policy_id: pol.prod\npolicy_type: governance\nname: Production\nstatus: draft\nversion: 1\n\
        evaluation_mode: first_match\nrules:\n  - { rule_id: ship, match: { action: \"capsule.*\", stage: prod }, effect: allow }\n";
    bench.node_folder(&["policy", "activate", &bench.folder.file("policy.yaml", policy)]).ok();
    bench.write("index.html", "<h1>one</h1>");
    bench.write("seeds/users/list.csv", "ada");
    bench.pack("1.0.0", &json!({ "seeds": [{ "name": "users", "type": "files", "path": "seeds/users" }] }));
    let deploy = json!({ "capsule": "shop", "stage": "prod" });
    confirmed(&bench, "/api/v1/deployments", deploy.clone()).await;
    bench.pack("2.0.0", &json!({}));
    confirmed(&bench, "/api/v1/deployments", deploy).await;
    let list = bench.folder.data().join("deployments/shop.prod.static/data/users/list.csv");
    fs::write(&list, "bob").expect("the app's own");

    let back = "/api/v1/deployments/shop.prod/rollback";
    let without = bench.node.post(back, &json!({})).await.body["error"]["details"].clone();
    assert_eq!(without["restatement"]["seeds"], json!([]));
    // The word for one is none for the other.
    let other = json!({ "seeds": true, "confirm": without["confirm"] });
    assert_eq!(bench.node.post(back, &other).await.body["error"]["code"], "confirmation_required");
    let (asked, done) = confirmed(&bench, back, json!({ "seeds": true })).await;
    let said = asked["message"].as_str().expect("text");
    assert!(said.contains("with its seeds `users` applied again over the data that is there"), "{said}");
    assert_eq!(
        (&done["seeds_again"], fs::read_to_string(list).expect("there")),
        (&json!(true), "ada".into())
    );
}
