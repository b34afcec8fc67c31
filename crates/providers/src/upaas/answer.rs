//! Answers: proof first, as far as the account says how, then what they say.
//!
//! With `response_sign` off nothing of an answer can be verified but the connection: a create then gives launch
//! parameters and ends nothing (`providers.md` section 8), the calls that the account names are believed as a provider
//! is that signs nothing. With a rule, a success counts only when it is signed, and an error without data, which has
//! no place for a signature, is an error of the call that tells nothing of the order `[assumed]`.

use std::time::Duration;

use paymux_domain::http::HttpResponse;
use paymux_domain::launch::{Launch, LaunchParams, WechatJsapi};
use paymux_domain::outcome::{CallReport, Class, Word};
use paymux_domain::ports::Call;

use super::config::Account;
use super::product::Product;
use super::refund::{self, Named};
use super::sign::Proof;
use super::status::{self, Means, Said, Table};
use super::transaction;
use super::wire::{Answer, Fields, scalar};
use crate::text;
use crate::url;
use crate::yuan;

/// An answer that says nothing readable.
const MALFORMED: &str = "MALFORMED";
/// A success without a signature.
const UNSIGNED: &str = "UNSIGNED";
/// A signature that does not verify.
const BAD_SIGNATURE: &str = "BAD_SIGNATURE";
/// A signature over a text that can be read in two ways.
const AMBIGUOUS: &str = "AMBIGUOUS";
/// An answer about another order or amount.
const MISMATCH: &str = "MISMATCH";

/// How long a prepay_id of WeChat can be used (`providers.md` section 3.6).
const PREPAY_LIFE: Duration = Duration::from_secs(2 * 3600);
/// Characters of `order_number`, `pre_pay_no` and `pre_pay_url` (section 3.3).
const ORDER_NUMBER_CHARS_MAX: usize = 32;
const PRE_PAY_NO_CHARS_MAX: usize = 64;
const PRE_PAY_URL_CHARS_MAX: usize = 1024;
/// Bytes of one value of `pre_pay_info`; `paySign` has 344 where it is RSA. [assumed]
const PRE_PAY_INFO_BYTES_MAX: usize = 512;

/// What is proven of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// Its signature.
    Signed,
    /// Nothing, though answers are signed.
    Nothing,
    /// Nothing but the connection: the account verifies no answers.
    Connection,
}

/// Verifies and reads an answer.
pub(super) fn parse(account: &Account, call: &Call, response: &HttpResponse) -> CallReport {
    if response.status != 200 {
        let means = status::meaning(&account.codes, Table::of(call), Said::Http(response.status));
        return refused(account, call, means, &format!("HTTP_{}", response.status), "");
    }
    let Some(answer) = Answer::read(&response.body) else { return unknown(MALFORMED) };
    let trust = match trust(account, answer.data.as_ref()) {
        Ok(trust) => trust,
        Err(code) => return unknown(code),
    };
    let table = Table::of(call);
    let means = status::meaning(&account.codes, table, Said::Code(&answer.code));
    if means == Means::Done && trust == Trust::Nothing {
        return unknown(UNSIGNED);
    }
    let data = answer.data.as_ref();
    let foreign =
        data.filter(|_| trust != Trust::Nothing).and_then(|data| foreign_field(account, call, data));
    if let Some(field) = foreign {
        return CallReport { words: vec![Word::Mismatch { field }], ..unknown(MISMATCH) };
    }
    match (means, table) {
        (Means::Done, _) => done(account, call, data),
        // The code is under no signature, and here nothing else is proven either.
        (Means::Final, Table::Create) if trust == Trust::Connection => {
            refused(account, call, Means::Unknown, &answer.code, &answer.message)
        }
        (Means::NotExist, _) if trust == Trust::Nothing => {
            refused(account, call, Means::Unknown, &answer.code, &answer.message)
        }
        (means, _) => refused(account, call, means, &answer.code, &answer.message),
    }
}

