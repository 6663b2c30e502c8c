//! The bill of materials: its form, its order, and two of them compared.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

const SUBJECT: Subject<'_> = Subject { id: "urn:xyn:app:shop@1.0.0", name: "shop", version: "1.0.0" };

pub(super) fn bill(locks: &[Lock]) -> Vec<u8> {
    document(SUBJECT, locks, None).expect("few packages")
}

/// What the schema of CycloneDX 1.6 asks for, of the fields that are written.
pub(super) fn check_schema(document: &Value) {
    fn fields<'v>(value: &'v Value, allowed: &[&str]) -> &'v serde_json::Map<String, Value> {
        let map = value.as_object().expect("an object");
        assert!(map.keys().all(|key| allowed.contains(&key.as_str())), "{:?}", map.keys());
        map
    }
    fn hashes(value: Option<&Value>) {
        for hash in value.and_then(Value::as_array).into_iter().flatten() {
            let hash = fields(hash, &["alg", "content"]);
            let length = match hash["alg"].as_str().expect("text") {
                "MD5" => 32,
                "SHA-1" => 40,
                "SHA-256" => 64,
                "SHA-384" => 96,
                "SHA-512" => 128,
                other => panic!("{other} is no algorithm"),
            };
            let content = hash["content"].as_str().expect("text");
            assert!(
                content.len() == length && content.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{content}"
            );
        }
    }
    let top =
        fields(document, &["bomFormat", "specVersion", "version", "metadata", "components", "dependencies"]);
    assert_eq!(
        (&top["bomFormat"], &top["specVersion"], &top["version"]),
        (&"CycloneDX".into(), &"1.6".into(), &1.into())
    );
    let metadata = fields(&top["metadata"], &["timestamp", "component"]);
    let components = top["components"].as_array().expect("a list");
    let mut refs = BTreeSet::new();
    for component in components.iter().chain([&metadata["component"]]) {
        let known = ["type", "bom-ref", "group", "name", "version", "hashes", "purl", "externalReferences"];
        let component = fields(component, &known);
        assert!(matches!(component["type"].as_str(), Some("library" | "application")));
        assert!(!component["name"].as_str().expect("text").is_empty());
        assert!(
            refs.insert(component["bom-ref"].as_str().expect("text")),
            "a reference stands for one component"
        );
        hashes(component.get("hashes"));
        for reference in component.get("externalReferences").and_then(Value::as_array).into_iter().flatten() {
            let reference = fields(reference, &["type", "url", "hashes"]);
            assert_eq!(reference["type"], "distribution");
            hashes(reference.get("hashes"));
        }
    }
    for edges in top["dependencies"].as_array().expect("a list") {
        let edges = fields(edges, &["ref", "dependsOn"]);
        let needed = edges["dependsOn"].as_array().expect("a list").iter().chain([&edges["ref"]]);
        needed.for_each(|id| assert!(refs.contains(id.as_str().expect("text")), "{id} is no component"));
    }
}

#[test]
fn bills_of_materials_are_what_the_schema_asks_for() {
    let sum = format!("a.b/c v1.0.0 h1:{}\n", BASE64.encode(&[5; 32]));
    let wheel = format!(
        "version = 1\n[[package]]\nname = \"a\"\nversion = \"1\"\nwheels = [{{ url = \"https://f/a.whl\", hash = \"sha256:{}\" }}]\n",
        "0a".repeat(32)
    );
    let locks = [lock("Cargo.lock", CARGO), lock("go.sum", &sum), lock("uv.lock", &wheel)];
    let at = "2026-01-31T12:00:00Z".parse().expect("a time");
    let dated = document(SUBJECT, &locks, Some(at)).expect("few packages");
    let dated: Value = serde_json::from_slice(&dated).expect("JSON");
    check_schema(&dated);
    assert!(dated["metadata"]["timestamp"].as_str().expect("text").starts_with("2026-01-31T12:00:00"));
    let plain: Value = serde_json::from_slice(&bill(&locks)).expect("JSON");
    check_schema(&plain);
    assert_eq!(plain["metadata"]["timestamp"], Value::Null);
    assert_eq!(plain["components"].as_array().expect("a list").len(), 7);
    let own =
        plain["dependencies"].as_array().expect("a list").iter().find(|edges| edges["ref"] == SUBJECT.id);
    assert_eq!(own.expect("there")["dependsOn"], serde_json::json!(["pkg:cargo/app@0.1.0"]));
}

#[test]
fn equal_locks_give_equal_bytes_in_whatever_order_they_come() {
    let sum = format!("a.b/c v1.0.0 h1:{}\n", BASE64.encode(&[5; 32]));
    let (one, other) = (lock("Cargo.lock", CARGO), lock("go.sum", &sum));
    assert_eq!(bill(&[one.clone(), other.clone()]), bill(&[other.clone(), one, other]));
}

#[test]
fn bills_of_materials_are_compared_by_package() {
    let old = bill(&[lock("Cargo.lock", CARGO)]);
    let changed = CARGO.replace("0.9.0", "0.9.1").replace("\"tool\"", "\"hammer\"");
    let new = bill(&[lock("Cargo.lock", &changed)]);
    let found = diff(&old, &new).expect("compared");
    let names: Vec<_> = found.keys().map(String::as_str).collect();
    assert_eq!(names, ["pkg:cargo/hammer", "pkg:cargo/rand", "pkg:cargo/tool"]);
    let set =
        |versions: &[&str]| versions.iter().map(|version| (*version).to_owned()).collect::<BTreeSet<_>>();
    let (from, to) = (set(&["0.8.5", "0.9.0"]), set(&["0.8.5", "0.9.1"]));
    assert_eq!(found["pkg:cargo/rand"], Difference::Changed { from, to });
    assert!(matches!(
        (&found["pkg:cargo/hammer"], &found["pkg:cargo/tool"]),
        (Difference::Added(_), Difference::Removed(_))
    ));
    assert!(diff(&old, &old).expect("compared").is_empty());
    assert!(diff(&old, b"{\"bomFormat\":\"SPDX\"}").is_err() && diff(b"", &old).is_err());
}
