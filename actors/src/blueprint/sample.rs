//! Blueprints that ship with the node.
//!
//! Owns the texts that a first start promotes, and the text that a new blueprint starts from. All of them
//! compile.

/// Greets whoever is named in the event; keeps the greeting as an artifact.
pub const HELLO: &str = include_str!("../../blueprints/hello.yaml");
/// Asks a person before it "deploys"; keeps a report as an artifact.
pub const APPROVAL: &str = include_str!("../../blueprints/approval.yaml");
/// What `xyn blueprint new` writes.
pub const TEMPLATE: &str = include_str!("../../blueprints/template.yaml");

/// Blueprints that a first start promotes, by file name.
pub const SHIPPED: [(&str, &str); 2] = [("hello.yaml", HELLO), ("approval.yaml", APPROVAL)];
