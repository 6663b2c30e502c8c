//! Cutting content into chunks where the content says so, so that an edit moves no cut but those around it.
//!
//! Owns the cut and the digest of what passes through. Whatever the sizes of the pieces
//! that come, the cuts are the same. Invariant: it holds at most one window of the content.

use fastcdc::v2020::FastCDC;
use sha2::{Digest as _, Sha256};

use super::CHUNK_MAX;
use crate::Digest;

/// The shortest chunk of a store, but for the last of a blob.
pub(super) const CHUNK_MIN: usize = 16 << 10;
/// How much is gathered before it is cut: so many of the longest chunks, so that little is moved for each.
const WINDOW_CHUNKS: usize = 4;

/// How long chunks are: the three sizes of FastCDC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cuts {
    /// The shortest, but for the last of a content.
    pub min_bytes: usize,
    /// About as long as most are.
    pub average_bytes: usize,
    /// The longest.
    pub max_bytes: usize,
}

impl Cuts {
    /// How the blobs of a store are cut.
    pub(super) const STORE: Self =
        Self { min_bytes: CHUNK_MIN, average_bytes: 64 << 10, max_bytes: CHUNK_MAX };
}

/// A content on its way into chunks.
pub struct Cutter {
    cuts: Cuts,
    hasher: Sha256,
    window: Vec<u8>,
    size_bytes: u64,
    is_cut: bool,
}

impl Default for Cutter {
    fn default() -> Self {
        Self::new(Cuts::STORE)
    }
}

impl Cutter {
    /// Cuts a content as `cuts` says.
    pub fn new(cuts: Cuts) -> Self {
        Self { cuts, hasher: Sha256::new(), window: Vec::new(), size_bytes: 0, is_cut: false }
    }

    /// Takes the next bytes and hands over the chunks that are certain now.
    pub fn write<E>(&mut self, bytes: &[u8], mut take: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        for piece in bytes.chunks((WINDOW_CHUNKS - 1) * self.cuts.max_bytes) {
            self.hasher.update(piece);
            self.size_bytes += piece.len() as u64;
            self.window.extend_from_slice(piece);
            // A cut is certain once the longest chunk would fit in front of what is still to come.
            self.cut(self.cuts.max_bytes, &mut take)?;
        }
        Ok(())
    }

    /// Hands over the last chunks; answers the digest of all and the length.
    pub fn finish<E>(mut self, mut take: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(Digest, u64), E> {
        if self.size_bytes == 0 {
            take(&[])?;
        }
        self.cut(0, &mut take)?;
        Ok((Digest::from_bytes(self.hasher.finalize().into()), self.size_bytes))
    }

    /// How much came so far.
    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// All that came so far, while it is so little that nothing was cut.
    pub(super) fn uncut(self) -> Option<(Digest, Vec<u8>)> {
        let digest = Digest::from_bytes(self.hasher.finalize().into());
        (!self.is_cut).then_some((digest, self.window))
    }

    /// Cuts while more than `rest` bytes are left.
    fn cut<E>(&mut self, rest: usize, take: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let Cuts { min_bytes, average_bytes, max_bytes } = self.cuts;
        let mut from = 0;
        while self.window.len() - from > rest {
            let left = &self.window[from..];
            let (_, length) = FastCDC::new(left, min_bytes, average_bytes, max_bytes).cut(0, left.len());
            self.is_cut = true;
            take(&left[..length])?;
            from += length;
        }
        self.window.drain(..from);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::noise;
    use super::*;

    fn chunks(content: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let mut chunks = Vec::new();
        let mut cutter = Cutter::default();
        let mut take = |chunk: &[u8]| {
            chunks.push(chunk.to_vec());
            Ok::<_, std::convert::Infallible>(())
        };
        for piece in content.chunks(piece) {
            cutter.write(piece, &mut take).expect("taken");
        }
        let (digest, size_bytes) = cutter.finish(&mut take).expect("taken");
        assert_eq!((digest, size_bytes), (Digest::of(content), content.len() as u64));
        chunks
    }

    #[test]
    fn an_edit_moves_no_cut_but_those_around_it() {
        let mut content = noise(1, 3 << 20);
        let before = chunks(&content, 1 << 20);
        assert!((30..80).contains(&before.len()), "{} chunks", before.len());
        content.splice(1_500_000..1_500_010, noise(2, 100));
        let after = chunks(&content, 1 << 20);
        let fresh = after.iter().filter(|chunk| !before.contains(chunk)).count();
        assert!((1..=3).contains(&fresh), "{fresh} new chunks");
    }

    #[test]
    fn where_it_is_cut_does_not_change_between_versions() {
        let content = noise(3, 1 << 20);
        let lengths: Vec<_> = chunks(&content, 1 << 20).iter().map(Vec::len).collect();
        assert_eq!(lengths, LENGTHS);
    }

    /// What is kept and what peers hold is cut like this: another crate or another parameter would share
    /// nothing.
    const LENGTHS: [usize; 16] = [
        47422, 84898, 23683, 68830, 19262, 111658, 77531, 72284, 98833, 36679, 91314, 60674, 181164, 26767,
        39475, 8102,
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn cuts_do_not_depend_on_the_pieces(seed: u8, length in 0..1_500_000_usize, piece in 1..900_000_usize) {
            let content = noise(seed, length);
            let whole = chunks(&content, content.len().max(1));
            prop_assert_eq!(whole.concat(), content.clone());
            let (last, others) = whole.split_last().expect("there is a chunk, if an empty one");
            prop_assert!(others.iter().all(|chunk| (Cuts::STORE.min_bytes..=CHUNK_MAX).contains(&chunk.len())));
            prop_assert!(last.len() <= CHUNK_MAX);
            prop_assert_eq!(chunks(&content, piece), whole);
        }
    }
}
