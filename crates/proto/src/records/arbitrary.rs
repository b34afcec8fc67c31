//! Random domain values for the round trips.

use std::sync::Arc;

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::{
    CreateCommand, Created, Fingerprint, Notification, OrderCommand, Payer, Record, RefundCommand,
    ReplyAddress,
};
use paymux_domain::confirm::{ConfirmCommand, ConfirmRefusal, Confirmation, OperatorWord};
use paymux_domain::event::{Event, EventKind};
use paymux_domain::fact::{
    AttemptOutcome, AttentionReason, Cause, CloseReason, Closure, Fact, FactBody, FactKey, Fulfilment,
};
use paymux_domain::fold::State;
use paymux_domain::followup::{Followup, NotExist, RefundFollowup};
use paymux_domain::launch::{AlipayMiniProgram, Launch, LaunchParams, WechatJsapi};
use paymux_domain::limits::AMOUNT_MINOR_MAX;
use paymux_domain::name::{NameError, OrderKey, RefundNo};
use paymux_domain::outcome::{Class, Word};
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::ports::{FieldFault, Reply, ReplyKind};
use paymux_domain::refund::{
    RefundDone, RefundFailed, RefundProgress, RefundRefusal, RefundRequest, RefundWord,
};
use paymux_domain::replay::ReplayCommand;
use paymux_domain::time::Timestamp;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn named<T>(pattern: &'static str) -> impl Strategy<Value = T>
where
    T: std::str::FromStr<Err = NameError> + std::fmt::Debug,
{
    pattern.prop_map(|text| text.parse().expect("the pattern is a valid name"))
}

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,40}"
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_millis)
}

fn key() -> impl Strategy<Value = OrderKey> {
    (named("[0-9A-Za-z_-]{1,32}"), named("[0-9A-Za-z_-]{1,32}"))
        .prop_map(|(merchant_id, order_no)| OrderKey { merchant_id, order_no })
}

fn amount() -> impl Strategy<Value = Amount> {
    (1..=AMOUNT_MINOR_MAX).prop_map(|minor| Amount::new(minor, Currency::Cny).expect("in range"))
}

fn created() -> impl Strategy<Value = Created> {
    let names = (key(), named("[!-~]{1,64}"), named("[a-z0-9]{1,16}"), named("[0-9A-Za-z_-]{1,64}"));
    let numbers = (named("[0-9A-Za-z_.#/-]{1,80}"), named("[0-9A-Za-z_-]{1,32}"), amount(), time(), time());
    let texts = (text(), text(), option::of(text()), text(), option::of(text()), text());
    let payer = (option::of(text()), option::of(text()), option::of(text()));
    let maps = (btree_map(text(), text(), 0..4), btree_map("[a-z_.]{1,20}", any::<u64>(), 0..6));
    (names, numbers, texts, payer, maps).prop_map(|(names, numbers, texts, payer, maps)| Created {
        key: names.0,
        request_id: names.1,
        provider: names.2,
        account: names.3,
        shard_group: numbers.0,
        out_trade_no: numbers.1,
        amount: numbers.2,
        expire_time: numbers.3,
        created_time: numbers.4,
        method: texts.0,
        description: texts.1,
        attach: texts.2,
        notify_url: texts.3,
        return_url: texts.4,
        options_json: texts.5,
        payer: Payer { open_id: payer.0, app_id: payer.1, client_ip: payer.2 },
        metadata: maps.0,
        fingerprint: Fingerprint::from_digests(maps.1),
    })
}

fn reply_to() -> impl Strategy<Value = Option<ReplyAddress>> {
    option::of(("[a-z0-9-]{1,20}", any::<u64>()).prop_map(|(instance, call)| ReplyAddress { instance, call }))
}

fn order_command() -> impl Strategy<Value = OrderCommand> {
    (key(), named("[!-~]{1,64}"), text(), reply_to())
        .prop_map(|(key, request_id, caller, reply_to)| OrderCommand { key, request_id, caller, reply_to })
}

