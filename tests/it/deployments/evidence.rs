//! Evidence: what a policy wants proved of a capsule before it is deployed.

use std::fs;

use serde_json::{Value, json};

use super::Bench;

const SCENARIO: &str = "name: two\nseed: 1\nnodes: 2\ntopology: line\nlasts: 1h\nwork:\n  - {every: 10m}\n";

/// Lets staging have only what `proof` was made of.
fn policy(proof: &str) -> String {
    format!(
        "policy_id: pol.staging\npolicy_type: governance\nname: Staging\nstatus: draft\nversion: 1\n\
         evaluation_mode: first_match\nrules:\n  - rule_id: proved\n    \
         match: {{ action: capsule.deploy, stage: staging }}\n    \
         requirements: {{ evidence: [{proof}] }}\n    effect: allow\n"
    )
}

/// What the author says of the app, which others may have.
fn authored(version: &str) -> String {
    built(version, &json!({}))
}

/// The same of an app that is built so.
fn built(version: &str, build: &Value) -> String {
    let rights = json!({ "scope": "lan" });
    json!({ "id": "shop", "name": "The shop", "version": version, "rights": rights, "build": build })
        .to_string()
}

#[tokio::test]
async fn a_policy_that_wants_a_simulation_is_met_by_one_that_passed_and_by_nothing_else() {
    let bench = Bench::new().await;
    bench.write("index.html", "<h1>one</h1>");
    bench.write("capsule.json", authored("1.0.0"));
    bench.node_folder(&["policy", "activate", &bench.folder.file("policy.yaml", &policy("simulation"))]).ok();
    fs::write(bench.beside("two.yaml"), SCENARIO).expect("written");
    bench.here(&["capsule", "keygen"]).ok();
    bench.here(&["capsule", "pack", "shop"]).ok();
    let file = "shop-1.0.0.caps";
    let (deploy, trust) = (["capsule", "deploy", file, "--stage"], ["--pub", "capsule.key.pub"]);
    let staging = [&deploy[..], &["staging"], &trust].concat();
    let refused = bench.here(&staging);
    for word in
        ["the gate `evidence`", "a simulation that passed", "xyn sim capsule", "xyn capsule attest shop"]
    {
        assert!(refused.code == 6 && refused.err.contains(word), "{word}: {refused:?}");
    }
    // A stage for which nobody wants it does without.
    bench.here(&[&deploy[..], &["dev"], &trust].concat()).ok();

    let simulate = ["sim", "capsule", file, "--scenario", "two.yaml"];
    bench.here(&[&simulate[..], &trust].concat()).ok();
    let report = "shop-1.0.0.caps.simulation.json";
    // What is said of another capsule is not said of this one.
    bench.write("capsule.json", authored("2.0.0"));
    bench.write("index.html", "<h1>two</h1>");
    bench.here(&["capsule", "pack", "shop", "--generation", "2"]).ok();
    let other = bench.here(&["capsule", "attest", "shop-2.0.0.caps", report]);
    assert!(other.code != 0 && other.err.contains("attestation"), "{other:?}");

    let said = bench.here(&["capsule", "attest", file, report]).ok();
    assert!(said.contains("urn:xyn:predicate:simulation:v1"), "{said}");
    bench.here(&["capsule", "verify", file, "--pub", "capsule.key.pub"]).ok();
    let url = bench.here(&staging).ok();
    assert_eq!(bench.read(url.trim()).await.1, "<h1>one</h1>");
    let told = bench.events("xyn.capsule.deploy.completed").await;
    assert_eq!(told[0]["data"]["gates"][7]["verdict"], "passed", "{told:?}");
    assert_eq!(bench.events("xyn.capsule.attested").await.len(), 1);

    // Somebody who does not count proves nothing.
    bench.here(&["capsule", "keygen", "stranger.key"]).ok();
    let stranger = ["sim", "capsule", "shop-2.0.0.caps", "--scenario", "two.yaml", "--key", "stranger.key"];
    bench.here(&[&stranger[..], &trust].concat()).ok();
    bench.here(&["capsule", "attest", "shop-2.0.0.caps", "shop-2.0.0.caps.simulation.json"]).ok();
    let refused = bench.here(&[
        "capsule",
        "deploy",
        "shop-2.0.0.caps",
        "--stage",
        "staging",
        "--pub",
        "capsule.key.pub",
    ]);
    assert!(refused.code == 6 && refused.err.contains("the gate `evidence`"), "{refused:?}");
    assert!(refused.err.contains("attested by nobody who counts here"), "{refused:?}");
    assert_eq!(bench.read(url.trim()).await.1, "<h1>one</h1>");
}

