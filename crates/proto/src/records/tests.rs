//! Round trips, what is refused, and the golden bytes of every released format.

use std::collections::BTreeMap;
use std::sync::Arc;

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::{
    CreateCommand, Created, Fingerprint, Notification, OrderCommand, Payer, Record, RefundCommand,
    ReplyAddress,
};
use paymux_domain::confirm::{ConfirmCommand, ConfirmRefusal, Confirmation, OperatorWord};
use paymux_domain::event::{Event, EventKind};
use paymux_domain::fact::{AttemptOutcome, AttentionReason, Cause, Closure, Fact, FactBody, FactKey};
use paymux_domain::fold::State;
use paymux_domain::followup::{Followup, NotExist, RefundFollowup};
use paymux_domain::launch::{AlipayMiniProgram, Launch, LaunchParams, WechatJsapi};
use paymux_domain::name::NameError;
use paymux_domain::outcome::{Class, Operation, Word};
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::ports::{
    AccountReport, BreakerReport, CallMark, DeadRecord, FieldFault, LedgerEntry, OperationReport, Reply,
    ReplyKind, ShardReport, Undecodable, UnresolvedReport,
};
use paymux_domain::refund::{
    RefundDone, RefundFailed, RefundProgress, RefundRefusal, RefundRequest, RefundWord,
};
use paymux_domain::replay::ReplayCommand;
use paymux_domain::shard::Partition;
use paymux_domain::time::Timestamp;
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::v1;

proptest! {
    #[test]
    fn every_record_is_as_prost_writes_it_and_reads_back(record in arbitrary::record()) {
        let bytes = encode_record(&record);
        prop_assert_eq!(by_prost::<v1::LogRecord>(&bytes), Ok(bytes.clone()));
        prop_assert_eq!(decode_record(&bytes), Ok(record));
    }

    #[test]
    fn every_fact_is_as_prost_writes_it_and_reads_back(fact in arbitrary::fact()) {
        let bytes = encode_fact(&fact);
        prop_assert_eq!(by_prost::<v1::Fact>(&bytes), Ok(bytes.clone()));
        prop_assert_eq!(decode_fact(&bytes), Ok(fact));
    }

    #[test]
    fn every_bookkeeping_is_as_prost_writes_it_and_reads_back(followup in arbitrary::followup()) {
        let bytes = encode_followup(&followup);
        prop_assert_eq!(by_prost::<v1::Followup>(&bytes), Ok(bytes.clone()));
        prop_assert_eq!(decode_followup(&bytes), Ok(followup));
    }

    #[test]
    fn every_event_is_as_prost_writes_it_and_reads_back(event in arbitrary::event()) {
        let bytes = encode_event(&event);
        prop_assert_eq!(by_prost::<v1::EventRecord>(&bytes), Ok(bytes.clone()));
        prop_assert_eq!(decode_event(&bytes), Ok(event));
    }

    #[test]
    fn every_reply_reads_back(reply in arbitrary::reply()) {
        prop_assert_eq!(decode_reply(&encode_reply(&reply)), Ok(reply));
    }

    #[test]
    fn random_bytes_are_never_a_record_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let readable = decode_record(&bytes).is_ok() || decode_fact(&bytes).is_ok();
        prop_assert!(!readable);
        prop_assert!(decode_event(&bytes).is_err() && decode_dead(&bytes).is_err());
        prop_assert!(decode_reply(&bytes).is_err());
    }

    #[test]
    fn a_torn_record_is_no_record(record in arbitrary::record(), cut in any::<prop::sample::Index>()) {
        let bytes = encode_record(&record);
        let torn = decode_record(&bytes[..cut.index(bytes.len())]);
        prop_assert!(torn.as_ref() != Ok(&record));
    }
}

