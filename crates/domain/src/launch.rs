//! Launch parameters: what the payer's device needs to open the provider's cashier.

use std::fmt;

use crate::time::Timestamp;

/// How the payer's device opens the provider's cashier.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LaunchParams {
    /// Send the payer's browser there.
    RedirectUrl(String),
    /// The six fields of WeChat's `getBrandWCPayRequest`, `wx.requestPayment` and `orderCompleteCallback`.
    WechatJsapi(WechatJsapi),
}

/// WeChat's launch fields (`providers.md` section 4.12).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WechatJsapi {
    /// The app whose open_id was used.
    pub app_id: String,
    /// Seconds since the Unix epoch, as text.
    pub time_stamp: String,
    /// Random text that the signature covers.
    pub nonce_str: String,
    /// `prepay_id=…`.
    pub package: String,
    /// Always `RSA`.
    pub sign_type: String,
    /// Base64 of SHA256-RSA over the four lines app id, time, nonce, package.
    pub pay_sign: String,
}

/// Launch parameters with the time after which they no longer work.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Launch {
    /// The parameters.
    pub params: LaunchParams,
    /// When they stop working, where the provider says so (WeChat: a prepay_id lives two hours).
    pub expire_time: Option<Timestamp>,
}

impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Launch({:?}, expires {:?})", self.params, self.expire_time)
    }
}

impl fmt::Debug for LaunchParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RedirectUrl(_) => "redirect_url",
            Self::WechatJsapi(_) => "wechat_jsapi",
        })
    }
}

impl fmt::Debug for WechatJsapi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wechat_jsapi of {}", self.app_id)
    }
}
