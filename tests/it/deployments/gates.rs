//! The gates of a deployment: what each of them stops, and what production asks for.

use serde_json::{Value, json};

use super::Bench;
use super::process::{SERVER, app};
use crate::node::eventually;

#[tokio::test]
async fn what_a_gate_stops_says_at_which_and_nothing_serves() {
    let bench = Bench::new().await;
    bench.write("index.html", "<h1>one</h1>");
    let deploy = async |capsule: &str, more: Value| {
        let mut body = json!({ "capsule": capsule, "stage": "dev" });
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        let answer = bench.node.post("/api/v1/deployments", &body).await;
        (answer.status, answer.body)
    };
    let refused = |(status, body): (u16, Value), code: &str, words: &str| {
        let message = body["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(
            status == 409 && body["error"]["code"] == code && message.contains(words),
            "{code}: {status} {body}"
        );
    };
    let first = bench.pack("1.0.0", &json!({}));
    // Nobody's key counts but the one that is named.
    let nobody = json!({ "keys": ["d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"] });
    refused(deploy(&first, nobody).await, "capsule_untrusted", "the gate `trust`");
    let core = bench.pack("1.1.0", &json!({ "minCore": "99.0.0" }));
    refused(deploy(&core, json!({})).await, "deploy_unfit", "the gate `compatibility`: it needs core 99.0.0");
    let service = json!({ "services": [{ "name": "db", "type": "postgres" }] });
    let service = bench.pack("1.2.0", &service);
    refused(
        deploy(&service, json!({})).await,
        "service_missing",
        "the gate `services`: it needs `db` (postgres)",
    );
    let unbuilt =
        json!({ "app": { "framework": "vite" }, "build": { "steps": ["echo no tool >&2; exit 4"] } });
    let unbuilt = bench.pack("1.3.0", &unbuilt);
    refused(deploy(&unbuilt, json!({})).await, "not_built", "ended with 4\n  no tool");
    assert!(bench.node.all("/api/v1/deployments").await.is_empty());
    let newest = bench.pack("1.4.0", &json!({}));
    assert_eq!(deploy(&newest, json!({})).await.0, 201);
    refused(
        deploy(&first, json!({})).await,
        "capsule_generation",
        "the gate `generation`: generation 1 of `shop` is older",
    );
    // What served in the stage counts, on whichever target it did.
    let process = json!({ "target": "process" });
    refused(deploy(&first, process).await, "capsule_generation", "the gate `generation`");
    let missing = deploy("nothing", json!({})).await;
    assert_eq!(missing.0, 404, "{missing:?}");
    let rollback = bench.node.post("/api/v1/deployments/shop.dev/rollback", &json!({})).await;
    refused((rollback.status, rollback.body), "nothing_before", "nothing served");
    let stopped: Vec<String> = bench
        .events("xyn.capsule.deploy.failed")
        .await
        .iter()
        .map(|event| {
            let gates = event["data"]["gates"].as_array().cloned().unwrap_or_default();
            gates.last().map_or_else(String::new, |gate| gate["gate"].as_str().unwrap_or_default().to_owned())
        })
        .collect();
    let mut wanted = ["trust", "compatibility", "services", "switch", "generation", "generation", ""];
    wanted.reverse();
    assert_eq!(stopped, wanted, "the newest first");
}

#[tokio::test]
async fn an_older_capsule_does_not_slip_past_a_newer_one_to_the_other_target() {
    let bench = Bench::new().await;
    bench.write("server.pl", SERVER);
    let (go, served) = (bench.beside("go"), "/api/v1/deployments");
    // It passes its gates, and comes to itself only when it may.
    let mut slow = app("one");
    let waits = format!("while [ ! -e {} ]; do sleep 0.1; done; exec perl server.pl", go.display());
    slow["app"]["command"] = json!(["sh", "-c", waits]);
    bench.pack("1.0.0", &slow);
    let older = json!({ "capsule": "shop@1.0.0", "stage": "dev" });
    let newer = async {
        eventually("the older one is accepted", async || {
            let accepted = bench.events("xyn.capsule.deploy.accepted").await;
            (!accepted.is_empty()).then_some(())
        })
        .await;
        bench.write("index.html", "<h1>two</h1>");
        bench.pack("2.0.0", &json!({}));
        bench.node.post(served, &json!({ "capsule": "shop@2.0.0", "stage": "dev" })).await.ok();
        std::fs::write(&go, "").expect("written");
    };
    let (older, ()) = tokio::join!(bench.node.post(served, &older), newer);
    assert_eq!(older.body["error"]["code"], "capsule_generation", "{:?}", older.body);
    let why = older.body["error"]["message"].as_str().expect("text");
    assert!(why.contains("generation 2 of `shop` began to serve in dev meanwhile"), "{why}");
    let rows = bench.node.all(served).await;
    let places: Vec<_> = rows.iter().map(|row| &row["deployment"]).collect();
    assert_eq!(places, ["shop.dev.static"]);
    assert_eq!(bench.events("xyn.capsule.deploy.completed").await.len(), 1);

    // The same capsule may take both at once.
    bench.pack("3.0.0", &app("three"));
    let to = |target| json!({ "capsule": "shop@3.0.0", "stage": "dev", "target": target });
    let (page, process) = (to("static"), to("process"));
    let both = tokio::join!(bench.node.post(served, &page), bench.node.post(served, &process));
    both.0.ok();
    both.1.ok();
}