fn launch() -> impl Strategy<Value = Launch> {
    let jsapi = (text(), text(), text(), text(), text(), text()).prop_map(|texts| {
        LaunchParams::WechatJsapi(WechatJsapi {
            app_id: texts.0,
            time_stamp: texts.1,
            nonce_str: texts.2,
            package: texts.3,
            sign_type: texts.4,
            pay_sign: texts.5,
        })
    });
    let app_uri = option::of("[!-~]{1,40}");
    let mini = (text(), text(), text(), text(), app_uri).prop_map(|(app_id, path, data, sign, app_uri)| {
        LaunchParams::AlipayMiniProgram(AlipayMiniProgram { app_id, path, data, sign, app_uri })
    });
    let trade_no = text().prop_map(LaunchParams::AlipayTradeNo);
    let params = prop_oneof![text().prop_map(LaunchParams::RedirectUrl), jsapi, mini, trade_no];
    (params, option::of(time()), option::of(text())).prop_map(|(params, expire_time, provider_order_no)| {
        Launch { params, expire_time, provider_order_no }
    })
}

fn payment() -> impl Strategy<Value = Payment> {
    let sums = (any::<i64>(), option::of(any::<i64>()), option::of(any::<i64>()));
    let rest = (option::of(Just(Currency::Cny)), option::of(time()), option::of(text()), option::of(text()));
    let evidence = select(vec![Evidence::Stated, Evidence::Assumed, Evidence::Operator]);
    (named("[0-9A-Za-z_-]{1,64}"), sums, rest, evidence).prop_map(|(trade_no, sums, rest, evidence)| {
        Payment {
            trade_no,
            total_minor: sums.0,
            payer_total_minor: sums.1,
            currency: rest.0,
            success_time: rest.1,
            fee_minor: sums.2,
            bank_type: rest.2,
            channel_trade_no: rest.3,
            evidence,
        }
    })
}

fn word() -> impl Strategy<Value = Word> {
    prop_oneof![
        launch().prop_map(Word::Launched),
        payment().prop_map(Word::Paid),
        Just(Word::RefundedElsewhere),
        refund_word().prop_map(Word::Refund),
        Just(Word::Open),
        Just(Word::Closed),
        Just(Word::Expired),
        Just(Word::NotExist),
        Just(Word::Hint),
        select(vec!["mchid", "out_trade_no"]).prop_map(|field| Word::Mismatch { field }),
    ]
}

fn notification() -> impl Strategy<Value = Notification> {
    let names = (key(), named("[a-z0-9]{1,16}"), named("[0-9A-Za-z_-]{1,64}"), named("[0-9A-Za-z_-]{1,32}"));
    (names, text(), time(), vec(word(), 0..4)).prop_map(|(names, notification_id, received_time, words)| {
        Notification {
            key: names.0,
            provider: names.1,
            account: names.2,
            out_trade_no: names.3,
            notification_id,
            received_time,
            words,
        }
    })
}

/// Any record of the log.
pub(super) fn record() -> impl Strategy<Value = Record> {
    prop_oneof![
        (created(), reply_to()).prop_map(|(created, reply_to)| {
            Record::Create(CreateCommand { created: Arc::new(created), reply_to })
        }),
        order_command().prop_map(Record::Close),
        order_command().prop_map(Record::Requery),
        refund_command().prop_map(Record::Refund),
        notification().prop_map(Record::Notification),
        (order_command(), text(), vec((select(AttentionReason::ALL.to_vec()), 1..=u32::MAX), 0..3)).prop_map(
            |(order, reason, attention)| Record::Replay(ReplayCommand { order, reason, attention })
        ),
        (order_command(), text(), confirmation())
            .prop_map(|(order, reason, outcome)| Record::Confirm(ConfirmCommand { order, reason, outcome })),
    ]
}

