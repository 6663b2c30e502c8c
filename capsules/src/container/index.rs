//! The chunks of a capsule, and where they lie in the stream of its files.
//!
//! Invariant: the chunks of an index that was read are the whole stream of the tree, one behind the other.

use std::ops::Range;

use super::error::{Fault, Part};
use super::format::{Fields, Row};
use super::layout::Layout;
use super::outline::Outline;

/// The chunks of a stream.
pub(super) struct Index {
    pub(super) rows: Vec<Row>,
    /// Where each begins in the stream.
    pub(super) starts: Vec<u64>,
}

impl Index {
    /// Reads an index that anyone may have made, of the files in `layout`. The stream of its base, if it has
    /// one, is of `base_bytes`.
    pub(super) fn decode(section: &[u8], layout: &Layout, base_bytes: u64) -> Result<Self, Fault> {
        let (mut fields, mut rows, mut starts, mut at) = (Fields(section), Vec::new(), Vec::new(), 0_u64);
        while !fields.0.is_empty() {
            let row = Row::decode(&mut fields)?;
            if let Some((near, bytes)) = row.near() {
                let end = near.saturating_add(bytes);
                if end > base_bytes || bytes > super::format::NEAR_MAX_BYTES {
                    return Err(Fault::Base { at: near, end, base: base_bytes });
                }
            }
            starts.push(at);
            // An index has few rows, and each a small length.
            at += u64::from(row.raw_bytes);
            rows.push(row);
        }
        match at == layout.stream_bytes {
            true => Ok(Self { rows, starts }),
            false => Err(Fault::Stream { chunks: at, files: layout.stream_bytes }),
        }
    }

    /// Where chunk `number` lies in the stream.
    pub(super) fn range(&self, number: usize) -> Range<u64> {
        self.starts[number]..self.starts[number] + u64::from(self.rows[number].raw_bytes)
    }

    /// What to call chunk `number` in messages.
    pub(super) fn part(&self, number: usize, outline: &Outline) -> Part {
        let first = self.rows.get(number).and_then(|_| outline.layout.within(self.range(number)).next());
        let from = first.map(|(file, _)| outline.listing.entries[outline.layout.files[file].entry].0.clone());
        Part::Chunk { number: number + 1, from: from.unwrap_or_default() }
    }
}
