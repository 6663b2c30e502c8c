//! Tests of the evaluator through its public face.

mod evaluation;
mod properties;
