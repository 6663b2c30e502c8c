//! The timeline: what is said on it is listed, shown, named and compared.

use std::time::Duration;

use super::*;

async fn note(node: &Node, title: &str) -> String {
    let said = node.post("/api/v1/timeline/note", &json!({ "title": title })).await;
    assert_eq!(said.status, StatusCode::CREATED, "{:?}", said.json());
    let entry_id = text(&said.json()["entry_id"]).to_owned();
    assert_eq!(said.header("location"), format!("/api/v1/timeline/{entry_id}"));
    entry_id
}

#[tokio::test]
async fn notes_are_listed_from_either_end_and_page_by_page() {
    let node = Node::start().await;
    let (first, second) = (note(&node, "one").await, note(&node, "two").await);
    let listed = node.get("/api/v1/timeline?kind=note&first=oldest&limit=1").await.json();
    assert_eq!(listed["items"][0]["entry_id"], first.as_str());
    let cursor = text(&listed["next_cursor"]).to_owned();
    let rest = node.get(&format!("/api/v1/timeline?kind=note&first=oldest&cursor={cursor}")).await.json();
    assert_eq!(rest["items"][0]["entry_id"], second.as_str());
    let newest = node.get("/api/v1/timeline?kind=note").await.json();
    assert_eq!(newest["items"][0]["title"], "two");
    let at = text(&rest["items"][0]["at"]).to_owned();
    for (bounds, title) in [(format!("since={at}"), "two"), (format!("until={at}"), "one")] {
        for first in ["newest", "oldest"] {
            let bounded =
                node.get(&format!("/api/v1/timeline?kind=note&first={first}&{bounds}")).await.json();
            let items = bounded["items"].as_array().expect("items");
            assert_eq!((items.len(), &items[0]["title"]), (1, &json!(title)), "{bounds} {first}");
        }
    }
    for wrong in ["kind=party", "first=middle", "limit=0", "since=yesterday", "branch="] {
        let refused = node.get(&format!("/api/v1/timeline?{wrong}")).await;
        assert_eq!(refused.fault().0, 400, "{wrong}");
    }
    node.stop().await;
}

#[tokio::test]
async fn moments_read_alike_whatever_the_readers_clock_says_and_one_looked_at_says_if_it_is_ahead() {
    let now = Clock::system().now();
    let clock = Clock::manual(now.after(Duration::from_secs(3_600)));
    let node = Node::start_by(clock.clone(), Environment::default()).await;
    let ahead = note(&node, "soon").await;
    let label = json!({ "name": "demo", "entry_id": ahead });
    assert_eq!(node.post("/api/v1/timeline/label", &label).await.status, StatusCode::CREATED);
    let lists = ["?kind=note", "/scrub?branch=main", "/labels", &format!("/diff?from={ahead}&to={ahead}")];
    let read = async || {
        let mut bodies = Vec::new();
        for list in lists {
            let answer = node.get(&format!("/api/v1/timeline{list}")).await;
            assert_eq!(answer.status, StatusCode::OK, "{list}");
            bodies.push(String::from_utf8(answer.body).expect("text"));
        }
        let view = node.get(&format!("/api/v1/timeline/{ahead}")).await.json();
        (bodies, view["is_from_future"].clone())
    };
    let (bodies, by_its_own) = read().await;
    // Another node's clock: an hour behind.
    assert!(clock.set(now));
    let (elsewhere, by_another) = read().await;
    assert_eq!(elsewhere, bodies);
    assert_eq!((by_its_own, by_another), (Value::Null, json!(true)));
    node.stop().await;
}

