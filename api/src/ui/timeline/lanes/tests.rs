//! Lanes: where branches begin and end, and what there is no room for.

use xyn_store::ids;

use super::*;

fn id(number: u64) -> EntryId {
    ids::derived(Timestamp::EPOCH, &[&number.to_be_bytes()])
}

fn branch(name: &str) -> Branch {
    name.parse().expect("a name")
}

fn seen(number: u64, on: &str, kind: Kind, parents: &[u64]) -> Seen {
    Seen {
        entry_id: id(number),
        branch: branch(on),
        kind,
        at: Timestamp::from_micros(i64::try_from(number).expect("small") * 1_000_000),
        title: format!("moment {number}"),
        parents: parents.iter().map(|parent| id(*parent)).collect(),
        labels: Vec::new(),
        is_pinned: false,
    }
}

#[test]
fn a_branch_leaves_its_base_and_comes_back_where_it_is_merged() {
    let moments = [
        seen(0, "main", Kind::Edit, &[]),
        seen(1, "try", Kind::Edit, &[]),
        seen(2, "main", Kind::Run, &[]),
        seen(3, "try", Kind::Edit, &[]),
        seen(4, "main", Kind::Merge, &[2, 3]),
    ];
    let scene = scene(&moments, 2, &[(branch("main"), None), (branch("try"), Some(id(0)))]);
    let places: Vec<_> = scene.marks.iter().map(|mark| (mark.x, mark.y)).collect();
    assert_eq!(places, [(0, 58), (22, 102), (44, 58), (66, 102), (88, 58)]);
    let classes: Vec<_> = scene.curves.iter().map(|curve| curve.class).collect();
    assert_eq!(classes, ["fork", "merge"], "what joins its own lane needs no curve");
    assert_eq!(scene.curves[0].path, "M0 58C14 58 8 102 22 102");
    assert_eq!(scene.curves[1].path, "M66 102C80 102 74 58 88 58");
    assert_eq!(scene.lanes[1].line, Some((22, 66)));
    assert_eq!((scene.chosen, scene.left), ((44, 58), 44 - VIEW / 2));
}

#[test]
fn a_branch_that_began_before_what_is_seen_comes_from_the_edge() {
    let moments = [seen(5, "main", Kind::Note, &[]), seen(6, "try", Kind::Note, &[])];
    let lanes = scene(&moments, 0, &[(branch("main"), None), (branch("try"), Some(id(1)))]).lanes;
    assert_eq!(lanes[1].line, Some((-PITCH, PITCH)));
    let lanes = scene(&moments, 0, &[(branch("main"), None), (branch("try"), None)]).lanes;
    assert_eq!(lanes[1].line, Some((PITCH, PITCH)), "nobody said where it begins");
}

#[test]
fn many_branches_share_the_last_lane() {
    let names: Vec<String> = (0..40).map(|number| format!("b{number:02}")).collect();
    let moments: Vec<_> =
        names.iter().zip(0..).map(|(name, number)| seen(number, name, Kind::Note, &[])).collect();
    let lanes: Vec<_> = names.iter().take(LANES_MAX - 1).map(|name| (branch(name), None)).collect();
    let scene = scene(&moments, 39, &lanes);
    assert_eq!(scene.lanes.len(), LANES_MAX);
    assert_eq!(scene.lanes[LANES_MAX - 1].name, "others");
    assert!(scene.marks.iter().all(|mark| mark.y <= scene.lanes[LANES_MAX - 1].y));
}

#[test]
fn labels_that_would_lie_on_each_other_are_left_out() {
    let mut moments: Vec<_> = (0..9).map(|number| seen(number, "main", Kind::Edit, &[])).collect();
    for moment in &mut moments {
        moment.labels = vec!["released".into()];
    }
    let scene = scene(&moments, 0, &[(branch("main"), None)]);
    let flagged: Vec<_> = scene.marks.iter().map(|mark| !mark.flag.is_empty()).collect();
    assert_eq!(flagged, [true, false, false, false, true, false, false, false, true]);
}

#[test]
fn nothing_is_drawn_of_nothing_and_texts_are_cut() {
    assert!(scene(&[], 0, &[]).marks.is_empty());
    let mut one = seen(1, "main", Kind::Note, &[]);
    one.title = "ü".repeat(256);
    let said = scene(&[one], 0, &[(branch("main"), None)]).marks[0].said.clone();
    assert!(said.ends_with('…') && said.chars().count() < 160, "{said}");
}
