//! The payer's WeChat client: takes launch parameters as a page hands them over, checks them as the client
//! does, and pays.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::Wechatpay;
use super::book::OrderKey;
use super::order::{NotPayable, PREPAY_LIFE_MS, Payment};
use super::sign::launch_text;

/// The six launch parameters of JSAPI, under the names that a page uses.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Launch {
    /// The application that is opened.
    pub app_id: String,
    /// Seconds since the epoch, as text.
    pub time_stamp: String,
    /// Random text.
    pub nonce_str: String,
    /// `prepay_id=…`.
    pub package: String,
    /// `RSA`.
    pub sign_type: String,
    /// Signature over the first four, Base64.
    pub pay_sign: String,
}

/// Why the payer's client does not open the cashier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LaunchRefused {
    /// signType is not `RSA`.
    #[error("signType must be RSA")]
    SignType,
    /// `package` names no known prepay_id.
    #[error("package names no known prepay_id")]
    Prepay,
    /// The prepay_id has run out.
    #[error("the prepay_id is older than two hours")]
    PrepayExpired,
    /// appId is not the one in whose name the payer was named at the create.
    #[error("appId is not the application whose openid the order was made for")]
    AppId,
    /// timeStamp is no number of seconds.
    #[error("timeStamp is not a number of seconds")]
    TimeStamp,
    /// paySign does not verify with the merchant's public key.
    #[error("paySign does not verify")]
    Signature,
    /// The work was cut short by the end of the simulator.
    #[error("the simulator is stopping")]
    Stopping,
    /// The parameters are right, but the order cannot be paid.
    #[error(transparent)]
    NotPayable(#[from] NotPayable),
}

impl Wechatpay {
    /// Checks launch parameters and pays the order that they open.
    pub(crate) async fn launch(
        self: &Arc<Self>,
        launch: Launch,
    ) -> Result<(OrderKey, Payment), LaunchRefused> {
        if launch.sign_type != "RSA" {
            return Err(LaunchRefused::SignType);
        }
        if launch.time_stamp.parse::<i64>().is_err() {
            return Err(LaunchRefused::TimeStamp);
        }
        let key = self.key_of_launch(&launch)?;
        let merchant = self.merchant(&key.mchid).ok_or(LaunchRefused::Prepay)?;
        let text = launch_text(&launch.app_id, &launch.time_stamp, &launch.nonce_str, &launch.package);
        let signature = STANDARD.decode(&launch.pay_sign).map_err(|_| LaunchRefused::Signature)?;
        let verified = self.world.crypto.run(move || merchant.has_signed(text.as_bytes(), &signature)).await;
        if !verified.map_err(|_| LaunchRefused::Stopping)? {
            return Err(LaunchRefused::Signature);
        }
        let payment = self.pay(&key, None, None)?;
        Ok((key, payment))
    }

    fn key_of_launch(&self, launch: &Launch) -> Result<OrderKey, LaunchRefused> {
        let prepay_id = launch.package.strip_prefix("prepay_id=").ok_or(LaunchRefused::Prepay)?;
        let now_ms = self.world.clock.now_ms();
        let book = self.book.lock();
        let key = book.key_of_prepay(prepay_id).ok_or(LaunchRefused::Prepay)?;
        let order = book.order(key).ok_or(LaunchRefused::Prepay)?;
        let prepay =
            order.prepays.iter().find(|prepay| prepay.id == prepay_id).ok_or(LaunchRefused::Prepay)?;
        if now_ms - prepay.issued_ms >= PREPAY_LIFE_MS {
            return Err(LaunchRefused::PrepayExpired);
        }
        if order.params.paying_appid() != Some(&launch.app_id) {
            return Err(LaunchRefused::AppId);
        }
        Ok(key.clone())
    }
}