/// What is proven, or why nothing of the answer counts.
fn trust(account: &Account, data: Option<&Fields>) -> Result<Trust, &'static str> {
    let Some(rule) = account.signing.response else { return Ok(Trust::Connection) };
    let Some(data) = data else { return Ok(Trust::Nothing) };
    match account.signing.proof(rule, data, &account.counting) {
        Proof::Signed => Ok(Trust::Signed),
        Proof::Unsigned => Ok(Trust::Nothing),
        Proof::Wrong => Err(BAD_SIGNATURE),
        Proof::Ambiguous => Err(AMBIGUOUS),
    }
}

/// The first field in which an answer is about something else than the call.
fn foreign_field(account: &Account, call: &Call, data: &Fields) -> Option<&'static str> {
    let known = &account.unpublished;
    let lookup = match Table::of(call) {
        Table::Create => None,
        Table::Query => known.query.as_ref().map(|query| &query.lookup),
        Table::Close => known.close.as_ref().map(|close| &close.lookup),
        Table::Refund => known.refund.as_ref().map(|refund| &refund.lookup),
        Table::RefundQuery => known.refund_query.as_ref().map(|query| &query.lookup),
    };
    let order_no = lookup.map_or("merchant_order_no", |lookup| lookup.merchant_order_no.as_str());
    let number = lookup.and_then(|lookup| lookup.order_number.as_deref()).unwrap_or("order_number");
    let is_other = |field: &str, own: &str| data.get(field).is_some_and(|given| given != own);
    if is_other(order_no, call.created.out_trade_no.as_str()) {
        return Some("merchant_order_no");
    }
    let own = call.order.launch().and_then(|launch| launch.provider_order_no.as_deref());
    if own.is_some_and(|own| is_other(number, own)) {
        return Some("order_number");
    }
    let refund_no = match Table::of(call) {
        Table::Refund => known.refund.as_ref().map(|refund| refund.refund_no.as_str()),
        Table::RefundQuery => known.refund_query.as_ref().map(|query| query.refund_no.as_str()),
        Table::Create | Table::Query | Table::Close => None,
    };
    let wanted = call.refund.as_ref().map(|(_, wanted)| wanted.out_refund_no.as_str());
    let is_refund = refund_no.zip(wanted).is_some_and(|(field, wanted)| is_other(field, wanted));
    is_refund.then_some("refund_no")
}

/// The wanted state holds, or the question was answered.
fn done(account: &Account, call: &Call, data: Option<&Fields>) -> CallReport {
    let known = &account.unpublished;
    let read = match (Table::of(call), data) {
        (Table::Create, Some(data)) => launched(call, data),
        (Table::Query, Some(data)) => match &known.query {
            Some(query) => transaction::words(query, data),
            None => Err("data"),
        },
        (Table::Close, _) => Ok(vec![Word::Closed]),
        (Table::Refund | Table::RefundQuery, data) => refunded(account, call, data),
        (Table::Create | Table::Query, None) => Err("data"),
    };
    match read {
        Ok(words) if words.iter().any(|word| matches!(word, Word::Mismatch { .. })) => {
            CallReport { words, ..unknown(MISMATCH) }
        }
        Ok(words) => CallReport::done(words),
        Err(field) => CallReport { message: format!("{field} cannot be read"), ..unknown(MALFORMED) },
    }
}

fn refunded<'a>(account: &'a Account, call: &Call, data: Option<&Fields>) -> Result<Vec<Word>, &'a str> {
    let known = &account.unpublished;
    let wanted = &call.refund.as_ref().ok_or("refund")?.1;
    let refund = known.refund.as_ref().ok_or("refund")?;
    let named = match (Table::of(call), &known.refund_query) {
        (Table::RefundQuery, Some(query)) => {
            Named { refund_no: &query.refund_no, amount: &query.amount, answer: &query.answer }
        }
        _ => Named { refund_no: &refund.refund_no, amount: &refund.amount, answer: &refund.answer },
    };
    if Table::of(call) == Table::RefundQuery {
        // Which refund is meant must be said by the answer to a question.
        data.and_then(|data| data.get(named.refund_no)).ok_or(named.refund_no)?;
    }
    Ok(vec![Word::Refund(refund::word(&named, data, wanted, refund.accepted)?)])
}

