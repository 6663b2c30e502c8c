//! What is found out while a folder is packed.

use super::*;
use crate::container::{Options, pack};
use crate::fixture::{Place, SHOP};

fn inspected(place: &Place) -> Findings {
    let inspection = Inspection::new(Allow::default());
    let look = |path: &RelPath, at: u64, bytes: &[u8]| inspection.look(path, at, bytes);
    let options = Options { inspect: Some(&look), ..Options::default() };
    let dir = place.path("app");
    let draft = pack(&dir, &place.path("made.caps"), &options).expect("packed");
    let authored = Authored::read(SHOP.as_bytes()).expect("sound");
    inspection.finish(&draft, &authored, &Origin::Folder(dir)).expect("read")
}

#[test]
fn secrets_are_found_in_every_file_whether_it_came_whole_in_pieces_or_as_a_copy() {
    let place = Place::new();
    let key = ["AKIA", "IOSFODNN7", "QXR2PLE"].concat();
    let large: String = (0..900_000).map(|n| format!("{n}\n")).collect();
    for number in 0..5 {
        place.put(&format!("app/large{number}.txt"), format!("{number}{large}id = {key}\n"));
    }
    place.put("app/%notes", "DB_PASSWORD=hi\n");
    place.put("app/.env", "DB_PASSWORD=hi\n");
    place.put("app/a/requirements.txt", "flask==3.0.0\n");
    place.put("app/b/requirements.txt", "flask==3.0.0\n");
    let found = inspected(&place);
    let told: Vec<_> = found.secrets.iter().map(|finding| finding.place.to_string()).collect();
    let path = |told: &String| told.trim_matches('`').to_owned();
    let expected = [".env", "large0.txt", "large1.txt", "large2.txt", "large3.txt", "large4.txt"];
    assert_eq!(told.iter().map(path).collect::<Vec<_>>(), expected);
    assert!(!found.may_be_packed());
    assert_eq!(found.locks.len(), 2, "a copy of a lock file is one as well");
}
