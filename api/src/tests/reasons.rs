//! What pages say of a state beside its word: why it is so, and where an id leads.

use super::*;

/// A step that is not done, and one that waits for an event.
const AWAIT: &str = r#"
id: bp.await
name: Await
trigger: { event_type: test.await }
plan:
  - { kind: transform, id: never, when: "{{ false }}", set: { n: 1 } }
  - { kind: gate, id: paid, mode: event, event_type: test.paid }
"#;

async fn page(node: &Node, path: &str) -> String {
    let answer = node.get(path).await;
    let html = String::from_utf8(answer.body).expect("a page is text");
    assert_eq!(answer.status, StatusCode::OK, "{path}: {html}");
    html
}

/// Waits until the page at `path` says `word`.
async fn page_with(node: &Node, path: &str, word: &str) -> String {
    let mut head = node.runtime.store().journal().expect("is open").head();
    loop {
        let html = page(node, path).await;
        if html.contains(word) {
            return html;
        }
        head.changed().await.expect("the journal goes on");
    }
}

#[tokio::test]
async fn a_run_says_what_it_waits_for_why_a_step_was_skipped_and_why_it_was_cancelled() {
    let node = Node::start().await;
    node.promote(AWAIT).await;
    let run = node.post("/api/v1/runs", &json!({ "blueprint": "bp.await" })).await.json();
    let run = format!("runs/{}", text(&run["run_id"]));
    let html = page_with(&node, &format!("/ui/{run}"), "waiting: event").await;
    assert!(html.contains("for an event <code>test.paid</code>"), "{html}");
    assert!(html.contains("its condition was false"), "{html}");
    assert!(page(&node, "/ui/runs").await.contains(">test.paid<"), "the list says it too");
    let skipped = page(&node, &format!("/ui/{run}/steps/never")).await;
    assert!(skipped.contains("It was skipped: its condition was false."), "{skipped}");
    assert!(!skipped.contains("/steps/never?seq="), "what has ended is not asked for again");

    // The part of a step under way comes again, and not for what moved elsewhere.
    let step = page(&node, &format!("/ui/{run}/steps/paid")).await;
    let live = step.split("hx-get=\"").find(|rest| rest.contains("/steps/paid?seq=")).expect("it is live");
    let live = live.split('"').next().expect("an address");
    let again = node.get_with(live, &[("hx-request", "true")]).await;
    assert_eq!(again.status, StatusCode::NO_CONTENT);

    node.post(&format!("/api/v1/{run}/cancel"), &json!({ "reason": "not <today>" })).await;
    let html = page_with(&node, &format!("/ui/{run}"), "cancelled").await;
    assert!(html.contains("cancelled it: “not &#60;today&#62;”"), "{html}");
    node.stop().await;
}

#[tokio::test]
async fn an_id_leads_to_the_page_of_what_has_it() {
    let node = Node::start().await;
    let draft = json!({ "draft_type": "blueprint", "name": "test", "definition": AWAIT });
    let draft = node.post("/api/v1/drafts", &draft).await.json();
    let intent = node.get("/api/v1/intents?limit=1").await.json()["items"][0]["intent_id"].clone();
    let member = node.get("/api/v1/peers").await.json()["items"][0]["node"].clone();
    let places = [
        (text(&draft["draft_id"]), "/ui/blueprints/edit?draft="),
        (text(&intent), "/ui/audit/intents/"),
        (text(&member), "/ui/mesh/"),
    ];
    for (id, place) in places {
        let answer = node.get(&format!("/ui/find?id={id}")).await;
        assert_eq!(answer.header("location"), format!("{place}{id}"));
        page(&node, answer.header("location")).await;
    }
    for id in ["00000000-0000-7000-8000-000000000000", &"0".repeat(64), "nothing"] {
        assert_eq!(node.get(&format!("/ui/find?id={id}")).await.status, StatusCode::NOT_FOUND, "{id}");
    }
    node.stop().await;
}

#[tokio::test]
async fn what_waits_is_counted_anew_only_when_it_is_another_number() {
    let node = Node::start().await;
    let count = async |seen: usize| node.get(&format!("/ui/approvals/_waiting?seen={seen}")).await;
    assert_eq!(count(0).await.status, StatusCode::NO_CONTENT);
    node.promote(ASK).await;
    node.post("/api/v1/runs", &json!({ "blueprint": "bp.ask" })).await;
    let html = page_with(&node, "/ui/events", "_waiting?seen=1").await;
    assert!(html.contains("</span>1</span>"), "{html}");
    let part = count(0).await;
    assert!(String::from_utf8_lossy(&part.body).contains("_waiting?seen=1"), "{part:?}");
    assert_eq!(count(1).await.status, StatusCode::NO_CONTENT);
    node.stop().await;
}

#[tokio::test]
async fn settings_say_what_is_kept_how_long_and_every_page_stays_out_of_frames() {
    let node = Node::start().await;
    let html = page(&node, "/ui/settings").await;
    for said in ["Idempotency keys</dt><dd>24 h", "<dd>7 days", " of ", "id=\"ring-title\""] {
        assert!(html.contains(said), "{said}: {html}");
    }
    for path in [
        "/ui/events",
        "/ui/settings",
        "/ui/nothing",
        "/ui/find?id=x",
        "/ui/approvals/_waiting",
        "/",
        "/api/docs",
    ] {
        let answer = node.get(path).await;
        assert!(matches!(answer.header("x-frame-options"), "DENY" | "SAMEORIGIN"), "{path}");
        assert!(!answer.header("referrer-policy").is_empty(), "{path}");
    }
    node.stop().await;
}
