//! What an order takes from its account, put into the order once: the payer's app, the partner's, the shop.
//!
//! WeChat Pay refuses a create that is repeated with other parameters, so none of them may follow a change of the
//! account's settings.

use paymux_domain::command::Created;

use super::config::{Account, Kind};
use super::options::{Options, PayerScope};
use super::product::{self, Product};

/// The order with everything in it. An order that fits no account stays as it is; the check has refused it.
pub(super) fn resolve(account: &Account, created: Created) -> Created {
    let Ok(given) = Options::parse(&created.options_json) else { return created };
    let mut options = given.clone();
    let mut app_id = None;
    if let Ok(app) = product::chosen_app(account, &created, &given) {
        app_id = Some(app.app_id.to_owned());
        if matches!(account.kind, Kind::Partner { .. }) {
            options.payer_scope = Some(app.scope);
            let is_sub = app.scope == PayerScope::SubMerchant;
            options.sp_app_id = account.app_ids.first().filter(|_| is_sub).cloned();
        }
    }
    if Product::of(&created.method) == Some(Product::Scannedpos) && options.store_info.is_none() {
        options.store_info = account.store.clone();
    }
    let mut created = created;
    created.payer.app_id = app_id.or(created.payer.app_id);
    if options != given
        && let Ok(json) = serde_json::to_string(&options)
    {
        created.options_json = json;
    }
    created
}
