//! Bodies that commands, notifications and facts share: launch parameters, payments, a provider's words.

use paymux_domain::launch::{AlipayMiniProgram, Launch, LaunchParams, WechatJsapi};
use paymux_domain::outcome::Word;
use paymux_domain::payment::Payment;

use super::wire::Wire;
use super::{RecordError, malformed, millis, name, present, refund, time, words};
use crate::v1;

/// Fields of a [`v1::LaunchFact`].
pub(super) fn put_launch(wire: &mut Wire, launch: &Launch) {
    match &launch.params {
        LaunchParams::RedirectUrl(url) => wire.stated_text(1, Some(url)),
        LaunchParams::WechatJsapi(jsapi) => wire.message(2, |wire| {
            wire.text(1, &jsapi.app_id);
            wire.text(2, &jsapi.time_stamp);
            wire.text(3, &jsapi.nonce_str);
            wire.text(4, &jsapi.package);
            wire.text(5, &jsapi.sign_type);
            wire.text(6, &jsapi.pay_sign);
        }),
        LaunchParams::AlipayTradeNo(number) => wire.stated_text(3, Some(number)),
        LaunchParams::AlipayMiniProgram(mini) => wire.message(4, |wire| {
            wire.text(1, &mini.app_id);
            wire.text(2, &mini.path);
            wire.text(3, &mini.data);
            wire.text(4, &mini.sign);
            wire.text(5, mini.app_uri.as_deref().unwrap_or_default());
        }),
    }
    wire.stated_number(7, millis(launch.expire_time));
    wire.stated_text(8, launch.provider_order_no.as_deref());
}

/// The same message stands in records and in the API.
impl From<&AlipayMiniProgram> for v1::AlipayMiniProgram {
    fn from(mini: &AlipayMiniProgram) -> Self {
        Self {
            app_id: mini.app_id.clone(),
            path: mini.path.clone(),
            data: mini.data.clone(),
            sign: mini.sign.clone(),
            app_uri: mini.app_uri.clone().unwrap_or_default(),
        }
    }
}

pub(super) fn launch(message: v1::LaunchFact) -> Result<Launch, RecordError> {
    use v1::launch_fact::Params;
    let params = match present(message.params, "launch.params")? {
        Params::RedirectUrl(url) => LaunchParams::RedirectUrl(url),
        Params::WechatJsapi(jsapi) => LaunchParams::WechatJsapi(WechatJsapi {
            app_id: jsapi.app_id,
            time_stamp: jsapi.time_stamp,
            nonce_str: jsapi.nonce_str,
            package: jsapi.package,
            sign_type: jsapi.sign_type,
            pay_sign: jsapi.pay_sign,
        }),
        Params::AlipayMiniProgram(mini) => LaunchParams::AlipayMiniProgram(AlipayMiniProgram {
            app_id: mini.app_id,
            path: mini.path,
            data: mini.data,
            sign: mini.sign,
            app_uri: (!mini.app_uri.is_empty()).then_some(mini.app_uri),
        }),
        Params::AlipayTradeNo(number) => LaunchParams::AlipayTradeNo(number),
        Params::QrCode(_) | Params::AppPayload(_) => {
            return Err(RecordError::Unknown("a form of launch parameters"));
        }
    };
    let expire_time = time(message.expire_time_ms);
    Ok(Launch { params, expire_time, provider_order_no: message.provider_order_no })
}

/// Fields of a [`v1::PaidFact`].
pub(super) fn put_paid(wire: &mut Wire, payment: &Payment) {
    wire.text(1, payment.trade_no.as_str());
    wire.number(2, payment.total_minor);
    wire.stated_number(3, payment.payer_total_minor);
    wire.text(4, words::currency_text(payment.currency));
    wire.stated_number(5, millis(payment.success_time));
    wire.stated_number(6, payment.fee_minor);
    wire.stated_text(7, payment.bank_type.as_deref());
    wire.word(8, words::evidence_word(payment.evidence));
    wire.stated_text(9, payment.channel_trade_no.as_deref());
}

pub(super) fn payment(message: v1::PaidFact) -> Result<Payment, RecordError> {
    Ok(Payment {
        trade_no: name(&message.provider_trade_no)?,
        total_minor: message.total_minor,
        payer_total_minor: message.payer_total_minor,
        currency: words::currency(&message.currency)?,
        success_time: time(message.success_time_ms),
        fee_minor: message.fee_minor,
        bank_type: message.bank_type,
        channel_trade_no: message.channel_trade_no,
        evidence: words::evidence(message.evidence)?,
    })
}

/// Fields of a [`v1::Word`].
pub(super) fn put_word(wire: &mut Wire, word: &Word) {
    let nothing = |_: &mut Wire| ();
    match word {
        Word::Launched(launch) => wire.message(1, |wire| put_launch(wire, launch)),
        Word::Paid(payment) => wire.message(2, |wire| put_paid(wire, payment)),
        Word::RefundedElsewhere => wire.message(3, nothing),
        Word::Open => wire.message(4, nothing),
        Word::Closed => wire.message(5, nothing),
        Word::Expired => wire.message(6, nothing),
        Word::NotExist => wire.message(7, nothing),
        Word::Mismatch { field } => wire.stated_text(8, Some(field)),
        Word::Refund(word) => wire.message(9, |wire| refund::put_word(wire, word)),
        Word::Hint => wire.message(10, nothing),
    }
}

/// The fields in which a provider's message can differ from the order that it names.
const MISMATCH_FIELDS: [&str; 17] = [
    "account",
    "amount",
    "appid",
    "attach",
    "currency",
    "mchid",
    "merch_no",
    "merchant",
    "out_refund_no",
    "out_trade_no",
    "provider_trade_no",
    "sp_appid",
    "sp_mchid",
    "store_num",
    "sub_appid",
    "sub_mchid",
    "trade_no",
];

/// A field's own name where it is known, else a word that says so: the mismatch counts, not its spelling.
fn mismatch_field(text: &str) -> &'static str {
    MISMATCH_FIELDS.into_iter().find(|field| *field == text).unwrap_or("field")
}

pub(super) fn word(message: v1::Word) -> Result<Word, RecordError> {
    use v1::word::Body;
    // A newer version may say things that this one cannot act upon; they must not be dropped silently.
    let body = message.body.ok_or(RecordError::Unknown("a provider's word"))?;
    Ok(match body {
        Body::Launched(message) => Word::Launched(launch(message)?),
        Body::Paid(message) => Word::Paid(payment(message)?),
        Body::RefundedElsewhere(_) => Word::RefundedElsewhere,
        Body::Open(_) => Word::Open,
        Body::Closed(_) => Word::Closed,
        Body::Expired(_) => Word::Expired,
        Body::NotExist(_) => Word::NotExist,
        Body::Hint(_) => Word::Hint,
        Body::MismatchField(field) if field.is_empty() => return Err(malformed("mismatch_field is empty")),
        Body::MismatchField(field) => Word::Mismatch { field: mismatch_field(&field) },
        Body::Refund(message) => Word::Refund(refund::word(message)?),
    })
}
