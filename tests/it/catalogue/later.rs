//! What comes to a capsule later: signatures of people on several nodes, and how it fared where it was deployed.

use super::*;

/// Makes the key `name` beside the app; answers its file.
fn keygen(app: &App, mate: &Mate, name: &str) -> String {
    let path = app.path(name).to_str().expect("text").to_owned();
    xyn(mate, &["capsule", "keygen", &path]).ok();
    path
}

fn signers(mate: &Mate) -> usize {
    let known = xyn(mate, &["--json", "capsule", "show", "shop"]).json();
    known["proved"]["signers"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn a_threshold_of_two_is_met_by_two_people_on_two_nodes() {
    let ([ada, bob, eve], _) = team().await;
    let app = App::of(&ada);
    app.version("1.0.0");
    app.write("index.html", "<h1>The shop</h1>\n");
    app.write("goods", lines(1, 2 << 20));
    let one = pack(&ada, &["--workspace", "shop"]);
    for mate in [&bob, &eve] {
        offered(mate, "urn:xyn:app:shop@1.0.0").await;
    }
    pull(&bob, "shop");
    let [root, ben, dan] = ["root.key", "ben.key", "dan.key"].map(|name| keygen(&app, &ada, name));
    let ring = app.path("lab.ring").to_str().expect("text").to_owned();
    xyn(&ada, &["capsule", "ring", "new", &ring, "--key", &root]).ok();
    for (publisher, more) in [(ada.key().to_string(), "1"), (format!("{ben}.pub"), "2")] {
        let add = ["capsule", "ring", "add", &ring, "--pub", &publisher, "--as", "publisher"];
        xyn(&ada, &[&add[..], &["--threshold", more, "--key", &root]].concat()).ok();
    }
    for mate in [&ada, &bob, &eve] {
        xyn(mate, &["capsule", "ring", "use", &ring, "--pub", &format!("{root}.pub")]).ok();
    }
    let deploy = || xyn(&ada, &["capsule", "deploy", "shop", "--stage", "dev"]);
    deploy().says(6, &["the gate `trust`", "1 of 2 needed signatures of `publisher` keys"]);
    xyn(&eve, &["capsule", "pull", "shop"]).says(6, &["1 of 2 needed signatures"]);

    // Somebody who is no publisher signs nothing here; Ben does, on Bob's node.
    let stranger = xyn(&bob, &["capsule", "sign", "shop", "--key", &dan]);
    stranger.says(6, &["does not count", "the key is not known here"]);
    assert_eq!(signers(&bob), 1);
    let said = xyn(&bob, &["--json", "capsule", "sign", "shop", "--key", &ben]).json();
    assert_eq!((&said["capsule"], &said["added"]), (&one["capsule"], &true.into()));
    assert_eq!(signers(&bob), 2);
    assert_eq!(xyn(&bob, &["--json", "capsule", "verify", "shop"]).json()["threshold"], 2);
    let moments = bob.node().all("/api/v1/timeline?kind=verify").await;
    assert!(moments.iter().any(|it| it["title"] == "The shop 1.0.0: signed, generation 1"), "{moments:?}");

    // Ada has the capsule, and takes over the signature; little else of its file travels.
    let before = came(&ada).await;
    let again = eventually("the signature comes", async || {
        let again = pull(&ada, "shop");
        (signers(&ada) == 2).then_some(again)
    })
    .await;
    assert_eq!((&again["capsule"], &again["is_new"]), (&one["capsule"], &false.into()));
    let moved = came(&ada).await - before;
    assert!(2.0 * moved < bytes(&one["size_bytes"]), "{moved} bytes came for a signature on {one}");
    let url = deploy().ok();
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let page = http.get(url.trim()).send().await.expect("answered").text().await.expect("text");
    assert_eq!(page, "<h1>The shop</h1>\n");
    // Eve had none: she gets the one that two signed, though the first that was offered is not enough.
    let came = eventually("it is offered with both", async || {
        let said = xyn(&eve, &["--json", "capsule", "pull", "shop"]);
        (said.code == 0).then_some(said)
    })
    .await;
    assert_eq!((&came.json()["capsule"], signers(&eve)), (&one["capsule"], 2));
}

#[tokio::test]
async fn how_a_capsule_fared_on_one_node_is_known_on_the_others() {
    let ([ada, bob, _eve], _) = team().await;
    let (_app, one) = page(&ada, &bob).await;
    pull(&bob, "shop");
    xyn(&ada, &["capsule", "deploy", "shop", "--stage", "staging"]).ok();
    let said = eventually("the report comes", async || {
        assert_eq!(pull(&bob, "shop")["capsule"], one["capsule"]);
        let said = xyn(&bob, &["capsule", "verify", "shop"]).ok();
        said.contains("first-run").then_some(said)
    })
    .await;
    let words =
        "ok with urn:xyn:predicate:first-run:v1, signed by who counts: well in staging as static after ";
    assert!(said.contains(words), "{said}");
}
