//! The `xyn` program as a library: the command line, its client, the configuration, and the wiring of a node.
//!
//! Owns what people type and read. Decides nothing about events, runs or policies: it asks a node, or a stopped
//! node's folder. Invariant: `node` is the only place where the floors below are wired together.

pub mod cli;
mod client;
pub mod config;
mod door;
mod failure;
pub mod node;
mod shell;