/// The same message, read and written by prost.
fn by_prost<M: prost::Message + Default>(bytes: &[u8]) -> Result<Vec<u8>, prost::DecodeError> {
    M::decode(bytes).map(|message| message.encode_to_vec())
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn key() -> OrderKey {
    order_key("m-1", "A20260101").expect("a valid key")
}

fn created() -> Created {
    Created {
        key: key(),
        request_id: "req-1".parse().expect("a valid id"),
        provider: "wechatpay".parse().expect("a valid provider"),
        account: "main".parse().expect("a valid account"),
        shard_group: "m-1".parse().expect("a valid group"),
        method: "jsapi".to_owned(),
        out_trade_no: "p1-A20260101".parse().expect("a valid number"),
        amount: Amount::new(1234, Currency::Cny).expect("a valid amount"),
        description: "一杯咖啡".to_owned(),
        attach: Some("table 7".to_owned()),
        payer: Payer { open_id: Some("o-1".to_owned()), app_id: Some("wx1".to_owned()), client_ip: None },
        expire_time: at(1_767_227_400_000),
        created_time: at(1_767_225_600_000),
        notify_url: "https://pay.example/notify/wechatpay/m-1".to_owned(),
        return_url: None,
        metadata: BTreeMap::from([("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())]),
        options_json: String::new(),
        fingerprint: Fingerprint::of([("method", "jsapi"), ("amount.minor", "1234")]),
    }
}

fn payment() -> Payment {
    Payment {
        trade_no: "4200001".parse().expect("a valid number"),
        total_minor: 1234,
        payer_total_minor: Some(1200),
        currency: Some(Currency::Cny),
        success_time: Some(at(1_767_225_700_000)),
        fee_minor: None,
        bank_type: Some("OTHERS".to_owned()),
        channel_trade_no: None,
        evidence: Evidence::Stated,
    }
}

fn launch() -> Launch {
    let params = LaunchParams::WechatJsapi(WechatJsapi {
        app_id: "wx1".to_owned(),
        time_stamp: "1767225601".to_owned(),
        nonce_str: "n".to_owned(),
        package: "prepay_id=wx2026".to_owned(),
        sign_type: "RSA".to_owned(),
        pay_sign: "c2lnbg==".to_owned(),
    });
    Launch { params, expire_time: Some(at(1_767_232_801_000)), provider_order_no: None }
}

fn reply_to() -> Option<ReplyAddress> {
    Some(ReplyAddress { instance: "ingest-1".to_owned(), call: 7 })
}

fn command() -> OrderCommand {
    OrderCommand {
        key: key(),
        request_id: "req-2".parse().expect("a valid id"),
        caller: "shop".to_owned(),
        reply_to: reply_to(),
    }
}

fn notification() -> Notification {
    Notification {
        key: key(),
        provider: "wechatpay".parse().expect("a valid provider"),
        account: "main".parse().expect("a valid account"),
        out_trade_no: "p1-A20260101".parse().expect("a valid number"),
        notification_id: "EV-1".to_owned(),
        received_time: at(1_767_225_701_000),
        words: vec![
            Word::Launched(launch()),
            Word::Paid(payment()),
            Word::RefundedElsewhere,
            Word::Open,
            Word::Closed,
            Word::Expired,
            Word::NotExist,
            Word::Mismatch { field: "mchid" },
        ],
    }
}

/// A notification that proves nothing, and launch parameters of another form.
fn hinted() -> Notification {
    let params = LaunchParams::AlipayMiniProgram(AlipayMiniProgram {
        app_id: "2021004118660126".to_owned(),
        path: "pages/cashier/cashier".to_owned(),
        data: "{}".to_owned(),
        sign: "c2lnbg==".to_owned(),
        app_uri: Some("alipays://platformapi/startapp".to_owned()),
    });
    let launched = Word::Launched(Launch { params, expire_time: None, provider_order_no: None });
    Notification { words: vec![Word::Hint, launched], ..notification() }
}

fn said() -> OperatorWord {
    OperatorWord {
        caller: "ann".to_owned(),
        request_id: name("req-9"),
        reason: "seen in the console".to_owned(),
    }
}

fn facts() -> Vec<Fact> {
    let refused =
        AttemptOutcome { class: Class::Final, code: "PARAM_ERROR".to_owned(), message: "no".to_owned() };
    let request = RefundRequest {
        trade_no: name("4200001"),
        out_refund_no: name("0011"),
        amount: created().amount,
        reason: "broken".to_owned(),
        options_json: String::new(),
        automatic: true,
        fingerprint: created().fingerprint,
    };
    let done = |success_time| RefundDone { provider_refund_no: Some("5030001".to_owned()), success_time };
    let failed = RefundFailed { code: "NOT_ENOUGH".to_owned(), message: "no".to_owned() };
    let bodies = [
        ("created", FactBody::Created(Arc::new(created())), Cause::Command(created().request_id)),
        ("attempt/1", FactBody::Attempt, Cause::Timer),
        ("attempt/1/outcome", FactBody::AttemptOutcome(refused.clone()), Cause::Answer),
        ("launch/1", FactBody::Launch(launch()), Cause::Answer),
        ("close_requested", FactBody::CloseRequested(paymux_domain::fact::CloseReason::Expiry), Cause::Timer),
        ("closing/2", FactBody::Closing, Cause::Timer),
        ("closed", FactBody::Closed(Closure::ProviderConfirmed), Cause::Answer),
        ("paid/4200001", FactBody::Paid(payment()), Cause::Notification("EV-1".to_owned())),
        ("paid/4200001/stated", FactBody::Paid(payment()), Cause::Notification("EV-2".to_owned())),
        ("fulfilment/FULFIL", FactBody::Fulfilment(paymux_domain::fact::Fulfilment::Fulfil), Cause::Timer),
        ("paid/4200001/confirmed", FactBody::Paid(payment()), Cause::Answer),
        ("refund/r1/requested", FactBody::RefundRequested(Arc::new(request)), Cause::Timer),
        ("refund/r1/call/1", FactBody::RefundCall, Cause::Timer),
        ("refund/r1/call/1/outcome", FactBody::RefundCallOutcome(refused.clone()), Cause::Answer),
        ("refund/r1/outcome/DONE", FactBody::RefundDone(done(None)), Cause::Answer),
        (
            "refund/r2/outcome/DONE",
            FactBody::RefundDone(done(Some(at(1_767_225_701_000)))),
            Cause::Notification("EV-3".to_owned()),
        ),
        ("refund/r1/outcome/FAILED", FactBody::RefundFailed(failed), Cause::Timer),
        ("attention/PAYMENT_MISMATCH/1", FactBody::Attention("1 of 2 fen".to_owned()), Cause::Answer),
        (
            "attention/PAYMENT_MISMATCH/1/resolved",
            FactBody::AttentionResolved { caller: "ann".to_owned(), reason: "seen".to_owned() },
            Cause::Operator("ann".to_owned()),
        ),
        (
            "operator/paid/4200001",
            FactBody::OperatorPaid {
                payment: Payment { evidence: Evidence::Operator, ..payment() },
                by: said(),
            },
            Cause::Operator("ann".to_owned()),
        ),
        ("operator/unpaid", FactBody::OperatorUnpaid(said()), Cause::Operator("ann".to_owned())),
        (
            "operator/refund/r1/DONE",
            FactBody::OperatorRefund { provider_refund_no: Some("5030001".to_owned()), by: said() },
            Cause::Operator("ann".to_owned()),
        ),
        (
            "operator/refund/r1/FAILED",
            FactBody::OperatorRefund { provider_refund_no: None, by: said() },
            Cause::Operator("ann".to_owned()),
        ),
    ];
    let fact = |(key, body, cause): (&str, FactBody, Cause)| Fact {
        key: key.parse().expect("a valid key"),
        body,
        time: at(1_767_225_602_000),
        cause,
    };
    bodies.into_iter().map(fact).collect()
}

fn followup() -> Followup {
    Followup {
        next_due: Some(at(1)),
        fruitless_calls: 2,
        query_left: Some(at(3)),
        answered_left: Some(at(4)),
        call_left: Some(at(5)),
        not_before: Some(at(6)),
        ask: true,
        not_exist: Some(NotExist { attempts: 1, left_time: at(7), twice: true }),
        asked_after_end: true,
        settled: 0xfeed,
        refunds: BTreeMap::new(),
    }
}

fn refunding() -> Followup {
    let refund = RefundFollowup {
        fruitless_calls: 1,
        call_left: Some(at(2)),
        query_left: Some(at(3)),
        ask: true,
        accepted: true,
        absent_after: 4,
    };
    Followup { refunds: [(name("r1"), refund)].into(), ..Followup::default() }
}

fn name<N: std::str::FromStr<Err = NameError>>(text: &str) -> N {
    text.parse().expect("a valid name")
}

fn refund_command() -> RefundCommand {
    RefundCommand {
        order: command(),
        refund_no: name("r1"),
        trade_no: Some(name("4200001")),
        amount: created().amount,
        reason: "broken".to_owned(),
        options_json: String::new(),
        fingerprint: created().fingerprint,
    }
}

fn replay_command() -> ReplayCommand {
    let attention = vec![(AttentionReason::RetriesExhausted, 2)];
    ReplayCommand { order: command(), reason: "it is back".to_owned(), attention }
}

fn confirmations() -> [(&'static str, Confirmation); 4] {
    let provider_refund_no = Some("5030001".to_owned());
    let settled = Confirmation::Attention {
        reason: AttentionReason::LatePayment,
        number: 1,
        fulfilment: Some(paymux_domain::fact::Fulfilment::DoNotFulfil),
    };
    [
        ("paid", Confirmation::Paid(Payment { evidence: Evidence::Operator, ..payment() })),
        ("unpaid", Confirmation::Unpaid),
        ("refund", Confirmation::Refund { refund_no: name("r1"), done: true, provider_refund_no }),
        ("attention", settled),
    ]
}

fn refund_told(success_time: Option<Timestamp>) -> Notification {
    let word = RefundWord {
        out_refund_no: Some(name("0011")),
        progress: RefundProgress::Done,
        amount_minor: Some(5),
        provider_refund_no: Some("5030001".to_owned()),
        success_time,
        code: "SUCCESS".to_owned(),
    };
    Notification { words: vec![Word::Refund(word)], ..notification() }
}

fn rejected() -> Event {
    let (lost, differing) = (command().request_id, vec!["amount.minor".to_owned()]);
    Event::rejected(&key(), State::Pending, lost, differing, at(1_767_225_603_000))
}

fn dead() -> DeadRecord {
    let raw = vec![0xff, 0x00];
    DeadRecord { partition: Partition(3), offset: 42, reason: "no body".to_owned(), find_time: None, raw }
}

fn replies() -> Vec<(&'static str, Reply)> {
    let to = ReplyAddress { instance: "ingest-1".to_owned(), call: 7 };
    let fault = FieldFault { field: "amount.minor".to_owned(), reason: "is 1, the order's is 2".to_owned() };
    let kinds = [
        ("ready", ReplyKind::Ready),
        ("conflict", ReplyKind::Conflict { differing: vec!["amount.minor".to_owned()] }),
        ("refused", ReplyKind::Refused(RefundRefusal::ExceedsPayment)),
        ("unconfirmed", ReplyKind::Unconfirmed(ConfirmRefusal::Contradicts(vec![fault]))),
    ];
    kinds.into_iter().map(|(name, kind)| (name, Reply { to: to.clone(), key: key(), kind })).collect()
}

fn shard_report() -> ShardReport {
    let budget = |operation| OperationReport {
        operation,
        rate_per_s: 300,
        cuts: 1,
        burst: 50,
        waiting: 7,
        next_slot: at(1_767_225_604_000),
    };
    let account = |account, breaker| AccountReport {
        account: name(account),
        operations: Operation::ALL.map(budget).to_vec(),
        breaker,
        live_calls: 3,
        live_calls_max: 128,
    };
    let until = at(1_767_225_605_000);
    ShardReport {
        partition: Partition(3),
        owner: "worker-1".to_owned(),
        generation: 4,
        owned_since: at(1_767_225_600_000),
        report_time: at(1_767_225_603_000),
        lease_until: Some(until),
        window_records: 9,
        unresolved: UnresolvedReport { oldest: Some(at(1_767_225_601_000)), orders: 2, is_incomplete: true },
        wait_reason: Some("a newer binary is needed".to_owned()),
        accounts: vec![
            account("a", BreakerReport::Closed),
            account("b", BreakerReport::Open(until)),
            account("c", BreakerReport::Probing),
        ],
        accounts_left_out: 1,
    }
}

#[test]
fn a_report_of_a_partition_reads_back() {
    let bare = ShardReport {
        lease_until: None,
        unresolved: UnresolvedReport::default(),
        wait_reason: None,
        accounts: Vec::new(),
        ..shard_report()
    };
    for report in [shard_report(), bare] {
        assert_eq!(decode_shard_report(&encode_shard_report(&report)), Ok(report));
    }
    assert!(matches!(decode_shard_report(&[]), Err(RecordError::Malformed(_))));
}

/// Every released format as `(name, bytes)`.
fn samples() -> Vec<(String, Vec<u8>)> {
    let create = CreateCommand { created: Arc::new(created()), reply_to: reply_to() };
    let closed = Event { kind: EventKind::Closed(Closure::NeverSent), ..rejected() };
    let entry = LedgerEntry { refund_no: name("r1"), trade_no: name("4200001"), minor: 99 };
    let mark = CallMark { number: 1, token: 0xfeed };
    let mut samples = vec![
        ("record.create".to_owned(), encode_record(&Record::Create(create))),
        ("record.close".to_owned(), encode_record(&Record::Close(command()))),
        ("record.requery".to_owned(), encode_record(&Record::Requery(command()))),
        ("record.notification".to_owned(), encode_record(&Record::Notification(notification()))),
        ("record.notification_of_refund".to_owned(), encode_record(&Record::Notification(refund_told(None)))),
        (
            "record.notification_of_timed_refund".to_owned(),
            encode_record(&Record::Notification(refund_told(Some(at(1_767_225_701_000))))),
        ),
        ("record.notification_that_hints".to_owned(), encode_record(&Record::Notification(hinted()))),
        ("record.refund".to_owned(), encode_record(&Record::Refund(refund_command()))),
        ("record.replay".to_owned(), encode_record(&Record::Replay(replay_command()))),
        ("event.rejected".to_owned(), encode_event(&rejected())),
        ("event.closed".to_owned(), encode_event(&closed)),
        ("dead".to_owned(), encode_dead(&dead())),
        ("followup".to_owned(), encode_followup(&followup())),
        ("followup.refunding".to_owned(), encode_followup(&refunding())),
        ("ledger".to_owned(), encode_ledger_row(&entry, Some(mark))),
        ("shard_report".to_owned(), encode_shard_report(&shard_report())),
    ];
    samples.extend(replies().iter().map(|(name, reply)| (format!("reply.{name}"), encode_reply(reply))));
    samples.extend(confirmations().into_iter().map(|(name, outcome)| {
        let command = ConfirmCommand { order: command(), reason: "seen in the console".to_owned(), outcome };
        (format!("record.confirm.{name}"), encode_record(&Record::Confirm(command)))
    }));
    samples.extend(facts().iter().map(|fact| (format!("fact.{}", fact.key), encode_fact(fact))));
    samples
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}

#[test]
fn released_formats_keep_their_bytes() {
    let mut lines: Vec<String> =
        samples().into_iter().map(|(name, bytes)| format!("{name} {}\n", hex(&bytes))).collect();
    lines.sort();
    assert_eq!(include_str!("golden.hex"), lines.concat());
}

#[test]
fn golden_bytes_of_every_released_format_can_be_read() {
    for (name, hex) in include_str!("golden.hex").lines().filter_map(|line| line.split_once(' ')) {
        let bytes = unhex(hex);
        let reads = match name.split_once('.').map_or(name, |(kind, _)| kind) {
            "record" => decode_record(&bytes).is_ok(),
            "event" => decode_event(&bytes).is_ok(),
            "fact" => decode_fact(&bytes).is_ok(),
            "reply" => decode_reply(&bytes).is_ok(),
            "dead" => decode_dead(&bytes) == Ok(dead()),
            "followup" => [Ok(followup()), Ok(refunding())].contains(&decode_followup(&bytes)),
            "shard_report" => decode_shard_report(&bytes) == Ok(shard_report()),
            _ => decode_ledger_row(&bytes).is_ok(),
        };
        assert!(reads, "{name}");
    }
}

fn close_record(change: impl FnOnce(&mut v1::LogRecord)) -> Result<Record, Undecodable> {
    let mut message = v1::LogRecord::decode(encode_record(&Record::Close(command())).as_slice())
        .expect("what was written is a message");
    change(&mut message);
    decode_record(&message.encode_to_vec())
}

fn reason_of(refused: Result<Record, Undecodable>) -> String {
    match refused {
        Err(Undecodable::Malformed { reason, .. }) => reason,
        other => panic!("not malformed: {other:?}"),
    }
}

#[test]
fn what_a_newer_version_wrote_waits() {
    let newer = |format_version| Err(Undecodable::NewerFormat { format_version });
    assert_eq!(close_record(|record| record.format_version = 2), newer(2));
    let confirm = v1::log_record::Body::Confirm(v1::ConfirmCommand::default());
    assert_eq!(close_record(|record| record.body = Some(confirm)), newer(1));
    let unknown_word = v1::NotificationRecord {
        merchant_id: "m".to_owned(),
        merchant_order_no: "o".to_owned(),
        provider: "p".to_owned(),
        account: "a".to_owned(),
        out_trade_no: "t".to_owned(),
        words: vec![v1::Word { body: None }],
        ..v1::NotificationRecord::default()
    };
    let body = v1::log_record::Body::Notification(unknown_word);
    assert_eq!(close_record(|record| record.body = Some(body)), newer(1));
}

#[test]
fn what_is_broken_is_named() {
    assert_eq!(reason_of(close_record(|record| record.format_version = 0)), "format_version is missing");
    assert_eq!(reason_of(close_record(|record| record.body = None)), "body is missing");
    let headless = v1::log_record::Body::Close(v1::CloseCommand { head: None });
    assert_eq!(reason_of(close_record(|record| record.body = Some(headless))), "close.head is missing");
    let bad_name = v1::CommandHead { merchant_id: "m 1".to_owned(), ..v1::CommandHead::default() };
    let body = v1::log_record::Body::Close(v1::CloseCommand { head: Some(bad_name) });
    let reason = reason_of(close_record(|record| record.body = Some(body)));
    assert_eq!(reason, "merchant_id must be 1 to 32 of 0-9 A-Z a-z _ -");
    assert_eq!(
        decode_record(&[0xff]),
        Err(Undecodable::Malformed { reason: reason_of(decode_record(&[0xff])), raw: vec![0xff] })
    );
}

#[test]
fn a_body_under_a_foreign_key_is_no_fact() {
    let attention = |reason| Fact {
        key: FactKey::Attention(reason, 1),
        body: FactBody::Attention(String::new()),
        time: at(0),
        cause: Cause::Timer,
    };
    let bytes = encode_fact(&attention(AttentionReason::UnknownOrder));
    let mut message = v1::Fact::decode(bytes.as_slice()).expect("what was written is a message");
    message.key = "attention/LATE_PAYMENT/1".to_owned();
    let refused = decode_fact(&message.encode_to_vec());
    assert_eq!(refused, Err(malformed("attention does not belong under its key")));
    message.key = "closed".to_owned();
    assert_eq!(
        decode_fact(&message.encode_to_vec()),
        Err(malformed("the body does not belong under its key"))
    );
    message.key = "settlement/r1".to_owned();
    assert_eq!(decode_fact(&message.encode_to_vec()), Err(RecordError::Unknown("a fact key")));
}

#[test]
fn errors_and_debug_show_no_personal_data() {
    let create = CreateCommand { created: Arc::new(created()), reply_to: None };
    let shown = format!("{:?} {:?}", Record::Create(create), facts());
    assert!(!shown.contains("o-1") && !shown.contains("table 7") && !shown.contains("c2lnbg"), "{shown}");
}

#[test]
fn a_mismatch_of_an_unlisted_field_stays_a_mismatch() {
    let odd = Notification { words: vec![Word::Mismatch { field: "never heard of" }], ..notification() };
    let Ok(Record::Notification(read)) = decode_record(&encode_record(&Record::Notification(odd))) else {
        panic!("a notification stays one");
    };
    assert_eq!(read.words, [Word::Mismatch { field: "field" }]);
}