fn confirmation() -> impl Strategy<Value = Confirmation> {
    let fulfilment = option::of(select(vec![Fulfilment::Fulfil, Fulfilment::DoNotFulfil]));
    let given = || option::of("[0-9]{1,20}");
    prop_oneof![
        payment().prop_map(Confirmation::Paid),
        Just(Confirmation::Unpaid),
        (named("[0-9A-Za-z_-]{1,32}"), any::<bool>(), given()).prop_map(
            |(refund_no, done, provider_refund_no)| Confirmation::Refund {
                refund_no,
                done,
                provider_refund_no,
            }
        ),
        (select(AttentionReason::ALL.to_vec()), 1..=u32::MAX, fulfilment)
            .prop_map(|(reason, number, fulfilment)| Confirmation::Attention { reason, number, fulfilment }),
    ]
}

fn operator_word() -> impl Strategy<Value = OperatorWord> {
    (text(), named("[!-~]{1,64}"), text()).prop_map(|(caller, request_id, reason)| OperatorWord {
        caller,
        request_id,
        reason,
    })
}

fn operator_body() -> impl Strategy<Value = (FactKey, FactBody)> {
    let no = || named("[0-9A-Za-z_-]{1,32}");
    let refund = |by, no: Option<RefundNo>| FactBody::OperatorRefund {
        provider_refund_no: no.map(|no| no.to_string()),
        by,
    };
    prop_oneof![
        (payment(), operator_word()).prop_map(|(payment, by)| {
            (FactKey::OperatorPaid(payment.trade_no.clone()), FactBody::OperatorPaid { payment, by })
        }),
        operator_word().prop_map(|by| (FactKey::OperatorUnpaid, FactBody::OperatorUnpaid(by))),
        (no(), operator_word(), option::of(no()))
            .prop_map(move |(no, by, given)| (FactKey::OperatorRefundDone(no), refund(by, given))),
        (no(), operator_word(), option::of(no()))
            .prop_map(move |(no, by, given)| (FactKey::OperatorRefundFailed(no), refund(by, given))),
    ]
}

fn cause() -> impl Strategy<Value = Cause> {
    prop_oneof![
        named("[!-~]{1,64}").prop_map(Cause::Command),
        text().prop_map(Cause::Notification),
        Just(Cause::Answer),
        Just(Cause::Timer),
        text().prop_map(Cause::Operator),
    ]
}

fn attempt_outcome() -> impl Strategy<Value = AttemptOutcome> {
    let classes = vec![Class::Done, Class::Final, Class::Retry, Class::Unknown, Class::Ops, Class::NotSent];
    (select(classes), text(), text()).prop_map(|(class, code, message)| AttemptOutcome {
        class,
        code,
        message,
    })
}

fn closure() -> impl Strategy<Value = Closure> {
    select(vec![
        Closure::ProviderConfirmed,
        Closure::NeverSent,
        Closure::LocalExpiry,
        Closure::OperatorConfirmed,
    ])
}

/// A key with a body that belongs under it.
fn keyed_body() -> impl Strategy<Value = (FactKey, FactBody)> {
    let number = || 1..=u32::MAX;
    let reason = || select(AttentionReason::ALL.to_vec());
    prop_oneof![
        created().prop_map(|created| (FactKey::Created, FactBody::Created(Arc::new(created)))),
        number().prop_map(|n| (FactKey::Attempt(n), FactBody::Attempt)),
        (number(), attempt_outcome())
            .prop_map(|(n, outcome)| (FactKey::AttemptOutcome(n), FactBody::AttemptOutcome(outcome))),
        (number(), launch()).prop_map(|(n, launch)| (FactKey::Launch(n), FactBody::Launch(launch))),
        select(vec![CloseReason::Caller, CloseReason::Expiry])
            .prop_map(|reason| (FactKey::CloseRequested, FactBody::CloseRequested(reason))),
        number().prop_map(|n| (FactKey::Closing(n), FactBody::Closing)),
        closure().prop_map(|closure| (FactKey::Closed, FactBody::Closed(closure))),
        payment().prop_map(|paid| (FactKey::Paid(paid.trade_no.clone()), FactBody::Paid(paid))),
        payment().prop_map(|paid| (FactKey::PaidStated(paid.trade_no.clone()), FactBody::Paid(paid))),
        select(vec![Fulfilment::Fulfil, Fulfilment::DoNotFulfil])
            .prop_map(|word| (FactKey::Fulfilment(word.into()), FactBody::Fulfilment(word))),
        refund_body(),
        operator_body(),
        (reason(), number(), text())
            .prop_map(|(reason, k, detail)| (FactKey::Attention(reason, k), FactBody::Attention(detail))),
        (reason(), number(), text(), text()).prop_map(|(why, k, caller, reason)| {
            (FactKey::AttentionResolved(why, k), FactBody::AttentionResolved { caller, reason })
        }),
    ]
}

