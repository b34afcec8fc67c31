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
    /// A mini program of Alipay that another mini program or an app opens.
    AlipayMiniProgram(AlipayMiniProgram),
    /// Alipay's number of the trade, for `my.tradePay`.
    AlipayTradeNo(String),
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
    /// How it is signed: `RSA` by WeChat Pay APIv3, as stated where another provider signs (XorPay: `MD5`).
    pub sign_type: String,
    /// The signature: with `RSA` base64 of SHA256-RSA over the four lines app id, time, nonce, package.
    pub pay_sign: String,
}

/// What opens a cashier that is a mini program of Alipay (`providers.md` section 5.4).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlipayMiniProgram {
    /// The mini program.
    pub app_id: String,
    /// Its page.
    pub path: String,
    /// The order as JSON text, byte for byte as it was signed.
    pub data: String,
    /// Base64 of SHA256-RSA over the fields of `data`.
    pub sign: String,
    /// A URI with all of it, where an app opens it.
    pub app_uri: Option<String>,
}

/// Launch parameters with the time after which they no longer work.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Launch {
    /// The parameters.
    pub params: LaunchParams,
    /// When they stop working, where the provider says so (WeChat: a prepay_id lives two hours).
    pub expire_time: Option<Timestamp>,
    /// The provider's number of the order itself, where its answer names one beside the parameters (XorPay's `aoid`).
    pub provider_order_no: Option<String>,
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
            Self::AlipayMiniProgram(_) => "alipay_mini_program",
            Self::AlipayTradeNo(_) => "alipay_trade_no",
        })
    }
}

impl fmt::Debug for WechatJsapi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wechat_jsapi of {}", self.app_id)
    }
}

impl fmt::Debug for AlipayMiniProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "alipay_mini_program {}", self.app_id)
    }
}
