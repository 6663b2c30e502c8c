//! Seeds and what an app is given: real databases, real secrets, and seeds that would like to reach further.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::Bench;
use super::process::{SERVER, app};
use super::server::{PASSWORD, Server};

/// A value that must be found nowhere but in the vault.
const KEY: &str = "key-that-nobody-sees-7";

impl Bench {
    /// Keeps a secret, handed in as a file.
    pub(super) fn secret(&self, name: &str, value: &str) {
        let file = self.folder.file("value", &format!("{value}\n"));
        self.node_folder(&["secret", "put", name, "--file", &file]).ok();
        fs::remove_file(file).expect("removed");
    }

    /// What a deployment that is refused says.
    fn refused(&self, more: &[&str]) -> String {
        let said = self.node_folder(&[&["capsule", "deploy", "shop", "--stage", "dev"], more].concat());
        assert_eq!(said.code, 6, "{said:?}");
        said.err
    }
}

/// A manifest with one service and seeds of SQL at these paths.
fn seeded(kind: &str, seeds: &[(&str, &str)]) -> Value {
    let seeds: Vec<Value> = seeds
        .iter()
        .map(|(name, path)| json!({ "name": name, "type": "sql", "path": path, "service": "db" }))
        .collect();
    let mut manifest = app("one");
    manifest["services"] = json!([{ "name": "db", "type": kind }]);
    manifest["seeds"] = json!(seeds);
    manifest
}

#[tokio::test]
async fn seeds_of_sqlite_run_once_and_whole_and_reach_nothing_else() {
    let bench = Bench::new().await;
    bench.write("server.pl", SERVER);
    bench.write(
        "seeds/first.sql",
        "CREATE TABLE goods (name TEXT UNIQUE);\nINSERT INTO goods VALUES ('tea');",
    );
    bench.pack("1.0.0", &seeded("sqlite", &[("first", "seeds/first.sql")]));
    let url = bench.deploy("dev");
    let database = bench.folder.data().join("deployments/shop.dev.process/data/db.db");
    let goods = || -> Vec<String> {
        let open = Connection::open(&database).expect("opens");
        let mut goods = open.prepare("SELECT name FROM goods ORDER BY name").expect("a table");
        goods.query_map([], |row| row.get(0)).expect("rows").map(|name| name.expect("a name")).collect()
    };
    assert_eq!(goods(), ["tea"]);
    Connection::open(&database).expect("opens").execute("DELETE FROM goods", []).expect("the app's own");

    // The next release brings one more; the first is not run again.
    bench.write("seeds/second.sql", "INSERT INTO goods VALUES ('salt');");
    let both = [("first", "seeds/first.sql"), ("second", "seeds/second.sql")];
    bench.pack("1.1.0", &seeded("sqlite", &both));
    bench.deploy("dev");
    bench.deploy("dev");
    assert_eq!(goods(), ["salt"]);
    let row = bench.node.get("/api/v1/deployments/shop.dev").await;
    assert_eq!(row["seeds"].as_array().map(Vec::len), Some(2), "{row}");
    let told = bench.events("xyn.capsule.deploy.completed").await;
    assert_eq!(told[0]["data"]["seeds"][1]["name"], "second", "{told:?}");

    // One that fails leaves nothing, and what served goes on.
    bench
        .write("seeds/third.sql", "INSERT INTO goods VALUES ('rice');\n\nINSERT INTO goods VALUES ('salt');");
    bench.pack("1.2.0", &seeded("sqlite", &[("third", "seeds/third.sql")]));
    let said = bench.refused(&[]);
    let words =
        ["`third` (`seeds/third.sql`), line 3", "UNIQUE constraint failed", "nothing of it was applied"];
    words.iter().for_each(|word| assert!(said.contains(word), "{word}: {said}"));
    assert_eq!((goods(), bench.read(&url).await.1), (vec!["salt".to_owned()], "one /".to_owned()));

    let outside = bench.place.path().join("outside.db");
    for (version, statement) in [
        ("2.0.0", format!("SELECT 1;\nATTACH '{}' AS x", outside.display())),
        ("2.0.1", "SELECT 1;\nSELECT load_extension('x')".to_owned()),
        ("2.0.2", "SELECT 1;\nCOMMIT; DROP TABLE goods".to_owned()),
    ] {
        bench.write("seeds/hostile.sql", &statement);
        bench.pack(version, &seeded("sqlite", &[("hostile", "seeds/hostile.sql")]));
        let said = bench.refused(&[]);
        assert!(said.contains("gate `compatibility`") && said.contains("line 2"), "{said}");
        assert!(said.contains("is refused in a seed") && !outside.exists(), "{said}");
    }
    assert_eq!(goods(), ["salt"]);
}