/// Any fact.
pub(super) fn fact() -> impl Strategy<Value = Fact> {
    (keyed_body(), time(), cause()).prop_map(|((key, body), time, cause)| Fact { key, body, time, cause })
}

fn refund_followup() -> impl Strategy<Value = RefundFollowup> {
    let times = (option::of(time()), option::of(time()));
    (any::<u32>(), times, any::<bool>(), any::<bool>(), any::<u32>()).prop_map(
        |(fruitless_calls, (call_left, query_left), ask, accepted, absent_after)| RefundFollowup {
            fruitless_calls,
            call_left,
            query_left,
            ask,
            accepted,
            absent_after,
        },
    )
}

fn refund_request() -> impl Strategy<Value = RefundRequest> {
    let names = (named("[0-9A-Za-z_-]{1,64}"), named("[0-9a-f]{32}"));
    (names, amount(), (text(), text()), any::<bool>(), fingerprint()).prop_map(
        |(names, amount, (reason, options_json), automatic, fingerprint)| RefundRequest {
            trade_no: names.0,
            out_refund_no: names.1,
            amount,
            reason,
            options_json,
            automatic,
            fingerprint,
        },
    )
}

fn refund_command() -> impl Strategy<Value = RefundCommand> {
    let names = (named("[0-9A-Za-z_-]{1,69}"), option::of(named("[0-9A-Za-z_-]{1,64}")));
    (order_command(), names, amount(), (text(), text()), fingerprint()).prop_map(
        |(order, (refund_no, trade_no), amount, (reason, options_json), fingerprint)| RefundCommand {
            order,
            refund_no,
            trade_no,
            amount,
            reason,
            options_json,
            fingerprint,
        },
    )
}

/// The provider's number of a refund and its time, each stated or not.
fn refunded_at() -> impl Strategy<Value = (Option<String>, Option<Timestamp>)> {
    (option::of("[0-9]{1,28}"), option::of(time()))
}

fn refund_word() -> impl Strategy<Value = RefundWord> {
    let progress = select(vec![
        RefundProgress::Processing,
        RefundProgress::Done,
        RefundProgress::Closed,
        RefundProgress::Stuck,
        RefundProgress::NotExist,
    ]);
    let no = option::of(named("[0-9a-f]{32}"));
    (no, progress, option::of(any::<i64>()), refunded_at(), text()).prop_map(
        |(out_refund_no, progress, amount_minor, (provider_refund_no, success_time), code)| RefundWord {
            out_refund_no,
            progress,
            amount_minor,
            provider_refund_no,
            success_time,
            code,
        },
    )
}

fn fingerprint() -> impl Strategy<Value = Fingerprint> {
    btree_map("[a-z_.]{1,20}", any::<u64>(), 0..4).prop_map(Fingerprint::from_digests)
}

