//! The fields of the create with their limits, and the failure that names the first faulty one.

use super::fields::{Fields, fen};

/// Each field of the page with its greatest length in characters; `notify_url` is this simulator's `[assumed]`. Other
/// fields are refused `[assumed]`.
const FIELDS: [(&str, usize); 13] = [
    ("store_num", 7),
    ("pay_resource", 9),
    ("staff_num", 8),
    ("device_sn", 32),
    ("sub_app_name", 36),
    ("sub_appid", 36),
    ("wx_appid", 36),
    ("open_id", 36),
    ("mode_code", 16),
    ("amount", 12),
    ("merchant_order_no", 64),
    ("notify_url", 255),
    ("sign", 32),
];

/// How the payer pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// WeChat, in a page of a public account.
    WeixinJsapi,
    /// WeChat, in a mini program.
    WeixinMiniProgram,
    /// Alipay.
    Alipay,
    /// UnionPay QuickPass.
    Unionpay,
}

/// What a merchant asks for. Holds personal data, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct CreateParams {
    pub(crate) merchant_order_no: String,
    pub(crate) amount: i64,
    pub(crate) channel: Channel,
    /// The app in which a WeChat payment runs.
    pub(crate) app_id: Option<String>,
    pub(crate) open_id: String,
    pub(crate) notify_url: Option<String>,
    /// All fields but the signature; a repeat must equal them.
    content: Vec<(String, String)>,
}

impl CreateParams {
    /// Reads and checks the fields; the first fault is told. Whose they are is the caller's to check.
    pub(super) fn parse(fields: &Fields) -> Result<Self, String> {
        if let Some(name) = fields.names().find(|name| !FIELDS.iter().any(|(known, _)| known == name)) {
            return Err(format!("{name} 参数未知"));
        }
        for (name, chars_max) in FIELDS {
            if fields.get(name).is_some_and(|value| value.chars().count() > chars_max) {
                return Err(format!("{name} 参数过长"));
            }
        }
        let demanded = |name: &str| fields.get(name).ok_or_else(|| format!("{name} 参数缺失"));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if fields.get("pay_resource").is_some_and(|origin| !is_number(origin)) {
            return Err("pay_resource 参数错误".to_owned());
        }
        let (channel, app_id) =
            match (demanded("mode_code")?, fields.get("sub_appid"), fields.get("wx_appid")) {
                ("weixin", _, Some(app)) => (Channel::WeixinJsapi, Some(app)),
                ("weixin", Some(app), None) => {
                    demanded("sub_app_name")?;
                    (Channel::WeixinMiniProgram, Some(app))
                }
                ("weixin", None, None) => return Err("wx_appid 参数缺失".to_owned()),
                ("alipay", _, _) => (Channel::Alipay, None),
                ("unionpay", _, _) => (Channel::Unionpay, None),
                _ => return Err("mode_code 参数错误".to_owned()),
            };
        let amount = fen(demanded("amount")?).filter(|fen| *fen > 0);
        Ok(Self {
            merchant_order_no: demanded("merchant_order_no")?.to_owned(),
            amount: amount.ok_or("amount 参数错误")?,
            channel,
            app_id: app_id.map(str::to_owned),
            open_id: demanded("open_id")?.to_owned(),
            notify_url: fields.get("notify_url").map(str::to_owned),
            content: fields.content(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "store_num=1000001&open_id=o1&mode_code=weixin&wx_appid=wx1&amount=12.00&merchant_order_no=T1";

    fn fault(change: impl Fn(String) -> String) -> Option<String> {
        let body = change(GOOD.to_owned());
        let fields = Fields::read("application/x-www-form-urlencoded", body.as_bytes()).unwrap();
        CreateParams::parse(&fields).err()
    }

    #[test]
    fn each_limit_is_held_and_named() {
        assert_eq!(fault(|good| good), None);
        assert_eq!(
            fault(|good| good + "&pay_resource=23&staff_num=12345678&notify_url=http://127.0.0.1:1/n"),
            None
        );
        for (more, message) in [
            ("&staff_num=123456789", "staff_num 参数过长"),
            ("&pay_resource=x", "pay_resource 参数错误"),
            ("&attach=1", "attach 参数未知"),
        ] {
            assert_eq!(fault(|good| good + more).as_deref(), Some(message), "{more}");
        }
        for field in ["open_id", "mode_code", "wx_appid", "amount", "merchant_order_no"] {
            let message = fault(|good| good.replace(&format!("{field}="), &format!("{field}=&device_sn=")));
            assert_eq!(message, Some(format!("{field} 参数缺失")));
        }
        for amount in ["0.00", "12", "12.0", "12.000", "-1.00", "012.00", "1e2.00", "x"] {
            assert_eq!(
                fault(|good| good.replace("12.00", amount)).as_deref(),
                Some("amount 参数错误"),
                "{amount}"
            );
        }
        assert_eq!(fault(|good| good.replace("weixin", "paypal")).as_deref(), Some("mode_code 参数错误"));
        let nameless = fault(|good| good.replace("wx_appid", "sub_appid"));
        assert_eq!(nameless.as_deref(), Some("sub_app_name 参数缺失"));
    }
}
