//! Statements: each about one content, none about another.

use super::*;
use crate::json::InvalidJson;

fn provenance() -> Provenance {
    let input = Resource {
        name: Some("package-lock.json".to_owned()),
        digest: BTreeMap::from([("sha256".to_owned(), Digest::of(b"lock").to_string())]),
        ..Resource::default()
    };
    Provenance {
        build_definition: BuildDefinition {
            build_type: "urn:xyn:build:pack:v1".to_owned(),
            external_parameters: [("why".to_owned(), json!("the sale"))].into_iter().collect(),
            internal_parameters: [("who".to_owned(), json!("ada@lab"))].into_iter().collect(),
            resolved_dependencies: vec![input],
        },
        run_details: RunDetails {
            builder: Builder {
                id: "urn:xyn:node:11238bafb14f".to_owned(),
                version: BTreeMap::from([("xyn".to_owned(), "0.1.0".to_owned())]),
            },
            metadata: Some(Metadata {
                invocation_id: Some("run-1".to_owned()),
                started_on: Some(at("2026-11-21T11:59:00Z")),
                finished_on: Some(at("2026-11-21T12:00:00Z")),
            }),
            byproducts: Vec::new(),
        },
    }
}

fn rebuild() -> Rebuild {
    Rebuild {
        capsule: Some(Digest::of(b"capsule")),
        expected: Digest::of(b"built"),
        found: Digest::of(b"otherwise"),
        different: vec!["main.js".parse().expect("a path")],
        replayed: Vec::new(),
        sandbox: "bubblewrap 0.8, landlock 4".to_owned(),
        started_at: at("2026-11-21T12:00:00Z"),
        finished_at: at("2026-11-21T12:01:00Z"),
    }
}

fn opened<P: Predicate>(envelope: &Envelope, tree: &Digest) -> Result<Verified<Statement<P>>, NotVerified> {
    Quorum::one(public(3)).statement(envelope, tree)
}

/// What a statement is, after a change, refused for.
fn refusal(change: impl FnOnce(&mut Value)) -> String {
    let bytes = about_sample(provenance()).write().expect("sound");
    let mut document = serde_json::from_slice(&bytes).expect("JSON");
    change(&mut document);
    let mut envelope = Envelope::new(Statement::<Provenance>::TYPE, document.to_string().into_bytes());
    envelope.sign(&secret(3)).expect("room for it");
    opened::<Provenance>(&envelope, &sample().tree).expect_err("refused").to_string()
}

#[test]
fn provenance_has_the_shape_of_slsa_in_the_shape_of_in_toto() {
    let bytes = about_sample(provenance()).write().expect("sound");
    let document: Value = serde_json::from_slice(&bytes).expect("JSON");
    let wanted = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{
            "name": "urn:xyn:app:shop@1.4.2",
            "digest": { "sha256": sample().tree.to_string() },
        }],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:xyn:build:pack:v1",
                "externalParameters": { "why": "the sale" },
                "internalParameters": { "who": "ada@lab" },
                "resolvedDependencies": [{
                    "name": "package-lock.json",
                    "digest": { "sha256": Digest::of(b"lock").to_string() },
                }],
            },
            "runDetails": {
                "builder": { "id": "urn:xyn:node:11238bafb14f", "version": { "xyn": "0.1.0" } },
                "metadata": {
                    "invocationId": "run-1",
                    "startedOn": "2026-11-21T11:59:00.000000Z",
                    "finishedOn": "2026-11-21T12:00:00.000000Z",
                },
            },
        },
    });
    assert_eq!(document, wanted);
}

#[test]
fn every_kind_of_statement_is_read_as_it_was_written() {
    fn again<P: Predicate + PartialEq + std::fmt::Debug + Clone>(predicate: P) {
        let envelope = sealed(&about_sample(predicate.clone()), &[3]);
        assert_eq!(claimed_predicate_type(&envelope).expect("a statement"), P::TYPE);
        let read = opened::<P>(&envelope, &sample().tree).expect("signed");
        assert_eq!(read.into_value().predicate, predicate);
    }
    again(provenance());
    again(rebuild());
    again(leave(9, 7));
    again(Sbom(json!({ "bomFormat": "CycloneDX", "components": [] }).as_object().expect("one").clone()));
    again(DiffSummary {
        parent: Some(Digest::of(b"before")),
        files: FileChanges { added: 1, removed: 2, changed: 3 },
        manifest: vec!["/rights/license".to_owned()],
        packages: PackageChanges {
            changed: BTreeMap::from([("left-pad".to_owned(), ("1.0.0".to_owned(), "1.1.0".to_owned()))]),
            ..PackageChanges::default()
        },
    });
    again(Simulation {
        scenario: "a bad day".to_owned(),
        scenario_digest: Digest::of(b"scenario"),
        seed: u64::MAX,
        trace: Digest::of(b"trace"),
        nodes: 50,
        virtual_ms: 3_600_000,
        checks: vec![Check { name: "all converge".to_owned(), held: true, seen: None }],
        distribution: Some(distribution()),
    });
}

