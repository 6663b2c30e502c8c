//! From a tree with places to a [`Plan`], or to every fault that stands in the way.
//!
//! Owns the rules of a blueprint. Never stops at the first fault: what is missing or wrong is reported and
//! checking goes on with the rest. Invariant: a plan is returned exactly when there is no issue.

mod call;
mod document;
mod edges;
mod gate;
mod names;
mod outline;
mod outputs;
mod schema;
mod step;
mod text;

use xyn_store::Digest;

use super::plan::Plan;
use super::{NodeLimits, source};
use crate::actions::Registry;
use crate::document::{Code, Document, Fields, Issue, Node, Reader, Tree};

/// Compiles an author's text, YAML or JSON. The issues are all there are, in the order of the text.
pub fn compile(source: &[u8], registry: &Registry, node_limits: &NodeLimits) -> Result<Plan, Vec<Issue>> {
    let document = Document::parse(source, "blueprint")?;
    document
        .read(|doc, root| Checker { doc, root, registry, limits: node_limits }.blueprint(Digest::of(source)))
}

/// Compiles a text that was promoted, perhaps when the node allowed more than `node_limits`. A run of it works no
/// longer than they say all the same.
pub fn compile_promoted(
    source: &[u8],
    registry: &Registry,
    node_limits: &NodeLimits,
) -> Result<Plan, Vec<Issue>> {
    let mut plan = compile(source, registry, &node_limits.for_promoted())?;
    plan.limits.max_steps = plan.limits.max_steps.min(node_limits.max_steps);
    plan.limits.wall_clock = plan.limits.wall_clock.min(node_limits.wall_clock);
    Ok(plan)
}

/// The check under way.
struct Checker<'c, 'a> {
    doc: &'c mut Reader<'a>,
    root: &'a Node,
    registry: &'a Registry,
    limits: &'a NodeLimits,
}

#[cfg(test)]
mod tests;
