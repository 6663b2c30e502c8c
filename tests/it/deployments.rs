//! Apps that a node serves: deployed, switched and rolled back under load, killed, and stopped at every gate.

mod builds;
mod databases;
mod documents;
mod evidence;
mod first_run;
mod gates;
mod process;
mod rings;
mod seeds;
mod server;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::node::{Folder, Node, Said, eventually};

/// A rollback of a local target may take this long. The machine may be ten times as busy as it should.
const ROLLBACK_MAX: Duration = Duration::from_secs(10);
/// Those who ask while a release is switched.
const READERS: usize = 6;

/// A node, and an app in a folder beside it.
struct Bench {
    folder: Folder,
    node: Node,
    place: TempDir,
    http: Client,
}

impl Bench {
    async fn new() -> Self {
        let (folder, place) = (Folder::new(), tempfile::tempdir().expect("a folder"));
        let node = Node::start(&folder).await;
        let http = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
        fs::create_dir(place.path().join("shop")).expect("made");
        Self { folder, node, place, http: http.expect("a client") }
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.place.path().join("shop").join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, content).expect("written");
    }

    /// Packs the app as `version`, with `also` in its `capsule.json`; answers the digest of the capsule.
    fn pack(&self, version: &str, also: &Value) -> String {
        let mut authored = json!({ "id": "shop", "name": "The shop", "version": version });
        authored.as_object_mut().expect("an object").extend(also.as_object().cloned().unwrap_or_default());
        self.write("capsule.json", authored.to_string());
        let known = self.node_folder(&["workspace", "list", "--json"]).json();
        if known["items"].as_array().is_none_or(Vec::is_empty) {
            self.node_folder(&["workspace", "add", self.place.path().join("shop").to_str().expect("text")])
                .ok();
        }
        self.node_folder(&["capsule", "pack", "--workspace", "shop"]).ok().trim().to_owned()
    }

    fn node_folder(&self, arguments: &[&str]) -> Said {
        Said::of(self.folder.program().args(arguments))
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Runs the program on files beside the app.
    fn here(&self, arguments: &[&str]) -> Said {
        Said::of(self.folder.program().current_dir(self.place.path()).args(arguments))
    }

    /// Deploys the newest capsule of the app; answers where it is served.
    fn deploy(&self, stage: &str) -> String {
        self.node_folder(&["capsule", "deploy", "shop", "--stage", stage]).ok().trim().to_owned()
    }

    async fn read(&self, url: &str) -> (StatusCode, String) {
        let answer = self.http.get(url).send().await.expect("answered");
        (answer.status(), answer.text().await.expect("text"))
    }

    async fn events(&self, name: &str) -> Vec<Value> {
        self.node.all(&format!("/api/v1/events?event_name={name}")).await
    }
}

/// Readers that ask for a page again and again, some on connections that stay open and some on new ones.
struct Load {
    is_over: Arc<AtomicBool>,
    readers: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    fn on(url: &str) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let reader = |index: usize| {
            let (url, is_over) = (url.to_owned(), is_over.clone());
            let idle = if index.is_multiple_of(2) { usize::MAX } else { 0 };
            let http = Client::builder().no_proxy().pool_max_idle_per_host(idle).build().expect("a client");
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    let answer =
                        http.get(&url).send().await.unwrap_or_else(|error| panic!("no answer: {error:?}"));
                    assert_eq!(answer.status(), 200);
                    seen.push(answer.text().await.expect("the whole page"));
                }
                seen
            })
        };
        Self { readers: (0..READERS).map(reader).collect(), is_over }
    }

    /// Every page that came, once all of them were asked for to their end.
    async fn end(self) -> Vec<String> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut pages = Vec::new();
        for reader in self.readers {
            pages.extend(reader.await.expect("each request was answered well"));
        }
        pages
    }
}

