//! Artifacts: every way in, and the way out.

use super::*;

const BOUNDARY: &str = "multipart/form-data; boundary=x";

/// A form with a file and text parts.
fn form(content: &[u8], parts: &[(&str, &str)]) -> Body {
    let mut form = Vec::new();
    for (name, value) in parts {
        let part = format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        form.extend_from_slice(part.as_bytes());
    }
    let head = "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"data.bin\"\r\n";
    form.extend_from_slice(format!("{head}content-type: text/html\r\n\r\n").as_bytes());
    form.extend_from_slice(content);
    form.extend_from_slice(b"\r\n--x--\r\n");
    form.into()
}

/// Bytes that differ from place to place.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place % 251) as u8).collect()
}

#[tokio::test]
async fn an_uploaded_file_comes_back_whole_and_in_part() {
    let node = Node::start().await;
    for length in [1, 5_000, 3_000_000] {
        let bytes = content(length);
        let body = form(&bytes, &[("kind", "bundle"), ("metadata", "{\"a\":1}")]);
        let headers = [("content-type", BOUNDARY)];
        let put = node.send(request(Method::POST, "/api/v1/artifacts", &headers, body)).await;
        assert_eq!(put.status, StatusCode::CREATED, "{:?}", put.json());
        let artifact = put.json();
        assert_eq!((&artifact["name"], &artifact["kind"]), (&json!("data.bin"), &json!("bundle")));
        assert_eq!((&artifact["byte_length"], &artifact["metadata"]), (&json!(length), &json!({ "a": 1 })));
        let path = put.header("location").to_owned();
        assert_eq!(node.get(&path).await.json(), artifact);

        let download = format!("{path}/download");
        let whole = node.get(&download).await;
        assert_eq!((whole.status, &whole.body), (StatusCode::OK, &bytes));
        assert_eq!(whole.header("etag"), format!("\"{}\"", text(&artifact["sha256"])));
        assert_eq!(whole.header("content-type"), "application/octet-stream");
        assert_eq!(whole.header("x-content-type-options"), "nosniff");
        assert!(whole.header("content-disposition").starts_with("attachment; filename=\"data.bin\""));

        let tail = node.get_with(&download, &[("range", "bytes=-1")]).await;
        assert_eq!((tail.status, &tail.body[..]), (StatusCode::PARTIAL_CONTENT, &bytes[length - 1..]));
        let place = length - 1;
        assert_eq!(tail.header("content-range"), format!("bytes {place}-{place}/{length}"));
        let behind = node.get_with(&download, &[("range", &format!("bytes={length}-"))]).await;
        assert_eq!((behind.fault().0, behind.header("content-range")), (416, &*format!("bytes */{length}")));
        let known = node.get_with(&download, &[("if-none-match", whole.header("etag"))]).await;
        assert_eq!(known.status, StatusCode::NOT_MODIFIED);
    }
    node.stop().await;
}

#[tokio::test]
async fn a_blob_is_uploaded_first_and_named_afterwards() {
    let node = Node::start().await;
    for length in [0, 10, 100_000] {
        let bytes = content(length);
        let blob =
            node.send(request(Method::POST, "/api/v1/artifacts/blobs", &[], bytes.clone().into())).await;
        assert_eq!(blob.status, StatusCode::CREATED);
        let mut fields = blob.json();
        fields["name"] = json!("named.bin");
        let put = node.post("/api/v1/artifacts", &fields).await;
        assert_eq!(put.status, StatusCode::CREATED, "{:?}", put.json());
        let back = node.get(&format!("{}/download", put.header("location"))).await;
        assert_eq!(back.body, bytes);
    }
    let nowhere = json!({ "name": "x", "sha256": "0".repeat(64), "byte_length": 5 });
    assert_eq!(
        node.post("/api/v1/artifacts", &nowhere).await.fault(),
        (404, "not_found".into(), "sha256".into())
    );
    node.stop().await;
}

#[tokio::test]
async fn a_form_that_does_not_fit_is_refused_and_leaves_nothing() {
    let node = Node::start().await;
    let send = async |body: Body| {
        let headers = [("content-type", BOUNDARY)];
        node.send(request(Method::POST, "/api/v1/artifacts", &headers, body)).await.fault()
    };
    assert_eq!(send(form(b"x", &[("colour", "red")])).await.2, "colour");
    assert_eq!(send(form(b"x", &[("name", "a"), ("name", "b")])).await.2, "name");
    assert_eq!(send(form(b"x", &[("metadata", "{")])).await.1, "malformed_json");
    assert_eq!(send(Body::from("--x--\r\n")).await.2, "file");
    assert_eq!(send(Body::from("nonsense")).await.0, 400);
    assert_eq!(node.get("/api/v1/artifacts").await.json()["items"], json!([]));
    node.stop().await;
}

#[tokio::test]
async fn artifacts_of_a_run_are_listed() {
    let node = Node::start().await;
    node.promote(GREET).await;
    let run = node.run("bp.greet", json!({ "who": "you" })).await;
    let listed = node.get(&format!("/api/v1/artifacts?run_id={}", text(&run["run_id"]))).await.json();
    let artifact = &listed["items"][0];
    assert_eq!((&artifact["name"], &artifact["step_id"]), (&json!("greeting.txt"), &json!("keep")));
    let back = node.get(&format!("/api/v1/artifacts/{}/download", text(&artifact["artifact_id"]))).await;
    assert_eq!(back.body, b"hello you");
    node.stop().await;
}
