//! What an author may leave out, and what is read in more than one form.

use super::*;

fn filled(authored: Value) -> Result<Manifest, Unfilled> {
    fill(Authored::read(authored.to_string().as_bytes()).expect("sound"), facts())
}

#[test]
fn three_fields_are_enough_and_the_rest_has_defaults() {
    let manifest = filled(shortest()).expect("complete");
    let facts = facts();
    assert_eq!(manifest.id.to_string(), "urn:xyn:app:a@0.1.0");
    assert_eq!((manifest.generation, manifest.created_at), (7, facts.created_at));
    assert_eq!(manifest.app.framework.as_str(), "static");
    assert!(manifest.services.is_empty() && manifest.seeds.is_empty() && manifest.build.steps.is_empty());
    assert_eq!((manifest.build.out_dir.to_string(), &manifest.build.network), (".".into(), &Network::None));
    assert_eq!(manifest.build.source_date_epoch, facts.created_at.as_millis() / 1_000);
    assert_eq!(manifest.rights.license.as_str(), "LicenseRef-OSL-3.0-or-compatible");
    assert!(manifest.rights.resale_allowed && manifest.rights.attribution);
    assert_eq!(manifest.rights.scope, Scope::Env);
    assert_eq!((manifest.tree, &manifest.attestations), (facts.tree, &facts.attestations));
}

#[test]
fn the_folder_of_what_is_built_follows_the_framework() {
    for (framework, folder) in
        [("nextjs", ".next"), ("rust", "target/release"), ("vite", "dist"), ("cobol", ".")]
    {
        let mut authored = shortest();
        authored["app"] = json!({ "framework": framework });
        assert_eq!(filled(authored.clone()).expect("complete").build.out_dir.to_string(), folder);
        authored["build"] = json!({ "outDir": "site" });
        assert_eq!(filled(authored).expect("complete").build.out_dir.to_string(), "site");
    }
}

#[test]
fn an_author_may_say_when_it_was_made_and_which_generation_it_is() {
    let mut authored = shortest();
    authored["createdAt"] = json!(1_767_225_600_123_u64);
    authored["generation"] = json!(41);
    authored["createdBy"] = json!({ "name": "Grace" });
    authored["build"] = json!({ "sourceDateEpoch": 5 });
    let manifest = filled(authored).expect("complete");
    assert_eq!(manifest.created_at.to_string(), "2026-01-01T00:00:00.123000Z");
    assert_eq!((manifest.generation, manifest.build.source_date_epoch), (41, 5));
    assert_eq!(manifest.created_by.name.as_str(), "Grace");
    assert_eq!(manifest.created_by.key_id, facts().key_id, "a key is no matter of words");
}

#[test]
fn an_id_may_say_the_version_again_but_no_other() {
    for id in ["a", "urn:xyn:app:a", "urn:xyn:app:a@0.1.0", "urn:oursynth:app:a@0.1.0"] {
        let mut authored = shortest();
        authored["id"] = id.into();
        assert_eq!(filled(authored).expect(id).id.to_string(), "urn:xyn:app:a@0.1.0");
    }
    for (id, said) in [
        ("a@0.1.1", "`/id`: says version `0.1.1`, and `/version` says 0.1.0; leave it out of one of them"),
        (
            "The Shop",
            "`/id`: `The Shop` is no slug; write 1 to 63 of `a-z`, `0-9` and `-`, no `-` at either end",
        ),
    ] {
        let mut authored = shortest();
        authored["id"] = id.into();
        assert_eq!(filled(authored).expect_err(id).to_string(), said);
    }
}

#[test]
fn what_only_packing_can_know_is_not_taken_from_an_author() {
    let mut authored = shortest();
    authored["tree"] = Digest::of(b"another").to_string().into();
    assert_eq!(
        filled(authored).expect_err("a claim").to_string(),
        "`/tree`: is filled in by packing; leave it out"
    );
    let mut authored = shortest();
    authored["seeds"] = json!([{ "name": "s", "type": "sql", "path": "gone.sql" }]);
    let said = "`/seeds/0/path`: there is no `gone.sql` in what is packed";
    assert_eq!(filled(authored.clone()).expect_err("no file").to_string(), said);
    authored["seeds"][0]["path"] = "seeds/tables.sql".into();
    authored["seeds"][0]["digest"] = Digest::of(b"tables").to_string().into();
    assert!(filled(authored.clone()).is_ok());
    authored["seeds"][0]["digest"] = Digest::of(b"others").to_string().into();
    assert!(matches!(filled(authored), Err(Unfilled::OtherSeed { index: 0, .. })));
}

