//! Capsules over HTTP: packed, listed, read, taken in, and what everybody on the local network gets to see of them.

use super::*;

/// A node with an app in a workspace.
async fn shop() -> (Node, TempDir) {
    let (node, folder) = (Node::start().await, tempfile::tempdir().expect("a folder"));
    let dir = folder.path().canonicalize().expect("there").join("shop");
    std::fs::create_dir(&dir).expect("made");
    std::fs::write(dir.join("index.html"), "<h1>hello</h1>\n").expect("written");
    let added = node.post("/api/v1/workspaces", &json!({ "dir": dir })).await;
    assert_eq!(added.status, StatusCode::CREATED, "{:?}", added.json());
    (node, folder)
}

async fn pack(node: &Node, version: &str, scope: &str) -> Answer {
    let rights = json!({ "scope": scope });
    let manifest = json!({ "id": "shop", "name": "The shop", "version": version, "rights": rights });
    node.post("/api/v1/capsules", &json!({ "workspace": "shop", "manifest": manifest })).await
}

#[tokio::test]
async fn a_capsule_is_packed_listed_read_and_proved_under_each_of_its_names() {
    let (node, _folder) = shop().await;
    let made = pack(&node, "1.0.0", "env").await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.json());
    let (path, made) = (made.header("location").to_owned(), made.json());
    let listed = node.get("/api/v1/capsules").await.json();
    let capsule = node.get(&path).await.json();
    assert_eq!(listed["items"], json!([capsule]));
    assert_eq!((&capsule["is_here"], &capsule["proved"]["origin"]), (&json!(true), &json!("packed")));
    for name in ["shop", "shop@1.0.0", "urn:xyn:app:shop@1.0.0", text(&made["tree"])] {
        assert_eq!(node.get(&format!("/api/v1/capsules/{name}")).await.json(), capsule, "{name}");
    }
    let manifest = node.get(&format!("{path}/manifest")).await;
    assert_eq!((&manifest.json()["tree"], &manifest.json()["generation"]), (&made["tree"], &json!(1)));
    assert_eq!(
        json!(xyn_store::Digest::of(&manifest.body)),
        made["capsule"],
        "the very bytes that were signed"
    );
    let whole = node.get(&format!("{path}/download")).await;
    assert_eq!(json!(xyn_store::Digest::of(&whole.body)), made["file"]);
    assert!(whole.header("content-disposition").contains("shop-1.0.0.caps"));
    let part = node.get_with(&format!("{path}/download"), &[("range", "bytes=0-6")]).await;
    assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &b"xyncaps"[..]));
    let proved = node.post(&format!("{path}/verify"), &json!({})).await.json();
    assert_eq!((&proved["verified"], &proved["tree"]), (&json!(true), &made["tree"]));
    node.stop().await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_its_code_and_field() {
    let (node, _folder) = shop().await;
    let get = async |name: &str| node.get(&format!("/api/v1/capsules/{name}")).await.fault();
    assert_eq!(get("nobody").await.1, "not_found");
    for name in ["Shop", "..%2f..%2fetc", "shop@1", "%00", "a%20b", "%1b%5b2J"] {
        assert_eq!(get(name).await, (400, "invalid".into(), "capsule".into()), "{name}");
    }
    assert_eq!(pack(&node, "one", "env").await.fault().1, "capsule_unfit");
    assert_eq!(node.post("/api/v1/capsules", &json!({})).await.fault().1, "invalid");
    assert_eq!(node.post("/api/v1/capsules/nobody/pull", &json!({})).await.fault().0, 404);
    let import = async |body: Value| node.post("/api/v1/capsule-imports", &body).await.fault();
    assert_eq!(import(json!({ "sha256": "0".repeat(64) })).await.0, 404);
    assert_eq!(import(json!({ "sha256": "x" })).await.2, "sha256");
    let blob = node.send(request(Method::POST, "/api/v1/artifacts/blobs", &[], vec![0; 100].into())).await;
    assert_eq!(import(json!({ "sha256": blob.json()["sha256"] })).await.1, "capsule_unsound");
    let zero = "0".repeat(64);
    assert_eq!(
        import(json!({ "sha256": blob.json()["sha256"], "keys": [zero] })).await.1,
        "capsule_untrusted"
    );
    node.stop().await;
}

/// A form with one file.
async fn upload(node: &Node, path: &str, file: &[u8]) -> Answer {
    let head = "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.caps\"\r\n\r\n";
    let body = [head.as_bytes(), file, b"\r\n--x--\r\n"].concat();
    let headers = [("content-type", "multipart/form-data; boundary=x")];
    node.send(request(Method::POST, path, &headers, Body::from(body))).await
}

