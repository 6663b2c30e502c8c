//! Ticks over daylight saving, pauses and bad schedules.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn entry(schedule: &str, time_zone: &str, missed: &str) -> Entry {
    let definition = json!({"name": "job", "schedule": schedule, "time_zone": time_zone, "missed": missed});
    Entry::new(serde_json::from_value(definition).expect("a definition")).expect("an entry")
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("the case is an instant")
}

#[test]
fn the_next_tick_is_read_in_the_entrys_time_zone() {
    let cases = [
        ("0 3 * * *", "UTC", "2026-01-10T03:00:00Z", "2026-01-11T03:00:00Z"),
        ("0 3 * * *", "Europe/Berlin", "2026-01-10T00:00:00Z", "2026-01-10T02:00:00Z"),
        ("0 3 * * *", "Europe/Berlin", "2026-07-10T00:00:00Z", "2026-07-10T01:00:00Z"),
        ("*/10 * * * * *", "UTC", "2026-01-10T03:00:00.5Z", "2026-01-10T03:00:10Z"),
        ("0 9 * * MON#1", "UTC", "2026-01-10T00:00:00Z", "2026-02-02T09:00:00Z"),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("@daily", "Asia/Kolkata", "2026-01-01T00:00:00Z", "2026-01-01T18:30:00Z"),
    ];
    for (schedule, zone, after, expected) in cases {
        assert_eq!(entry(schedule, zone, "all").next_after(at(after)), Some(at(expected)), "{schedule}");
    }
    assert_eq!(entry("0 0 * * *", "UTC", "all").next_after(Timestamp::MAX), None);
}

#[test]
fn a_time_in_the_spring_gap_fires_right_after_it_and_only_then() {
    let nightly = entry("30 2 * * *", "Europe/Berlin", "all");
    let ticks = nightly.due(at("2026-03-28T00:00:00Z"), at("2026-03-30T23:00:00Z"));
    let expected = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"];
    assert_eq!(ticks, expected.map(at));
}

#[test]
fn a_time_in_the_autumn_fold_fires_once_and_a_wildcard_follows_elapsed_time() {
    let nightly = entry("30 2 * * *", "Europe/Berlin", "all");
    let ticks = nightly.due(at("2026-10-24T20:00:00Z"), at("2026-10-26T20:00:00Z"));
    assert_eq!(ticks, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"].map(at));
    let half_hourly = entry("*/30 * * * *", "Europe/Berlin", "all");
    let ticks = half_hourly.due(at("2026-10-24T23:59:00Z"), at("2026-10-25T02:00:00Z"));
    let expected =
        ["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"];
    assert_eq!(ticks, [expected.map(at).as_slice(), &[at("2026-10-25T02:00:00Z")]].concat());
}

#[test]
fn the_policy_decides_about_missed_ticks() {
    let (last, now) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T03:10:00Z"));
    let hours = ["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z", "2026-01-01T03:00:00Z"].map(at);
    let due = |missed, now| entry("0 * * * *", "UTC", missed).due(last, now);
    assert_eq!(due("all", now), hours);
    assert_eq!(due("once", now), hours[2..]);
    assert_eq!(due("skip", now), []);
    let on_time = at("2026-01-01T03:01:00Z");
    assert_eq!(due("skip", on_time), hours[2..], "a minute late is still on time");
    for missed in ["all", "once", "skip"] {
        assert_eq!(due(missed, at("2026-01-01T00:59:59.999999Z")), [], "{missed}: nothing is due yet");
        assert_eq!(due(missed, at("2025-12-31T00:00:00Z")), [], "{missed}: the clock stepped back");
        let exactly = entry("0 * * * *", "UTC", missed).due(hours[0], hours[1]);
        assert_eq!(exactly, hours[1..2], "{missed}: a tick is due at its instant, and not again");
    }
}

#[test]
fn many_missed_ticks_come_in_bounded_batches_without_loss() {
    let (start, now) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T01:00:00Z"));
    let every_second = entry("* * * * * *", "UTC", "all");
    let (mut last, mut count) = (start, 0);
    loop {
        let batch = every_second.due(last, now);
        assert!(batch.len() <= MAX_DUE);
        let Some(end) = batch.last() else { break };
        (last, count) = (*end, count + batch.len());
    }
    assert_eq!((last, count), (now, 3600));
    let once = entry("* * * * * *", "UTC", "once").due(Timestamp::EPOCH, now);
    assert_eq!(once, [now], "a pause of decades is no search of decades");
}

#[test]
fn a_tick_has_one_event_whoever_asks() {
    let nightly = entry("0 3 * * *", "UTC", "all");
    let tick = at("2026-01-10T03:00:00Z");
    let event = nightly.event(tick);
    assert_eq!(event, entry("0 3 * * *", "UTC", "once").event(tick));
    assert_eq!((event.event_name.as_str(), event.occurred_at), ("cron.job", Some(tick)));
    assert_ne!(event.event_id, nightly.event(at("2026-01-11T03:00:00Z")).event_id);
}

#[test]
fn faulty_definitions_are_refused_with_the_field() {
    let cases = [
        (json!({"name": "a b", "schedule": "* * * * *"}), "name"),
        (json!({"name": "", "schedule": "* * * * *"}), "name"),
        (json!({"name": "a", "schedule": "61 * * * *"}), "schedule"),
        (json!({"name": "a", "schedule": "* * *"}), "schedule"),
        (json!({"name": "a", "schedule": ""}), "schedule"),
        (json!({"name": "a", "schedule": "0 0 31 2 *"}), "never ticks"),
        (json!({"name": "a", "schedule": "0 0 0 1 1 * 1969"}), "never ticks"),
        (json!({"name": "a", "schedule": "* * * * *", "time_zone": "Mars/Olympus"}), "time_zone"),
        (json!({"name": "a", "schedule": "* * * * *", "event_name": "a..b"}), "event_name"),
    ];
    for (definition, field) in cases {
        let parsed: Definition = serde_json::from_value(definition.clone()).expect("a definition");
        let refused = Entry::new(parsed).expect_err("no entry").to_string();
        assert!(refused.contains(field), "{definition}: {refused}");
    }
    let unknown = json!({"name": "a", "schedule": "* * * * *", "zone": "UTC"});
    assert!(serde_json::from_value::<Definition>(unknown).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_latest_tick_is_the_last_of_all(
        schedule in prop::sample::select(vec![
            "30 2 * * *", "0 */2 * * *", "*/20 * * * *", "15 1,2,3 * * SUN", "0 0 1 * *",
        ]),
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
        hour in 0..17_520i64,
        second in 0..3_600i64,
    ) {
        let now = Timestamp::from_micros((1_767_225_600 + hour * 3600 + second) * 1_000_000);
        let last = now.before(Duration::from_secs(3 * 86_400));
        let all = entry(schedule, zone, "all").due(last, now);
        prop_assert!(all.is_sorted());
        let latest: Vec<_> = all.last().copied().into_iter().collect();
        prop_assert_eq!(entry(schedule, zone, "once").due(last, now), latest);
    }

    #[test]
    fn no_schedule_panics(schedule: String, zone: String) {
        let definition = json!({"name": "a", "schedule": schedule, "time_zone": zone});
        let definition = serde_json::from_value(definition).expect("a definition");
        let _ = Entry::new(definition);
    }
}
