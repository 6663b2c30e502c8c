//! Where what an app is given comes from, and what is said when it is missing.

use xyn_store::Timestamp;
use xyn_store::scope::{Principal, Stage};

use super::*;
use crate::services::secrets::Vault;

fn manifest(services: &str, env: &str) -> Manifest {
    let text = format!(
        r#"{{"formatVersion": 1, "id": "urn:xyn:app:web-shop@1.0.0", "name": "The shop", "version": "1.0.0",
        "generation": 1, "createdAt": "2026-01-01T00:00:00Z", "app": {{"command": ["x"], "env": {env}}},
        "createdBy": {{"name": "ada", "keyId": "{id}"}}, "services": {services},
        "build": {{"steps": [], "outDir": ".", "sourceDateEpoch": 0}}, "rights": {{}}, "tree": "{id}"}}"#,
        id = "0".repeat(64)
    );
    Manifest::read(text.as_bytes()).expect("a manifest")
}

fn search(
    vault: &Vault,
    stage: Stage,
    attached: &[(&str, &str)],
    manifest: &Manifest,
) -> Result<(Given, String), String> {
    let place = Place { app: "web-shop".to_owned(), stage, target: Target::Process };
    let attached: Attached =
        attached.iter().map(|(name, secret)| ((*name).to_owned(), (*secret).to_owned())).collect();
    let data = Path::new("/data");
    let (given, used, of_node) = (Given::default(), BTreeMap::new(), Vec::new());
    let secrets = &vault.open().expect("opens");
    Search { secrets, place: &place, attached: &attached, data, given, used, of_node }
        .all(manifest, |name| (name == "XYN_APP_WEB_SHOP_MODE").then(|| "fast".to_owned()))
        .map_err(|refusal| refusal.to_string())
}

fn vault(secrets: &[(&str, &str)]) -> (tempfile::TempDir, Vault) {
    let folder = tempfile::tempdir().expect("a folder");
    let vault = Vault::of(folder.path());
    for (name, value) in secrets {
        let (name, at) = (name.parse().expect("a name"), Timestamp::from_micros(1));
        vault.put(&name, Secret::new(*value), &Principal::local_operator(), at).expect("kept");
    }
    (folder, vault)
}

#[test]
fn values_come_from_the_stage_then_the_app_then_the_node_then_the_manifest() {
    let (_folder, vault) = vault(&[
        ("app/web-shop/KEY", "of all stages"),
        ("app/web-shop/prod/KEY", "of production"),
        ("pg", "postgres://ada:hunter22@localhost/shop"),
    ]);
    let services = r#"[{"name": "db", "type": "postgres", "config": {"variable": "DATABASE_URL"}},
        {"name": "my-cache", "type": "sqlite"}, {"name": "web", "type": "edge"}]"#;
    let manifest =
        manifest(services, r#"{"KEY": null, "MODE": "slow", "LANGUAGE": "en", "DATABASE_URL": null}"#);
    let (given, why) = search(&vault, Stage::Prod, &[("db", "pg")], &manifest).expect("all is there");
    let env: Vec<(&str, &str)> =
        given.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        env,
        [
            ("DATABASE_URL", "postgres://ada:hunter22@localhost/shop"),
            ("KEY", "of production"),
            ("LANGUAGE", "en"),
            ("MODE", "fast"),
            ("MY_CACHE_URL", "sqlite:///data/my-cache.db"),
        ]
    );
    assert_eq!(why, "given from the secrets `app/web-shop/prod/KEY`, `pg`");
    assert_eq!(given.scrub.text("hunter22, of production"), "«secret:pg», «secret:app/web-shop/prod/KEY»");
    let (given, _) = search(&vault, Stage::Dev, &[("db", "pg")], &manifest).expect("all is there");
    assert_eq!(given.env["KEY"], "of all stages");
}

#[test]
fn what_is_missing_is_named_with_how_it_is_given() {
    let (_folder, vault) = vault(&[]);
    let said = |services: &str, env: &str, attached: &[(&str, &str)]| {
        search(&vault, Stage::Dev, attached, &manifest(services, env)).err().expect("refused")
    };
    let db = r#"[{"name": "db", "type": "postgres"}]"#;
    assert_eq!(
        said(db, "{}", &[]),
        "it needs `db` (postgres), and nothing is attached; keep the address with: xyn secret put \
         app/web-shop/db, and deploy with --service db=app/web-shop/db"
    );
    assert!(said(db, "{}", &[("db", "gone")]).contains("xyn secret put gone"));
    assert_eq!(
        said("[]", r#"{"KEY": null}"#, &[]),
        "its variables `KEY` have no value; give one to each: xyn secret put app/web-shop/KEY"
    );
    let outside = r#"[{"name": "db", "type": "sqlite", "config": {"file": "../node.key"}}]"#;
    assert!(said(outside, "{}", &[]).contains("is no plain file name"));
}

#[test]
fn no_value_is_said_wherever_it_came_from_and_however_it_is_written() {
    let (_folder, vault) = vault(&[
        ("pg", "postgres://ada:h%40nter+22@localhost/shop"),
        ("kv", "redis://:s%2Fecret@localhost"),
        ("libpq", "host=localhost user=ada password='pass word'"),
    ]);
    let services = r#"[{"name": "a", "type": "postgres"}, {"name": "b", "type": "kv"},
        {"name": "c", "type": "postgres"}]"#;
    let manifest = manifest(services, r#"{"MODE": null}"#);
    let attached = [("a", "pg"), ("b", "kv"), ("c", "libpq")];
    let (given, _) = search(&vault, Stage::Dev, &attached, &manifest).expect("all is there");
    assert_eq!(
        given.scrub.text("h%40nter+22, h@nter+22, s/ecret, pass word, fast"),
        "«secret:pg», «secret:pg», «secret:kv», «secret:libpq», «secret:XYN_APP_WEB_SHOP_MODE»"
    );
}

#[test]
fn an_app_is_not_given_the_secret_of_another_one_or_of_another_stage() {
    let names = ["app/web-shop/db", "app/web-shop/prod/db", "app/web/db", "app/web-shop2/db", "shared/db"];
    let (_folder, vault) = vault(&names.map(|name| (name, "postgres://localhost/x")));
    let manifest = manifest(r#"[{"name": "db", "type": "postgres"}]"#, "{}");
    let given = |stage| {
        names.map(|name| match search(&vault, stage, &[("db", name)], &manifest) {
            Ok(_) => true,
            Err(said) => !said.contains("another app's or another stage's"),
        })
    };
    assert_eq!(given(Stage::Dev), [true, false, false, false, true]);
    assert_eq!(given(Stage::Prod), [true, true, false, false, true]);
}
