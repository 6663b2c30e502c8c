//! The timeline: what is said on it is listed, shown, named and compared.

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
async fn a_moment_shows_its_names_and_two_are_compared() {
    let node = Node::start().await;
    let (first, second) = (note(&node, "one").await, note(&node, "two").await);
    node.post("/api/v1/timeline/label", &json!({ "name": "demo", "entry_id": second })).await;
    node.post("/api/v1/timeline/pin", &json!({ "entry_id": second })).await;
    node.post("/api/v1/timeline/branch", &json!({ "name": "try", "entry_id": first })).await;
    let shown = node.get(&format!("/api/v1/timeline/{second}")).await.json();
    assert_eq!((&shown["labels"], &shown["is_pinned"]), (&json!(["demo"]), &json!(true)));
    assert_eq!(shown["state"], json!({ "workspace": null, "deployed": [], "domains": [] }));
    let diff = node.get(&format!("/api/v1/timeline/diff?from={first}&to={second}")).await.json();
    // What the node did by itself may lie between them.
    let last = diff["items"].as_array().and_then(|items| items.last()).expect("one at least");
    assert_eq!((&diff["changes"], &last["title"]), (&json!([]), &json!("two")));
    let branches = node.get("/api/v1/timeline/branches").await.json();
    let names: Vec<&str> =
        branches["items"].as_array().expect("items").iter().map(|b| text(&b["name"])).collect();
    assert_eq!(names, ["main", "try"]);
    assert_eq!(branches["items"][1]["base"], first.as_str());
    let nobody = "01a1fc90-60f8-7fec-9a7c-7419f45098b0";
    assert_eq!(node.get(&format!("/api/v1/timeline/{nobody}")).await.fault().0, 404);
    assert_eq!(node.get(&format!("/api/v1/timeline/diff?from={first}&to={nobody}")).await.fault().0, 404);
    assert_eq!(node.get(&format!("/api/v1/timeline/diff?from={first}")).await.fault().0, 400);
    node.stop().await;
}
