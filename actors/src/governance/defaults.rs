//! The policies that come with the program.
//!
//! Owns nothing but their texts, which are files so that people can read and copy them. Refuses to activate
//! them. Invariant: each parses without an issue, which a test proves.

/// In force in a `dev` environment: allows everything there, and `http.call` reaches the machine itself.
pub const DEV_POLICY: &str = include_str!("../../policies/dev.yaml");

/// A starting point for production, for people to copy. Not in force by itself.
pub const PROD_EXAMPLE_POLICY: &str = include_str!("../../policies/prod.example.yaml");