#[test]
fn a_statement_about_another_content_is_refused_by_name() {
    let envelope = sealed(&about_sample(provenance()), &[3]);
    let (found, wanted) = (sample().tree, Digest::of(b"another tree"));
    let refused = opened::<Provenance>(&envelope, &wanted).expect_err("about another");
    assert_eq!(refused, NotVerified::Subject { found, wanted });
    assert_eq!(
        refused.to_string(),
        format!("the statement is about content `{found}`, not about `{wanted}`")
    );
}

#[test]
fn a_statement_of_another_kind_is_refused_by_name() {
    let sbom = Sbom(json!({ "bomFormat": "CycloneDX" }).as_object().expect("an object").clone());
    let envelope = sealed(&about_sample(sbom), &[3]);
    let said = opened::<Provenance>(&envelope, &sample().tree).expect_err("packages").to_string();
    assert_eq!(
        said,
        "no such statement: `/predicateType`: is `https://cyclonedx.org/bom`, and should be \
         `https://slsa.dev/provenance/v1`"
    );
}

#[test]
fn a_statement_that_is_about_nothing_or_two_things_or_is_none_is_refused() {
    type Case = (fn(&mut Value), &'static str);
    let cases: [Case; 8] = [
        (|s| s["subject"] = json!([]), "`/subject`: there are 0, and should be 1"),
        (
            |s| s["subject"] = vec![s["subject"][0].clone(); 2].into(),
            "`/subject`: there are 2, and should be 1",
        ),
        (
            |s| s["subject"][0]["digest"] = json!({ "md5": "00" }),
            "`/subject/0/digest`: missing field `sha256`",
        ),
        (
            |s| s["_type"] = "https://in-toto.io/Statement/v0.1".into(),
            "`/_type`: is `https://in-toto.io/Statement/v0.1`, and should be `https://in-toto.io/Statement/v1`",
        ),
        (
            |s| s["predicate"]["runDetails"]["metadata"]["finishedOn"] = "2026-11-20T00:00:00Z".into(),
            "`/predicate`: `finishedOn` lies before `startedOn`",
        ),
        (
            |s| s["predicate"]["runDetails"]["builder"]["id"] = "".into(),
            "`/predicate`: `builder.id` is empty",
        ),
        (
            |s| s["predicate"]["buildDefinition"] = json!(7),
            "`/predicate/buildDefinition`: invalid type: integer `7`",
        ),
        (|s| s["subject"][0]["name"] = "\u{1b}[8m".into(), "`/subject/0/name`: `\\u{1b}[8m` is no line"),
    ];
    for (change, wanted) in cases {
        let said = refusal(change);
        assert!(said.starts_with(&format!("no such statement: {wanted}")), "{said}");
    }
}

#[test]
fn what_cannot_be_is_not_signed_in_the_first_place() {
    let unsound = |error: Result<Vec<u8>, NotVerified>| match error {
        Err(NotVerified::Statement(InvalidStatement::Nonsense(why))) => why,
        other => panic!("{other:?}"),
    };
    let all_the_same = Rebuild { found: Digest::of(b"built"), ..rebuild() };
    assert!(all_the_same.matches() && !rebuild().matches());
    assert!(unsound(about_sample(all_the_same).write()).contains("both trees are one"));
    assert!(unsound(about_sample(leave(7, 7)).write()).contains("no way back"));
    assert!(unsound(about_sample(Sbom(Default::default())).write()).contains("CycloneDX"));
}

#[test]
fn a_rebuild_proves_what_is_signed_of_its_own_capsule_and_nothing_else() {
    let [capsule, built, other] = [b"capsule".as_slice(), b"built", b"other"].map(Digest::of);
    let same = Rebuild { found: built, different: Vec::new(), ..rebuild() };
    let unbound = Rebuild { capsule: None, ..same.clone() };
    for (report, about, expected, wanted) in [
        (&same, capsule, Some(built), Some(true)),
        (&same, capsule, Some(other), Some(false)),
        (&same, capsule, None, Some(false)),
        (&same, other, Some(built), None),
        (&unbound, capsule, Some(built), None),
        (&rebuild(), capsule, Some(built), Some(false)),
    ] {
        assert_eq!(report.proves(&about, expected.as_ref()), wanted, "{report:?} of {about}, {expected:?}");
    }
}

#[test]
fn a_first_run_says_what_it_came_to_and_nothing_that_cannot_be() {
    let run = |change: fn(&mut FirstRun)| {
        let mut run = FirstRun {
            stage: "dev".to_owned(),
            target: "process".to_owned(),
            health: "/".to_owned(),
            is_well: false,
            found: "its process ended\u{1b}[8m".to_owned(),
            exit: Some("exit status: 3".to_owned()),
            log: "no room left".to_owned(),
            environment: BTreeMap::from([("os".to_owned(), "linux".to_owned())]),
            started_at: at("2026-11-21T12:00:00Z"),
            finished_at: at("2026-11-21T12:00:02Z"),
        };
        change(&mut run);
        run
    };
    let said = about_sample(run(|_| {})).write().expect("sound");
    assert_eq!(Statement::<FirstRun>::read(&said).expect("sound").predicate, run(|_| {}));
    let told = run(|_| {}).summary().expect("words");
    assert_eq!(told, "not well in dev as process after 2000 ms: its process ended\\u{1b}[8m");
    let other: [fn(&mut FirstRun); 2] = [|run| run.stage = "prod".to_owned(), |run| run.is_well = true];
    assert!(run(|_| {}).is_like(&run(|run| run.found.clear())));
    assert!(other.iter().all(|change| !run(|_| {}).is_like(&run(*change))));
    let unsound: [fn(&mut FirstRun); 3] = [
        |run| run.started_at = at("2026-11-21T12:00:03Z"),
        |run| run.log = "x".repeat(RUN_LOG_MAX_BYTES + 1),
        |run| run.is_well = true,
    ];
    for change in unsound {
        let refused = about_sample(run(change)).write();
        assert!(matches!(refused, Err(NotVerified::Statement(InvalidStatement::Nonsense(_)))), "{refused:?}");
    }
}

#[test]
fn nothing_that_was_not_looked_at_passed() {
    let check = |held| Check { name: "all converge".to_owned(), held, seen: None };
    let simulation = |checks, distribution| Simulation {
        scenario: "s".to_owned(),
        scenario_digest: Digest::of(b""),
        seed: 1,
        trace: Digest::of(b""),
        nodes: 1,
        virtual_ms: 1,
        checks,
        distribution,
    };
    assert!(simulation(vec![check(true)], Some(distribution())).passed());
    assert!(!simulation(vec![check(true), check(false)], Some(distribution())).passed());
    assert!(!simulation(Vec::new(), Some(distribution())).passed());
    // A world that the capsule was not in says nothing about it.
    assert!(!simulation(vec![check(true)], None).passed());
    let untouched = Distribution { steps: Vec::new(), ..distribution() };
    assert!(!simulation(vec![check(true)], Some(untouched)).passed());
}

fn distribution() -> Distribution {
    let step = Passed { name: "fetched".to_owned(), nodes: 50, p50_ms: 900, max_ms: 7_000 };
    Distribution {
        file: Digest::of(b"file"),
        size_bytes: 9,
        chunks: 1,
        files: 2,
        generation: 3,
        sent_bytes: 450,
        steps: vec![step],
    }
}

#[test]
fn duplicate_keys_in_a_predicate_are_refused() {
    let text = String::from_utf8(about_sample(leave(9, 7)).write().expect("sound")).expect("text");
    let twice = text.replacen("\"to\": 7", "\"to\": 7, \"to\": 8", 1);
    let refused = Statement::<Rollback>::read(twice.as_bytes()).expect_err("two ways");
    let NotVerified::Statement(InvalidStatement::Json(InvalidJson { place, .. })) = refused else {
        panic!("{refused}");
    };
    assert_eq!(place.to_string(), "`/predicate/to`");
}
