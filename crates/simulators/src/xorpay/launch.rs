//! The payer's side: open ids by XorPay's own endpoint, the launch parameters that XorPay gives out, and the WeChat client
//! that checks them and pays.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::Reply;
use super::{Xorpay, sign};
use crate::control::view::{NotPayable, Payment};
use crate::provider::OrderKey;
use crate::wechatpay::Launch;

/// The app of XorPay's in which all of its payments run.
const APP_ID: &str = "wx455af826b1e7f2df";
/// XorPay's own key at WeChat Pay, with which launch parameters are signed.
const WECHAT_KEY: &str = "the key that XorPay alone has at WeChat Pay";
/// What stands before the prepay_id.
const PREPAY_ID: &str = "prepay_id=";

/// Why the payer's client does not open the payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LaunchRefused {
    /// Another app than XorPay's.
    #[error("appId is not XorPay's")]
    AppId,
    /// A parameter is not as XorPay gave it out.
    #[error("paySign is not XorPay's over these parameters")]
    Signature,
    /// The parameters are right, but the order cannot be paid.
    #[error(transparent)]
    NotPayable(#[from] NotPayable),
}

/// The launch parameters of an order: the same each time.
pub(super) fn info(aoid: &str, created_ms: i64) -> Value {
    let time_stamp = (created_ms / 1000).to_string();
    let nonce = sign::token(&format!("nonce {aoid}"));
    let package = format!("{PREPAY_ID}wx{aoid}");
    let pay_sign = pay_sign(APP_ID, &nonce, &package, &time_stamp);
    json!({
        "appId": APP_ID, "timeStamp": time_stamp, "nonceStr": nonce, "package": package,
        "signType": "MD5", "paySign": pay_sign,
    })
}

/// WeChat Pay's older rule: sorted `name=value`, joined by `&`, the key behind; MD5 in capitals.
fn pay_sign(app_id: &str, nonce: &str, package: &str, time_stamp: &str) -> String {
    let text = format!(
        "appId={app_id}&nonceStr={nonce}&package={package}&signType=MD5&timeStamp={time_stamp}&key={WECHAT_KEY}"
    );
    sign::token(&text).to_uppercase()
}

/// Whether an open id is one that `/api/openid/{aid}` gave out.
pub(super) fn is_own_openid(aid: &str, openid: &str) -> bool {
    let serial = openid.get(4..20).and_then(|digits| digits.parse().ok());
    serial.is_some_and(|serial| openid == own_openid(aid, serial))
}

/// An open id of 28 characters, as WeChat's have.
fn own_openid(aid: &str, serial: u64) -> String {
    let seal = sign::token(&format!("openid {aid} {serial}"));
    format!("oXor{serial:016}{}", seal.get(..8).unwrap_or_default())
}

impl Xorpay {
    /// A payer's browser comes for its open id, and is sent back with it.
    pub(super) fn give_openid(&self, aid: &str, callback: Option<&str>) -> Reply {
        if self.merchant(aid).is_none() {
            return Reply::not_found("aid");
        }
        let Some(callback) = callback else { return Reply::refusal("missing_argument", "callback") };
        let openid = own_openid(aid, self.book.lock().next_serial());
        // With `&` whether or not there is a `?` (XorPay's page).
        Reply::redirect(format!("{callback}&openid={openid}"))
    }

    /// The order that launch parameters open, if XorPay gave out the `package`.
    pub(crate) fn key_of_launch(&self, package: &str) -> Option<OrderKey> {
        let aoid = package.strip_prefix(PREPAY_ID)?.strip_prefix("wx")?;
        self.book.lock().key_of_aoid(aoid).cloned()
    }

    /// Checks launch parameters as the payer's client does, and pays the order that they open.
    pub(crate) fn launch(
        self: &Arc<Self>,
        key: &OrderKey,
        launch: &Launch,
    ) -> Result<Payment, LaunchRefused> {
        if launch.app_id != APP_ID {
            return Err(LaunchRefused::AppId);
        }
        let expected = pay_sign(&launch.app_id, &launch.nonce_str, &launch.package, &launch.time_stamp);
        if launch.sign_type != "MD5" || launch.pay_sign != expected {
            return Err(LaunchRefused::Signature);
        }
        Ok(self.pay(key, None)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_ids_are_those_of_their_account() {
        let openid = own_openid("15627", 7);
        assert_eq!(openid.len(), 28);
        assert!(is_own_openid("15627", &openid) && !is_own_openid("15628", &openid));
        for other in ["", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "oXor0000000000000008aaaaaaaa", "oXor订单"] {
            assert!(!is_own_openid("15627", other), "{other}");
        }
    }
}
