//! The four ways to pay, and how an order fits one: its channel, and the app that the payer uses.

use paymux_domain::command::Created;

use super::options::Options;

/// What is ordered at UPaaS (`providers.md` section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Product {
    /// WeChat, in a page of a public account.
    WeixinJsapi,
    /// WeChat, in a mini program.
    WeixinMiniProgram,
    /// Alipay, by its number of the trade; in a mini program of Alipay too.
    Alipay,
    /// UnionPay QuickPass, by a page.
    Unionpay,
}

impl Product {
    /// The product of a method.
    pub(super) fn of(method: &str) -> Option<Self> {
        match method {
            "weixin_jsapi" => Some(Self::WeixinJsapi),
            "weixin_mini_program" => Some(Self::WeixinMiniProgram),
            "alipay" => Some(Self::Alipay),
            "unionpay" => Some(Self::Unionpay),
            _ => None,
        }
    }

    /// The channel, `mode_code`.
    pub(super) const fn mode_code(self) -> &'static str {
        match self {
            Self::WeixinJsapi | Self::WeixinMiniProgram => "weixin",
            Self::Alipay => "alipay",
            Self::Unionpay => "unionpay",
        }
    }
}

/// A field that an order lacks or has wrong, by its path in the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    pub(super) field: &'static str,
    pub(super) reason: &'static str,
}

/// The options with all that an order takes from its payer and its account.
pub(super) fn completed(
    product: Product,
    defaults: &Options,
    created: &Created,
    options: &Options,
) -> Result<Options, Vec<Misfit>> {
    let app = created.payer.app_id.as_ref();
    let mut misfits = Vec::new();
    let mut whole = Options {
        pay_resource: options.pay_resource.or(defaults.pay_resource),
        staff_num: options.staff_num.as_ref().or(defaults.staff_num.as_ref()).cloned(),
        device_sn: options.device_sn.as_ref().or(defaults.device_sn.as_ref()).cloned(),
        ..options.clone()
    };
    match product {
        Product::WeixinJsapi => {
            whole.wx_appid = options.wx_appid.as_ref().or(app).or(defaults.wx_appid.as_ref()).cloned();
            misfits.extend(other_app(app, whole.wx_appid.as_ref()));
            let reason = "is demanded by weixin_jsapi: here, as payer.app_id or in the account";
            misfits.extend(lacking(whole.wx_appid.as_ref(), "upaas.wx_appid", reason));
        }
        Product::WeixinMiniProgram => {
            whole.sub_appid = options.sub_appid.as_ref().or(app).or(defaults.sub_appid.as_ref()).cloned();
            whole.sub_app_name = options.sub_app_name.as_ref().or(defaults.sub_app_name.as_ref()).cloned();
            misfits.extend(other_app(app, whole.sub_appid.as_ref()));
            let reason = "is demanded by weixin_mini_program: here, as payer.app_id or in the account";
            misfits.extend(lacking(whole.sub_appid.as_ref(), "upaas.sub_appid", reason));
            let reason = "is demanded by weixin_mini_program: here or in the account";
            misfits.extend(lacking(whole.sub_app_name.as_ref(), "upaas.sub_app_name", reason));
        }
        Product::Alipay | Product::Unionpay => {}
    }
    if misfits.is_empty() { Ok(whole) } else { Err(misfits) }
}

fn lacking(given: Option<&String>, field: &'static str, reason: &'static str) -> Option<Misfit> {
    given.is_none().then_some(Misfit { field, reason })
}

/// The payer's app and the order's must be one.
fn other_app(payers: Option<&String>, orders: Option<&String>) -> Option<Misfit> {
    let is_other = payers.zip(orders).is_some_and(|(payers, orders)| payers != orders);
    is_other.then_some(Misfit { field: "payer.app_id", reason: "is another app than that of the options" })
}
