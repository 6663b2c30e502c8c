//! The ways into archives.
//!
//! Owns what an archive's content is called and which reader it takes. Invariant: a zip, whose directory is at its
//! end, is held in memory up to [`ZIP_MAX_BYTES`]; all else is streamed.

use std::cell::Cell;
use std::io::{self, BufReader, Cursor, Read};
use std::rc::Rc;

use super::archive::{Counted, Format, Unpacked, ZSTD_WINDOW_LOG_MAX};
use super::place::Place;
use super::search::Search;
use super::tar;

/// Bytes of a zip that is looked into.
const ZIP_MAX_BYTES: usize = 32 << 20;

impl Search {
    pub(super) fn unpack(&mut self, place: &Place, format: Format, packed: &mut dyn Read, depth: usize) {
        if depth >= self.limits.depth {
            return self.unsearched(place, "it is in too many archives to be searched");
        }
        let outer = self.outer.take();
        let done = match format {
            Format::Gzip | Format::Zstd => self.decompress(place, format, packed, depth),
            Format::Tar => {
                let budget = Rc::clone(&self.budget);
                tar::entries(packed, |name, entry| {
                    budget.entry()?;
                    self.stream(&place.within(name), entry, depth + 1)
                })
            }
            Format::Zip => self.zip(place, packed, depth),
        };
        self.outer = outer;
        if done.is_err() {
            let why = self.budget.take_reached();
            self.unsearched(place, why.unwrap_or("it is damaged, so not all of it is searched"));
        }
    }

    fn decompress(
        &mut self,
        place: &Place,
        format: Format,
        packed: &mut dyn Read,
        depth: usize,
    ) -> io::Result<()> {
        let taken = Rc::new(Cell::new(0));
        let packed = BufReader::new(Counted { inner: packed, bytes: Rc::clone(&taken) });
        let name = place.name();
        let name = name.rsplit_once('.').map_or(name, |(stem, ending)| match ending {
            "tgz" | "tzst" => "tar",
            _ => stem,
        });
        let inner = place.within(name);
        if format == Format::Gzip {
            let unpacked = flate2::bufread::MultiGzDecoder::new(packed);
            return self.stream(&inner, &mut Unpacked::new(unpacked, taken, &self.budget.clone()), depth + 1);
        }
        let mut unpacked = zstd::stream::read::Decoder::with_buffer(packed)?;
        unpacked.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
        self.stream(&inner, &mut Unpacked::new(unpacked, taken, &self.budget.clone()), depth + 1)
    }

    fn zip(&mut self, place: &Place, packed: &mut dyn Read, depth: usize) -> io::Result<()> {
        let mut bytes = Vec::new();
        packed.take(ZIP_MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > ZIP_MAX_BYTES {
            self.unsearched(place, "it is a zip that is too large to be searched");
            return Ok(());
        }
        // Before anything is allotted for them.
        let entries = memchr::memmem::find_iter(&bytes, b"PK\x01\x02").count() as u64;
        if entries > self.limits.entries {
            self.unsearched(place, "it has too many entries to search them");
            return Ok(());
        }
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes.as_slice()))?;
        for index in 0..archive.len() {
            self.budget.entry()?;
            let Ok(entry) = archive.by_index(index) else {
                self.unsearched(
                    place,
                    "it has an entry that is encrypted, damaged or packed in an unknown way",
                );
                continue;
            };
            if entry.is_dir() {
                continue;
            }
            let inner = place.within(&String::from_utf8_lossy(entry.name_raw()));
            let packed = Rc::new(Cell::new(entry.compressed_size()));
            let mut unpacked = Unpacked::new(entry, packed, &Rc::clone(&self.budget));
            self.stream(&inner, &mut unpacked, depth + 1)?;
        }
        Ok(())
    }
}
