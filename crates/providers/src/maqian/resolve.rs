//! What an order takes from its account, put into the order once, so that each repeat of its launch is the same to the byte
//! whatever becomes of the account's settings in between.

use paymux_domain::command::Created;

use super::config::Account;
use super::options::Options;

/// The order with everything in it. Options that cannot be read stay as they are; the check has refused them.
pub(super) fn resolve(account: &Account, created: Created) -> Created {
    let Ok(given) = Options::parse(&created.options_json) else { return created };
    let options = Options { settled: Some(account.settled.clone()), ..given };
    match serde_json::to_string(&options) {
        Ok(options_json) => Created { options_json, ..created },
        Err(_) => created,
    }
}
