//! Redirects: each hop is checked, nothing secret follows to a stranger.

use super::server::redirect;
use super::*;

#[tokio::test]
async fn methods_change_across_redirects_as_browsers_change_them() {
    let cases = [
        ("GET", 301, "GET"),
        ("HEAD", 303, "HEAD"),
        ("POST", 301, "GET"),
        ("POST", 302, "GET"),
        ("POST", 303, "GET"),
        ("PUT", 303, "GET"),
        ("PUT", 302, "PUT"),
        ("POST", 307, "POST"),
        ("POST", 308, "POST"),
    ];
    for (method, status, then) in cases {
        let server = Server::start(move |seen| match seen.target() {
            "/a" => redirect(status, "/b"),
            _ => Answer::Full(answer("200 OK", &[], b"")),
        })
        .await;
        let mut input = json!({"method": method, "url": server.url("/a"), "headers": {"cookie": "c=1"}});
        if !matches!(method, "GET" | "HEAD") {
            input["body"] = json!("data");
        }
        let output = call(input).await.expect("answered");
        assert_eq!(output["url"], server.url("/b"));
        let second = &server.seen()[1];
        assert_eq!(second.line, format!("{then} /b HTTP/1.1"), "{method} {status}");
        let keeps_body = matches!(then, "POST" | "PUT");
        assert_eq!(second.body.as_slice(), if keeps_body { "data".as_bytes() } else { b"" });
        assert_eq!(second.header("content-type").is_some(), keeps_body);
        assert_eq!(second.header("cookie"), Some("c=1"), "the same origin keeps its secrets");
        assert_eq!(second.header("idempotency-key"), Some("run/step/1"));
    }
}

#[tokio::test]
async fn secrets_do_not_follow_to_another_origin() {
    let other = Server::start(|_| Answer::Full(answer("200 OK", &[], b""))).await;
    let target = other.url("/");
    let server = Server::start(move |_| redirect(307, &target)).await;
    let headers = json!({"Authorization": "Bearer s", "Cookie": "c", "X-My-Secret": "x", "Accept": "a/b"});
    call(json!({"url": server.url("/"), "headers": headers})).await.expect("answered");
    let seen = &other.seen()[0];
    for gone in ["authorization", "cookie", "x-my-secret", "referer"] {
        assert_eq!(seen.header(gone), None, "{gone}");
    }
    assert_eq!(seen.header("accept"), Some("a/b"));
}

#[tokio::test]
async fn every_hop_is_guarded() {
    let blocked = [
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://[::ffff:10.0.0.1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://0.0.0.0/",
        "//192.168.1.1/",
    ];
    for location in blocked {
        let server = Server::start(move |_| redirect(302, location)).await;
        let denied = call(json!({"url": server.url("/")})).await;
        assert_eq!(verdict(denied), (FailureKind::Other, false, "egress_denied".into()), "{location}");
    }
    for location in ["ftp://example.com/", "file:///etc/passwd", "http://user:pass@127.0.0.1/"] {
        let server = Server::start(move |_| redirect(302, location)).await;
        let denied = call(json!({"url": server.url("/")})).await;
        assert_eq!(verdict(denied), (FailureKind::Other, false, "invalid_url".into()), "{location}");
    }
}

#[tokio::test]
async fn a_failure_behind_a_redirect_that_answered_a_post_is_uncertain() {
    let server = Server::start(move |_| redirect(303, "http://10.0.0.1/")).await;
    let denied = call(json!({"method": "POST", "url": server.url("/")})).await;
    assert_eq!(verdict(denied), (FailureKind::Other, true, "egress_denied".into()));
    let server = Server::start(move |_| redirect(307, "http://10.0.0.1/")).await;
    let denied = call(json!({"method": "POST", "url": server.url("/")})).await;
    assert_eq!(verdict(denied), (FailureKind::Other, false, "egress_denied".into()));
}

#[tokio::test]
async fn a_redirect_loop_ends_after_five_hops() {
    let server = Server::start(|_| redirect(302, "/again")).await;
    let looped = call(json!({"url": server.url("/")})).await;
    assert_eq!(verdict(looped), (FailureKind::Other, false, "too_many_redirects".into()));
    assert_eq!(server.seen().len(), 6);
}

#[tokio::test]
async fn a_redirect_is_an_answer_when_it_is_not_followed() {
    let server = Server::start(|_| redirect(302, "http://10.0.0.1/")).await;
    let output = call(json!({"url": server.url("/"), "follow_redirects": false})).await.expect("answered");
    assert_eq!(
        (&output["status"], &output["headers"]["location"]),
        (&json!(302), &json!("http://10.0.0.1/"))
    );
}

#[test]
fn a_redirect_to_plain_http_or_nowhere_is_refused() {
    let mut request =
        input::parse(json!({"url": "https://example.com/"}), &context(LOOPBACK)).expect("parses");
    let refused = request.redirect(StatusCode::FOUND, "http://example.com/").expect_err("insecure");
    assert_eq!(refused.code, "insecure_redirect");
    let refused = request.redirect(StatusCode::FOUND, "http://[").expect_err("no URL");
    assert_eq!(refused.code, "invalid_redirect");
}