#[tokio::test]
async fn a_policy_that_wants_a_rebuild_is_met_by_one_that_came_out_bit_for_bit_and_by_no_other() {
    let bench = Bench::new().await;
    let page = "<h1>built</h1>";
    bench.write("part.txt", page);
    bench.write("dist/index.html", page);
    let step = "mkdir -p dist && cat part.txt > dist/index.html";
    bench.write("capsule.json", built("1.0.0", &json!({ "steps": [step], "outDir": "dist" })));
    bench.node_folder(&["policy", "activate", &bench.folder.file("policy.yaml", &policy("rebuild"))]).ok();
    bench.here(&["capsule", "keygen"]).ok();
    bench.here(&["capsule", "pack", "shop", "--build"]).ok();
    let trust = ["--pub", "capsule.key.pub"];
    let with_trust = |words: &[&str]| bench.here(&[words, &trust[..]].concat());
    with_trust(&["capsule", "push", "shop-1.0.0.caps"]).ok();
    let staging = || with_trust(&["capsule", "deploy", "shop", "--stage", "staging"]);
    let refused = staging();
    let words = ["the gate `evidence`", "a matching rebuild", "nobody who counts", "rebuild shop --attest"];
    assert!(refused.code == 6 && words.iter().all(|word| refused.err.contains(word)), "{refused:?}");

    // As the refusal says: what the node has is built again here, in a sandbox, and the report goes back to it.
    let attest = || with_trust(&["capsule", "attest", "shop", "shop.rebuild.json"]);
    bench.here(&["capsule", "rebuild", "shop", "--attest", "capsule.key"]).ok();
    let said = attest().ok();
    assert!(said.contains("urn:xyn:predicate:rebuild:v1"), "{said}");
    let url = staging().ok();
    assert_eq!(bench.read(url.trim()).await.1, page);
    let told = bench.events("xyn.capsule.deploy.completed").await;
    assert_eq!(told[0]["data"]["gates"][7]["why"], "attested: rebuild", "{told:?}");

    // Another recipe for the same files is another capsule, and nothing was proved of that.
    let other = built("1.1.0", &json!({ "steps": ["true"], "outDir": "dist" }));
    fs::write(bench.beside("other.json"), other).expect("written");
    let pack =
        ["capsule", "pack", "shop", "--manifest", "other.json", "--generation", "2", "--out", "other.caps"];
    bench.here(&pack).ok();
    bench.here(&["capsule", "attest", "other.caps", "shop.rebuild.json"]).ok();
    let refused = with_trust(&["capsule", "deploy", "other.caps", "--stage", "staging"]);
    assert!(refused.code == 6 && refused.err.contains("of another capsule of the same files"), "{refused:?}");

    // A build that comes to something else each time is attested as such, and goes nowhere.
    let step = "mkdir -p dist && head -c 16 /dev/urandom | od > dist/luck";
    bench.write("capsule.json", built("2.0.0", &json!({ "steps": [step], "outDir": "dist" })));
    bench.here(&["capsule", "pack", "shop", "--build", "--generation", "3"]).ok();
    with_trust(&["capsule", "push", "shop-2.0.0.caps"]).ok();
    let differs = bench.here(&["capsule", "rebuild", "shop", "--attest", "capsule.key"]);
    assert!(differs.code == 1 && differs.err.contains("`luck` is another with each build"), "{differs:?}");
    attest().ok();
    let refused = staging();
    assert!(refused.code == 6 && refused.err.contains("came to another result"), "{refused:?}");
    assert_eq!(bench.read(url.trim()).await.1, page);
}

#[tokio::test]
async fn an_older_capsule_is_deployed_with_leave_that_was_signed_for_just_that() {
    let bench = Bench::new().await;
    bench.here(&["capsule", "keygen"]).ok();
    for (version, generation) in [("1.0.0", "1"), ("2.0.0", "2"), ("3.0.0", "3")] {
        bench.write("index.html", format!("<h1>{version}</h1>"));
        bench.write("capsule.json", authored(version));
        bench.here(&["capsule", "pack", "shop", "--generation", generation]).ok();
    }
    let deploy = |version: &str| {
        let file = format!("shop-{version}.caps");
        bench.here(&["capsule", "deploy", &file, "--stage", "dev", "--pub", "capsule.key.pub"])
    };
    deploy("1.0.0").ok();
    let url = deploy("2.0.0").ok();
    let refused = deploy("1.0.0");
    assert!(refused.code == 6 && refused.err.contains("the gate `generation`"), "{refused:?}");
    let env = refused.err.split("which was seen in `").nth(1).and_then(|rest| rest.split('`').next());
    let env = env.expect("it names the environment").to_owned();
    let leave = |from: &str, env: &str| {
        let leave =
            ["capsule", "leave", "shop-1.0.0.caps", "--env", env, "--from", from, "--reason", "it broke"];
        bench.here(&leave).ok();
        bench.here(&["capsule", "attest", "shop-1.0.0.caps", "shop-1.0.0.caps.leave.json"]).ok();
    };
    leave("2", "elsewhere");
    leave("7", &env);
    let refused = deploy("1.0.0");
    assert!(refused.code == 6 && refused.err.contains("the leave to go back is for"), "{refused:?}");
    leave("2", &env);
    deploy("1.0.0").ok();
    assert_eq!(bench.read(url.trim()).await.1, "<h1>1.0.0</h1>");
    // A newer one was seen since: the leave is spent.
    deploy("3.0.0").ok();
    assert_eq!(deploy("1.0.0").code, 6);
    assert_eq!(bench.read(url.trim()).await.1, "<h1>3.0.0</h1>");
}
