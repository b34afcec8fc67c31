//! The domain's promises: properties over random walks and random facts, and stories told one by one.

mod endings;
mod explain;
mod fold;
mod movements;
mod operators;
mod promises;
mod retention;
mod stories;
mod support;
