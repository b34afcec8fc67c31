//! The binary `paymux`.

fn main() {}
