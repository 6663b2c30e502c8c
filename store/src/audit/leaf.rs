//! The leaf of an envelope: a salted digest that outlives what it stands for.
//!
//! Owns the salt, which stands before the envelope's bytes. Without it a purged envelope could be found again by
//! guessing: its leaf stays in the tree for ever. Invariant: a salt is random, used once, and forgotten with its
//! envelope.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::audit::hex;

/// Sixteen random bytes kept beside an envelope.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Salt(#[serde(with = "hex")] [u8; 16]);

impl Salt {
    /// A new salt. Fails only where the operating system gives no randomness.
    pub fn fresh() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// A salt from its raw bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Shows nothing: a log must not remember what a purge forgets.
impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn salts_are_fresh_and_do_not_show_themselves() {
        let salts = [Salt::fresh(), Salt::fresh()].map(|salt| salt.expect("this machine has randomness"));
        assert_ne!(salts[0], salts[1]);
        assert_eq!(format!("{:?}", salts[0]), "Salt(..)");
    }

    #[test]
    fn a_salt_is_sixteen_raw_bytes_on_disk_and_hex_in_json() {
        let salt = Salt::from_bytes([0xab; 16]);
        let bytes = postcard::to_stdvec(&salt).expect("plain data");
        assert_eq!(bytes, [0xab; 16]);
        assert_eq!(postcard::from_bytes::<Salt>(&bytes).expect("own bytes"), salt);
        let json = serde_json::to_string(&salt).expect("plain data");
        assert_eq!(json, format!("\"{}\"", "ab".repeat(16)));
        assert_eq!(serde_json::from_str::<Salt>(&json).expect("own text"), salt);
        assert!(postcard::from_bytes::<Salt>(&bytes[1..]).is_err());
        assert!(serde_json::from_str::<Salt>("\"abc\"").is_err());
        assert!(serde_json::from_str::<Salt>(&format!("\"{}\"", "zz".repeat(16))).is_err());
    }
}
