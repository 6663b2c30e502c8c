//! Apps that are built before they serve: what their recipes make is what is served, and nothing else.

use std::fs;

use serde_json::json;

use super::Bench;
use super::process::SERVER;
use crate::node::{Folder, Node, Said};

const SHOUT: &str = "mkdir -p dist && tr a-z A-Z < words.txt > dist/index.html";

#[tokio::test]
async fn a_site_is_built_once_and_what_was_packed_in_its_place_is_not_served() {
    let mut bench = Bench::new().await;
    bench.write("words.txt", "hello");
    bench.write("dist/index.html", "evil");
    bench.write("dist/more.html", "evil, too");
    let clean = json!({ "build": { "steps": [format!("rm -r dist; {SHOUT}")], "outDir": "dist" } });
    bench.pack("1.0.0", &clean);
    let url = bench.deploy("staging");
    assert_eq!(bench.read(&url).await.1, "HELLO");
    assert_eq!(bench.read(&format!("{url}more")).await.0, 404);
    let told = bench.node.get("/api/v1/deployments/shop.staging").await;
    assert_ne!(told["current"]["served"], told["current"]["tree"]);

    // A start and a rollback build nothing: this machine cannot any more.
    bench.write("words.txt", "again");
    bench.pack("2.0.0", &clean);
    bench.deploy("staging");
    assert_eq!(bench.read(&url).await.1, "AGAIN");
    bench.node.kill_9();
    let mut command = bench.folder.program();
    command.env("PATH", "/nowhere");
    bench.node = Node::start_by(&bench.folder, command).await;
    assert_eq!(bench.read(&url).await.1, "AGAIN");
    bench.node_folder(&["capsule", "rollback", "shop", "--stage", "staging"]).ok();
    assert_eq!(bench.read(&url).await.1, "HELLO");
    bench.pack("3.0.0", &clean);
    let refused = bench.node_folder(&["capsule", "deploy", "shop", "--stage", "staging"]);
    let words = ["the gate `switch`", "cannot put up a sandbox", "Install bubblewrap"];
    assert!(refused.code == 6 && words.iter().all(|word| refused.err.contains(word)), "{refused:?}");
    assert_eq!(bench.read(&url).await.1, "HELLO", "what served still does");
}

#[tokio::test]
async fn a_process_is_built_and_runs_behind_what_was_made_of_it() {
    let bench = Bench::new().await;
    bench.write("server.pl.in", SERVER.replace("$ENV{SAYS}", "@SAYS@"));
    bench.pack(
        "1.0.0",
        &json!({
            "app": { "framework": "process", "command": ["perl", "out/server.pl"] },
            "build": { "steps": ["mkdir out && sed s/@SAYS@/built/ server.pl.in > out/server.pl && rm server.pl.in"],
                       "outDir": "out" }
        }),
    );
    let url = bench.deploy("dev");
    assert_eq!(bench.read(&url).await.1, "built /");
    let place = bench.folder.data().join("deployments/shop.dev.process");
    let folders = fs::read_dir(place).expect("there").flatten().map(|entry| entry.path());
    let laid_out: Vec<_> = folders.filter(|folder| folder.join("out/server.pl").exists()).collect();
    assert!(laid_out.len() == 1 && laid_out[0].join("server.pl.in").exists(), "{laid_out:?}");
}

#[tokio::test]
async fn a_build_that_comes_to_something_else_serves_nowhere_and_is_told_by_its_files() {
    let bench = Bench::new().await;
    bench.write("words.txt", "hello");
    let luck = format!("{SHOUT} && head -c 16 /dev/urandom | od > dist/luck");
    let authored = |version: &str, more: serde_json::Value| {
        let mut authored = json!({ "id": "shop", "name": "The shop", "version": version });
        authored.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        bench.write("capsule.json", authored.to_string());
    };
    let deploy =
        |file: &str| bench.here(&["capsule", "deploy", file, "--stage", "dev", "--pub", "capsule.key.pub"]);
    bench.here(&["capsule", "keygen"]).ok();
    let rights = json!({ "scope": "lan" });
    authored("1.0.0", json!({ "rights": rights, "build": { "steps": [luck], "outDir": "dist" } }));
    let packed = bench.here(&["--json", "capsule", "pack", "shop", "--build"]).json();
    let refused = deploy("shop-1.0.0.caps");
    let expected = packed["build"].as_str().expect("a digest");
    let words = ["its build came to", expected, "`luck` is not as it was packed", "xyn capsule rebuild"];
    assert!(refused.code == 6 && words.iter().all(|word| refused.err.contains(word)), "{refused:?}");
    assert!(!refused.err.contains("`index.html`"), "{refused:?}");

    // Where there is nothing to build, what was packed is what has to be as it is said.
    bench.write("dist/index.html", "evil");
    let said =
        json!({ "rights": rights, "build": { "outDir": "dist" }, "expected": { "buildDigest": expected } });
    authored("1.1.0", said);
    bench.here(&["capsule", "pack", "shop", "--generation", "2"]).ok();
    let refused = deploy("shop-1.1.0.caps");
    assert!(refused.code == 6 && refused.err.contains("what it serves is"), "{refused:?}");
    assert!(refused.err.contains(expected) && bench.node.all("/api/v1/deployments").await.is_empty());

    // What a deployment had built again is told, whatever it came to.
    authored("1.2.0", json!({ "rights": rights, "build": { "steps": [SHOUT], "outDir": "dist" } }));
    let sound = ["--json", "capsule", "pack", "shop", "--build", "--generation", "3"];
    let sound = bench.here(&sound).json();
    deploy("shop-1.2.0.caps").ok();
    for (name, version, packed, matches) in
        [("failed", "1.0.0", &packed, false), ("completed", "1.2.0", &sound, true)]
    {
        let told = bench.events(&format!("xyn.capsule.rebuild.{name}")).await;
        assert_eq!(told.len(), 1, "{told:?}");
        let data = &told[0]["data"];
        assert_eq!((&data["capsule"], &data["matches"]), (&packed["capsule"], &json!(matches)));
        assert_eq!(data["id"], format!("urn:xyn:app:shop@{version}"));
        assert_eq!(data["build"] == packed["build"], matches, "{data}");
    }
}

#[tokio::test]
async fn a_stop_ends_what_is_being_built() {
    let bench = Bench::new().await;
    // Nobody else on this machine sleeps as long as this.
    let seconds = format!("600.{}", std::process::id());
    bench.pack("1.0.0", &json!({ "build": { "steps": [format!("sleep {seconds}")] } }));
    let is_built = || {
        let processes = fs::read_dir("/proc").expect("there").flatten();
        let mut lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
        lines.any(|line| line == format!("sleep\0{seconds}\0").into_bytes())
    };
    let Bench { node, folder, place: _place, .. } = bench;
    let deploying = tokio::task::spawn_blocking(move || {
        (Said::of(folder.program().args(["capsule", "deploy", "shop", "--stage", "dev"])), folder)
    });
    crate::node::eventually("it is being built", async || is_built().then_some(())).await;
    assert!(node.stop().await.success());
    assert!(!is_built());
    let (said, _folder): (Said, Folder) = deploying.await.expect("it ends");
    assert_ne!(said.code, 0, "{said:?}");
}
