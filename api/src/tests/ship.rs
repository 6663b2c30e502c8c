//! Studio's pages of what is shipped and of the rules: what they show, what their forms do, and that nothing that
//! somebody wrote is taken for a part of a page.

use super::*;

/// What must not come out as it went in.
const HOSTILE: &str = "</textarea><script>alert(1)</script>";

/// Allows everything in production.
const OPEN: &str = "policy_id: pol.open\npolicy_type: governance\nname: Open\nevaluation_mode: first_match\n\
                    rules:\n  - { rule_id: all, effect: allow }\n";

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

async fn pack(node: &Node, version: &str) -> String {
    let manifest = json!({ "id": "shop", "name": format!("Shop {HOSTILE}"), "version": version });
    let made = node.post("/api/v1/capsules", &json!({ "workspace": "shop", "manifest": manifest })).await;
    text(&made.json()["capsule"]).to_owned()
}

/// Sends a form; the page behind it, or what was answered.
async fn submit(node: &Node, path: &str, fields: &[(&str, &str)]) -> Result<String, Answer> {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let answer = node.send(request(Method::POST, path, &headers, Body::from(body))).await;
    if answer.status == StatusCode::SEE_OTHER {
        Ok(answer.header("location").to_owned())
    } else {
        Err(answer)
    }
}

/// A page, which is one, and holds nothing as it was written.
async fn page(node: &Node, path: &str) -> String {
    let answer = node.get(path).await;
    let html = String::from_utf8(answer.body.clone()).expect("a page is text");
    assert_eq!(answer.status, StatusCode::OK, "{path}: {html}");
    assert!(!html.contains("<script>alert"), "{path} lets through what somebody wrote");
    html
}

#[tokio::test]
async fn a_capsule_is_shown_proved_compared_and_deployed_and_production_asks_first() {
    let (node, _folder) = shop().await;
    let (old, new) = (pack(&node, "1.0.0").await, pack(&node, "1.1.0").await);
    assert!(page(&node, "/ui/capsules").await.contains(&format!("/ui/capsules/{new}")));
    for (part, holds) in [
        ("", "Every byte was read"),
        ("?show=provenance", "Provenance (SLSA v1)"),
        ("?show=packages", "No packages"),
        ("?show=files&find=index", "index.html"),
        ("?show=files&find=nothing", "No file fits"),
        ("?show=manifest", "urn:xyn:app:shop@1.1.0"),
    ] {
        let html = page(&node, &format!("/ui/capsules/{new}{part}")).await;
        assert!(html.contains("data-types=\"port=integer"), "the form says what of it is no text");
        assert!(html.contains(holds), "{part}");
    }
    let diff = page(&node, &format!("/ui/capsules/diff?from={old}&to={new}")).await;
    assert!(diff.contains("/version") && diff.contains("byte for byte"));
    let next = format!("/ui/capsules/{new}?verified={{intent_id}}");
    let fields = [("capsule", new.as_str()), ("~next", next.as_str())];
    let proved = submit(&node, "/ui/do/capsule.verify", &fields).await.expect("leads on");
    assert!(page(&node, &proved).await.contains("once more, by this act"));
    let other = page(&node, &proved.replace(&new, &old)).await;
    assert!(other.contains("when it came here"), "an act proves the capsule that it read, and no other");

    let next = ("~next", "/ui/deploys/{deployment}");
    let deploy = async |capsule: &str, stage: &str, word: &str| {
        let fields = [("capsule", capsule), ("stage", stage), ("confirm", word), next];
        submit(&node, "/ui/do/capsule.deploy", &fields).await
    };
    let dev = deploy(&old, "dev", "").await.expect("leads on");
    assert!(dev.starts_with("/ui/deploys/shop.dev.static?done="), "{dev}");
    assert!(page(&node, "/ui/deploys").await.contains("serving"));
    let moment = node.get("/api/v1/deployments/shop.dev").await.json()["current"]["entry_id"].clone();
    let moment = page(&node, &format!("/ui/timeline?at={}", text(&moment))).await;
    assert!(
        moment.contains("Roll back to here") && moment.contains("Undo in dev"),
        "it is one of this node's"
    );
    assert!(page(&node, "/ui/deploys/shop.dev.static/_log").await.contains("no process"));
    let open = submit(&node, "/ui/do/policies.activate", &[("source", OPEN)]).await;
    assert!(open.is_ok());
    let asked = deploy(&old, "prod", "").await.expect_err("production asks");
    let html = String::from_utf8(asked.body).expect("a page");
    assert!(asked.status == StatusCode::OK && html.contains("Deploy shop 1.0.0 to prod"), "{html}");
    assert!(!page(&node, "/ui/deploys").await.contains("shop.prod"), "asking changes nothing");
    let (_, word) = html.split_once("name=\"confirm\" value=\"").expect("the form says the word");
    let outdated = deploy(&new, "prod", &word[..16]).await.expect_err("it is the word for another capsule");
    assert!(String::from_utf8_lossy(&outdated.body).contains("It has changed since it was shown"));
    let prod = deploy(&old, "prod", &word[..16]).await.expect("confirmed");
    assert!(page(&node, &prod).await.contains("Nothing served here before"));
    assert!(page(&node, &format!("/ui/capsules/{old}")).await.contains("/ui/deploys/shop.prod.static"));
    node.stop().await;
}

