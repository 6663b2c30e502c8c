//! The pages of time: what is drawn of the timeline, what differs line by line, and how branches are joined.

use std::path::Path;

use super::*;

const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'&amp;";

async fn page(node: &Node, path: &str) -> String {
    let answer = node.get(path).await;
    let html = String::from_utf8(answer.body).expect("a page is text");
    assert_eq!(answer.status, StatusCode::OK, "{path}: {html}");
    assert!(
        !html.contains("<script>alert") && !html.contains("<img src=x"),
        "{path} holds what others wrote"
    );
    html
}

/// Sends a form as a browser does; the page behind it.
async fn form(node: &Node, action: &str, fields: &[(&str, &str)]) -> (StatusCode, String) {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let answer =
        node.send(request(Method::POST, &format!("/ui/do/{action}"), &headers, Body::from(body))).await;
    let next = answer.headers.get("location").and_then(|next| next.to_str().ok()).unwrap_or_default();
    (answer.status, next.to_owned())
}

async fn made(node: &Node, path: &str, body: Value) -> String {
    let answer = node.post(path, &body).await;
    assert!(answer.status.is_success(), "{path}: {:?}", answer.json());
    answer.json()["entry_id"].as_str().unwrap_or_default().to_owned()
}

/// A workspace called `shop` in `folder`, kept once.
async fn shop(node: &Node, folder: &Path) -> String {
    let dir = folder.to_str().expect("a path of this test");
    made(node, "/api/v1/workspaces", json!({ "dir": dir, "name": "shop" })).await;
    kept(node, folder, "one\ntwo\nthree\n", "main").await
}

/// The workspace as it is with `text` in its only file.
async fn kept(node: &Node, folder: &Path, text: &str, branch: &str) -> String {
    std::fs::write(folder.join("a.b:c.txt"), text).expect("writes");
    made(node, "/api/v1/workspaces/shop/snapshot", json!({ "title": HOSTILE, "branch": branch })).await
}

#[tokio::test]
async fn the_time_machine_draws_a_part_of_the_timeline_around_a_moment() {
    let node = Node::start().await;
    let base = made(&node, "/api/v1/timeline/note", json!({ "title": "base" })).await;
    made(&node, "/api/v1/timeline/branch", json!({ "name": "side", "entry_id": base })).await;
    let mut said = Vec::new();
    for number in 0..70 {
        let note = json!({ "title": format!("{number} {HOSTILE}"), "branch": "side" });
        said.push(made(&node, "/api/v1/timeline/note", note).await);
    }
    let drawn = |html: &str| html.matches("aria-label=\"note on side").count();
    let newest = page(&node, "/ui/timeline?branch=side").await;
    assert_eq!(drawn(&newest), 61, "the chosen one and sixty before it");
    assert!(newest.contains("data-older=\"true\" data-newer=\"false\""), "{newest}");
    let first = page(&node, &format!("/ui/timeline?branch=side&at={}", said[0])).await;
    assert!(first.contains("data-older=\"false\" data-newer=\"true\""), "{first}");
    assert_eq!(drawn(&page(&node, &format!("/ui/timeline/_lanes?branch=side&at={}", said[69])).await), 70);
    let side = page(&node, &format!("/ui/timeline/_moment?at={}", said[3])).await;
    assert!(side.contains("3 &#34;&#62;&#60;script&#62;") && !side.contains("<html"), "{side}");
    let unknown = node.get("/ui/timeline?at=00000000-0000-7000-8000-000000000000").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    node.stop().await;
}

#[tokio::test]
async fn a_review_shows_the_lines_that_differ_and_takes_a_comment_on_one() {
    let (node, folder) = (Node::start().await, tempfile::tempdir().expect("a folder"));
    shop(&node, folder.path()).await;
    let changed = kept(&node, folder.path(), &format!("one\n{HOSTILE}\nthree\n"), "main").await;
    let review = format!("/ui/reviews/{changed}");
    let opened =
        form(&node, "timeline.review", &[("entry_id", &changed), ("status", "open"), ("~next", &review)])
            .await;
    assert_eq!(opened, (StatusCode::SEE_OTHER, format!("{review}?done=timeline.review")));
    let file = format!("{review}?workspace=shop&path=a.b%3Ac.txt");
    let html = page(&node, &file).await;
    let line = "&amp;side=after&amp;line=2#say";
    assert!(html.contains(line), "the line can be spoken of: {html}");
    for view in ["split", "unified"] {
        let html = page(&node, &format!("{file}&view={view}")).await;
        assert!(html.contains("two") && html.contains("&#60;script&#62;"), "{view}: {html}");
        assert!(!html.contains("class=\"below\""), "nobody has said anything yet");
        let begun = page(&node, &format!("{file}&view={view}&side=before&line=2")).await;
        assert!(
            begun.contains("id=\"before-2\"") && begun.contains("name=\"place.line:integer\" value=\"2\"")
        );
    }
    let words = [
        ("entry_id", changed.as_str()),
        ("on", "review"),
        ("text", "Why?"),
        ("place.workspace", "shop"),
        ("place.path", "a.b:c.txt"),
        ("place.side", "before"),
        ("place.line:integer", "2"),
    ];
    assert_eq!(form(&node, "timeline.comment", &words).await.0, StatusCode::SEE_OTHER);
    let html = page(&node, &review).await;
    assert!(html.contains(">shop:a.b:c.txt:2 before</a>") && html.contains(">Why?</p>"), "{html}");
    let html = page(&node, &file).await;
    assert_eq!(html.matches(">Why?</p>").count(), 2, "below the line, and with what else was said");
    page(&node, &format!("/ui/timeline/files?at={changed}&workspace=shop&path=a.b%3Ac.txt")).await;
    assert!(page(&node, "/ui/reviews?status=open").await.contains(&review));
    assert!(!page(&node, "/ui/reviews?status=resolved").await.contains(&review));
    assert!(page(&node, "/ui/workspaces/shop?look=true").await.contains("as in the last snapshot"));
    node.stop().await;
}

