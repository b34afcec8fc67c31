//! Bodies that commands, notifications and facts share: launch parameters, payments, a provider's words.

use paymux_domain::launch::{AlipayMiniProgram, Launch, LaunchParams, WechatJsapi};
use paymux_domain::outcome::Word;
use paymux_domain::payment::Payment;

use super::{RecordError, malformed, millis, name, present, refund, time, words};
use crate::v1;

pub(super) fn launch_message(launch: &Launch) -> v1::LaunchFact {
    use v1::launch_fact::Params;
    let params = match &launch.params {
        LaunchParams::RedirectUrl(url) => Params::RedirectUrl(url.clone()),
        LaunchParams::WechatJsapi(jsapi) => Params::WechatJsapi(v1::WechatJsapi {
            app_id: jsapi.app_id.clone(),
            time_stamp: jsapi.time_stamp.clone(),
            nonce_str: jsapi.nonce_str.clone(),
            package: jsapi.package.clone(),
            sign_type: jsapi.sign_type.clone(),
            pay_sign: jsapi.pay_sign.clone(),
        }),
        LaunchParams::AlipayMiniProgram(mini) => Params::AlipayMiniProgram(mini.into()),
        LaunchParams::AlipayTradeNo(number) => Params::AlipayTradeNo(number.clone()),
    };
    v1::LaunchFact {
        params: Some(params),
        expire_time_ms: millis(launch.expire_time),
        provider_order_no: launch.provider_order_no.clone(),
    }
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

pub(super) fn paid_message(payment: &Payment) -> v1::PaidFact {
    v1::PaidFact {
        provider_trade_no: payment.trade_no.to_string(),
        total_minor: payment.total_minor,
        payer_total_minor: payment.payer_total_minor,
        currency: words::currency_text(payment.currency),
        success_time_ms: millis(payment.success_time),
        fee_minor: payment.fee_minor,
        bank_type: payment.bank_type.clone(),
        channel_trade_no: payment.channel_trade_no.clone(),
        evidence: words::evidence_word(payment.evidence).into(),
    }
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

pub(super) fn word_message(word: &Word) -> v1::Word {
    use v1::word::Body;
    let body = match word {
        Word::Launched(launch) => Body::Launched(launch_message(launch)),
        Word::Paid(payment) => Body::Paid(paid_message(payment)),
        Word::RefundedElsewhere => Body::RefundedElsewhere(v1::Nothing {}),
        Word::Refund(word) => Body::Refund(refund::word_message(word)),
        Word::Open => Body::Open(v1::Nothing {}),
        Word::Closed => Body::Closed(v1::Nothing {}),
        Word::Expired => Body::Expired(v1::Nothing {}),
        Word::NotExist => Body::NotExist(v1::Nothing {}),
        Word::Hint => Body::Hint(v1::Nothing {}),
        Word::Mismatch { field } => Body::MismatchField((*field).to_owned()),
    };
    v1::Word { body: Some(body) }
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
