//! The first run of a capsule: what the node finds is attested, without secrets, and goes along with the capsule.

use xyn_capsules::container::Cover;
use xyn_capsules::sign::{Envelope, FirstRun, Payload, Statement};

use super::process::{SERVER, app};
use super::*;

const KIND: &str = "urn:xyn:predicate:first-run:v1";

impl Bench {
    /// What is attested of first runs in the file of a capsule.
    async fn first_runs(&self, capsule: &str) -> Vec<FirstRun> {
        let answer = self.node.request("GET", &format!("/api/v1/capsules/{capsule}/download")).send().await;
        let bytes = answer.expect("answered").bytes().await.expect("the whole file");
        let cover = Cover::read(bytes.as_ref()).expect("a capsule");
        let runs = cover.attestations().iter().filter_map(|bytes| {
            let envelope = Envelope::read(bytes).expect("an envelope");
            Some(Statement::<FirstRun>::read(envelope.unverified()).ok()?.predicate)
        });
        runs.collect()
    }

    /// What counts of first runs, as the node says.
    fn proved_runs(&self, capsule: &str) -> Vec<String> {
        let proved = self.node_folder(&["--json", "capsule", "verify", capsule]).json();
        let claims = proved["attestations"].as_array().expect("a list").iter();
        let runs = claims.filter(|claim| claim["type"] == KIND);
        runs.map(|claim| claim["summary"].as_str().expect("a text").to_owned()).collect()
    }
}

#[tokio::test]
async fn what_a_first_run_came_to_is_attested_once_and_says_no_secret() {
    let bench = Bench::new().await;
    let key = ["hidden", "-value-", "4711"].concat();
    bench.secret("app/shop/API_KEY", &key);
    let fails = "echo \"the key is $API_KEY\"; exit 3";
    let also = json!({ "app": { "framework": "process", "command": ["sh", "-c", fails], "env": { "API_KEY": null } } });
    bench.pack("1.0.0", &also);
    for _ in 0..2 {
        bench
            .node_folder(&["capsule", "deploy", "shop", "--stage", "dev"])
            .says(6, &["is not well", "exit status: 3"]);
    }
    let runs = bench.first_runs("shop").await;
    let [run] = runs.as_slice() else { panic!("{runs:?}") };
    assert_eq!((run.is_well, run.exit.as_deref()), (false, Some("exit status: 3")));
    assert_eq!((run.stage.as_str(), run.target.as_str(), run.health.as_str()), ("dev", "process", "/"));
    assert!(run.log.contains("the key is «secret:app/shop/API_KEY»"), "{run:?}");
    assert!(!format!("{run:?}").contains(&key), "{run:?}");
    assert_eq!(run.environment["os"], std::env::consts::OS);
    let proved = bench.proved_runs("shop");
    assert!(proved.len() == 1 && proved[0].starts_with("not well in dev as process after "), "{proved:?}");
    let told = bench.events("xyn.capsule.first_run.attested").await;
    assert_eq!(
        (told.len(), &told[0]["data"]["joined"], &told[0]["data"]["is_well"]),
        (1, &json!(true), &json!(false))
    );

    // One that is well says so for each place.
    bench.write("server.pl", SERVER);
    bench.pack("2.0.0", &app("one"));
    for stage in ["dev", "staging", "dev"] {
        bench.deploy(stage);
    }
    let runs = bench.first_runs("shop").await;
    assert_eq!(
        runs.iter().map(|run| (run.is_well, run.stage.as_str())).collect::<Vec<_>>(),
        [(true, "dev"), (true, "staging")]
    );
    assert!(
        runs.iter().all(|run| run.log.starts_with("[xyn] started `perl`") && run.exit.is_none()),
        "{runs:?}"
    );
    let shown = bench.node_folder(&["capsule", "verify", "shop"]).ok();
    assert!(
        shown.contains(&format!("ok with {KIND}, signed by who counts: well in staging as process")),
        "{shown}"
    );
    let inspected = bench.node_folder(&["capsule", "inspect", "shop"]).ok();
    assert!(inspected.contains(&format!("{KIND}, so it says well in dev as process")), "{inspected}");
    let Bench { node, folder, .. } = bench;
    assert!(node.stop().await.success());
    let before = folder.xyn(["capsule", "show", "shop", "--json"]).json();
    folder.xyn(["store", "rebuild"]).ok();
    assert_eq!(folder.xyn(["capsule", "show", "shop", "--json"]).json(), before);
}

#[tokio::test]
async fn where_the_node_is_no_attestor_the_report_is_kept_beside_until_somebody_lets_it_be() {
    let bench = Bench::new().await;
    bench.write("index.html", "<h1>one</h1>");
    bench.pack("1.0.0", &json!({}));
    let known = bench.node.get("/api/v1/capsules/shop").await;
    let node = known["proved"]["signers"][0].as_str().expect("a key").to_owned();
    let ring = |words: &[&str]| bench.here(&[&["capsule", "ring"], words].concat()).ok();
    bench.here(&["capsule", "keygen", "root.key"]).ok();
    ring(&["new", "shop.ring", "--key", "root.key"]);
    ring(&["add", "shop.ring", "--pub", &node, "--as", "publisher", "--key", "root.key"]);
    ring(&["use", "shop.ring", "--pub", "root.key.pub"]);
    bench.deploy("dev");
    bench.deploy("dev");
    assert!(bench.first_runs("shop").await.is_empty());
    let told = bench.events("xyn.capsule.first_run.attested").await;
    assert_eq!((told.len(), &told[0]["data"]["joined"]), (1, &json!(false)), "{told:?}");
    let report = bench.folder.data().join("deployments/shop.dev.static/first-run.well.json");
    let report = report.to_str().expect("text");
    let refused = bench.here(&["capsule", "attest", "shop", report]);
    assert!(
        refused.err.contains("does not count: 0 of 1 needed signatures of `attestor` keys"),
        "{refused:?}"
    );
    assert!(bench.proved_runs("shop").is_empty());

    ring(&["add", "shop.ring", "--pub", &node, "--as", "attestor", "--key", "root.key"]);
    ring(&["use", "shop.ring"]);
    bench.here(&["capsule", "attest", "shop", report]).ok();
    let proved = bench.proved_runs("shop");
    assert!(proved.len() == 1 && proved[0].starts_with("well in dev as static after "), "{proved:?}");
    bench.deploy("staging");
    assert_eq!(bench.proved_runs("shop").len(), 2, "from now on it is joined");
}