fn refund_body() -> impl Strategy<Value = (FactKey, FactBody)> {
    let no = || named::<RefundNo>("[0-9A-Za-z_-]{1,69}");
    let n = || 1..=u32::MAX;
    prop_oneof![
        payment().prop_map(|paid| (FactKey::PaidConfirmed(paid.trade_no.clone()), FactBody::Paid(paid))),
        (no(), refund_request()).prop_map(|(no, request)| {
            (FactKey::RefundRequested(no), FactBody::RefundRequested(Arc::new(request)))
        }),
        (no(), n()).prop_map(|(no, n)| (FactKey::RefundCall(no, n), FactBody::RefundCall)),
        (no(), n(), attempt_outcome()).prop_map(|(no, n, outcome)| {
            (FactKey::RefundCallOutcome(no, n), FactBody::RefundCallOutcome(outcome))
        }),
        (no(), refunded_at()).prop_map(|(no, (provider_refund_no, success_time))| {
            (FactKey::RefundDone(no), FactBody::RefundDone(RefundDone { provider_refund_no, success_time }))
        }),
        (no(), text(), text()).prop_map(|(no, code, message)| {
            (FactKey::RefundFailed(no), FactBody::RefundFailed(RefundFailed { code, message }))
        }),
    ]
}

/// Any bookkeeping.
pub(super) fn followup() -> impl Strategy<Value = Followup> {
    let times = (option::of(time()), option::of(time()), option::of(time()), option::of(time()));
    let not_exist = (any::<u32>(), time(), any::<bool>()).prop_map(|(attempts, left_time, twice)| NotExist {
        attempts,
        left_time,
        twice,
    });
    let rest = (option::of(time()), any::<u32>(), any::<bool>(), any::<bool>(), any::<u64>());
    let refunds = vec((named("[0-9A-Za-z_-]{1,69}"), refund_followup()), 0..3);
    (times, option::of(not_exist), rest, refunds).prop_map(|(times, not_exist, rest, refunds)| Followup {
        next_due: times.0,
        query_left: times.1,
        answered_left: times.2,
        call_left: times.3,
        not_before: rest.0,
        fruitless_calls: rest.1,
        ask: rest.2,
        not_exist,
        asked_after_end: rest.3,
        settled: rest.4,
        refunds: refunds.into_iter().collect(),
    })
}

/// Any event.
pub(super) fn event() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![
        Just(EventKind::Launched),
        Just(EventKind::Paid),
        closure().prop_map(EventKind::Closed),
        Just(EventKind::Failed),
        Just(EventKind::Fulfil),
        Just(EventKind::DoNotFulfil),
        Just(EventKind::Attention),
        Just(EventKind::AttentionResolved),
        (named("[!-~]{1,64}"), vec("[a-z_.]{1,20}", 0..4))
            .prop_map(|(request_id, differing)| EventKind::Rejected { request_id, differing }),
    ];
    (key(), "[a-z/0-9]{1,40}", kind, select(State::ALL.to_vec()), time())
        .prop_map(|(key, subject, kind, state, time)| Event { key, subject, kind, state, time })
}

/// Any reply.
pub(super) fn reply() -> impl Strategy<Value = Reply> {
    let texts = || vec("[a-z_.]{1,20}", 0..4);
    let fault = (text(), text()).prop_map(|(field, reason)| FieldFault { field, reason });
    let refused = prop_oneof![
        texts().prop_map(RefundRefusal::Conflict),
        select(vec![
            RefundRefusal::NotPaid,
            RefundRefusal::PaymentNotFound,
            RefundRefusal::ExceedsPayment,
            RefundRefusal::CountExceeded,
            RefundRefusal::WindowPassed,
            RefundRefusal::PartialNotOffered,
            RefundRefusal::NotOffered,
            RefundRefusal::Parked,
        ]),
    ];
    let kind = prop_oneof![
        Just(ReplyKind::Ready),
        Just(ReplyKind::NotFound),
        texts().prop_map(|differing| ReplyKind::Conflict { differing }),
        refused.prop_map(ReplyKind::Refused),
        Just(ReplyKind::Unconfirmed(ConfirmRefusal::RefundNotFound)),
        vec(fault, 1..4).prop_map(|faults| ReplyKind::Unconfirmed(ConfirmRefusal::Contradicts(faults))),
    ];
    let to = ("[!-~]{1,64}", any::<u64>()).prop_map(|(instance, call)| ReplyAddress { instance, call });
    (to, key(), kind).prop_map(|(to, key, kind)| Reply { to, key, kind })
}