#[test]
fn node_is_read_as_runtime_and_both_at_once_are_refused() {
    assert_eq!(sample().app.runtime.expect("named").as_str(), "20.x");
    let read = changed(|manifest| {
        manifest["app"] = json!({ "framework": "nextjs", "node": "22.x" });
    });
    assert_eq!(read.expect("sound").app.runtime.expect("named").as_str(), "22.x");
    let said = refusal(|manifest| manifest["app"]["node"] = "22.x".into());
    assert!(said.contains("`/app") && said.contains("duplicate field `runtime`"), "{said}");
}

#[test]
fn an_instant_is_read_in_both_forms() {
    let read = |at: Value| changed(|manifest| manifest["createdAt"] = at).expect("sound").created_at;
    let at: Timestamp = "2026-11-21T12:00:00Z".parse().expect("an instant");
    assert_eq!(read(json!("2026-11-21T12:00:00Z")), at);
    assert_eq!(read(json!("2026-11-21T13:00:00+01:00")), at);
    assert_eq!(read(json!(at.as_millis())), at);
    for wrong in [json!("today"), json!(-1), json!(1.5), json!(u64::MAX), json!(null), json!([])] {
        let said = refusal(|manifest| manifest["createdAt"] = wrong);
        assert!(said.starts_with("`/createdAt`: "), "{said}");
    }
}

#[test]
fn both_namespaces_name_one_app() {
    let read = changed(|manifest| manifest["id"] = "urn:oursynth:app:shop@1.4.2".into());
    assert_eq!(read.expect("sound").id, sample().id);
}

#[test]
fn fields_of_the_future_are_kept_at_every_level() {
    let places =
        ["", "/createdBy", "/app", "/services/0", "/build", "/seeds/1", "/attestations/0", "/rights"];
    let mut wanted = document();
    for place in places {
        wanted.pointer_mut(place).expect(place)["ofTheFuture"] = json!({ "deep": [1, null, "x"] });
    }
    wanted["expected"] = json!({ "ofTheFuture": true });
    let manifest = Manifest::read(wanted.to_string().as_bytes()).expect("sound");
    let kept: Value = serde_json::from_slice(&manifest.to_bytes().expect("sound")).expect("JSON");
    assert_eq!(kept, wanted);
}

#[test]
fn a_lost_or_swapped_attestation_is_named() {
    let manifest = sample();
    let all: BTreeSet<_> = manifest.attestations.iter().map(|attestation| attestation.sha256).collect();
    assert_eq!(manifest.lacks(&all).count(), 0);
    let swapped = BTreeSet::from([Digest::of(b"another list of packages")]);
    let lacks: Vec<_> = manifest.lacks(&swapped).map(|attestation| attestation.kind.as_str()).collect();
    assert_eq!(lacks, ["https://cyclonedx.org/bom"]);
}

#[test]
fn the_generated_schemas_agree_with_the_readers() {
    let schema = serde_json::to_value(manifest_json_schema()).expect("renders");
    let known: BTreeSet<_> = schema["properties"].as_object().expect("an object").keys().cloned().collect();
    assert_eq!(known, KNOWN.map(str::to_owned).into());
    let validator = jsonschema::validator_for(&schema).expect("compiles");
    let good = document();
    assert!(validator.is_valid(&good), "{:?}", validator.iter_errors(&good).collect::<Vec<_>>());
    let breakers: [fn(&mut Value); 9] = [
        |manifest| manifest["formatVersion"] = 2.into(),
        |manifest| manifest["id"] = "shop".into(),
        |manifest| manifest["name"] = "a\u{1b}b".into(),
        |manifest| manifest["generation"] = (-1).into(),
        |manifest| manifest["tree"] = "abc".into(),
        |manifest| manifest["services"][0]["type"] = "mysql".into(),
        |manifest| manifest["rights"]["scope"] = "world".into(),
        |manifest| manifest["createdBy"]["keyId"] = "me".into(),
        |manifest| drop(manifest.as_object_mut().expect("an object").remove("app")),
    ];
    for breaks in breakers {
        let mut bad = good.clone();
        breaks(&mut bad);
        assert!(!validator.is_valid(&bad), "{bad}");
        assert!(Manifest::read(bad.to_string().as_bytes()).is_err(), "{bad}");
    }
    let schema = serde_json::to_value(authored_json_schema()).expect("renders");
    let validator = jsonschema::validator_for(&schema).expect("compiles");
    for good in [serde_json::from_str(AUTHORED).expect("JSON"), shortest()] {
        assert!(validator.is_valid(&good), "{:?}", validator.iter_errors(&good).collect::<Vec<_>>());
    }
}