#[tokio::test]
async fn production_shows_which_services_will_be_attached_by_which_secrets() {
    let (node, _folder) = shop().await;
    let secret = json!({ "name": "shared/cache", "value": "redis://:hunter22@localhost" });
    let kept = node.post("/api/v1/intents", &json!({ "action": "secret.put", "input": secret })).await;
    assert!(kept.status.is_success(), "{:?}", kept.json());
    submit(&node, "/ui/do/policies.activate", &[("source", OPEN)]).await.expect("in force");
    let services = json!([{ "name": "cache", "type": "kv" }]);
    let manifest = json!({ "id": "shop", "name": "Shop", "version": "1.0.0", "services": services });
    let made = node.post("/api/v1/capsules", &json!({ "workspace": "shop", "manifest": manifest })).await;
    let capsule = text(&made.json()["capsule"]).to_owned();
    let fields = [
        ("capsule", capsule.as_str()),
        ("stage", "prod"),
        ("services.cache", "shared/cache"),
        ("target", "static"),
    ];
    let asked = submit(&node, "/ui/do/capsule.deploy", &fields).await.expect_err("production asks");
    let html = String::from_utf8(asked.body).expect("a page");
    let said = "<code>cache</code> at the address in the secret <code>shared/cache</code>";
    assert!(html.contains(said) && !html.contains("hunter22"), "{html}");
    node.stop().await;
}

#[tokio::test]
async fn a_rollback_may_ask_for_seeds_and_production_restates_them() {
    let (node, folder) = shop().await;
    submit(&node, "/ui/do/policies.activate", &[("source", OPEN)]).await.expect("in force");
    let dir = folder.path().canonicalize().expect("there").join("shop");
    std::fs::write(dir.join("users.csv"), "ada").expect("written");
    let seeds = json!([{ "name": "users", "type": "files", "path": "users.csv" }]);
    for (version, seeds) in [("1.0.0", seeds), ("1.1.0", json!([]))] {
        let manifest = json!({ "id": "shop", "name": "Shop", "version": version, "seeds": seeds });
        let pack = json!({ "workspace": "shop", "manifest": manifest });
        let made = node.post("/api/v1/capsules", &pack).await.json();
        let mut deploy = json!({ "capsule": made["capsule"], "stage": "prod" });
        let asked = node.post("/api/v1/deployments", &deploy).await.json();
        deploy["confirm"] = asked["error"]["details"]["confirm"].clone();
        assert_eq!(node.post("/api/v1/deployments", &deploy).await.status, StatusCode::CREATED);
    }
    let shown = page(&node, "/ui/deploys/shop.prod.static").await;
    assert!(shown.contains("name=\"seeds\" value=\"true\"") && shown.contains("unless you ask"), "{shown}");
    let place = [("app", "shop"), ("stage", "prod"), ("target", "static")];
    let back = async |more: &[(&str, &str)]| {
        submit(&node, "/ui/do/capsule.rollback", &[&place[..], more].concat()).await
    };
    let asked = String::from_utf8(back(&[]).await.expect_err("production asks").body).expect("a page");
    assert!(!asked.contains("confirm-seeds"), "{asked}");
    let asked = back(&[("seeds", "true")]).await.expect_err("production asks");
    let asked = String::from_utf8(asked.body).expect("a page");
    assert!(asked.contains("Its seeds <code>users</code> are applied again, over what is there"), "{asked}");
    // The form says all of it again.
    assert!(asked.contains("name=\"seeds\" value=\"true\""), "{asked}");
    let (_, word) = asked.split_once("name=\"confirm\" value=\"").expect("the form says the word");
    back(&[("seeds", "true"), ("confirm", &word[..16])]).await.expect("confirmed");
    let told = page(&node, "/ui/deploys/shop.prod.static").await;
    assert!(told.contains("rolled back, seeds again"), "{told}");
    node.stop().await;
}

