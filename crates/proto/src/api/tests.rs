//! Conversions of the API as tables.

use std::sync::Arc;
use std::time::Duration;

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::{Created, Fingerprint, Payer};
use paymux_domain::event::{Event, EventKind};
use paymux_domain::explain::explain;
use paymux_domain::fact::{
    AttemptOutcome, AttentionReason, Cause, Closure, Fact, FactBody, FactKey, Fulfilment,
};
use paymux_domain::fold::{Order, State};
use paymux_domain::followup::Followup;
use paymux_domain::launch::{Launch, LaunchParams, WechatJsapi};
use paymux_domain::name::OrderKey;
use paymux_domain::outcome::Class;
use paymux_domain::payment::{Evidence, Payment};

use super::*;

const SECRET: &str = "secret-value";

fn key() -> OrderKey {
    OrderKey { merchant_id: "m1".parse().unwrap(), order_no: "A-1".parse().unwrap() }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn fact(key: FactKey, body: FactBody, millis: i64) -> Fact {
    Fact { key, body, time: at(millis), cause: Cause::Timer }
}

fn created() -> Fact {
    let created = Created {
        key: key(),
        request_id: "r-1".parse().unwrap(),
        provider: "wechatpay".parse().unwrap(),
        account: "main".parse().unwrap(),
        shard_group: "m1".parse().unwrap(),
        method: "jsapi".to_owned(),
        out_trade_no: "T-A-1".parse().unwrap(),
        amount: Amount::new(1234, Currency::Cny).unwrap(),
        description: "tea".to_owned(),
        attach: Some(SECRET.to_owned()),
        payer: Payer { open_id: Some(SECRET.to_owned()), app_id: None, client_ip: Some(SECRET.to_owned()) },
        expire_time: at(1_800_000),
        created_time: at(1000),
        notify_url: "https://pay.example.com/notify/wechatpay/m1".to_owned(),
        return_url: None,
        metadata: [("shop".to_owned(), "7".to_owned())].into(),
        options_json: String::new(),
        fingerprint: Fingerprint::default(),
    };
    Fact {
        key: FactKey::Created,
        body: FactBody::Created(Arc::new(created)),
        time: at(1000),
        cause: Cause::Command("r-1".parse().unwrap()),
    }
}

fn launched() -> Fact {
    let jsapi = WechatJsapi {
        app_id: "wx1".to_owned(),
        time_stamp: "1".to_owned(),
        nonce_str: "n".to_owned(),
        package: "prepay_id=wx2014".to_owned(),
        sign_type: "RSA".to_owned(),
        pay_sign: SECRET.to_owned(),
    };
    let launch = Launch {
        params: LaunchParams::WechatJsapi(jsapi),
        expire_time: Some(at(7_200_000)),
        provider_order_no: None,
    };
    fact(FactKey::Launch(1), FactBody::Launch(launch), 1200)
}

fn paid(trade_no: &str, millis: i64) -> Fact {
    let payment = Payment {
        trade_no: trade_no.parse().unwrap(),
        total_minor: 1234,
        payer_total_minor: Some(1200),
        currency: Some(Currency::Cny),
        success_time: Some(at(millis - 5)),
        fee_minor: None,
        bank_type: None,
        channel_trade_no: None,
        evidence: Evidence::Stated,
    };
    fact(FactKey::Paid(payment.trade_no.clone()), FactBody::Paid(payment), millis)
}

fn closed(millis: i64) -> Fact {
    fact(FactKey::Closed, FactBody::Closed(Closure::ProviderConfirmed), millis)
}

#[test]
fn a_pending_order_shows_how_to_pay() {
    let order = Order::from_facts([created(), launched()]);
    let view = order_view(&key(), &order);
    assert_eq!(state_word(view.state), "PENDING");
    assert_eq!(view.provider_order_no, "wx2014");
    assert_eq!(view.fulfilment(), v1::Fulfilment::Pending);
    assert!(matches!(view.launch.and_then(|l| l.params), Some(v1::launch::Params::WechatJsapi(_))));
    assert_eq!(view.amount.map(|amount| amount.minor), Some(1234));
    assert_eq!(view.update_time.map(|time| time.nanos), Some(200_000_000));
}

#[test]
fn the_number_that_a_provider_names_stands_before_all_else() {
    let launch = Launch {
        params: LaunchParams::AlipayTradeNo("2021".to_owned()),
        expire_time: None,
        provider_order_no: Some("3200".to_owned()),
    };
    let launched = fact(FactKey::Launch(1), FactBody::Launch(launch), 1200);
    let view = order_view(&key(), &Order::from_facts([created(), launched]));
    assert_eq!(view.provider_order_no, "3200");
    let params = view.launch.and_then(|launch| launch.params);
    assert_eq!(params, Some(v1::launch::Params::AlipayTradeNo("2021".to_owned())));
}

#[test]
fn an_ended_order_shows_no_launch_and_the_payment_after_its_end_as_late() {
    let facts = [created(), launched(), closed(2000), paid("4200-1", 3000), paid("4200-2", 4000)];
    let view = order_view(&key(), &Order::from_facts(facts));
    assert_eq!((state_word(view.state), view.closure()), ("PAID", v1::Closure::ProviderConfirmed));
    assert!(view.launch.is_none());
    let marks: Vec<_> = view.payments.iter().map(|p| (p.late, p.duplicate)).collect();
    assert_eq!(marks, [(true, false), (true, true)]);
}

#[test]
fn a_payment_before_the_end_is_not_late() {
    let view = order_view(&key(), &Order::from_facts([created(), paid("4200-1", 1500), closed(2000)]));
    assert!(view.payments.iter().all(|payment| !payment.late));
}

#[test]
fn a_failed_order_says_why() {
    let outcome =
        AttemptOutcome { class: Class::Final, code: "PARAM_ERROR".to_owned(), message: "openid".to_owned() };
    let facts = [
        created(),
        fact(FactKey::Attempt(1), FactBody::Attempt, 1100),
        fact(FactKey::AttemptOutcome(1), FactBody::AttemptOutcome(outcome), 1200),
    ];
    let view = order_view(&key(), &Order::from_facts(facts));
    assert_eq!(state_word(view.state), "FAILED");
    assert_eq!(view.failure.map(|failure| failure.code).as_deref(), Some("PARAM_ERROR"));
}

#[test]
fn the_version_changes_with_every_new_fact() {
    let before = order_view(&key(), &Order::from_facts([created()]));
    let after = order_view(&key(), &Order::from_facts([created(), launched()]));
    assert_ne!(before.version, after.version);
}

#[test]
fn the_timeline_is_in_order_of_time_and_shows_no_personal_data() {
    let fulfil =
        fact(FactKey::Fulfilment(Fulfilment::Fulfil.into()), FactBody::Fulfilment(Fulfilment::Fulfil), 3000);
    let entries = told(&Order::from_facts([fulfil, paid("4200-1", 3000), launched(), created()]));
    let keys: Vec<_> = entries.iter().map(|entry| entry.fact_key.as_str()).collect();
    assert_eq!(keys, ["created", "launch/1", "paid/4200-1", "fulfilment/FULFIL"]);
    assert!(!format!("{entries:?}").contains(SECRET));
}

/// The timeline with the sentences of the explanation.
fn told(order: &Order) -> Vec<v1::TimelineEntry> {
    timeline_view(order, &explain(order, &Followup::default(), None, at(10_000)).happened)
}

#[test]
fn facts_of_one_time_have_their_own_sentences() {
    let outcome = |class| AttemptOutcome { class, code: String::new(), message: String::new() };
    let attempt = |n| fact(FactKey::Attempt(n), FactBody::Attempt, 1100);
    let ended = |n, class| fact(FactKey::AttemptOutcome(n), FactBody::AttemptOutcome(outcome(class)), 1100);
    let facts =
        [created(), attempt(1), ended(1, Class::NotSent), attempt(2), ended(2, Class::Done), launched()];
    let entries = told(&Order::from_facts(facts));
    let told: Vec<_> =
        entries.iter().map(|entry| (entry.fact_key.as_str(), entry.summary.as_str())).collect();
    let words = [
        ("created", "was accepted"),
        ("attempt/1", "create call 1 was about to leave"),
        ("attempt/1/outcome", "create call 1 never left"),
        ("attempt/2", "create call 2 was about to leave"),
        ("attempt/2/outcome", "took create call 2"),
        ("launch/1", "the payer can pay"),
    ];
    assert_eq!(told.len(), words.len(), "{told:?}");
    for ((key, sentence), (expected, word)) in told.iter().zip(words) {
        assert!(*key == expected && sentence.contains(word), "{key}: {sentence}");
    }
}

#[test]
fn a_providers_words_are_shown_without_personal_data() {
    let said = format!("openid {SECRET} is not one of this appid");
    let outcome =
        AttemptOutcome { class: Class::Final, code: "PARAM_ERROR".to_owned(), message: said.clone() };
    let order = Order::from_facts([
        created(),
        fact(FactKey::Attempt(1), FactBody::Attempt, 1100),
        fact(FactKey::AttemptOutcome(1), FactBody::AttemptOutcome(outcome), 1200),
        fact(
            FactKey::Attention(AttentionReason::ProviderOps, 1),
            FactBody::Attention(format!("wechatpay: {said}")),
            1200,
        ),
    ]);
    let view = order_view(&key(), &order);
    let message = view.failure.as_ref().map(|failure| failure.message.as_str());
    assert_eq!(message, Some("openid *** is not one of this appid"));
    assert_eq!(view.attention[0].detail, "wechatpay: openid *** is not one of this appid");
    let entries = told(&order);
    assert!(format!("{entries:?}").contains("openid *** is not"), "{entries:?}");
    assert!(!format!("{view:?}{entries:?}").contains(SECRET));
}

#[test]
fn an_event_carries_its_rank_and_a_rejection_names_the_fields() {
    let event =
        Event::rejected(&key(), State::Pending, "r-2".parse().unwrap(), vec!["amount".to_owned()], at(5));
    let view = event_view(&event, identity_view(&key()));
    assert_eq!((view.kind(), view.state_rank), (v1::OrderEventKind::Rejected, 3));
    assert_eq!(view.rejected.map(|r| r.differing_fields), Some(vec!["amount".to_owned()]));
    let closed = Event { kind: EventKind::Closed(Closure::NeverSent), subject: "closed".to_owned(), ..event };
    assert_eq!(event_view(&closed, identity_view(&key())).event_id, "m1/A-1/closed");
}

#[test]
fn times_and_durations_are_taken_only_when_they_are_valid() {
    let span = |seconds, nanos| duration(&prost_types::Duration { seconds, nanos });
    assert_eq!(span(1, 500_000_000), Some(Duration::from_millis(1500)));
    assert_eq!((span(-1, 0), span(0, -1), span(0, 1_000_000_000)), (None, None, None));
    let point = |seconds, nanos| instant(&prost_types::Timestamp { seconds, nanos });
    assert_eq!(point(1, 999_999_999), Some(at(1999)));
    assert_eq!((point(i64::MAX, 0), point(0, -1)), (None, None));
    assert_eq!(instant(&timestamp(at(-1))), Some(at(-1)));
}

#[test]
fn a_status_keeps_its_details_in_a_stream() {
    use tonic_types::{ErrorDetails, StatusExt as _};
    let details =
        ErrorDetails::with_error_info("ORDER_CONFLICT", "paymux", [("a".to_owned(), "b".to_owned())]);
    let status = tonic::Status::with_error_details(tonic::Code::AlreadyExists, "taken", details);
    let view = status_view(&status);
    assert_eq!((view.code, view.details.len()), (6, 1));
}
