//! The integration tests of Xyn, one link unit: a module for each thing that is tried from outside.

mod architecture;
mod node;
mod peer;
mod tour;
mod uncertain;