#[tokio::test]
async fn joining_branches_asks_whose_change_is_right_where_both_changed_a_line() {
    let (node, folder) = (Node::start().await, tempfile::tempdir().expect("a folder"));
    let base = shop(&node, folder.path()).await;
    made(&node, "/api/v1/timeline/branch", json!({ "name": "try", "entry_id": base })).await;
    kept(&node, folder.path(), "one\nthe branch's\nthree\n", "try").await;
    kept(&node, folder.path(), "one\nours\nthree\n", "main").await;
    let html = page(&node, "/ui/reviews/merge?from=try").await;
    let field = "sides.shop%3Aa%2Eb%3Ac%2Etxt";
    assert!(html.contains(&format!("name=\"{field}\" value=\"theirs\"")), "{html}");
    let (refused, _) = form(&node, "timeline.merge", &[("from", "try")]).await;
    assert_eq!(refused, StatusCode::CONFLICT, "nobody said whose is right");
    let said = [("from", "try"), (field, "theirs"), ("~next", "/ui/timeline?at={entry_id}")];
    let (done, next) = form(&node, "timeline.merge", &said).await;
    assert_eq!(done, StatusCode::SEE_OTHER);
    let merged = next.trim_start_matches("/ui/timeline?at=").split('&').next().unwrap_or_default();
    let text = page(&node, &format!("/ui/timeline/files?at={merged}&workspace=shop&path=a.b%3Ac.txt")).await;
    assert!(text.contains("the branch&#39;s"), "{text}");
    assert!(page(&node, &next).await.contains("class=\"lane merge"), "the curve of the merge is drawn");
    node.stop().await;
}

#[tokio::test]
async fn the_moments_come_again_only_when_there_is_a_newer_one() {
    let node = Node::start().await;
    let note = |title: &str| json!({ "title": title });
    let first = made(&node, "/api/v1/timeline/note", note("first")).await;
    for (path, status, word) in [
        ("/ui/timeline?branch=nope", 404, "there is no branch"),
        ("/ui/timeline?branch=try", 200, "Nothing fits"),
        ("/ui/timeline?until=yesterday", 400, "What to do: go back, and change what is named here"),
    ] {
        let begun = json!({ "name": "try", "entry_id": first });
        made(&node, "/api/v1/timeline/branch", begun).await;
        let answer = node.get(path).await;
        let html = String::from_utf8_lossy(&answer.body);
        assert!(answer.status == status && html.contains(word), "{path}: {html}");
    }
    let forms = page(&node, &format!("/ui/timeline?at={first}")).await;
    assert!(forms.contains("data-types=\"pinned=boolean\""), "a form says what of it is no text");
    let lanes = |newest: &str| format!("/ui/timeline/_lanes?at={first}&newest={newest}");
    // What the library of a new node does becomes moments beside the first one.
    let (mut newest, mut drawn) = (first.clone(), node.get(&lanes(&first)).await);
    while drawn.status == StatusCode::OK {
        let now = node.get("/api/v1/timeline?limit=1").await.json()["items"][0]["entry_id"].clone();
        assert_ne!(now, json!(newest), "what has not changed is not drawn again");
        newest = now.as_str().expect("an id").to_owned();
        drawn = node.get(&lanes(&newest)).await;
    }
    assert_eq!((drawn.status, drawn.body.len()), (StatusCode::NO_CONTENT, 0));
    let second = made(&node, "/api/v1/timeline/note", note("second")).await;
    assert!(page(&node, &lanes(&newest)).await.contains(&second));
    assert!(page(&node, &lanes("")).await.contains(&second), "who has drawn nothing gets all");
    node.stop().await;
}
