//! Artifacts: every way in, and the way out.

use xyn_store::Digest;
use xyn_store::blobs::{Manifest, Parcel};

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

/// What is posted of a blob: frames with the list of its chunks, and with a record of each of `chunks`.
fn parts(manifest: &Manifest, chunks: &[&[u8]]) -> Vec<u8> {
    let frames = [manifest.encode()].into_iter().chain(chunks.iter().map(|chunk| Parcel::of(chunk)));
    frames.flat_map(|frame| [&(frame.len() as u32).to_le_bytes()[..], &frame].concat()).collect()
}

#[tokio::test]
async fn a_blob_that_comes_in_parts_is_here_when_nothing_of_it_is_lacking() {
    let node = Node::start().await;
    let send =
        async |body: Body| node.send(request(Method::POST, "/api/v1/artifacts/blobs/parts", &[], body)).await;
    let bytes = content(500_000);
    let chunks: Vec<&[u8]> = bytes.chunks(100_000).collect();
    let list = chunks.iter().map(|chunk| (Digest::of(chunk), chunk.len() as u32)).collect();
    let manifest = Manifest::new(Digest::of(&bytes), list);
    let lacking = async |chunks: &[&[u8]]| {
        let answer = send(parts(&manifest, chunks).into()).await.json();
        assert_eq!((&answer["sha256"], &answer["byte_length"]), (&json!(manifest.object()), &json!(500_000)));
        answer["lacking"].clone()
    };
    assert_eq!(lacking(&[]).await, json!([{ "from": 0, "bytes": 500_000 }]));
    // It breaks off behind a whole chunk and a half.
    let half = parts(&manifest, &[chunks[1], chunks[2]]);
    let until = parts(&manifest, &[chunks[1]]).len() + 50;
    let pieces = [Ok(half[..until].to_vec()), Err(std::io::Error::other("gone"))];
    let broken = send(Body::from_stream(futures::stream::iter(pieces))).await;
    assert_eq!(broken.fault(), (400, "invalid".into(), "body".into()));
    let after = json!([{ "from": 0, "bytes": 100_000 }, { "from": 200_000, "bytes": 300_000 }]);
    while lacking(&[]).await != after {
        tokio::task::yield_now().await;
    }
    assert_eq!(lacking(&[chunks[3], chunks[2]]).await[1], json!({ "from": 400_000, "bytes": 100_000 }));
    assert_eq!(lacking(&[chunks[4], chunks[0]]).await, json!([]));
    let named = json!({ "name": "parts.bin", "sha256": manifest.object(), "byte_length": 500_000 });
    let put = node.post("/api/v1/artifacts", &named).await;
    assert_eq!(put.status, StatusCode::CREATED, "{:?}", put.json());
    assert_eq!(node.get(&format!("{}/download", put.header("location"))).await.body, bytes);
    node.stop().await;
}

#[tokio::test]
async fn parts_that_are_not_what_their_list_says_are_refused() {
    let node = Node::start().await;
    let (one, other) = (content(60_000), content(70_000));
    let list = |object: &[u8]| Manifest::new(Digest::of(object), vec![(Digest::of(&one), 60_000)]);
    let mut changed = parts(&list(&one), &[&one]);
    *changed.last_mut().expect("it has bytes") ^= 1;
    let long = [&parts(&list(&one), &[])[..], &u32::MAX.to_le_bytes()].concat();
    for (body, why) in [
        (Vec::new(), "begins with the list"),
        (vec![1, 0], "ends within a frame"),
        (b"\x03\0\0\0abc".to_vec(), "no list of chunks"),
        (parts(&list(&one), &[&other]), "not one that was asked for"),
        (changed, "does not verify"),
        (long, "4294967295 bytes"),
        (parts(&list(&other), &[&one]), "are not"),
    ] {
        let answer =
            node.send(request(Method::POST, "/api/v1/artifacts/blobs/parts", &[], body.into())).await;
        let said = answer.json()["error"]["message"].as_str().expect("a message").to_owned();
        assert!(answer.status == StatusCode::BAD_REQUEST && said.contains(why), "{why}: {said}");
    }
    let nowhere = json!({ "name": "x", "sha256": Digest::of(&other), "byte_length": 70_000 });
    assert_eq!(
        node.post("/api/v1/artifacts", &nowhere).await.fault().0,
        404,
        "a list that lies makes no blob"
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
