//! xyn
