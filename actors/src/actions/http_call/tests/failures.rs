//! What a broken peer means: certain or uncertain, and of which kind.

use tokio::io::AsyncWriteExt as _;

use super::*;

#[tokio::test]
async fn a_refused_connection_is_certain() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
    let address = listener.local_addr().expect("a bound listener has an address");
    drop(listener);
    let refused = call(json!({"method": "POST", "url": format!("http://{address}/"), "json": {}})).await;
    assert_eq!(verdict(refused), (FailureKind::Connect, false, "connection_refused".into()));
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_certain() {
    let unknown = call(json!({"method": "POST", "url": "http://no-such-host.invalid/"})).await;
    assert_eq!(verdict(unknown), (FailureKind::Connect, false, "name_not_resolved".into()));
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_is_uncertain() {
    let part = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec();
    for bytes in [Vec::new(), b"HTTP/1.1 200 OK\r\ncont".to_vec(), part] {
        let server = Server::start(move |_| Answer::Full(bytes.clone())).await;
        let broken = call(json!({"method": "POST", "url": server.url("/")})).await;
        assert_eq!(verdict(broken), (FailureKind::Other, true, "connection_broken".into()));
        assert_eq!(server.seen().len(), 1, "nothing is tried again silently");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_uncertain() {
    let server = Server::start(|_| Answer::Full(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec())).await;
    let broken = call(json!({"url": server.url("/")})).await;
    assert_eq!(verdict(broken), (FailureKind::Other, true, "connection_broken".into()));
}

#[tokio::test]
async fn silence_is_an_uncertain_timeout() {
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec();
    for bytes in [Vec::new(), half] {
        let server = Server::start(move |_| Answer::Stall(bytes.clone())).await;
        let silent = call(json!({"url": server.url("/"), "timeout": "200ms"})).await;
        assert_eq!(verdict(silent), (FailureKind::Timeout, true, "timeout".into()));
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_refusal_whose_body_never_ends_is_still_that_refusal() {
    let half = b"HTTP/1.1 422 No\r\ncontent-length: 100\r\n\r\nhalf".to_vec();
    let server = Server::start(move |_| Answer::Stall(half.clone())).await;
    let failure = call(json!({"method": "POST", "url": server.url("/")})).await.expect_err("refused");
    assert_eq!((failure.kind, failure.uncertain), (FailureKind::Client, false));
    assert!(failure.message.ends_with("answered 422: half"), "{failure}");
}

#[tokio::test]
async fn a_failed_tls_handshake_is_certain() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
    let url = format!("https://{}/", listener.local_addr().expect("a bound listener has an address"));
    let plain = async {
        let (mut stream, _) = listener.accept().await.expect("a client");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("written");
    };
    let (hello, ()) = tokio::join!(call(json!({"method": "POST", "url": url, "json": {}})), plain);
    assert_eq!(verdict(hello), (FailureKind::Connect, false, "connect_failed".into()));
}

#[tokio::test]
async fn statuses_map_to_kinds_and_only_lost_answers_are_uncertain() {
    use FailureKind::*;
    let cases = [
        ("400 Bad", Client, false, false, "client_error"),
        ("404 Gone", Client, false, false, "client_error"),
        ("429 Slow", RateLimit, false, false, "rate_limited"),
        ("500 Oops", Server, false, false, "server_error"),
        ("503 Busy", Server, false, false, "server_error"),
        ("502 Gateway", Server, false, true, "gateway_error"),
        ("504 Gateway", Server, false, true, "gateway_error"),
        ("304 Same", Other, false, true, "unexpected_status"),
    ];
    for (status, kind, get_uncertain, post_uncertain, code) in cases {
        let server = super::Server::start(move |_| Answer::Full(answer(status, &[], b""))).await;
        for (method, uncertain) in [("GET", get_uncertain), ("POST", post_uncertain)] {
            let failed = call(json!({"method": method, "url": server.url("/")})).await;
            assert_eq!(verdict(failed), (kind, uncertain, code.into()), "{method} {status}");
        }
    }
    let server = super::Server::start(|_| Answer::Full(answer("404 Not Found", &[], b"none"))).await;
    let output = call(json!({"url": server.url("/"), "expect_status": [404]})).await.expect("expected");
    assert_eq!(output["status"], 404);
}

#[tokio::test]
async fn a_refusal_quotes_the_beginning_of_its_body_without_the_secrets_of_the_request() {
    let text = format!("bad token s3cr3t-token\r\nfor key=q-secret {}", "ü".repeat(2000));
    let server = Server::start(move |_| Answer::Full(answer("403 No", &[], text.as_bytes()))).await;
    let failure = call(json!({
        "url": server.url("/x"),
        "headers": {"authorization": "Bearer s3cr3t-token"},
        "query": {"api_key": "q-secret"},
    }))
    .await
    .expect_err("refused");
    let start = format!("GET {} answered 403: bad token [redacted]  for key=[redacted] ü", server.url("/x"));
    assert!(failure.message.starts_with(&start), "{failure}");
    assert!(failure.message.len() < 500);
}

#[tokio::test]
async fn an_answer_over_the_cap_is_not_held_and_uncertain_only_where_it_may_have_changed_something() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n20\r\n";
    let chunked = format!("{head}{}\r\n0\r\n\r\n", "x".repeat(32));
    let sized = answer("200 OK", &[], &[b'x'; 32]);
    for bytes in [chunked.into_bytes(), sized] {
        let server = Server::start(move |_| Answer::Full(bytes.clone())).await;
        for (method, uncertain) in [("GET", false), ("POST", true)] {
            let input = |max| json!({"method": method, "url": server.url("/"), "max_bytes": max});
            let failed = call(input(31)).await;
            assert_eq!(verdict(failed), (FailureKind::Other, uncertain, "body_too_large".into()), "{method}");
            assert_eq!(call(input(32)).await.expect("fits")["bytes"], 32);
        }
    }
}

#[tokio::test]
async fn json_that_does_not_parse_is_named() {
    let deep = "[".repeat(100_000).into_bytes();
    for body in [b"{\"a\":".to_vec(), b"NaN".to_vec(), vec![b'"', 0xff, b'"'], deep] {
        let bytes = answer("200 OK", &["content-type: application/json"], &body);
        let server = Server::start(move |_| Answer::Full(bytes.clone())).await;
        let failed = call(json!({"url": server.url("/")})).await;
        assert_eq!(verdict(failed), (FailureKind::Other, false, "invalid_json".into()));
    }
}

#[tokio::test]
async fn inputs_that_cannot_be_sent_are_refused_with_the_field() {
    let url = "https://example.com/";
    let cases = [
        (json!({}), "url"),
        (json!({"url": "/relative"}), "url"),
        (json!({"url": url, "colour": 1}), "colour"),
        (json!({"url": url, "method": "BREW"}), "BREW"),
        (json!({"url": url, "headers": {"x": "a\r\nEvil: 1"}}), "headers.x"),
        (json!({"url": url, "headers": {"x": "a\0"}}), "headers.x"),
        (json!({"url": url, "headers": {"x\r\nEvil": "1"}}), "headers"),
        (json!({"url": url, "headers": {"": "1"}}), "headers"),
        (json!({"url": url, "headers": {"Host": "other"}}), "headers.Host"),
        (json!({"url": url, "headers": {"Transfer-Encoding": "chunked"}}), "headers.Transfer-Encoding"),
        (json!({"url": url, "headers": {"A": "1", "a": "2"}}), "headers.a"),
        (json!({"url": url, "body": "x", "json": 1}), "at most one"),
        (json!({"url": url, "body_base64": "***"}), "body_base64"),
        (json!({"url": url, "timeout": "0s"}), "timeout"),
        (json!({"url": url, "timeout": "-5s"}), "timeout"),
        (json!({"url": url, "timeout": "2h"}), "timeout"),
        (json!({"url": url, "timeout": "soon"}), "timeout"),
        (json!({"url": url, "max_bytes": 0}), "max_bytes"),
        (json!({"url": url, "max_bytes": 16_777_217}), "max_bytes"),
        (json!([1]), "invalid"),
    ];
    for (input, field) in cases {
        let failure = call(input.clone()).await.expect_err("refused");
        assert_eq!((failure.kind, failure.uncertain), (FailureKind::Other, false), "{input}");
        assert_eq!(failure.code, "invalid_input", "{input}");
        assert!(failure.message.contains(field), "{input}: {failure}");
    }
    let with_user = call(json!({"url": "http://u:p@127.0.0.1/"})).await.expect_err("refused");
    assert_eq!(with_user.code, "invalid_url");
    assert!(!with_user.message.contains("u:p"), "{with_user}");
}
