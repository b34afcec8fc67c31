//! The domain: facts folded into an order, and the decisions on an order's way; beside them the copies that neither can
//! do without.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use paymux_domain::capabilities::Capabilities;
use paymux_domain::command::{CreateCommand, Notification, Record};
use paymux_domain::decide::{self, Completed, Input, Timing, decide};
use paymux_domain::fact::{Fact, FactKey};
use paymux_domain::fold::Order;
use paymux_domain::followup::Followup;
use paymux_domain::launch::{Launch, LaunchParams};
use paymux_domain::outcome::{CallReport, Operation, Word};
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::ports::{DuplicatePolicy, LatePolicy, MerchantPolicy};
use paymux_domain::time::{ClockFactor, Timestamp};
use paymux_proto::records::{decode_fact, decode_record};
use paymux_providers::PROVIDERS;

use crate::pair::Pair;
use crate::seeds;

/// Fold and decide.
///
/// # Errors
/// A seed cannot be read.
pub fn pairs() -> Result<Vec<Pair>> {
    let mut life = Life::begin()?;
    let mut pairs = Vec::new();
    for heard in life.inputs() {
        let before = life.clone();
        life.hear(&heard);
        let twin = before.clone();
        let name = format!("domain/decide/{}", heard.name());
        let subject = move || before.decide(&heard);
        let bare = move || (twin.order.clone(), twin.followup.clone());
        pairs.push(Pair::new(name, subject, "copies of order and bookkeeping", bare).hot());
    }
    pairs.push(fold("a paid order", life.order.facts().cloned().collect()).hot());
    pairs.push(fold("all kinds of facts", every_fact()?));
    Ok(pairs)
}

fn fold(name: &str, facts: Vec<Fact>) -> Pair {
    let twin = facts.clone();
    let map = |fact: Fact| (fact.key.clone(), fact);
    Pair::new(
        format!("domain/fold/{name}, {}", facts.len()),
        move || Order::from_facts(facts.iter().cloned()),
        "copies in a map",
        move || twin.iter().cloned().map(map).collect::<BTreeMap<FactKey, Fact>>(),
    )
}

/// One fact of each kind, as no single order has them.
fn every_fact() -> Result<Vec<Fact>> {
    let facts = seeds::records()?.into_iter().filter(|(name, ..)| name.starts_with("fact_"));
    facts.map(|(name, _, bytes)| decode_fact(&bytes).with_context(|| name)).collect()
}

/// An input that owns its parts.
enum Heard {
    Create(CreateCommand),
    Launched { left_time: Timestamp, report: CallReport },
    Timer(Timestamp),
    Open { left_time: Timestamp, report: CallReport },
    Paid(Notification),
    PaidAgain(Notification),
}

impl Heard {
    const fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Launched { .. } => "create answered",
            Self::Timer(_) => "timer, ask",
            Self::Open { .. } => "not paid yet",
            Self::Paid(_) => "paid",
            Self::PaidAgain(_) => "paid, heard again",
        }
    }

    fn input(&self) -> Input<'_> {
        let ended = |operation, number, left_time: &Timestamp, report| {
            Input::Report(Completed { operation, number, refund: None, left_time: *left_time, report })
        };
        match self {
            Self::Create(command) => Input::Create(command),
            Self::Launched { left_time, report } => ended(Operation::Create, 1, left_time, report),
            Self::Timer(_) => Input::Timer,
            Self::Open { left_time, report } => ended(Operation::Query, 0, left_time, report),
            Self::Paid(notification) | Self::PaidAgain(notification) => Input::Notification(notification),
        }
    }
}

/// An order at WeChat Pay on its way to its money.
#[derive(Clone)]
struct Life {
    order: Order,
    followup: Followup,
    created: Arc<paymux_domain::command::Created>,
    capabilities: &'static Capabilities,
    timing: Timing,
    now: Timestamp,
}

