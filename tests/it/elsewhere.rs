//! Runs of teammates: their steps are told by the node that ran them, to members, as far as its policies let it.

mod teller;

use serde_json::{Value, json};
use xyn_net::wire::runs::{Account, Part, Question, Runs};
use xyn_net::wire::{self, Message as _};
use xyn_store::audit::key::NodeKey;

use crate::flood::attacker;
use crate::node::{COUNT, eventually};
use crate::team::{Mate, converge, team};

/// A run that waits for a person, one at a time: the second has not begun.
const ONE: &str = r#"
id: bp.one
name: One
trigger: { event_type: test.one }
limits: { concurrency: 1 }
plan:
  - { kind: gate, id: ask, mode: manual, prompt: "Go on?" }
"#;

/// A run whose every step is longer than half a message.
const LONG: &str = r#"
id: bp.long
name: Long
trigger: { event_type: test.long }
inputs:
  - { name: text, schema: { type: string }, required: true }
plan:
  - { kind: transform, id: first, set: { text: "{{ inputs.text }}" } }
  - { kind: transform, id: second, set: { text: "{{ steps.first.output.text }}" } }
outputs:
  - { name: text, from: "{{ steps.second.output.text }}" }
"#;

/// A policy that denies members to see what runs did.
const CLOSED: &str = "policy_id: pol.closed\npolicy_type: governance\nname: Closed\nevaluation_mode: first_match\n\
                      rules:\n  - { rule_id: closed, priority: 1, match: { action: runs.read }, effect: deny }\n";

/// A run of `mate`'s that counts `key`, once all of `mates` know of it.
async fn counted(mate: &Mate, mates: &[&Mate], key: &str) -> String {
    mate.node().promote(&mate.folder, COUNT).await;
    let run = mate.node().run("bp.count", json!({ "key": key })).await;
    mate.node().ended(&run).await;
    converge(mates, &["Count: started, completed"]).await;
    run
}

/// The document without what says who told it, and in whose name the other node speaks.
fn bare(mut told: Value) -> Value {
    let without = |document: &mut Value| {
        let fields = document.as_object_mut().expect("an object");
        fields.remove("told_by");
        fields.remove("actor");
    };
    told["steps"].as_array_mut().into_iter().flatten().for_each(without);
    without(&mut told);
    told
}