#[tokio::test]
async fn a_blueprint_is_written_checked_saved_promoted_and_compared() {
    let node = Node::start().await;
    let broken = format!("id: bp.greet\nname: \"{HOSTILE}\"\ntriger: {{}}\n");
    let fields = [("name", HOSTILE), ("definition", broken.as_str())];
    for path in ["/ui/blueprints/_check", "/ui/blueprints/edit"] {
        let html = submit(&node, path, &fields).await.expect_err("a page, and nothing kept");
        let html = String::from_utf8(html.body).expect("text");
        assert!(html.contains("data-line=\"3\" data-column=\"1\"") && html.contains("unknown_key"), "{html}");
        assert!(!html.contains("<script>alert"), "{path}");
    }
    let shown = "&#60;/textarea&#62;";
    assert!(!page(&node, "/ui/blueprints?show=drafts").await.contains(shown), "checking keeps nothing");
    let save = [("draft_type", "blueprint"), ("name", HOSTILE), ("definition", broken.as_str())];
    let next = ("~next", "/ui/blueprints/edit?draft={draft_id}");
    let draft = submit(&node, "/ui/do/drafts.save", &[&save[..], &[next]].concat()).await.expect("leads on");
    assert!(page(&node, &draft).await.contains("Validate what is saved"));
    assert!(page(&node, "/ui/blueprints?show=drafts").await.contains(shown));
    let (_, id) = draft.split_once("draft=").expect("the draft is named");
    let id = id.split(['&', '#']).next().unwrap_or_default();
    for (action, fields) in [
        ("drafts.save", &[("draft_id", "d-0"), ("draft_type", "blueprint"), fields[0], fields[1]][..]),
        ("blueprints.promote", &[("draft_id", id)]),
    ] {
        let refused = submit(&node, &format!("/ui/do/{action}"), fields).await.expect_err("is refused");
        let html = String::from_utf8(refused.body).expect("a page");
        assert!(refused.status.is_client_error() && html.contains("Back to the text"), "{html}");
        for (name, value) in fields {
            let value = value.replace('<', "&#60;").replace('>', "&#62;").replace('"', "&#34;");
            assert!(html.contains(&format!("name=\"{name}\" value=\"{value}\"")), "{action}: {name}");
        }
    }
    let again = submit(&node, "/ui/blueprints/edit", &[("draft_id", id)]).await.expect_err("a page");
    assert!(String::from_utf8_lossy(&again.body).contains("triger"), "the draft holds the text");
    node.promote(GREET).await;
    node.promote(&GREET.replace("name: Greet", "name: Greet again")).await;
    assert!(page(&node, "/ui/blueprints").await.contains("Greet again"));
    let changed = page(&node, "/ui/blueprints/bp.greet?version=2&against=1").await;
    assert!(changed.contains("</span>name: Greet</td>") && changed.contains("</span>name: Greet again</td>"));
    assert!(page(&node, "/ui/blueprints/edit?from=bp.greet&version=1").await.contains("no fault found"));
    for missing in ["bp.nobody", "bp.greet?version=9", "%00"] {
        assert_eq!(node.get(&format!("/ui/blueprints/{missing}")).await.status, StatusCode::NOT_FOUND);
    }
    node.stop().await;
}

#[tokio::test]
async fn what_was_asked_is_found_explained_and_proved() {
    let node = Node::start().await;
    let why = page(&node, "/ui/policies/why?action=http.call&stage=prod").await;
    assert!(why.contains("denied") && why.contains("pol.dev.default"), "{why}");
    let hostile: String = form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    page(&node, &format!("/ui/policies/why?action={hostile}&actor={hostile}&kind={hostile}")).await;
    let policy = page(&node, "/ui/policies/pol.dev.default").await;
    assert!(policy.contains("/ui/policies/edit?from=pol.dev.default"), "{policy}");
    let faulty = submit(&node, "/ui/policies/_check", &[("source", "policy_id: x\n")]).await;
    let faulty = faulty.expect_err("a part of a page").body;
    assert!(String::from_utf8_lossy(&faulty).contains("missing_key"));

    let intent =
        json!({ "action": "events.emit", "input": { "event_name": "test.x", "data": { "x": HOSTILE } } });
    let made = node.post("/api/v1/intents", &intent).await.json();
    let (intent, event) = (text(&made["intent_id"]), text(&made["output"]["event_id"]).to_owned());
    let audit = page(&node, "/ui/audit?action=events.emit&status=completed").await;
    assert!(audit.contains(&format!("/ui/audit/intents/{intent}")) && audit.contains(&event));
    assert!(page(&node, "/ui/audit?action=nothing.such").await.contains("Nothing fits"));
    assert!(page(&node, &format!("/ui/audit/intents/{intent}")).await.contains("operator@local"));
    assert!(page(&node, &format!("/ui/policies/why?intent={intent}")).await.contains("What was decided"));
    for proof in ["entry=0", "old_size=1"] {
        let html = page(&node, &format!("/ui/audit/proof?{proof}")).await;
        assert!(html.contains("Hashes, from the leaf up") && !html.contains("does not hold"), "{proof}");
    }
    assert!(page(&node, "/ui/audit/proof?entry=0").await.contains("state ok"));
    for nonsense in
        ["entry=x", "entry=999999", "entry=18446744073709551615", "old_size=9999999", "old_size=-1"]
    {
        let answer = node.get(&format!("/ui/audit/proof?{nonsense}")).await;
        assert!(answer.status.is_client_error(), "{nonsense}: {}", answer.status);
    }
    node.stop().await;
}
