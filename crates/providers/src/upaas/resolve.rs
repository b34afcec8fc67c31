//! What an order takes from its account, put into the order once: the app, its name, staff, terminal, origin.
//!
//! A create that is repeated must say the same, so none of them may follow a change of the account's settings.

use paymux_domain::command::Created;

use super::config::Account;
use super::options::Options;
use super::product::{self, Product};

/// The order with everything in it. An order that does not fit stays as it is; the check has refused it.
pub(super) fn resolve(account: &Account, created: Created) -> Created {
    let (Some(product), Ok(given)) = (Product::of(&created.method), Options::parse(&created.options_json))
    else {
        return created;
    };
    let Ok(options) = product::completed(product, &account.defaults, &created, &given) else {
        return created;
    };
    let mut created = created;
    let app = match product {
        Product::WeixinJsapi => options.wx_appid.clone(),
        Product::WeixinMiniProgram => options.sub_appid.clone(),
        Product::Alipay | Product::Unionpay => None,
    };
    created.payer.app_id = app.or(created.payer.app_id);
    if options != given
        && let Ok(json) = serde_json::to_string(&options)
    {
        created.options_json = json;
    }
    created
}