#[tokio::test]
async fn production_asks_for_a_policy_and_then_for_the_word_of_who_asks() {
    let bench = Bench::new().await;
    bench.write("index.html", "<h1>one</h1>");
    bench.pack("1.0.0", &json!({}));
    let prod = ["capsule", "deploy", "shop", "--stage", "prod"];
    let denied = bench.node_folder(&prod);
    assert!(denied.code == 4, "{denied:?}");
    let hint = "xyn policy explain --action capsule.deploy --stage prod";
    assert!(denied.err.contains(hint), "{denied:?}");
    // No word for another stage than that of the target helps.
    let intent = json!({ "action": "capsule.deploy", "stage": "dev", "input": { "capsule": "shop", "stage": "prod" } });
    assert_eq!(bench.node.post("/api/v1/intents", &intent).await.status, 403);
    let policy = "policy_id: pol.prod\npolicy_type: governance\nname: Production\nstatus: draft\nversion: 1\n\
        evaluation_mode: first_match\nrules:\n  - { rule_id: ship, match: { action: \"capsule.*\", stage: prod }, effect: allow }\n";
    bench.node_folder(&["policy", "activate", &bench.folder.file("policy.yaml", policy)]).ok();
    let asked = bench.node_folder(&prod);
    assert_eq!(asked.code, 6, "{asked:?}");
    for part in [
        "deploy `urn:xyn:app:shop@1.0.0`",
        "generation 1",
        "no build steps",
        "to prod",
        "where nothing serves yet",
        "--confirm",
    ] {
        assert!(asked.err.contains(part), "{part}: {}", asked.err);
    }
    let body = json!({ "capsule": "shop", "stage": "prod" });
    let answer = bench.node.post("/api/v1/deployments", &body).await;
    assert_eq!(answer.body["error"]["code"], "confirmation_required");
    let details = &answer.body["error"]["details"];
    assert_eq!(details["restatement"]["generation"], 1);
    let word = details["confirm"].as_str().expect("a word").to_owned();
    let confirmed = [&prod[..], &["--confirm", &word]].concat();
    let wrong = bench.node_folder(&[&prod[..], &["--confirm", "0123456789abcdef"]].concat());
    assert!(
        wrong.code == 6 && wrong.err.contains("what was confirmed is not what would happen now"),
        "{wrong:?}"
    );
    // What was shown is not what the newest is by now.
    bench.write("index.html", "<h1>two</h1>");
    bench.pack("2.0.0", &json!({}));
    let outdated = bench.node_folder(&confirmed);
    assert!(outdated.code == 6 && outdated.err.contains("shop@2.0.0"), "{outdated:?}");
    let older = json!({ "capsule": "shop@1.0.0", "stage": "prod", "confirm": word });
    let first = bench.node.post("/api/v1/deployments", &older).await.ok();
    let url = first["url"].as_str().expect("an address").to_owned();
    assert_eq!(bench.read(&url).await.1, "<h1>one</h1>");
    let asked = bench.node.post("/api/v1/deployments", &body).await.body;
    let word = asked["error"]["details"]["confirm"].as_str().expect("a word").to_owned();
    assert!(
        asked["error"]["message"].as_str().expect("text").contains("in place of `urn:xyn:app:shop@1.0.0`")
    );
    let confirmed = [&prod[..], &["--confirm", &word]].concat();
    bench.node_folder(&confirmed).ok();
    let back = ["capsule", "rollback", "shop", "--stage", "prod"];
    let asked = bench.node_folder(&back);
    assert!(asked.code == 6 && asked.err.contains("roll back to `urn:xyn:app:shop@1.0.0`"), "{asked:?}");
    assert_eq!(bench.read(&url).await.1, "<h1>two</h1>");
    let asked = bench.node.post("/api/v1/deployments/shop.prod/rollback", &json!({})).await.body;
    let word = asked["error"]["details"]["confirm"].as_str().expect("a word").to_owned();
    bench.node_folder(&[&back[..], &["--confirm", &word]].concat()).ok();
    assert_eq!(bench.read(&url).await.1, "<h1>one</h1>");
    // A word is used up: the same version over the same one is asked about again.
    let again = bench.node_folder(&confirmed);
    assert!(
        again.code == 6 && again.err.contains("what was confirmed is not what would happen now"),
        "{again:?}"
    );
    assert_eq!(bench.read(&url).await.1, "<h1>one</h1>");
}

#[tokio::test]
async fn what_was_confirmed_for_production_happens_once_others_approved_it() {
    let bench = Bench::new().await;
    bench.write("index.html", "<h1>one</h1>");
    bench.pack("1.0.0", &json!({}));
    let policy = "policy_id: pol.prod\npolicy_type: governance\nname: Production\nevaluation_mode: first_match\n\
        rules:\n  - { rule_id: ask, match: { action: \"capsule.*\", stage: prod }, effect: require_approval, \
        requirements: { approvals: { allow_requester: true } } }\n";
    bench.node_folder(&["policy", "activate", &bench.folder.file("policy.yaml", policy)]).ok();
    let prod = ["capsule", "deploy", "shop", "--stage", "prod"];
    let body = json!({ "capsule": "shop", "stage": "prod" });
    let asked = bench.node.post("/api/v1/deployments", &body).await.body;
    let word = asked["error"]["details"]["confirm"].as_str().expect("a word").to_owned();
    bench.node_folder(&[&prod[..], &["--confirm", &word]].concat()).says(5, &["xyn gate approve"]);
    let waiting = bench.node_folder(&["gate", "list", "--json"]).json();
    let intent = waiting["items"][0]["intent_id"].as_str().expect("an intent waits");
    assert_eq!(bench.node.get("/api/v1/deployments").await["items"], json!([]));
    bench.node_folder(&["gate", "approve", intent]).ok();
    let serves = async || {
        let served =
            bench.node.get("/api/v1/deployments").await["items"][0]["url"].as_str().map(str::to_owned)?;
        (bench.read(&served).await.1 == "<h1>one</h1>").then_some(())
    };
    eventually("it is served", serves).await;
}