#[tokio::test]
async fn scrubbing_gives_moments_with_their_states_and_a_step_leaves_most_out() {
    let node = Node::start().await;
    // On a branch of their own: what the node does by itself is on the main one.
    let base = note(&node, "base").await;
    node.post("/api/v1/timeline/branch", &json!({ "name": "side", "entry_id": base })).await;
    let mut said = Vec::new();
    for title in ["one", "two", "three"] {
        let note = json!({ "title": title, "branch": "side" });
        let answer = node.post("/api/v1/timeline/note", &note).await.json();
        said.push(text(&answer["entry_id"]).to_owned());
    }
    let ids = async |query: &str| -> Vec<String> {
        let page = node.get(&format!("/api/v1/timeline/scrub?branch=side&{query}")).await.json();
        let items = page["items"].as_array().expect("items");
        items.iter().map(|stop| text(&stop["moment"]["entry_id"]).to_owned()).collect()
    };
    assert_eq!(ids("limit=9").await, said);
    // A piece of time of 270 years, in which all of it lies.
    assert_eq!(ids("step=99999d").await, said[2..]);
    let page = node.get("/api/v1/timeline/scrub?branch=side&limit=1").await.json();
    let rest = ids(&format!("cursor={}", text(&page["next_cursor"]))).await;
    assert_eq!(rest, said[1..]);
    assert_eq!(page["items"][0]["state"]["is_cut_short"], false);
    for path in ["timeline/scrub", "timeline"] {
        let unknown = node.get(&format!("/api/v1/{path}?branch=none")).await.fault();
        assert_eq!((unknown.0, unknown.1), (404, "not_found".into()), "{path}");
    }
    for wrong in ["step=1w", "step=0s", "branch=", "since=now", "cursor=xyz", "limit=999", "kind=note"] {
        let refused = node.get(&format!("/api/v1/timeline/scrub?{wrong}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_moment_shows_its_names_and_two_are_compared() {
    let node = Node::start().await;
    let (first, second) = (note(&node, "one").await, note(&node, "two").await);
    node.post("/api/v1/timeline/label", &json!({ "name": "demo", "entry_id": second })).await;
    node.post("/api/v1/timeline/pin", &json!({ "entry_id": second })).await;
    node.post("/api/v1/timeline/branch", &json!({ "name": "try", "entry_id": first })).await;
    let shown = node.get(&format!("/api/v1/timeline/{second}")).await.json();
    assert_eq!((&shown["labels"], &shown["is_pinned"]), (&json!(["demo"]), &json!(true)));
    assert_eq!(
        shown["state"],
        json!({ "workspaces": [], "deployed": [], "domains": [], "is_cut_short": false })
    );
    let diff = node.get(&format!("/api/v1/timeline/diff?from={first}&to={second}")).await.json();
    // What the node did by itself may lie between them.
    let last = diff["items"].as_array().and_then(|items| items.last()).expect("one at least");
    assert_eq!((&diff["changes"], &last["title"]), (&json!([]), &json!("two")));
    let branches = node.get("/api/v1/timeline/branches").await.json();
    let names: Vec<&str> =
        branches["items"].as_array().expect("items").iter().map(|b| text(&b["name"])).collect();
    assert_eq!(names, ["main", "try"]);
    assert_eq!(branches["items"][1]["base"], first.as_str());
    let elsewhere = json!({ "name": "try", "entry_id": second });
    let refused = node.post("/api/v1/timeline/branch", &elsewhere).await;
    assert_eq!((refused.fault().0, text(&refused.json()["error"]["code"])), (409, "branch_exists"));
    let typo = node.post("/api/v1/timeline/note", &json!({ "title": "lost", "branch": "tyr" })).await;
    assert_eq!(typo.fault().0, 404);
    let hint = typo.json()["error"]["details"]["hint"].clone();
    assert!(text(&hint).contains("`main` is always there"), "{hint}");
    let nobody = "01a1fc90-60f8-7fec-9a7c-7419f45098b0";
    assert_eq!(node.get(&format!("/api/v1/timeline/{nobody}")).await.fault().0, 404);
    assert_eq!(node.get(&format!("/api/v1/timeline/diff?from={first}&to={nobody}")).await.fault().0, 404);
    assert_eq!(node.get(&format!("/api/v1/timeline/diff?from={first}")).await.fault().0, 400);
    node.stop().await;
}

#[tokio::test]
async fn what_people_say_of_a_moment_is_shown_with_its_verdicts() {
    let node = Node::start().await;
    let plan = note(&node, "the plan").await;
    let post = async |verb: &str, body: Value| node.post(&format!("/api/v1/timeline/{verb}"), &body).await;
    let about = |path: &str| format!("/api/v1/timeline/{plan}/{path}");
    assert_eq!(node.get(&about("comments")).await.json()["comments"], json!([]));
    assert_eq!(node.get(&about("review")).await.fault().0, 404);
    assert_eq!(post("comment", json!({ "entry_id": plan, "text": "hm" })).await.status, StatusCode::CREATED);
    let open = json!({ "entry_id": plan, "status": "open", "text": "ready?" });
    assert_eq!(post("review", open).await.status, StatusCode::CREATED);
    let verdict = post("approve", json!({ "entry_id": plan, "approve": false })).await.json();
    let comments = node.get(&about("comments")).await.json();
    assert_eq!(
        (&comments["comments"][0]["text"], &comments["comments"][0]["by"]),
        (&json!("hm"), &json!("operator@local"))
    );
    let review = node.get(&about("review")).await.json();
    assert_eq!((&review["status"], &review["comments"][0]["text"]), (&json!("open"), &json!("ready?")));
    assert_eq!(review["verdicts"][0]["entry_id"], verdict["entry_id"]);
    assert_eq!(review["verdicts"][0]["kind"], "reject");
    for (status, count) in [("open", 1), ("resolved", 0)] {
        let listed = node.get(&format!("/api/v1/timeline/reviews?status={status}")).await.json();
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(count), "{status}");
    }
    let nobody = "01a1fc90-60f8-7fec-9a7c-7419f45098b0";
    assert_eq!(node.get(&format!("/api/v1/timeline/{nobody}/comments")).await.fault().0, 404);
    assert_eq!(post("comment", json!({ "entry_id": nobody, "text": "x" })).await.fault().0, 404);
    let long = "x".repeat((8 << 10) + 1);
    for wrong in [json!({ "entry_id": plan, "text": "" }), json!({ "entry_id": plan, "text": long })] {
        assert_eq!(post("comment", wrong).await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(node.get("/api/v1/timeline/excluded").await.json()["items"], json!([]));
    node.stop().await;
}
