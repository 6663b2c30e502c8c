//! The keys, and what was perhaps meant by one that is none.
//!
//! Invariant: every key of the settings stands here once; a test reads the template against it.

use config::{Value, ValueKind};

/// Every key; `[]` stands for the items of a list, `*` for anything below.
pub(super) const KEYS: &[&str] = &[
    "listen",
    "env_id",
    "stage",
    "mesh",
    "mesh_listen",
    "mesh_peers",
    "mesh_relays",
    "mesh_relay",
    "lan_catalogue",
    "hooks",
    "hooks[].name",
    "hooks[].event_name",
    "hooks[].secrets_env",
    "cron",
    "cron[].name",
    "cron[].schedule",
    "cron[].time_zone",
    "cron[].event_name",
    "cron[].missed",
    "cron[].data",
    "cron[].data.*",
    "limits",
    "limits.max_steps",
    "limits.wall_clock",
    "limits.concurrency",
    "limits.run_line",
    "limits.max_parallel",
    "limits.max_attempts",
    "limits.max_wait",
    "limits.event_backlog",
    "limits.event_backlog_age",
    "limits.requests_per_second",
    "limits.request_burst",
    "limits.artifact_store_bytes",
];

/// Keys below `value` that nobody reads, each with a suggestion.
pub(super) fn unknown(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found.sort();
    found
}

fn walk(value: &Value, path: &str, found: &mut Vec<String>) {
    match &value.kind {
        ValueKind::Table(table) => {
            for (key, below) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                if KEYS.contains(&format!("{path}.*").as_str()) {
                    continue;
                }
                if KEYS.contains(&path.as_str()) {
                    walk(below, &path, found);
                } else {
                    found.push(complaint(&path));
                }
            }
        }
        ValueKind::Array(items) => items.iter().for_each(|item| walk(item, &format!("{path}[]"), found)),
        _ => {}
    }
}

fn complaint(path: &str) -> String {
    if path == "data" {
        return "`data` cannot stand in the file that lies in it: use --data or XYN_DATA".to_owned();
    }
    let (parent, word) = path.rsplit_once('.').unwrap_or(("", path));
    let siblings: Vec<&str> = KEYS
        .iter()
        .filter(|key| key.rsplit_once('.').map_or("", |(parent, _)| parent) == parent)
        .map(|key| key.rsplit_once('.').map_or(*key, |(_, word)| word))
        .collect();
    let closest = siblings.iter().map(|name| (distance(word, name), *name)).min();
    match closest {
        Some((away, name)) if away <= 1 + word.chars().count() / 3 => {
            format!("`{path}` is no key; did you mean `{name}`?")
        }
        _ => format!("`{path}` is no key; keys here: {}", siblings.join(", ")),
    }
}

/// Edits (insert, delete, replace) from one word to another.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, left) in from.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}
