//! The xyn binary.
fn main() {}
