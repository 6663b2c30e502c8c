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
