//! API floor.
