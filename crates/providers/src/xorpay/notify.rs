//! Notifications: a form, of which four fields are proven.
//!
//! The text under the signature is `aoid`, `order_id`, `pay_price` and `pay_time` with nothing between them, so a genuine
//! signature would also fit a text that is cut elsewhere: `…T1` and `50.00` says the same as `…T15` and `0.00`. Therefore
//! each field must have the one form that XorPay gives it `[assumed]`: an aoid of 32 characters, our number with an `x`
//! behind it, a price with two decimals and no leading zero, a time of 19 characters. Then there is one way to cut.
//! `more` and `detail` are proven by nothing and never read.
//!
//! A notification names no account. It is of the one whose secret has sealed it, and no two accounts share a secret. It has
//! no time of its own, so there is no freshness to check: a replay verifies for ever, says the same for ever, and adds
//! nothing. What refuses a notification costs one digest for each secret, and holds no more than the body.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use paymux_domain::limits::NOTIFICATION_BODY_BYTES_MAX;
use paymux_domain::name::{OutTradeNo, ProviderTradeNo};
use paymux_domain::outcome::Word;
use paymux_domain::payment::Evidence;
use paymux_domain::ports::{
    NotificationAnswer, NotificationFate, NotificationRefusal, RawNotification, RefusalReason,
    VerifiedNotification,
};
use paymux_domain::time::Timestamp;

use super::config::Account;
use super::sign::{self, SIGN};
use super::transaction;
use super::wire::Fields;

/// What a notification says, each field in its canonical form.
pub(super) struct Notice {
    aoid: ProviderTradeNo,
    pub(super) out_trade_no: OutTradeNo,
    fen: i64,
    time: Timestamp,
}

impl Notice {
    /// Reads the signed fields; the error names the first that is missing or has another form.
    pub(super) fn read(fields: &Fields) -> Result<Self, &'static str> {
        let [aoid, order_id, price, time] = sign::NOTIFICATION;
        Ok(Self {
            aoid: fields.get(aoid).and_then(transaction::aoid).ok_or(aoid)?,
            out_trade_no: fields.get(order_id).and_then(transaction::out_trade_no).ok_or(order_id)?,
            fen: fields.get(price).and_then(transaction::fen).ok_or(price)?,
            time: fields.get(time).and_then(transaction::time).ok_or(time)?,
        })
    }

    /// The payment with its numbers as stated, right or wrong.
    pub(super) fn words(&self) -> Vec<Word> {
        let time = Some(self.time);
        vec![Word::Paid(transaction::payment(self.aoid.clone(), self.fen, time, Evidence::Stated))]
    }
}

/// The values under the signature.
pub(super) fn signed_text(fields: &Fields) -> String {
    sign::NOTIFICATION.iter().filter_map(|name| fields.get(name)).collect()
}

/// Verifies and reads a notification.
pub(super) fn verify(
    accounts: &[Arc<Account>],
    raw: &RawNotification,
) -> Result<VerifiedNotification, NotificationRefusal> {
    if raw.body.len() > NOTIFICATION_BODY_BYTES_MAX {
        return Err(malformed("the body is too long"));
    }
    let fields = Fields::from_form(&raw.body)
        .ok_or_else(|| malformed("the body is no form, or names a field twice"))?;
    let given = fields.get(SIGN).ok_or_else(|| malformed("sign is missing"))?;
    let notice = Notice::read(&fields).map_err(|field| malformed(&format!("{field} cannot be read")))?;
    let text = signed_text(&fields);
    // Each is tried, whichever has sealed it.
    let sealed =
        accounts.iter().filter(|account| sign::is_signed(&account.keys, &text, given)).collect::<Vec<_>>();
    let account = sealed.first().ok_or_else(|| NotificationRefusal {
        reason: RefusalReason::BadSignature,
        detail: "the signature is made with the secret of no account".to_owned(),
    })?;
    Ok(VerifiedNotification {
        account: account.id.clone(),
        words: notice.words(),
        out_trade_no: notice.out_trade_no,
        notification_id: hex::encode(digest(&SHA256, text.as_bytes())),
    })
}

/// 200 marks a notification as delivered, and the order as one that can be refunded; after anything else it comes again,
/// six times (section 2.6).
pub(super) fn answer(fate: NotificationFate<'_>) -> NotificationAnswer {
    let (status, body) = match fate {
        NotificationFate::Taken => (200, "ok"),
        NotificationFate::NotNow => (503, "not now"),
        NotificationFate::Refused(refusal) => (400, refusal.reason.as_str()),
    };
    NotificationAnswer { status, content_type: "text/plain", body: body.as_bytes().to_vec() }
}

fn malformed(detail: &str) -> NotificationRefusal {
    NotificationRefusal { reason: RefusalReason::Malformed, detail: detail.to_owned() }
}
