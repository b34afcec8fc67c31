//! A refund as WeChat Pay states it, in an answer or a notification: which one it is, and where it stands.

use paymux_domain::command::Created;
use paymux_domain::refund::{RefundProgress, RefundRequest, RefundWord};

use super::config::Account;
use super::wire::Refund;
use super::{status, transaction};

/// Characters of WeChat Pay's number of a refund that are kept; the documents have at most 32.
const REFUND_ID_CHARS_MAX: usize = 64;

/// The first field in which an answer is about another refund than the one that was asked for.
pub(super) fn foreign_field(
    account: &Account,
    created: &Created,
    wanted: &RefundRequest,
    stated: &Refund,
) -> Option<&'static str> {
    let currency = stated.amount.currency.as_deref();
    let checks = [
        ("out_refund_no", stated.out_refund_no == wanted.out_refund_no.as_str()),
        ("out_trade_no", stated.out_trade_no == created.out_trade_no.as_str()),
        ("transaction_id", stated.transaction_id == wanted.trade_no.as_str()),
        ("amount.currency", currency.is_none_or(|code| code == wanted.amount.currency().code())),
    ];
    let differing = checks.into_iter().find(|(_, is_ours)| !is_ours).map(|(field, _)| field);
    transaction::contradicted_number(account, &stated.parties).or(differing)
}

/// Where it stands, or which field cannot be read. A status that is not listed cannot be read either.
pub(super) fn word(stated: &Refund) -> Result<RefundWord, &'static str> {
    let status = stated.status.as_deref().or(stated.refund_status.as_deref()).ok_or("status")?;
    let refund_id = stated.refund_id.clone();
    let is_id = |id: &String| {
        (1..=REFUND_ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let progress = status::refund_progress(status).ok_or("status")?;
    let success_time = transaction::time(stated.success_time.as_deref());
    Ok(RefundWord {
        out_refund_no: Some(stated.out_refund_no.parse().map_err(|_| "out_refund_no")?),
        progress,
        amount_minor: Some(stated.amount.refund),
        provider_refund_no: refund_id.filter(is_id),
        success_time: success_time.filter(|_| progress == RefundProgress::Done),
        code: status.to_owned(),
    })
}

/// WeChat Pay knows no refund of that number.
pub(super) fn not_exist(wanted: &RefundRequest, code: &str) -> RefundWord {
    RefundWord {
        out_refund_no: Some(wanted.out_refund_no.clone()),
        progress: RefundProgress::NotExist,
        amount_minor: None,
        provider_refund_no: None,
        success_time: None,
        code: code.to_owned(),
    }
}
