//! Everything that 码钱 would refuse in an order, found before the order is accepted: nobody but the payer would see 码钱's
//! own refusal.

use paymux_domain::amount::Currency;
use paymux_domain::command::Created;
use paymux_domain::limits::{ATTACH_BYTES_MAX, DESCRIPTION_CHARS_MAX};
use paymux_domain::ports::FieldFault;

use super::config::Account;
use super::launch::{self, Data};
use super::options::{Options, Revision};
use super::{APP, METHODS, ORDER_NO_CHARS, sign};
use crate::faults::Faults;

/// What the cashier could take for its own in an app's launch, whose data is decoded once before it is taken apart
/// (`providers.md` section 5.4).
const CUTTING: [char; 3] = ['&', '%', '+'];

/// All faults of an order for that account.
pub(super) fn faults(account: &Account, created: &Created) -> Vec<FieldFault> {
    let mut faults = Faults::default();
    faults.order_no(created, ORDER_NO_CHARS);
    // [assumed] The page's sample has digits alone (section 5.8).
    if !created.out_trade_no.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        faults.add("merchant_order_no", "must have letters and digits only, the prefix included");
    }
    faults.text("description", &created.description, DESCRIPTION_CHARS_MAX);
    if let Some(attach) = created.attach.as_deref() {
        faults.text("attach", attach, ATTACH_BYTES_MAX);
    }
    faults.expiry(created);
    match created.amount.currency() {
        Currency::Cny => {}
    }
    if !METHODS.contains(&created.method.as_str()) {
        faults.add("method", "must be mini_program or app");
    }
    match Options::parse(&created.options_json) {
        Ok(options) => {
            options.check(&mut faults);
            check_revision(&mut faults, account, created, &options);
            check_values(&mut faults, account, created, &options);
        }
        Err(reason) => faults.add("maqian", reason),
    }
    faults.into_vec()
}

fn check_revision(faults: &mut Faults, account: &Account, created: &Created, options: &Options) {
    if options.sub_mch_id.is_some() && account.settled.revision == Revision::First {
        faults.add("maqian.sub_mch_id", "is known to the newer revision only (launch_revision = \"v2\")");
    }
    if options.remark.is_some() && created.attach.is_some() {
        faults
            .add("attach", "is sent as the remark, of which maqian.remark is one already: give one of them");
    }
}

/// What both sides could read differently in the launch.
fn check_values(faults: &mut Faults, account: &Account, created: &Created, options: &Options) {
    let data = Data::of(&account.merch_no, &account.settled, created, options);
    let is_app = created.method == APP;
    for (name, value) in data.iter() {
        let field = field_of(name, created, options);
        // A value may come back in a notification, whose text must be readable in one way only, too.
        if sign::names_a_field(value, &launch::FIELDS) || sign::names_a_field(value, &sign::COUNTING) {
            faults.add(&field, "must not hold & with a field of 码钱 and =, such as &total_amount=");
        } else if is_app && (value.contains(CUTTING) || name == "remark" && value.contains('#')) {
            let also = if name == "remark" { ", #" } else { "" };
            faults.add(&field, format!("must not hold &, %, +{also} where an app opens the cashier"));
        }
    }
}

/// The field of the API, or the key of the account, from which a field of the launch comes.
fn field_of(name: &str, created: &Created, options: &Options) -> String {
    match name {
        "goods_name" if options.goods_name.is_none() => "description".to_owned(),
        "remark" if options.remark.is_none() && created.attach.is_some() => "attach".to_owned(),
        "out_trade_no" | "req_id" => "merchant_order_no".to_owned(),
        "goods_detail" => "maqian.goods".to_owned(),
        "app_id" | "app_name" | "merch_no" | "pn" => format!("merchant_id ({name} of its account)"),
        "notify_url" => "merchant_id (the address for its notifications)".to_owned(),
        other => format!("maqian.{other}"),
    }
}
