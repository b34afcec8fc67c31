//! A payment as UPaaS states it, in a query's answer or a notification.

use paymux_domain::amount::Currency;
use paymux_domain::outcome::Word;
use paymux_domain::payment::{Evidence, Payment};

use super::unpublished::{PaymentFields, Query, State};
use super::wire::Fields;
use crate::{beijing, yuan};

/// The payment with its numbers as stated, right or wrong; the error names the field that cannot be read. UPaaS takes
/// CNY alone and names no currency. Without a readable time the payment counts all the same.
pub(super) fn payment<'a>(fields: &Fields, named: &'a PaymentFields) -> Result<Payment, &'a str> {
    let trade_no = fields.get(&named.trade_no).and_then(|number| number.parse().ok());
    Ok(Payment {
        trade_no: trade_no.ok_or(named.trade_no.as_str())?,
        total_minor: fields.get(&named.amount).and_then(yuan::minor).ok_or(named.amount.as_str())?,
        payer_total_minor: None,
        currency: Some(Currency::Cny),
        success_time: named.paid_time.as_ref().and_then(|name| fields.get(name)).and_then(beijing::time),
        fee_minor: None,
        bank_type: None,
        channel_trade_no: None,
        evidence: Evidence::Stated,
    })
}

/// What a query's answer says of the order, or which field cannot be read. Our number must be there: it alone says
/// that the payment is this order's. A status that the account does not name cannot be read either.
pub(super) fn words<'a>(query: &'a Query, fields: &Fields) -> Result<Vec<Word>, &'a str> {
    let own = query.lookup.merchant_order_no.as_str();
    fields.get(own).ok_or(own)?;
    let field = query.status.field.as_str();
    let state = fields.get(field).and_then(|word| query.status.meaning(word));
    Ok(match state.ok_or(field)? {
        State::Paid => vec![Word::Paid(payment(fields, &query.payment)?)],
        State::Refunded => vec![Word::Paid(payment(fields, &query.payment)?), Word::RefundedElsewhere],
        State::Open => vec![Word::Open],
        State::Closed => vec![Word::Closed],
    })
}