#[tokio::test]
async fn a_file_is_taken_in_by_a_form_and_refused_in_the_same_words_as_by_the_api() {
    let (node, _folder) = shop().await;
    let made = pack(&node, "1.0.0", "env").await;
    let file = node.get(&format!("{}/download", made.header("location"))).await.body;
    let taken = upload(&node, "/ui/capsules", &file).await;
    let capsule = made.json()["capsule"].as_str().unwrap_or_default().to_owned();
    assert_eq!(taken.status, StatusCode::SEE_OTHER);
    assert_eq!(taken.header("location"), format!("/ui/capsules/{capsule}?done=capsule.import"));
    assert_eq!(upload(&node, "/api/v1/capsule-imports", &file).await.json()["is_new"], json!(false));
    let cut = &file[..file.len() - 1];
    let refused = upload(&node, "/api/v1/capsule-imports", cut).await.json();
    let page = upload(&node, "/ui/capsules", cut).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    let words = text(&refused["error"]["message"]);
    let html = String::from_utf8(page.body.to_vec()).expect("text");
    assert!(!words.is_empty() && html.contains(words), "{words}: {html}");
    node.stop().await;
}

#[tokio::test]
async fn the_lines_of_a_file_in_two_capsules_are_held_against_each_other() {
    let (node, folder) = shop().await;
    let before = pack(&node, "1.0.0", "env").await.json();
    let dir = folder.path().canonicalize().expect("there").join("shop");
    std::fs::write(dir.join("index.html"), "<h1>good bye</h1>\n").expect("written");
    std::fs::write(dir.join("logo"), b"\0\x01").expect("written");
    let after = pack(&node, "1.1.0", "env").await.json();
    let page = format!("/ui/capsules/diff?from={}&to={}", text(&before["capsule"]), text(&after["capsule"]));
    let html = async |path: &str| String::from_utf8(node.get(path).await.body.to_vec()).expect("text");
    let all = html(&page).await;
    assert!(all.contains("path=index.html#file") && !all.contains("data-testid=\"lines\""), "{all}");
    for view in ["unified", "split"] {
        let file = html(&format!("{page}&path=index.html&view={view}")).await;
        assert!(
            file.contains("&#60;h1&#62;hello&#60;/h1&#62;") && file.contains("good bye"),
            "{view}: {file}"
        );
    }
    assert!(html(&format!("{page}&path=logo")).await.contains("It is no text"));
    node.stop().await;
}

#[tokio::test]
async fn the_local_network_reads_what_is_for_it_and_nothing_else() {
    let (node, _folder) = shop().await;
    let mut packed = Vec::new();
    for (version, scope) in [("1.0.0", "lan"), ("1.1.0", "public"), ("1.2.0", "env"), ("1.3.0", "private")] {
        packed.push(pack(&node, version, scope).await.json());
    }
    let lan = crate::lan::router(AppState::new(node.runtime.clone(), Guard::anybody()));
    let get = async |path: &str| answer(&lan, request(Method::GET, path, &[], Body::empty())).await;
    let listed = get("/capsules").await.json();
    let versions: Vec<_> =
        listed["items"].as_array().expect("a list").iter().map(|it| &it["version"]).collect();
    assert_eq!(versions, ["1.1.0", "1.0.0"]);
    let href = text(&listed["items"][1]["href"]).to_owned();
    let whole = get(&href).await;
    assert_eq!(json!(xyn_store::Digest::of(&whole.body)), packed[0]["file"]);
    let ranged = request(Method::GET, "/capsule/shop@1.0.0", &[("range", "bytes=0-6")], Body::empty());
    let ranged = answer(&lan, ranged).await;
    assert_eq!((ranged.status, &ranged.body[..]), (StatusCode::PARTIAL_CONTENT, &b"xyncaps"[..]));
    // The newest that may be seen, whatever is newer.
    assert_eq!(json!(xyn_store::Digest::of(&get("/capsule/shop").await.body)), packed[1]["file"]);
    for hidden in [&packed[2], &packed[3]] {
        for name in ["capsule", "id"] {
            let answer = get(&format!("/capsule/{}", text(&hidden[name]))).await;
            assert_eq!(answer.fault().0, 404, "{hidden}");
        }
        assert_eq!(get(&format!("/capsule/{}", text(&hidden["file"]))).await.status, StatusCode::NOT_FOUND);
    }
    for path in ["/api/v1/capsules", "/api/v1/runs", "/", "/metrics", "/capsule/", "/api/openapi.json"] {
        assert_eq!(get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let sent = answer(&lan, request(method, "/capsules", &[], Body::empty())).await;
        assert_eq!(sent.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    node.stop().await;
}