/// The order exists: its numbers, and the launch parameters of its channel. An amount that is not the order's would
/// have the payer pay another sum.
fn launched(call: &Call, data: &Fields) -> Result<Vec<Word>, &'static str> {
    let number = data.get("order_number").filter(|number| is_graphic(number, ORDER_NUMBER_CHARS_MAX));
    let number = number.ok_or("order_number")?;
    data.get("merchant_order_no").ok_or("merchant_order_no")?;
    let minor = data.get("amount").and_then(yuan::minor).ok_or("amount")?;
    if minor != call.created.amount.minor() {
        return Ok(vec![Word::Mismatch { field: "amount" }]);
    }
    let product = Product::of(&call.created.method).ok_or("mode_code")?;
    let (params, expire_time) = match product {
        Product::WeixinJsapi | Product::WeixinMiniProgram => (jsapi(data)?, Some(call.now + PREPAY_LIFE)),
        Product::Alipay => {
            let trade_no = data.get("pre_pay_no").filter(|text| is_graphic(text, PRE_PAY_NO_CHARS_MAX));
            (LaunchParams::AlipayTradeNo(trade_no.ok_or("pre_pay_no")?.to_owned()), None)
        }
        Product::Unionpay => {
            let page = data.get("pre_pay_url").filter(|text| is_graphic(text, PRE_PAY_URL_CHARS_MAX));
            let page = page.filter(|page| url::is_web_url(page)).ok_or("pre_pay_url")?;
            (LaunchParams::RedirectUrl(page.to_owned()), None)
        }
    };
    Ok(vec![Word::Launched(Launch { params, expire_time, provider_order_no: Some(number.to_owned()) })])
}

/// The six values of a WeChat payment (section 3.3).
fn jsapi(data: &Fields) -> Result<LaunchParams, &'static str> {
    let map = data.map("pre_pay_info").ok_or("pre_pay_info")?;
    let get = |name: &str| {
        let text = map.get(name).cloned().and_then(scalar);
        text.filter(|text| is_graphic(text, PRE_PAY_INFO_BYTES_MAX)).ok_or("pre_pay_info")
    };
    Ok(LaunchParams::WechatJsapi(WechatJsapi {
        app_id: get("appId")?,
        time_stamp: get("timeStamp")?,
        nonce_str: get("nonceStr")?,
        package: get("package")?,
        sign_type: get("signType")?,
        pay_sign: get("paySign")?,
    }))
}

fn is_graphic(text: &str, chars_max: usize) -> bool {
    (1..=chars_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A refusal, by what its code means.
fn refused(account: &Account, call: &Call, means: Means, code: &str, message: &str) -> CallReport {
    let class = means.class();
    let word = match (means, &call.refund) {
        (Means::NotExist, Some((_, wanted))) => Some(Word::Refund(refund::not_exist(wanted, code))),
        (Means::NotExist, None) => Some(Word::NotExist),
        _ => None,
    };
    // A create may be there, and a close is mostly refused because somebody has paid.
    let asks = match Table::of(call) {
        Table::Create => class == Class::Unknown,
        Table::Close => matches!(class, Class::Unknown | Class::Retry),
        Table::Query | Table::Refund | Table::RefundQuery => false,
    };
    CallReport {
        words: word.into_iter().collect(),
        message: text::message_text(message, ""),
        ask: asks && account.unpublished.query.is_some(),
        throttled: means == Means::Throttled,
        ..CallReport::of(class, code)
    }
}

fn unknown(code: &str) -> CallReport {
    CallReport::of(Class::Unknown, code)
}
