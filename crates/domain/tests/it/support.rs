//! A small model of an order's life: fixtures, one order driven by `decide`, and random walks over it.

pub(crate) mod fixtures;
pub(crate) mod model;
pub(crate) mod walk;
