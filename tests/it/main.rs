//! The integration tests of Xyn, one link unit: a module for each thing that is tried from outside.

mod architecture;
mod capsule;
mod content;
mod crash;
mod flood;
mod folders;
mod forgeries;
mod formats;
mod fuzzing;
mod hostile;
mod live;
mod mesh;
mod node;
mod peer;
mod peers;
mod rebuild;
mod refusals;
mod rotation;
mod schema;
mod streams;
mod team;
mod time;
mod timeline;
mod tour;
mod uncertain;
mod workspaces;
