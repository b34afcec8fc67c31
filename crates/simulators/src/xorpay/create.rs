//! Creates: a new order or the same again, with the launch parameters of the payer's client.

use std::sync::Arc;

use serde_json::json;

use super::answer::Reply;
use super::merchant::XorpayMerchant;
use super::params::CreateParams;
use super::{Course, Xorpay, launch};
use crate::faults::{Mishap, Stage, XorpayFault};
use crate::form::Fields;
use crate::provider::OrderKey;

impl Xorpay {
    /// A create of an account that is known; what is no form has no fields.
    pub(super) fn create(self: &Arc<Self>, merchant: &XorpayMerchant, fields: Option<&Fields>) -> Reply {
        if merchant.is_off {
            return Reply::word("app_off");
        }
        let parsed = fields.ok_or(("missing_argument", "name".to_owned()));
        let params = match parsed.and_then(|fields| CreateParams::parse(fields, merchant)) {
            Ok(params) => params,
            Err((status, info)) => return Reply::refusal(status, &info),
        };
        if merchant.checks_openids && !launch::is_own_openid(&merchant.aid, &params.openid) {
            return Reply::refusal("invalid_openid", "openid");
        }
        let key = OrderKey::new(&merchant.aid, &params.order_id);
        let counted = {
            let mut book = self.book.lock();
            book.open(&key, params.price).map(|entry| {
                entry.calls.create += 1;
                (entry.calls.create, entry.total)
            })
        };
        let Ok((attempt, total)) = counted else {
            self.world.stats.turned_away();
            let max = self.world.orders_max;
            return Reply::server_error(&format!(
                "the simulator is full: orders_max = {max} orders are held; raise it or POST /control/reset"
            ));
        };
        let fault = self.fault_at(Stage::Create, &key, total);
        self.create_under(fault, attempt, &key, params)
    }

    fn create_under(
        self: &Arc<Self>,
        fault: Option<XorpayFault>,
        attempt: u32,
        key: &OrderKey,
        params: CreateParams,
    ) -> Reply {
        if let Some((kind, word)) = fault.and_then(|kind| Some((kind, self.refused(kind, attempt)?))) {
            self.inject(key, kind);
            return Reply::refusal(word, "this simulator's fault");
        }
        let mishap = fault.and_then(mishap_of);
        match (self.before(mishap, attempt), fault) {
            (Course::Fails(reply), Some(kind)) => {
                self.inject(key, kind);
                return reply;
            }
            (Course::LandsLate, Some(kind)) => {
                self.inject(key, kind);
                self.land_create_late(key.clone(), params);
                return Reply::cut();
            }
            _ => {}
        }
        if let Err(word) = self.make(key, params) {
            return Reply::word(word);
        }
        let is_other_spelling = fault == Some(XorpayFault::CreateOtherSpelling);
        let Some(reply) = self.launched(key, is_other_spelling) else { return Reply::word("not_exist") };
        let troubled = self.after(mishap, attempt, &reply);
        if let Some(kind) = fault.filter(|_| troubled.is_some() || (is_other_spelling && attempt == 1)) {
            self.inject(key, kind);
        }
        match troubled {
            Some(reply) => reply,
            None => {
                // Nobody can pay without the launch parameters, and nobody has them before an answer has brought them.
                self.wake_payer(key);
                reply
            }
        }
    }

    /// The word of a create that is refused by a fault.
    fn refused(&self, kind: XorpayFault, attempt: u32) -> Option<&'static str> {
        match kind {
            XorpayFault::CreateRefused => Some("invalid_openid"),
            XorpayFault::CreateUpstream if attempt <= self.world.tuning.errors_times => {
                Some("wechat_api_error")
            }
            XorpayFault::CreateFee if attempt == 1 => Some("fee_error"),
            _ => None,
        }
    }

    fn make(self: &Arc<Self>, key: &OrderKey, params: CreateParams) -> Result<(), &'static str> {
        let is_new = self.book.lock().make(key, params, self.world.clock.now_ms())?;
        if is_new {
            self.wake_forger(key);
        }
        Ok(())
    }

    /// The request lands long after its connection has gone.
    fn land_create_late(self: &Arc<Self>, key: OrderKey, params: CreateParams) {
        let lands_ms = self.world.clock.now_ms() + i64::from(self.world.tuning.late_landing_ms);
        let provider = Arc::clone(self);
        self.world.spawn(async move {
            provider.world.clock.sleep_until_ms(lands_ms).await;
            // Where the same create came again in between, it is there already.
            if let Err(word) = provider.make(&key, params) {
                tracing::debug!(word, "a late create was refused");
            }
        });
    }

    /// The answer to a create: the life that is left, and the launch parameters.
    fn launched(&self, key: &OrderKey, is_other_spelling: bool) -> Option<Reply> {
        let now_ms = self.world.clock.now_ms();
        let book = self.book.lock();
        let order = book.order(key)?;
        let left_s = ((order.expire_ms - now_ms) / 1000).max(1);
        let info = launch::info(&order.aoid, order.created_ms);
        Some(Reply::json(&if is_other_spelling {
            json!({ "status": "ok", "aoid": order.aoid, "expires_in": left_s.to_string(), "info": info })
        } else {
            json!({ "status": "ok", "aoid": order.aoid, "expire_in": left_s, "info": info })
        }))
    }
}

fn mishap_of(kind: XorpayFault) -> Option<Mishap> {
    match kind {
        XorpayFault::Create(mishap) => Some(mishap),
        _ => None,
    }
}