#[tokio::test]
async fn a_site_is_deployed_broken_and_rolled_back_and_survives_a_kill() {
    let mut bench = Bench::new().await;
    bench.write("index.html", "<h1>one</h1>");
    bench.write("docs/index.html", "<h1>docs</h1>");
    bench.pack("1.0.0", &json!({}));
    let url = bench.deploy("staging");
    assert_eq!(bench.read(&url).await, (StatusCode::OK, "<h1>one</h1>".to_owned()));
    bench.write("index.html", "<h1>two</h1>");
    bench.pack("1.1.0", &json!({}));
    assert_eq!(bench.deploy("staging"), url, "the address of an app stays");
    assert_eq!(bench.read(&url).await.1, "<h1>two</h1>");

    // What is broken does not take over.
    fs::remove_file(bench.place.path().join("shop/index.html")).expect("removed");
    bench.pack("1.2.0", &json!({}));
    let broken = bench.node_folder(&["capsule", "deploy", "shop", "--stage", "staging"]);
    assert!(broken.code == 6 && broken.err.contains("`/` is answered with 404"), "{broken:?}");
    assert_eq!(bench.read(&url).await.1, "<h1>two</h1>");
    let failed = bench.events("xyn.capsule.deploy.failed").await;
    let gates = failed[0]["data"]["gates"].as_array().expect("gates");
    assert_eq!(gates.len(), 10, "{failed:?}");
    assert_eq!((&gates[9]["gate"], &gates[9]["verdict"]), (&json!("switch"), &json!("stopped")));

    // The power goes, and comes again.
    bench.node.kill_9();
    bench.node = Node::start(&bench.folder).await;
    assert_eq!(bench.read(&url).await.1, "<h1>two</h1>");
    let back = bench.node_folder(&["capsule", "rollback", "shop", "--stage", "staging"]);
    assert!(back.err.contains("serves shop@1.0.0 generation 1, in place of shop@1.1.0"), "{back:?}");
    assert_eq!(back.ok().trim(), url);
    assert_eq!(bench.read(&url).await.1, "<h1>one</h1>");
    bench.node.kill_9();
    bench.node = Node::start(&bench.folder).await;
    assert_eq!(bench.read(&url).await.1, "<h1>one</h1>");

    // The timeline says so, and the rows are those that the journal tells.
    let moments = bench.node.all("/api/v1/timeline?kind=rollback").await;
    assert_eq!(moments[0]["title"], "The shop 1.0.0: back in staging");
    let id = moments[0]["entry_id"].as_str().expect("an id");
    let state = bench.node.get(&format!("/api/v1/timeline/{id}")).await["state"].clone();
    assert_eq!(
        (
            &state["deployed"][0]["env"],
            &state["deployed"][0]["stage"],
            &state["deployed"][0]["capsule"],
            &state["deployed"][0]["since"]
        ),
        (&json!("local/shop"), &json!("staging"), &moments[0]["refs"]["capsule"], &json!(id))
    );
    // A moment is promoted to another stage, through the gates; one that says nothing of a capsule is not.
    let promote = async |entry_id: &Value| {
        let promoted = json!({ "entry_id": entry_id, "stage": "test" });
        bench.node.post("/api/v1/timeline/promote", &promoted).await
    };
    let deployed = bench.node.all("/api/v1/timeline?kind=deploy").await.swap_remove(0);
    let test = promote(&deployed["entry_id"]).await.ok();
    assert_eq!(test["id"], "urn:xyn:app:shop@1.1.0");
    assert_eq!(bench.read(test["url"].as_str().expect("a URL")).await.1, "<h1>two</h1>");
    let older = promote(&json!(id)).await;
    assert_eq!((older.status, &older.body["error"]["code"]), (409, &json!("capsule_generation")));
    let note = json!({ "title": "no capsule", "branch": "main" });
    let note = bench.node.post("/api/v1/timeline/note", &note).await.ok();
    let nowhere = json!("01a1fc90-60f8-7fec-9a7c-7419f45098b0");
    for (entry_id, status) in [(&note["entry_id"], 400), (&nowhere, 404)] {
        assert_eq!(promote(entry_id).await.status, status);
    }
    let before = bench.node.get("/api/v1/deployments/shop.staging").await;
    assert_eq!((&before["is_served"], &before["url"]), (&json!(true), &json!(url)));
    let Bench { node, folder, .. } = bench;
    assert!(node.stop().await.success());
    folder.xyn(["store", "rebuild"]).ok();
    let after = folder.xyn(["deploy", "show", "shop.staging", "--json"]).json();
    assert_eq!((&after["current"], &after["previous"]), (&before["current"], &before["previous"]));
    assert_eq!(after["is_served"], false);
}

