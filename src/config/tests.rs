//! The layers against made-up folders and environments.

use std::collections::BTreeMap;
use std::time::Duration;

use tempfile::TempDir;

use super::*;

/// A data folder with this configuration.
fn folder(text: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(CONFIG_FILE), text).expect("a file");
    folder
}

fn flags(folder: &TempDir) -> Flags {
    Flags { data: Some(folder.path().to_owned()), ..Flags::default() }
}

fn variables(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<OsString> + use<> {
    let map: BTreeMap<String, String> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    move |name| map.get(name).map(OsString::from)
}

fn origin(loaded: &Loaded, key: &str) -> String {
    let entry = loaded.entries.iter().find(|entry| entry.key == key);
    entry.unwrap_or_else(|| panic!("`{key}` is not listed")).origin.clone()
}

fn refused(text: &str) -> String {
    let folder = folder(text);
    let error = load(&flags(&folder), &variables(&[])).expect_err("it is refused");
    error.to_string().replace(&folder.path().display().to_string(), "DIR")
}

#[test]
fn defaults_hold_where_nothing_is_said() {
    let folder = folder(TEMPLATE);
    let loaded = load(&flags(&folder), &variables(&[])).expect("the template is valid");
    let settings = &loaded.settings;
    assert_eq!(
        settings.listen,
        ["[::1]:4310", "127.0.0.1:4310"].map(|address| address.parse().expect("valid"))
    );
    assert_eq!((settings.env_id.as_str(), settings.stage), ("local", xyn_store::scope::Stage::Dev));
    let limits = settings.limits.node_limits().expect("the defaults are valid");
    assert_eq!(limits, xyn_actors::blueprint::NodeLimits::default());
    assert!(loaded.entries.iter().all(|entry| entry.key == "data" || entry.origin == "default"));
}

#[test]
fn the_template_without_its_marks_is_valid_and_names_every_key() {
    let uncommented: String = TEMPLATE
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.starts_with('[') || line.contains(" = "))
        .map(|line| format!("{line}\n"))
        .collect();
    let folder = folder(&uncommented);
    let loaded = load(&flags(&folder), &variables(&[])).expect("it is valid");
    assert_eq!((loaded.settings.hooks.len(), loaded.settings.cron.len()), (1, 1));
    for key in keys::KEYS {
        let word = key.trim_end_matches(".*").rsplit(['.', ']']).next().expect("a key has a word");
        assert!(word.is_empty() || uncommented.contains(word), "`{key}` is not in the template");
    }
}

#[test]
fn a_flag_goes_before_a_variable_before_the_file_and_each_says_so() {
    let folder = folder("listen = [\"127.0.0.1:1\"]\nenv_id = \"file\"\nstage = \"staging\"\n");
    let mut flags = flags(&folder);
    let variables = variables(&[("XYN_LISTEN", "127.0.0.1:2, [::1]:2"), ("XYN_ENV_ID", "variable")]);
    let loaded = load(&flags, &variables).expect("it is valid");
    assert_eq!(loaded.settings.listen.len(), 2);
    assert_eq!(loaded.settings.env_id, "variable");
    assert_eq!(origin(&loaded, "listen"), "XYN_LISTEN");
    assert_eq!(origin(&loaded, "stage"), folder.path().join(CONFIG_FILE).display().to_string());

    flags.listen = vec!["127.0.0.1:3".parse().expect("valid")];
    let loaded = load(&flags, &variables).expect("it is valid");
    assert_eq!(loaded.settings.listen, flags.listen);
    assert_eq!(origin(&loaded, "listen"), "flag --listen");
    assert_eq!(origin(&loaded, "data"), "flag --data");
}

#[test]
fn a_limit_can_come_from_each_layer_without_hiding_its_neighbours() {
    let folder = folder("[limits]\nmax_steps = 7\nwall_clock = \"5m\"\n");
    let variables = variables(&[("XYN_LIMITS_MAX_STEPS", "9")]);
    let loaded = load(&flags(&folder), &variables).expect("it is valid");
    let limits = loaded.settings.limits.node_limits().expect("valid");
    assert_eq!((limits.max_steps, limits.wall_clock), (9, Duration::from_secs(300)));
    assert_eq!(origin(&loaded, "limits.max_steps"), "XYN_LIMITS_MAX_STEPS");
    assert_eq!(origin(&loaded, "limits.concurrency"), "default");
}

#[test]
fn a_variable_may_name_a_file_that_holds_the_value() {
    let folder = folder("");
    let file = folder.path().join("env-id");
    std::fs::write(&file, "from-file\n").expect("a file");
    let loaded = load(&flags(&folder), &variables(&[("XYN_ENV_ID_FILE", &file.display().to_string())]));
    let loaded = loaded.expect("it is valid");
    assert_eq!(loaded.settings.env_id, "from-file");
    assert_eq!(origin(&loaded, "env_id"), "XYN_ENV_ID_FILE");
}

#[test]
fn the_data_folder_follows_the_xdg_specification() {
    let chosen =
        |pairs: &[(&str, &str)]| data_folder(&Flags::default(), &variables(pairs)).map(|(data, _)| data);
    let table = [
        (vec![("XYN_DATA", "/d"), ("HOME", "/h")], "/d"),
        (vec![("XDG_DATA_HOME", "/x"), ("HOME", "/h")], "/x/xyn"),
        (vec![("XDG_DATA_HOME", "relative"), ("HOME", "/h")], "/h/.local/share/xyn"),
        (vec![("HOME", "/h")], "/h/.local/share/xyn"),
    ];
    for (pairs, folder) in table {
        assert_eq!(chosen(&pairs).expect("there is one"), Path::new(folder));
    }
    assert!(matches!(chosen(&[]), Err(ConfigError::Homeless)));
}

