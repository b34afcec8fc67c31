//! What the sixth provider brings to the suite.

use paymux_domain::command::Created;
use paymux_domain::launch::{Launch, LaunchParams};
use paymux_domain::ports::{BoxFuture, RawNotification};
use paymux_domain::time::Timestamp;
use paymux_providers::SecretRef;
use paymux_simulators::SimulatorConfig;
use paymux_simulators::wechatpay::PlatformPublic;
use serde_json::{Value, json};

use super::simulator::{KEY, SHOPS, sealed};
use crate::rig::{Change, Rig, Who};
use crate::world::World;

/// The sixth provider's one kind of account, behind the client of that name.
pub(crate) struct Sixth(pub(crate) &'static str);

impl Rig for Sixth {
    fn column(&self) -> &'static str {
        self.0
    }

    fn provider(&self) -> &'static str {
        self.0
    }

    fn method(&self) -> &'static str {
        "page"
    }

    fn mchid(&self, who: Who) -> &'static str {
        let [shop, other] = SHOPS;
        if who == Who::Shop { shop } else { other }
    }

    /// Its side knows its accounts.
    fn simulator(&self, _: &mut SimulatorConfig) {}

    fn section(&self, who: Who, base_url: &str, _: &PlatformPublic) -> String {
        format!("shop = \"{}\"\nkey_env = \"KEY\"\nbase_url = \"{base_url}\"", self.mchid(who))
    }

    fn secret(&self, _: &SecretRef, _: &PlatformPublic) -> String {
        KEY.to_owned()
    }

    fn order(&self, _: &mut Created) {}

    fn open<'a>(&'a self, world: &'a World, launch: &'a Launch) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let LaunchParams::RedirectUrl(url) = &launch.params else { panic!("a URL: {launch:?}") };
            world.browse(url).await.status() == 200
        })
    }

    fn restate(
        &self,
        raw: &RawNotification,
        change: &Change,
        _: &PlatformPublic,
        now: Timestamp,
    ) -> RawNotification {
        let mut document: Value = serde_json::from_slice(&raw.body).unwrap();
        match change {
            Change::ExtraField => document["newly_added"] = json!({"a": ["新", 1]}),
            Change::Amount(fen) => document["amount"] = json!(fen),
            Change::TradeNo(no) => document["trade_no"] = json!(no),
            Change::RefundAmount(_) | Change::RefundNo(_) => unreachable!("it tells of no refund"),
        }
        let body = document.to_string();
        RawNotification {
            headers: sealed(now.as_secs(), "notify", &body).to_vec(),
            body: body.into_bytes(),
            ..raw.clone()
        }
    }
}
