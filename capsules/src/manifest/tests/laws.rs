//! What holds for all manifests.

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;

use super::*;

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        proptest::num::f64::NORMAL.prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map("[a-z~/\\u{1b}]{0,4}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn extra() -> impl Strategy<Value = Extra> {
    btree_map("x[A-Za-z]{0,6}", values(), 0..3)
}

fn digests() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::from_bytes)
}

fn lines() -> impl Strategy<Value = Line> {
    "[a-zé日 ]{1,12}".prop_map(|text| text.parse().expect("a line"))
}

fn slugs() -> impl Strategy<Value = Slug> {
    "[a-z]([a-z0-9-]{0,6}[a-z0-9])?".prop_map(|text| text.parse().expect("a slug"))
}

fn versions() -> impl Strategy<Value = Version> {
    ("[0-9]{1,4}", "(-[a-z]{1,4}\\.[1-9])?", "(\\+[a-z0-9]{1,4})?").prop_map(|(major, pre, build)| {
        let major: u64 = major.parse().expect("digits");
        format!("{major}.2.3{pre}{build}").parse().expect("a version")
    })
}

fn manifests() -> impl Strategy<Value = Manifest> {
    let who = (slugs(), versions(), lines(), any::<u64>(), 0..253_402_207_199_999_999_i64, lines());
    let env = btree_map("[A-Z_]{1,6}".prop_map(|name| name.parse().expect("a name")), of("\\PC{0,9}"), 0..4);
    let app = (lines(), of(lines()), env, extra());
    let build = (vec(lines(), 0..3), "d[a-z]{0,3}(/d[a-z]{0,3}){0,2}", any::<u64>(), of(vec(lines(), 0..3)));
    let parts = (btree_map(slugs(), (values(), extra()), 0..3), btree_map(slugs(), digests(), 0..3));
    let rest = (digests(), of(digests()), of(versions()), any::<bool>(), of(lines()), extra());
    (who, app, build, parts, rest).prop_map(|(who, app, build, parts, rest)| {
        let (slug, version, name, generation, micros, packer) = who;
        let (framework, runtime, env, app_extra) = app;
        let (steps, out_dir, source_date_epoch, hosts) = build;
        let (services, seeds) = parts;
        let (tree, build_digest, min_core, resale_allowed, resale_terms, extra) = rest;
        let service = |(name, (value, extra)): (Slug, (Value, Extra))| Service {
            name,
            kind: ServiceKind::Worker,
            config: Map::from_iter([("value".to_owned(), value)]),
            extra,
        };
        let seed = |(name, digest): (Slug, Digest)| Seed {
            path: format!("seeds/x{name}").parse().expect("a path"),
            name,
            kind: SeedKind::Crdt,
            digest,
            service: None,
            extra: Extra::new(),
        };
        let rights = Rights { resale_allowed, resale_terms, ..Rights::default() };
        Manifest {
            id: AppId { app: slug, version: version.clone() },
            name,
            version,
            generation,
            created_at: Timestamp::from_micros(micros),
            created_by: Packer { name: packer, ..sample().created_by },
            app: App { framework, runtime, command: steps.clone(), env, extra: app_extra },
            services: services.into_iter().map(service).collect(),
            build: Build {
                steps,
                out_dir: out_dir.parse().expect("a path"),
                source_date_epoch,
                network: hosts.map_or(Network::None, Network::Allow),
                extra: Extra::new(),
            },
            seeds: seeds.into_iter().map(seed).collect(),
            rights,
            tree,
            expected: Expected { build_digest, outputs: Vec::new(), extra: Extra::new() },
            min_core,
            extra,
            ..sample()
        }
    })
}

proptest! {
    #[test]
    fn what_was_written_is_read_as_it_was(manifest in manifests()) {
        let bytes = manifest.to_bytes().expect("sound");
        prop_assert_eq!(Manifest::read(&bytes).expect("own bytes"), manifest.clone());
        prop_assert_eq!(manifest.clone().to_bytes().expect("sound"), bytes);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        bytes in vec(any::<u8>(), 0..300), noise in "[\\[\\]{}\":,0-9a-z\\\\u-]{0,120}",
    ) {
        for bytes in [bytes.as_slice(), noise.as_bytes()] {
            let _ = (Manifest::read(bytes), Authored::read(bytes));
        }
    }

    #[test]
    fn no_value_in_the_place_of_another_makes_a_reader_panic(at in 0_usize..60, value in values()) {
        let _ = changed(|manifest| {
            let mut places = Vec::new();
            collect(manifest, String::new(), &mut places);
            *manifest.pointer_mut(&places[at % places.len()]).expect("it was found") = value;
        });
    }
}

fn collect(value: &Value, place: String, places: &mut Vec<String>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (step, value) in inner {
        collect(value, format!("{place}/{step}"), places);
    }
    places.push(place);
}