#[test]
fn unknown_keys_are_all_refused_with_what_was_perhaps_meant() {
    insta::assert_snapshot!(refused("listne = []\nstage = \"dev\"\ndata = \"/x\"\n[limits]\nmax_step = 3\n[[hooks]]\nwhatever = 1\n"), @"DIR/config.toml: `data` cannot stand in the file that lies in it: use --data or XYN_DATA; `hooks[].whatever` is no key; keys here: name, event_name, secrets_env; `limits.max_step` is no key; did you mean `max_steps`?; `listne` is no key; did you mean `listen`?");
}

#[test]
fn values_of_the_wrong_kind_name_key_and_place() {
    insta::assert_snapshot!(refused("stage = \"production\"\n"), @"`stage` (from DIR/config.toml): `production` is no stage; stages: dev, staging, prod");
    insta::assert_snapshot!(refused("[limits]\nmax_steps = \"many\"\n"), @r#"`limits.max_steps` (from DIR/config.toml): string "many" is not an integer"#);
    insta::assert_snapshot!(refused("[limits]\nwall_clock = \"soon\"\n"), @"`limits.wall_clock`: `soon` is no duration such as `60m`");
    insta::assert_snapshot!(refused("listen = [\"nowhere\"]\n"), @"`listen[0]` (from DIR/config.toml): invalid socket address syntax");
    insta::assert_snapshot!(refused("[[cron]]\nname = \"n\"\nschedule = \"whenever\"\n"), @"`cron[0]`: schedule `whenever`: Invalid pattern: Pattern must have between 5 and 7 fields.");
    insta::assert_snapshot!(refused("env_id = \n"), @r"
    `DIR/config.toml` is not TOML: TOML parse error at line 1, column 10
      |
    1 | env_id = 
      |          ^
    string values must be quoted, expected literal string
    ");
}

#[test]
fn what_may_be_a_secret_is_never_repeated() {
    let secret = "whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IQ==";
    for value in [format!("\"{secret}\""), format!("[\"{secret}\"]"), format!("{{ a = \"{secret}\" }}")] {
        let error =
            refused(&format!("[[hooks]]\nname = \"h\"\nevent_name = \"a.b\"\nsecrets_env = {value}\n"));
        assert!(!error.contains("c2Vj"), "{error}");
    }
}

#[test]
fn secrets_come_from_the_environment_or_a_file_and_a_missing_one_is_named() {
    let folder =
        folder("[[hooks]]\nname = \"ci\"\nevent_name = \"ci.done\"\nsecrets_env = [\"NEW\", \"OLD\"]\n");
    let file = folder.path().join("old");
    std::fs::write(&file, "old-secret\n").expect("a file");
    let loaded = load(&flags(&folder), &variables(&[])).expect("secrets are not read before they are needed");
    let there = variables(&[("NEW", "new-secret"), ("OLD_FILE", &file.display().to_string())]);
    let environment = loaded.settings.environment(&there).expect("both are there");
    assert_eq!(environment.hooks[0].secrets, ["new-secret", "old-secret"]);
    let error =
        loaded.settings.environment(&variables(&[("NEW", "new-secret")])).expect_err("one is missing");
    assert_eq!(error.to_string(), "`OLD`: the environment variable is not set");
}

#[test]
fn the_template_is_written_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("deep/data");
    assert!(write_template(&data).expect("writes"));
    std::fs::write(data.join(CONFIG_FILE), "env_id = \"mine\"\n").expect("writes");
    assert!(!write_template(&data).expect("leaves it"));
    assert_eq!(std::fs::read_to_string(data.join(CONFIG_FILE)).expect("reads"), "env_id = \"mine\"\n");
}

#[test]
fn the_mesh_is_off_until_somebody_asks_for_it() {
    let folder = folder("mesh = \"lan\"\nmesh_peers = [\"/ip4/10.0.0.1/tcp/4311\"]\n");
    let alone = load(&flags(&self::folder("")), &variables(&[])).expect("it is valid").settings.mesh;
    assert_eq!((alone.mode, alone.service().is_none()), (MeshMode::Off, true));
    let loaded = load(&flags(&folder), &variables(&[("XYN_MESH_LISTEN", "/ip6/::/tcp/1, /ip6/::/tcp/2")]));
    let mesh = loaded.expect("it is valid").settings.mesh;
    assert_eq!((mesh.mode, mesh.listen.len(), mesh.peers.len()), (MeshMode::Lan, 2, 1));
    let asked = Flags { mesh: Some(MeshMode::On), mesh_peers: vec!["/dns/x".into()], ..flags(&folder) };
    let loaded = load(&asked, &variables(&[("XYN_MESH", "off")])).expect("it is valid");
    assert_eq!(loaded.settings.mesh.mode, MeshMode::On);
    assert_eq!(loaded.settings.mesh.peers, ["/dns/x"]);
    assert_eq!(origin(&loaded, "mesh_peers"), "flag --peer");
    let maybe = "`mesh` (from DIR/config.toml): `maybe` is none of on, lan and off";
    assert_eq!(refused("mesh = \"maybe\""), maybe);
}
