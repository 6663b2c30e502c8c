//! The timeline: what a team sees of each other's work, merged offline.
//!
//! Owns feeds of records (the truth) and their fold into entries and boards. Never opens a socket and never asks a
//! clock: time, keys and the roster are arguments. Invariant: the fold is a function of the set of records and the
//! roster, whatever the order in which they came.

pub mod feed;