impl Life {
    fn begin() -> Result<Self> {
        let Ok(Record::Create(command)) = decode_record(&seeds::record("record_create")?) else {
            bail!("record_create is no create")
        };
        let wechatpay = PROVIDERS.iter().find(|known| known.name == "wechatpay").context("WeChat Pay")?;
        Ok(Self {
            order: Order::default(),
            followup: Followup::default(),
            now: command.created.created_time,
            created: command.created,
            capabilities: (wechatpay.capabilities)("jsapi").context("JSAPI")?,
            timing: Timing::new(ClockFactor::REAL),
        })
    }

    fn inputs(&self) -> Vec<Heard> {
        let (now, total_minor) = (self.now, self.created.amount.minor());
        let launch = Launch {
            params: LaunchParams::RedirectUrl("https://pay.example/cashier".to_owned()),
            expire_time: Some(now + Duration::from_secs(7200)),
            provider_order_no: None,
        };
        let payment = Payment {
            trade_no: "4200001234202401011234567890".parse().expect("a number"),
            total_minor,
            payer_total_minor: Some(total_minor),
            currency: Some(self.created.amount.currency()),
            success_time: Some(now + Duration::from_secs(30)),
            fee_minor: None,
            bank_type: Some("CMC".to_owned()),
            channel_trade_no: None,
            evidence: Evidence::Stated,
        };
        let notification = Notification {
            key: self.created.key.clone(),
            provider: self.created.provider.clone(),
            account: self.created.account.clone(),
            out_trade_no: self.created.out_trade_no.clone(),
            notification_id: "EV-2018022511223320873".to_owned(),
            received_time: now + Duration::from_secs(31),
            words: vec![Word::Paid(payment)],
        };
        let asked = now + Duration::from_secs(20);
        vec![
            Heard::Create(CreateCommand { created: Arc::clone(&self.created), reply_to: None }),
            Heard::Launched { left_time: now, report: CallReport::done(vec![Word::Launched(launch)]) },
            Heard::Timer(asked),
            Heard::Open { left_time: asked, report: CallReport::done(vec![Word::Open]) },
            Heard::Paid(notification.clone()),
            Heard::PaidAgain(notification),
        ]
    }

    fn decide(&self, heard: &Heard) -> decide::Decision {
        let context = decide::Context {
            now: if let Heard::Timer(at) = heard { *at } else { self.now },
            capabilities: self.capabilities,
            policy: MerchantPolicy {
                late_payment: LatePolicy::Complete,
                duplicate_payment: DuplicatePolicy::Park,
            },
            timing: &self.timing,
            slots: [Timestamp::EPOCH; 4],
            jitter: 7,
            live_call: false,
            reserved: None,
            paid_elsewhere: false,
        };
        decide(&self.order, &self.followup, heard.input(), &context)
    }

    /// Takes over what was decided, as the engine does.
    fn hear(&mut self, heard: &Heard) {
        let decision = self.decide(heard);
        if let Heard::Timer(at) = heard {
            self.now = *at;
        }
        for fact in decision.words.into_iter().chain(decision.own) {
            self.order.add(fact);
        }
        self.followup = Followup { next_due: decision.due, ..decision.followup };
    }
}

#[cfg(test)]
mod tests {
    use paymux_domain::fold::State;

    use super::*;

    #[test]
    fn the_measured_order_is_called_for_asked_about_and_paid() {
        let mut life = Life::begin().expect("the seeds are valid");
        let calls: Vec<_> = life
            .inputs()
            .iter()
            .map(|heard| {
                let call = life.decide(heard).call;
                life.hear(heard);
                (heard.name(), call, life.order.state())
            })
            .collect();
        let (create, query) = (Some(Operation::Create), Some(Operation::Query));
        assert_eq!(
            calls,
            [
                ("create", create, State::Submitting),
                ("create answered", None, State::Pending),
                ("timer, ask", query, State::Pending),
                ("not paid yet", None, State::Pending),
                ("paid", None, State::Paid),
                ("paid, heard again", None, State::Paid),
            ]
        );
        for mut pair in pairs().expect("the seeds are valid") {
            (pair.subject)();
            (pair.bare)();
        }
    }
}
