//! An order as WeChat Pay states it, in a query's answer or a notification: whose it is, and what it says.

use paymux_domain::amount::Currency;
use paymux_domain::command::Created;
use paymux_domain::outcome::Word;
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::time::Timestamp;

use super::config::{Account, Kind};
use super::options::{Options, PayerScope};
use super::status::TradeState;
use super::wire::{Parties, Transaction};

/// Bytes of a bank's code that are kept; the documents have at most 32.
const BANK_TYPE_BYTES_MAX: usize = 32;

/// The first merchant number that is not the account's, or that is missing. It alone decides whose an order is: an app
/// that has left the account still has orders, and their money is real.
pub(super) fn foreign_number(account: &Account, parties: &Parties) -> Option<&'static str> {
    differing_number(account, parties, |given, own| given == Some(own))
}

/// As [`foreign_number`], where a number that is not stated counts as right: the answers about refunds state none.
pub(super) fn contradicted_number(account: &Account, parties: &Parties) -> Option<&'static str> {
    differing_number(account, parties, |given, own| given.is_none_or(|given| given == own))
}

fn differing_number(
    account: &Account,
    parties: &Parties,
    fits: fn(Option<&str>, &str) -> bool,
) -> Option<&'static str> {
    let Parties { mchid, sp_mchid, sub_mchid, .. } = parties;
    let fits = |given: &Option<String>, own: &str| fits(given.as_deref(), own);
    let checks: &[(&'static str, bool)] = match &account.kind {
        Kind::Direct { mchid: own } => &[("mchid", fits(mchid, own)), ("sub_mchid", sub_mchid.is_none())],
        Kind::Partner { sp_mchid: own, sub_mchid: sub, .. } => {
            &[("sp_mchid", fits(sp_mchid, own)), ("sub_mchid", fits(sub_mchid, sub))]
        }
    };
    checks.iter().find(|(_, fits)| !fits).map(|(field, _)| *field)
}

/// The field in which the stated app is not the one that the order was made for, where both are known.
pub(super) fn other_app(account: &Account, created: &Created, parties: &Parties) -> Option<&'static str> {
    let options = Options::parse(&created.options_json).ok()?;
    let (field, stated) = match (&account.kind, options.payer_scope) {
        (Kind::Direct { .. }, _) => ("appid", &parties.appid),
        (Kind::Partner { .. }, Some(PayerScope::Partner)) => ("sp_appid", &parties.sp_appid),
        (Kind::Partner { .. }, Some(PayerScope::SubMerchant)) => ("sub_appid", &parties.sub_appid),
        (Kind::Partner { .. }, None) => return None,
    };
    let (stated, own) = (stated.as_deref()?, created.payer.app_id.as_deref()?);
    (stated != own).then_some(field)
}

/// What it says, or which field cannot be read. A state that is not listed cannot be read either.
pub(super) fn words(transaction: &Transaction) -> Result<Vec<Word>, &'static str> {
    match TradeState::of(&transaction.trade_state).ok_or("trade_state")? {
        TradeState::Paid => Ok(vec![Word::Paid(payment(transaction)?)]),
        TradeState::Refunded => Ok(vec![Word::Paid(payment(transaction)?), Word::RefundedElsewhere]),
        TradeState::Open => Ok(vec![Word::Open]),
        TradeState::Closed => Ok(vec![Word::Closed]),
    }
}

/// The payment with its numbers as stated, right or wrong. A currency that is not named is CNY: it is optional in
/// the documents, and this interface takes no other (`providers.md` section 4.2) `[assumed]`.
fn payment(transaction: &Transaction) -> Result<Payment, &'static str> {
    let number = transaction.transaction_id.as_deref().ok_or("transaction_id")?;
    let amount = transaction.amount.as_ref().ok_or("amount")?;
    let currency = amount.currency.as_deref().map_or(Some(Currency::Cny), |code| code.parse().ok());
    let bank_type = transaction.bank_type.clone();
    Ok(Payment {
        trade_no: number.parse().map_err(|_| "transaction_id")?,
        total_minor: amount.total.ok_or("amount.total")?,
        payer_total_minor: amount.payer_total,
        currency,
        success_time: time(transaction.success_time.as_deref()),
        fee_minor: None,
        bank_type: bank_type.filter(|text| text.len() <= BANK_TYPE_BYTES_MAX),
        // WeChat Pay is the channel.
        channel_trade_no: None,
        evidence: Evidence::Stated,
    })
}

/// A time as stated (RFC 3339). One that cannot be read counts as not stated: money counts without its time.
pub(super) fn time(stated: Option<&str>) -> Option<Timestamp> {
    let time: jiff::Timestamp = stated?.parse().ok()?;
    Some(Timestamp::from_millis(time.as_millisecond()))
}
