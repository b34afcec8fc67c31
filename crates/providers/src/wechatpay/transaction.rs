//! An order as WeChat Pay states it, in a query's answer or a notification: whose it is, and what it says.

use paymux_domain::amount::Currency;
use paymux_domain::outcome::Word;
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::time::Timestamp;

use super::config::{Account, Kind};
use super::status::TradeState;
use super::wire::Transaction;

/// Bytes of a bank's code that are kept; the documents have at most 32.
const BANK_TYPE_BYTES_MAX: usize = 32;

/// The first field in which a transaction names somebody else than the account, or fails to name anybody.
///
/// The numbers must be there. Apps are optional in answers and are compared where they are; a sub-merchant's app
/// only where the account knows any.
pub(super) fn foreign_field(account: &Account, transaction: &Transaction) -> Option<&'static str> {
    let is = |given: &Option<String>, own: &str| given.as_deref() == Some(own);
    let is_among = |given: &Option<String>, own: &[String]| given.as_ref().is_none_or(|id| own.contains(id));
    let Transaction { mchid, appid, sp_mchid, sp_appid, sub_mchid, sub_appid, .. } = transaction;
    let checks: &[(&'static str, bool)] = match &account.kind {
        Kind::Direct { mchid: own } => &[
            ("mchid", is(mchid, own)),
            ("sub_mchid", sub_mchid.is_none()),
            ("appid", is_among(appid, &account.app_ids)),
        ],
        Kind::Partner { sp_mchid: own, sub_mchid: sub, sub_app_ids } => &[
            ("sp_mchid", is(sp_mchid, own)),
            ("sub_mchid", is(sub_mchid, sub)),
            ("sp_appid", is_among(sp_appid, &account.app_ids)),
            ("sub_appid", sub_app_ids.is_empty() || is_among(sub_appid, sub_app_ids)),
        ],
    };
    checks.iter().find(|(_, is_own)| !is_own).map(|(field, _)| *field)
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
    let time = transaction.success_time.as_deref();
    let time: Option<jiff::Timestamp> = time.and_then(|text| text.parse().ok());
    let bank_type = transaction.bank_type.clone();
    Ok(Payment {
        trade_no: number.parse().map_err(|_| "transaction_id")?,
        total_minor: amount.total.ok_or("amount.total")?,
        payer_total_minor: amount.payer_total,
        currency,
        success_time: time.map(|time| Timestamp::from_millis(time.as_millisecond())),
        fee_minor: None,
        bank_type: bank_type.filter(|text| text.len() <= BANK_TYPE_BYTES_MAX),
        evidence: Evidence::Stated,
    })
}
