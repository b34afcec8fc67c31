//! PayJS's cashier: a signed URL that the payer's browser opens, and signed forms.

use paymux_domain::command::Created;
use paymux_domain::launch::{Launch, LaunchParams};
use paymux_domain::ports::{BoxFuture, RawNotification};
use paymux_domain::time::Timestamp;
use paymux_providers::SecretRef;
use paymux_simulators::SimulatorConfig;
use paymux_simulators::payjs::{CommunicationKey, PayjsMerchant};
use paymux_simulators::wechatpay::PlatformPublic;

use super::{form_body, form_fields, md5_hex, set};
use crate::rig::{Change, Rig, Who};
use crate::world::World;

const KEY: &str = "the communication key";

/// The cashier.
pub(crate) struct Cashier;

impl Rig for Cashier {
    fn column(&self) -> &'static str {
        "payjs"
    }

    fn provider(&self) -> &'static str {
        "payjs"
    }

    fn method(&self) -> &'static str {
        "cashier"
    }

    fn mchid(&self, who: Who) -> &'static str {
        match who {
            Who::Shop => "1600000109",
            Who::Other => "1600000222",
        }
    }

    fn simulator(&self, config: &mut SimulatorConfig) {
        let merchant = |who| PayjsMerchant::new(self.mchid(who), CommunicationKey::new(KEY.to_owned()));
        config.payjs.merchants = Who::ALL.map(merchant).to_vec();
    }

    fn section(&self, who: Who, base_url: &str, _: &PlatformPublic) -> String {
        format!("mchid = \"{}\"\nkey_env = \"KEY\"\nbase_url = \"{base_url}\"", self.mchid(who))
    }

    fn secret(&self, _: &SecretRef, _: &PlatformPublic) -> String {
        KEY.to_owned()
    }

    fn order(&self, created: &mut Created) {
        created.return_url = Some("https://shop.example.com/done?order=42".to_owned());
    }

    fn open<'a>(&'a self, world: &'a World, launch: &'a Launch) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let LaunchParams::RedirectUrl(url) = &launch.params else { panic!("a URL: {launch:?}") };
            world.browse(url).await.status() == 302
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
        fields.retain(|(name, _)| name != "sign");
        match change {
            Change::ExtraField => fields.push(("newly_added".to_owned(), "a b+c=%41 新".to_owned())),
            Change::Amount(fen) => set(&mut fields, "total_fee", fen.to_string()),
            Change::TradeNo(no) => set(&mut fields, "payjs_order_id", no.clone()),
            Change::RefundAmount(_) | Change::RefundNo(_) => unreachable!("it tells of no refund"),
        }
        fields.sort();
        let text: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let sign = md5_hex(&format!("{}&key={KEY}", text.join("&"))).to_uppercase();
        fields.push(("sign".to_owned(), sign));
        RawNotification { body: form_body(&fields), ..raw.clone() }
    }
}