#[tokio::test]
async fn seeds_of_postgres_run_in_one_transaction_of_a_role_that_owns_no_more_than_its_database() {
    let (server, bench) = (Server::start(), Bench::new().await);
    bench.write("server.pl", SERVER);
    let first = "CREATE TABLE goods (name text PRIMARY KEY);\nINSERT INTO goods VALUES ('tea');";
    bench.write("seeds/first.sql", first);
    let manifest = seeded("postgres", &[("first", "seeds/first.sql")]);
    bench.pack("1.0.0", &manifest);
    let said = bench.refused(&[]);
    for word in
        ["gate `services`", "`db` (postgres)", "xyn secret put app/shop/db", "--service db=app/shop/db"]
    {
        assert!(said.contains(word), "{word}: {said}");
    }
    let attach = ["--service", "db=app/shop/db"];
    assert!(bench.refused(&attach).contains("xyn secret put app/shop/db"));
    bench.secret("app/shop/db", &server.address("chief"));
    assert!(bench.refused(&attach).contains("the role `chief` of the database reaches beyond its database"));
    assert_eq!(server.ask("shop", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");

    bench.secret("app/shop/db", &server.address("shop"));
    let deploy = ["capsule", "deploy", "shop", "--stage", "dev"];
    let url = bench.node_folder(&[&deploy[..], &attach].concat()).ok().trim().to_owned();
    assert_eq!(server.ask("shop", "SELECT name FROM goods"), "tea");
    let names = bench.read(&format!("{url}env")).await.1;
    assert!(names.split(' ').any(|name| name == "DB_URL"), "{names}");
    // What is attached stays so, and what was run is known to the database, whoever asks.
    bench.deploy("dev");
    bench.node_folder(&[&["capsule", "deploy", "shop", "--stage", "staging"][..], &attach].concat()).ok();
    assert_eq!(server.ask("shop", "SELECT count(*) FROM goods"), "1");

    for (version, seed, said) in [
        ("1.1.0", "INSERT INTO goods VALUES ('salt');\nINSERT INTO goods\n  VALUES ('tea');", "line 2"),
        ("1.1.1", "INSERT INTO goods VALUES ('salt');\nSELECT\n  nothing FROM goods;", "line 3"),
        ("1.1.2", "INSERT INTO goods VALUES ('salt');\nDO $$ BEGIN COMMIT; END $$", "COMMIT"),
        ("1.1.3", "COPY goods FROM PROGRAM 'id'", "COPY … PROGRAM"),
        ("1.1.4", "INSERT INTO goods VALUES ('salt');\nCOMMIT;\nDROP TABLE goods", "line 2"),
        ("1.1.5", "INSERT INTO goods VALUES ('salt');\nCREATE TABLE x (a nothing)", "line 2"),
    ] {
        bench.write("seeds/next.sql", seed);
        bench.pack(version, &seeded("postgres", &[("next", "seeds/next.sql")]));
        let refused = bench.refused(&[]);
        assert!(refused.contains("`next` (`seeds/next.sql`)") && refused.contains(said), "{refused}");
        assert_eq!(server.ask("shop", "SELECT string_agg(name, ' ') FROM goods"), "tea", "{seed}");
    }
    assert!(!everything(&bench).await.contains(PASSWORD));
}

#[tokio::test]
async fn secrets_reach_the_process_and_nobody_else() {
    let bench = Bench::new().await;
    let tells = SERVER
        .replace("print \"open at", "print \"$ENV{API_KEY} and \", unpack('H*', $ENV{API_KEY}), \" open at");
    bench.write(
        "server.pl",
        tells.replace("? $main :", "? $main : $path eq '/key' ? length($ENV{API_KEY}) :"),
    );
    let mut manifest = app("one");
    manifest["app"]["env"]["API_KEY"] = Value::Null;
    bench.pack("1.0.0", &manifest);
    let said = bench.refused(&[]);
    assert!(
        said.contains("`API_KEY` have no value") && said.contains("xyn secret put app/shop/API_KEY"),
        "{said}"
    );
    bench.secret("app/shop/API_KEY", "something that is replaced");
    bench.secret("app/shop/API_KEY", KEY);
    let url = bench.deploy("dev");
    assert_eq!(bench.read(&format!("{url}key")).await.1, KEY.len().to_string());
    let log = bench.node_folder(&["deploy", "logs", "shop.dev"]).ok();
    assert!(log.contains("«secret:app/shop/API_KEY» and «secret:app/shop/API_KEY» open at"), "{log}");

    // What tells it before it ends tells it to nobody.
    manifest["app"]["command"] = json!(["sh", "-c", "echo it is $API_KEY; exit 3"]);
    bench.pack("1.0.1", &manifest);
    let said = bench.refused(&[]);
    assert!(said.contains("it is «secret:app/shop/API_KEY»"), "{said}");
    let listed = bench.node_folder(&["secret", "list", "--json"]).json();
    assert_eq!(
        (&listed["items"][0]["name"], &listed["items"][0]["version"]),
        (&json!("app/shop/API_KEY"), &json!(2))
    );
    assert!(!everything(&bench).await.contains(KEY));
    bench.node_folder(&["secret", "remove", "app/shop/API_KEY"]).ok();
    assert_eq!(bench.node_folder(&["secret", "remove", "app/shop/API_KEY"]).code, 3);
    bench.pack("1.0.2", &manifest);
    assert!(bench.refused(&[]).contains("have no value"));
}

/// Whatever the node says and keeps.
async fn everything(bench: &Bench) -> String {
    let mut said = String::new();
    for route in ["events", "intents", "deployments", "timeline"] {
        said.push_str(&Value::from(bench.node.all(&format!("/api/v1/{route}")).await).to_string());
    }
    said.push_str(&bench.node.get("/api/v1/secrets").await.to_string());
    files(bench.folder.data().parent().expect("a folder"), &mut said);
    said
}

fn files(folder: &Path, said: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        match entry.file_type().expect("a type") {
            kind if kind.is_dir() => files(&entry.path(), said),
            kind if kind.is_file() => {
                said.push_str(&String::from_utf8_lossy(&fs::read(entry.path()).expect("a file")));
            }
            _ => {}
        }
    }
}