#[tokio::test]
async fn nobody_who_asks_while_releases_are_switched_and_rolled_back_is_failed() {
    let bench = Bench::new().await;
    let page = |word: &str| format!("<h1>{word}</h1>{}", word.repeat(40_000));
    bench.write("index.html", page("one"));
    bench.pack("1.0.0", &json!({}));
    let url = bench.deploy("dev");
    bench.write("index.html", page("two"));
    bench.pack("2.0.0", &json!({}));
    let load = Load::on(&url);
    bench.deploy("dev");
    let mut longest = Duration::ZERO;
    for _ in 0..5 {
        let began = Instant::now();
        bench.node.post("/api/v1/deployments/shop.dev/rollback", &json!({})).await.ok();
        longest = longest.max(began.elapsed());
    }
    let pages = load.end().await;
    assert!(longest < ROLLBACK_MAX, "a rollback took {longest:?}");
    let [one, two] = [page("one"), page("two")];
    assert!(
        pages.len() > 2 * READERS && pages.iter().all(|seen| *seen == one || *seen == two),
        "{}",
        pages.len()
    );
    // Five times back and forth from two is one.
    assert_eq!(bench.read(&url).await.1, one);
    println!("{} requests, none failed; the longest rollback took {longest:?}", pages.len());
}

#[tokio::test]
async fn a_site_is_read_as_browsers_read_it_and_shows_nothing_else() {
    let bench = Bench::new().await;
    bench.write("index.html", "<h1>The shop</h1>");
    bench.write("assets/app.js", "let shop = 1;");
    bench.write("docs/index.html", "docs");
    bench.write("docs/more.html", "more");
    bench.write("404.html", "nowhere");
    bench.write("big.bin", vec![7; 3 << 20]);
    bench.write(".hidden", "not for you");
    bench.write("seeds/first/users.csv", "ada");
    let seeds = json!({ "seeds": [{ "name": "first", "type": "files", "path": "seeds/first" }] });
    bench.pack("1.0.0", &seeds);
    let url = bench.deploy("dev");
    let get = |path: &str| bench.http.get(format!("{url}{path}"));
    let header = |answer: &reqwest::Response, name: &str| {
        answer.headers().get(name).map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default()
    };

    let page = get("").send().await.expect("answered");
    assert_eq!(
        (page.status(), header(&page, "content-type")),
        (StatusCode::OK, "text/html; charset=utf-8".to_owned())
    );
    let tag = header(&page, "etag");
    let again = get("").header("if-none-match", &tag).send().await.expect("answered");
    assert_eq!((again.status(), header(&again, "etag")), (StatusCode::NOT_MODIFIED, tag));
    let script = get("assets/app.js").send().await.expect("answered");
    assert_eq!(header(&script, "content-type"), "text/javascript; charset=utf-8");
    let head = bench.http.head(format!("{url}big.bin")).send().await.expect("answered");
    assert_eq!((head.status(), header(&head, "content-length")), (StatusCode::OK, (3 << 20).to_string()));
    let part = get("big.bin").header("range", "bytes=1048570-1048585").send().await.expect("answered");
    assert_eq!(
        (part.status(), header(&part, "content-range")),
        (StatusCode::PARTIAL_CONTENT, format!("bytes 1048570-1048585/{}", 3 << 20))
    );
    assert_eq!(part.bytes().await.expect("bytes").as_ref(), [7; 16]);
    let behind = get("big.bin").header("range", "bytes=99999999-").send().await.expect("answered");
    assert_eq!(behind.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(get("big.bin").send().await.expect("answered").bytes().await.expect("bytes").len(), 3 << 20);
    let folder = get("docs?x=1").send().await.expect("answered");
    assert_eq!(
        (folder.status(), header(&folder, "location")),
        (StatusCode::PERMANENT_REDIRECT, "./docs/?x=1".to_owned())
    );
    assert_eq!(bench.read(&format!("{url}docs/more")).await, (StatusCode::OK, "more".to_owned()));
    let posted = bench.http.post(&url).send().await.expect("answered");
    assert_eq!(
        (posted.status(), header(&posted, "allow")),
        (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD".to_owned())
    );

    for path in [
        ".hidden",
        "capsule.json",
        "seeds/first/users.csv",
        "assets/",
        "%2e%2e/%2e%2e/etc/passwd",
        "..%2f..%2fetc/passwd",
        "docs%00",
        "none",
    ] {
        assert_eq!(
            bench.read(&format!("{url}{path}")).await,
            (StatusCode::NOT_FOUND, "nowhere".to_owned()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_waited_for_and_the_deployment_says_so() {
    let mut bench = Bench::new().await;
    bench.write("index.html", "<h1>one</h1>");
    bench.pack("1.0.0", &json!({}));
    let url = bench.deploy("dev");
    let port: u16 = url.trim_end_matches('/').rsplit(':').next().expect("a port").parse().expect("a number");
    bench.node.kill_9();
    let thief = std::net::TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    bench.node = Node::start(&bench.folder).await;
    let told = bench.node.get("/api/v1/deployments/shop.dev").await;
    assert!(
        told["is_served"] == false
            && told["fault"].as_str().is_some_and(|why| why.contains("cannot be opened")),
        "{told}"
    );
    drop(thief);
    eventually("it is served again", async || {
        let told = bench.node.get("/api/v1/deployments/shop.dev").await;
        (told["is_served"] == true).then_some(())
    })
    .await;
    assert_eq!(bench.read(&url).await.1, "<h1>one</h1>");
}

#[tokio::test]
async fn a_switch_that_a_kill_cuts_short_is_before_or_after_and_never_between() {
    let mut bench = Bench::new().await;
    bench.write("index.html", "<h1>one</h1>");
    let one = bench.pack("1.0.0", &json!({}));
    let url = bench.deploy("dev");
    bench.write("index.html", "<h1>two</h1>");
    let two = bench.pack("2.0.0", &json!({}));
    for delay_ms in [1, 4, 8, 12, 16, 24, 40] {
        std::thread::scope(|scope| {
            let deploying = scope.spawn(|| bench.node_folder(&["capsule", "deploy", &two, "--stage", "dev"]));
            std::thread::sleep(Duration::from_millis(delay_ms));
            bench.node.kill_9();
            deploying.join().expect("it ends");
        });
        bench.node = Node::start(&bench.folder).await;
        let told = bench.node.get("/api/v1/deployments/shop.dev").await;
        let page = bench.read(&url).await.1;
        match told["current"]["capsule"].as_str() {
            Some(current) if current == one => assert_eq!(page, "<h1>one</h1>", "after {delay_ms} ms"),
            Some(current) if current == two => {
                assert_eq!(page, "<h1>two</h1>", "after {delay_ms} ms");
                bench.node_folder(&["capsule", "rollback", "shop", "--stage", "dev"]).ok();
            }
            _ => panic!("{told}"),
        }
        // What was cut short has an end, too.
        eventually("no intent is open", async || {
            let open = bench.node.all("/api/v1/intents?status=accepted").await;
            open.is_empty().then_some(())
        })
        .await;
    }
    assert_eq!(bench.deploy("dev"), url);
    assert_eq!(bench.read(&url).await.1, "<h1>two</h1>");
}