#[tokio::test]
async fn a_member_sees_the_steps_of_anothers_run_as_they_are_seen_there() {
    let ([ada, mut bob, mut eve], _) = team().await;
    let run = counted(&bob, &[&ada, &bob, &eve], "key").await;
    let own = bob.folder.xyn(["run", "show", &run, "--json"]).json();
    let told = eve.folder.xyn(["run", "show", &run, "--json"]).json();
    let teller = json!({ "node": bob.key(), "principal": "mate@lab" });
    assert_eq!((&told["told_by"], &told["steps"][2]["told_by"]), (&teller, &teller));
    assert_eq!((&own["told_by"], &own["actor"]), (&Value::Null, &json!("operator@local")));
    assert_eq!(told["actor"], "mate@lab", "as the environment calls bob's person");
    assert_eq!(bare(told), bare(own));
    let short: String = bob.key().to_string().chars().take(12).collect();
    let shown = eve.folder.xyn(["run", "show", &run]);
    shown.says(0, &["told by", &format!("mate@lab ({short})"), "first", "second", "keep", "completed"]);

    // Page by page, and one by its name.
    let path = format!("/api/v1/runs/{run}");
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = eve.node().get(&format!("{path}/steps?limit=1{cursor}")).await;
        let items = page["items"].as_array().expect("a list");
        names.extend(items.iter().map(|step| step["step_id"].as_str().expect("a name").to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, ["first", "second", "keep"]);
    let step = eve.node().get(&format!("{path}/steps/second")).await;
    assert_eq!((&step["step_id"], &step["told_by"]), (&json!("second"), &teller));
    assert_eq!(status(&eve, &format!("{path}/steps/third")).await, (404, "not_found".to_owned()));
    // In the page of Studio, too.
    let page = eve.node().request("GET", &format!("/ui/runs/{run}")).send().await.expect("it answers");
    let page = page.text().await.expect("text");
    assert!(page.contains("runs-elsewhere") && page.contains(&short) && page.contains("second"), "{page}");
    // Its events stay there.
    eve.folder.xyn(["run", "watch", &run]).says(6, &["its events stay there", "mate@lab", &short]);

    // What is longer than a message holds comes whole.
    bob.node().promote(&bob.folder, LONG).await;
    let long = bob.node().run("bp.long", json!({ "text": "x".repeat(700_000) })).await;
    bob.node().ended(&long).await;
    converge(&[&ada, &bob, &eve], &["Long: completed"]).await;
    let [own, told] = [&bob, &eve].map(|mate| mate.folder.xyn(["run", "show", &long, "--json"]).json());
    assert_eq!(told["steps"][1]["outputs"]["text"].as_str().map(str::len), Some(700_000));
    assert_eq!(bare(told), bare(own));

    bob.stop().await;
    let away = ["is with mate@lab", &short, "which is not connected now", "xyn peer list"];
    eventually("eve notices", async || {
        (status(&eve, &path).await == (409, "run_elsewhere".to_owned())).then_some(())
    })
    .await;
    eve.folder.xyn(["run", "show", &run]).says(6, &away);
    eve.stop().await;
    eve.folder.xyn(["run", "show", &run]).says(6, &["is with mate@lab", "the mesh of this node is off"]);
}

/// Status and code of the answer to a GET.
async fn status(mate: &Mate, path: &str) -> (u16, String) {
    let answer = mate.node().request("GET", path).send().await.expect("it answers");
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.expect("a document");
    (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_policy_that_denies_it_and_a_revocation_are_told_and_end_it() {
    let ([ada, bob, eve], _) = team().await;
    let run = counted(&bob, &[&ada, &bob, &eve], "key").await;
    eve.folder.xyn(["run", "show", &run]).says(0, &["told by", "second"]);

    bob.folder.xyn(["policy", "activate", &bob.folder.file("policy.yaml", CLOSED)]).ok();
    let denied = ada.folder.xyn(["run", "show", &run]);
    denied.says(4, &["is with mate@lab", "a policy of that node denies `runs.read`", "allow `runs.read`"]);
    bob.folder.xyn(["run", "show", &run]).says(0, &["second"]);
    let intents = bob.node().all("/api/v1/intents").await;
    let recorded = intents.iter().find(|intent| intent["action"] == "runs.read").expect("it is recorded");
    assert_eq!((&recorded["status"], &recorded["actor"]), (&json!("denied"), &json!("operator@founder")));
    // However often she asks; a minute may end meanwhile.
    for _ in 0..5 {
        ada.folder.xyn(["run", "show", &run]).says(4, &["a policy of that node denies `runs.read`"]);
    }
    let intents = bob.node().all("/api/v1/intents").await;
    let recorded = intents.iter().filter(|intent| intent["action"] == "runs.read").count();
    assert!(recorded <= 2, "{recorded} of 6 questions are recorded");
    let explained = bob.folder.xyn(["policy", "explain", "--action", "runs.read", "--stage", "dev"]);
    explained.says(0, &["deny", "pol.closed"]);
    let open = CLOSED.replace("deny", "allow").replace("rules:", "version: 2\nrules:");
    bob.folder.xyn(["policy", "activate", &bob.folder.file("policy.yaml", &open)]).ok();
    eve.folder.xyn(["run", "show", &run]).says(0, &["told by", "second"]);

    ada.intent("peer.revoke", json!({ "node": eve.key(), "reason": "left the team" })).await;
    let path = format!("/api/v1/runs/{run}");
    eventually("eve is told nothing more", async || {
        (status(&eve, &path).await == (409, "run_elsewhere".to_owned())).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_run_that_no_moment_of_its_node_names_is_told_to_nobody() {
    let ([ada, bob, mut eve], _) = team().await;
    let named = counted(&bob, &[&ada, &bob, &eve], "key").await;
    bob.node().promote(&bob.folder, ONE).await;
    let first = bob.node().run("bp.one", json!({})).await;
    bob.node().run_that(&first, "it waits", |run| run["waiting_on"]["kind"] == "gate").await;
    let secret = bob.node().run("bp.one", json!({})).await;
    bob.node().run_that(&secret, "it is in line", |run| run["status"] == "created").await;
    converge(&[&ada, &bob, &eve], &["One: started, waits at `ask`"]).await;
    eve.folder.xyn(["run", "show", &first]).says(0, &["told by", "ask", "gate"]);
    // What Eve says of it herself opens nothing.
    let note = eve.intent("timeline.note", json!({ "title": "what is it?", "run_id": secret })).await;
    converge(&[&ada, &bob, &eve], &["what is it?"]).await;
    eve.folder.xyn(["run", "show", &secret]).says(3, &["there is no run"]);

    // Nor does asking for it by her note, or by a moment of Bob's that names another run.
    let log = eve.log();
    let of_bob = log.iter().find(|moment| moment["refs"]["run_id"] == json!(named)).expect("it is there");
    let moments = [&note["output"]["entry_id"], &of_bob["entry_id"]];
    eve.stop().await;
    let asks = moments.into_iter().zip(0..).map(|(moment, number)| {
        let moment = moment.as_str().expect("an id").parse().expect("an id");
        let run = secret.parse().expect("an id");
        wire::encode(&Runs::Ask { number, question: Question { run, moment, part: Part::Whole }, from: 0 })
    });
    let key = NodeKey::load(&eve.folder.data()).expect("she has a key");
    let asking = attacker::say(key, bob.node().mesh()[0].clone(), Runs::PROTOCOL, asks.collect());
    let asking = tokio::spawn(asking);
    let withheld = "xyn_mesh_said_refused_total{reason=\"run_withheld\"}";
    eventually("both are refused", async || (bob.counted(withheld).await == 2).then_some(())).await;
    asking.abort();
}

#[tokio::test]
async fn what_a_member_tells_of_its_run_that_is_no_answer_is_refused_by_name_and_not_shown() {
    let [mut ada, mut bob] = ["ada", "bob"].map(Mate::new);
    ada.up(None).await;
    bob.up(Some(&ada.invite().await)).await;
    let run = counted(&bob, &[&ada, &bob], "key").await;
    bob.stop().await;
    let path = format!("/api/v1/runs/{run}");
    for (count, account) in (1..).zip([wire::encode(&Account::Step(None)), b"no account".to_vec()]) {
        let (mesh, store) = teller::tell(&bob, &ada, account);
        eventually("it is not believed", async || {
            (status(&ada, &path).await == (409, "content_unsound".to_owned())).then_some(())
        })
        .await;
        let said = "xyn_mesh_said_refused_total{reason=\"false_account\"}";
        assert_eq!(ada.counted(said).await, count);
        assert!(ada.node().log().contains("is no answer to what it was asked"), "{}", ada.node().log());
        mesh.stop().await.expect("it runs");
        store.close();
        eventually("it is gone", async || {
            (status(&ada, &path).await == (409, "run_elsewhere".to_owned())).then_some(())
        })
        .await;
    }
    let trace = ada.node().get("/api/v1/peers/trace?limit=200").await.to_string();
    assert!(trace.contains("\"reason\":\"false_account\""), "{trace}");
}
