//! A refund as UPaaS states it, in the answer to the refund or to a question about it.

use paymux_domain::refund::{RefundProgress, RefundRequest, RefundWord};

use super::unpublished::RefundAnswer;
use super::wire::Fields;
use crate::yuan;

/// Characters of UPaaS's number of a refund that are kept.
const REFUND_NUMBER_CHARS_MAX: usize = 64;

/// The fields in which a refund is named.
pub(super) struct Named<'a> {
    /// Our number of it.
    pub(super) refund_no: &'a str,
    /// How much.
    pub(super) amount: &'a str,
    /// What is said of it.
    pub(super) answer: &'a RefundAnswer,
}

/// Where it stands, or which field cannot be read. `accepted` is what an answer means that does not say.
pub(super) fn word<'a>(
    named: &Named<'a>,
    fields: Option<&Fields>,
    wanted: &RefundRequest,
    accepted: RefundProgress,
) -> Result<RefundWord, &'a str> {
    let get = |name: &str| fields.and_then(|fields| fields.get(name));
    let (progress, code) = match &named.answer.status {
        None => (accepted, String::new()),
        Some(status) => {
            let field = status.field.as_str();
            let word = get(field).ok_or(field)?;
            (status.meaning(word).ok_or(field)?, word.to_owned())
        }
    };
    let amount_minor = match get(named.amount) {
        None => None,
        Some(text) => Some(yuan::minor(text).ok_or(named.amount)?),
    };
    let number = named.answer.refund_number.as_ref().and_then(|name| get(name));
    let is_number = |text: &&str| {
        text.len() <= REFUND_NUMBER_CHARS_MAX && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    Ok(RefundWord {
        out_refund_no: Some(wanted.out_refund_no.clone()),
        progress,
        amount_minor,
        provider_refund_no: number.filter(is_number).map(str::to_owned),
        // No account names a field for it: the page knows no refunds.
        success_time: None,
        code,
    })
}

/// UPaaS knows no refund of that number.
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
