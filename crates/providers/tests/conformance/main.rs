//! One conformance suite over all providers: the same scenarios for each, over real HTTP against the simulated provider.
//!
//! A scenario drives the production code through the gateway, has every word heard by `decide`, and judges what the
//! engine would then believe against what the provider knows. What a provider lacks follows from its `Capabilities`
//! alone, is proven to be lacking, and must stand in `lacking.txt`, which quotes the provider's contract.
//!
//! A further provider is a folder in `src`, a folder among the simulators, and here a rig and its line in `registry`.

#![expect(clippy::unwrap_used, reason = "in helpers of tests too a failed unwrap is a failed test")]

mod column;
mod fields;
mod inbox;
mod matrix;
mod need;
mod offered;
mod proxy;
mod registry;
mod rig;
mod rigs;
mod sale;
mod scenarios;
mod sixth;
mod table;
mod wire;
mod world;

use crate::column::{Cell, Column};
use crate::registry::COLUMNS;

/// Runs a column, whose every cell must end well.
#[track_caller]
fn conforms(column: &str) {
    let column = COLUMNS.iter().find(|known| known.rig.column() == column).expect("a registered column");
    let failures = column.failures();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), column.rig.column(), failures.join("\n"));
}

#[test]
fn wechatpay_conforms() {
    conforms("wechatpay");
}

#[test]
fn a_partner_of_wechatpay_conforms() {
    conforms("wechatpay partner");
}

#[test]
fn xorpay_conforms() {
    conforms("xorpay");
}

#[test]
fn upaas_conforms() {
    conforms("upaas");
}

#[test]
fn upaas_with_all_that_it_may_have_conforms() {
    conforms("upaas named");
}

#[test]
fn maqian_conforms() {
    conforms("maqian");
}

#[test]
fn maqian_with_the_server_api_conforms() {
    conforms("maqian api");
}

#[test]
fn payjs_conforms() {
    conforms("payjs");
}

/// The suite itself is tested: who believes what nobody has proven is found out, by these rows and no other.
#[test]
fn a_client_that_takes_no_proof_does_not_conform() {
    let naive = Column::new(&sixth::rig::Sixth("naive"));
    let failed = naive.cells().iter().filter(|(_, cell)| matches!(cell, Cell::Failed(_)));
    let failed: Vec<&str> = failed.map(|(row, _)| row.as_str()).collect();
    assert_eq!(failed, ["notification: forged", "notification: wrong merchant", "query: tampered"]);
}

#[test]
fn a_sixth_provider_conforms() {
    conforms("sixth");
}
