//! XorPay's JSAPI: values that are sealed without separators, and answers that nothing seals.

use paymux_domain::command::Created;
use paymux_domain::launch::{Launch, LaunchParams};
use paymux_domain::ports::{BoxFuture, RawNotification};
use paymux_domain::time::Timestamp;
use paymux_providers::SecretRef;
use paymux_simulators::SimulatorConfig;
use paymux_simulators::wechatpay::PlatformPublic;
use paymux_simulators::xorpay::{AppSecret, XorpayMerchant};

use super::{form_body, form_fields, md5_hex, set};
use crate::rig::{Change, Rig, Who};
use crate::world::World;

/// No two accounts have the same: a notification names no account.
const SECRETS: [&str; 2] = ["the app secret", "another app secret"];
/// The fields under a notification's signature, in their order.
const SIGNED: [&str; 4] = ["aoid", "order_id", "pay_price", "pay_time"];

/// JSAPI.
pub(crate) struct Jsapi;

fn secret(who: Who) -> &'static str {
    let [shop, other] = SECRETS;
    if who == Who::Shop { shop } else { other }
}

impl Rig for Jsapi {
    fn column(&self) -> &'static str {
        "xorpay"
    }

    fn provider(&self) -> &'static str {
        "xorpay"
    }

    /// It is that of the secret that has sealed it.
    fn names_merchant(&self) -> bool {
        false
    }

    fn method(&self) -> &'static str {
        "jsapi"
    }

    fn mchid(&self, who: Who) -> &'static str {
        if who == Who::Shop { "15627" } else { "15628" }
    }

    /// XorPay has our number with an `x` behind it, so that the sealed text can be cut in one way only.
    fn number(&self, out_trade_no: &str) -> String {
        format!("{out_trade_no}x")
    }

    fn simulator(&self, config: &mut SimulatorConfig) {
        let merchant = |who| XorpayMerchant::new(self.mchid(who), AppSecret::new(secret(who).to_owned()));
        config.xorpay.merchants = Who::ALL.map(merchant).to_vec();
    }

    fn section(&self, who: Who, base_url: &str, _: &PlatformPublic) -> String {
        let (aid, account) = (self.mchid(who), who.account());
        format!("aid = \"{aid}\"\napp_secret_env = \"{account}\"\nbase_url = \"{base_url}\"")
    }

    fn secret(&self, reference: &SecretRef, _: &PlatformPublic) -> String {
        let is_shop = *reference == SecretRef::Env(Who::Shop.account().to_owned());
        secret(if is_shop { Who::Shop } else { Who::Other }).to_owned()
    }

    fn order(&self, created: &mut Created) {
        created.payer.open_id = Some("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned());
    }

    /// The payer's WeChat opens nothing before it pays: the parameters must be complete.
    fn open<'a>(&'a self, _: &'a World, launch: &'a Launch) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let LaunchParams::WechatJsapi(fields) = &launch.params else { panic!("six fields: {launch:?}") };
            fields.package.starts_with("prepay_id=") && !fields.pay_sign.is_empty()
        })
    }

    fn restate(
        &self,
        raw: &RawNotification,
        change: &Change,
        _: &PlatformPublic,
        _: Timestamp,
    ) -> RawNotification {
        let mut fields = form_fields(&raw.body);
        match change {
            Change::ExtraField => fields.push(("newly_added".to_owned(), "a b+c=%41 新".to_owned())),
            Change::Amount(fen) => set(&mut fields, "pay_price", format!("{}.{:02}", fen / 100, fen % 100)),
            Change::TradeNo(no) => set(&mut fields, "aoid", no.clone()),
            Change::RefundAmount(_) | Change::RefundNo(_) => unreachable!("it tells of no refund"),
        }
        let value = |name: &str| fields.iter().find(|(known, _)| known == name).unwrap().1.clone();
        let text: String = SIGNED.map(value).concat();
        set(&mut fields, "sign", md5_hex(&format!("{text}{}", secret(Who::Shop))));
        RawNotification { body: form_body(&fields), ..raw.clone() }
    }
}
