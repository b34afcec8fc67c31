//! Refunds: the whole way, repeats, refusals, lost answers, every end, and how it is told.

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::command::{Created, Fingerprint};
use paymux_domain::name::ProviderTradeNo;
use paymux_domain::outcome::{CallReport, Class, Operation, Word};
use paymux_domain::ports::{NotificationRefusal, RefusalReason};
use paymux_domain::refund::{RefundProgress, RefundRequest, RefundWord, out_refund_no};
use paymux_simulators::faults::FaultKind;

use crate::rig::Rig;

/// How long the simulator's refunds are PROCESSING.
const SETTLE_MS: i64 = 20_000;
/// Past the minute that two refunds of an order keep apart.
const SPACING_MS: i64 = 61_000;

/// An amount whose digits choose that fault.
fn fen(kind: FaultKind) -> i64 {
    100 + i64::from(kind.digits())
}

fn request(order: &Created, trade_no: &ProviderTradeNo, no: &str, fen: i64) -> RefundRequest {
    RefundRequest {
        trade_no: trade_no.clone(),
        out_refund_no: out_refund_no(&order.key, &no.parse().unwrap()).unwrap(),
        amount: Amount::new(fen, Currency::Cny).unwrap(),
        reason: "商品已售完".to_owned(),
        options_json: String::new(),
        automatic: false,
        fingerprint: Fingerprint::default(),
    }
}

/// The one word about a refund.
#[track_caller]
fn word(words: &[Word]) -> RefundWord {
    let [Word::Refund(word)] = words else { panic!("no refund: {words:?}") };
    word.clone()
}

#[track_caller]
fn check(report: &CallReport, class: Class, code: &str) {
    assert_eq!((report.class, report.code.as_str()), (class, code), "{}", report.message);
}

/// A paid order with the refund that is wanted of it.
struct Wanted<'a> {
    rig: &'a Rig,
    order: Created,
    request: RefundRequest,
}

impl<'a> Wanted<'a> {
    async fn new(rig: &'a Rig, method: &str, price: i64, fen: i64) -> Self {
        let (order, trade_no) = rig.paid(method, price).await;
        let request = request(&order, &trade_no, "R1", fen);
        Self { rig, order, request }
    }

    /// Another refund of the same payment.
    fn other(&self, no: &str, fen: i64) -> Self {
        let order = self.order.clone();
        let request = request(&order, &self.request.trade_no, no, fen);
        Self { rig: self.rig, order, request }
    }

    async fn refund(&self, number: u32) -> CallReport {
        self.rig.refund_call(Operation::Refund, &self.order, &self.request, number).await
    }

    async fn query(&self) -> RefundProgress {
        let report = self.rig.refund_call(Operation::Query, &self.order, &self.request, 1).await;
        assert_eq!(report.class, Class::Done, "{report:?}");
        let word = word(&report.words);
        assert_eq!(word.out_refund_no.as_ref(), Some(&self.request.out_refund_no));
        assert_eq!(word.success_time.is_some(), word.progress == RefundProgress::Done, "{word:?}");
        word.progress
    }
}

/// The next notification that is no payment's.
async fn refund_notified(rig: &mut Rig) -> Result<Vec<Word>, NotificationRefusal> {
    loop {
        match rig.notified().await.result {
            Ok(verified) if matches!(verified.words.as_slice(), [Word::Paid(_)]) => {}
            Ok(verified) => return Ok(verified.words),
            Err(refusal) => return Err(refusal),
        }
    }
}

/// The whole way: two parts of a payment go back, each is asked about and told, and no more than was paid.
#[tokio::test]
async fn every_product_refunds_in_parts() {
    let mut rig = Rig::start().await;
    for (method, price) in [("jsapi", 1200), ("partner_jsapi", 1300), ("scannedpos", 1400)] {
        let wanted = Wanted::new(&rig, method, price, 500).await;
        let report = wanted.refund(1).await;
        check(&report, Class::Done, "");
        let made = word(&report.words);
        assert_eq!((made.progress, made.amount_minor), (RefundProgress::Processing, Some(500)));
        assert_eq!(wanted.query().await, RefundProgress::Processing);
        rig.clock.advance_ms(SETTLE_MS);
        assert_eq!(wanted.query().await, RefundProgress::Done);
        let order = rig.call(Operation::Query, &wanted.order).await;
        assert!(matches!(order.words.as_slice(), [Word::Paid(_), Word::RefundedElsewhere]), "{order:?}");

        rig.clock.advance_ms(SPACING_MS);
        let (rest, more) = (wanted.other("R2", price - 500), wanted.other("R3", 1));
        check(&rest.refund(1).await, Class::Done, "");
        rig.clock.advance_ms(SPACING_MS);
        assert_eq!(rest.query().await, RefundProgress::Done);
        check(&more.refund(1).await, Class::Final, "INVALID_REQUEST");
        assert_eq!(more.query().await, RefundProgress::NotExist);

        let numbers = [wanted.request.out_refund_no, rest.request.out_refund_no];
        for (number, fen) in numbers.into_iter().zip([500, price - 500]) {
            let told = word(&refund_notified(&mut rig).await.unwrap());
            assert_eq!((told.out_refund_no, told.amount_minor), (Some(number), Some(fen)));
            assert_eq!((told.progress, told.code.as_str()), (RefundProgress::Done, "SUCCESS"));
        }
    }
}

#[tokio::test]
async fn a_number_refunds_once_however_often_it_is_used() {
    let rig = Rig::start().await;
    let wanted = Wanted::new(&rig, "jsapi", 1200, 700).await;
    let first = word(&wanted.refund(1).await.words);
    for number in 2..5 {
        let again = wanted.refund(number).await;
        check(&again, Class::Done, "");
        assert_eq!(word(&again.words), first);
    }
    rig.clock.advance_ms(SPACING_MS);
    // Once: 500 are left.
    check(&wanted.other("R2", 501).refund(1).await, Class::Final, "INVALID_REQUEST");
    check(&wanted.other("R3", 500).refund(1).await, Class::Done, "");
    let other_content = wanted.other("R1", 600);
    check(&other_content.refund(1).await, Class::Final, "INVALID_REQUEST");
}

#[tokio::test]
async fn more_than_was_paid_is_refused_for_good() {
    let rig = Rig::start().await;
    let wanted = Wanted::new(&rig, "scannedpos", 1200, 1201).await;
    check(&wanted.refund(1).await, Class::Final, "INVALID_REQUEST");
    assert_eq!(wanted.query().await, RefundProgress::NotExist);
}

#[tokio::test]
async fn a_second_refund_within_the_minute_is_asked_about_and_comes_true_later() {
    let rig = Rig::start().await;
    let wanted = Wanted::new(&rig, "jsapi", 1200, 500).await;
    check(&wanted.refund(1).await, Class::Done, "");
    let second = wanted.other("R2", 300);
    let report = second.refund(1).await;
    check(&report, Class::Unknown, "FREQUENCY_LIMITED");
    assert!(report.ask && report.throttled && report.words.is_empty());
    assert_eq!(second.query().await, RefundProgress::NotExist);
    rig.clock.advance_ms(SPACING_MS);
    check(&second.refund(2).await, Class::Done, "");
}

#[tokio::test]
async fn an_order_that_nobody_paid_is_asked_about_first_and_refused_then() {
    let rig = Rig::start().await;
    let order = rig.order("jsapi", 1200);
    rig.launched(&order).await;
    let request = request(&order, &"4200000000000000000000000000".parse().unwrap(), "R1", 500);
    let wanted = Wanted { rig: &rig, order, request };
    let first = wanted.refund(1).await;
    check(&first, Class::Unknown, "RESOURCE_NOT_EXISTS");
    assert!(first.ask && first.words.is_empty());
    assert_eq!(wanted.query().await, RefundProgress::NotExist);
    check(&wanted.refund(2).await, Class::Final, "RESOURCE_NOT_EXISTS");
}

/// What the call is taken for, whether the refund exists, and that the same call again comes true once.
#[tokio::test]
async fn a_refund_call_that_goes_wrong_is_never_taken_for_refused() {
    let rig = Rig::start().await;
    let cases = [
        (FaultKind::RefundSlow, Class::Unknown, "TIMEOUT", true),
        (FaultKind::RefundHung, Class::Unknown, "TIMEOUT", false),
        (FaultKind::RefundAnswerLost, Class::Unknown, "CONNECTION", true),
        (FaultKind::RefundDropped, Class::Unknown, "CONNECTION", false),
        (FaultKind::RefundBadSignature, Class::Unknown, "BAD_SIGNATURE", true),
        (FaultKind::RefundGarbage, Class::Unknown, "UNSIGNED", true),
        (FaultKind::RefundSystemError, Class::Retry, "SYSTEM_ERROR", false),
        (FaultKind::RefundErrorAfterEffect, Class::Retry, "SYSTEM_ERROR", true),
        (FaultKind::RefundThrottledAfterEffect, Class::Unknown, "FREQUENCY_LIMITED", true),
    ];
    for ((kind, class, code, exists), price) in cases.into_iter().zip((1200..).step_by(100)) {
        let wanted = Wanted::new(&rig, "jsapi", price, fen(kind)).await;
        let report = wanted.refund(1).await;
        check(&report, class, code);
        assert!(report.words.is_empty(), "{}: {report:?}", kind.name());
        let found = if exists { RefundProgress::Processing } else { RefundProgress::NotExist };
        assert_eq!(wanted.query().await, found, "{}", kind.name());
        let again = wanted.refund(2).await;
        check(&again, Class::Done, "");
        assert_eq!(word(&again.words).amount_minor, Some(fen(kind)));
        rig.clock.advance_ms(SPACING_MS);
        assert_eq!(wanted.query().await, RefundProgress::Done, "{}", kind.name());
        let rest = wanted.other("R2", price - fen(kind) + 1);
        check(&rest.refund(1).await, Class::Final, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn a_throttled_refund_and_an_empty_balance_pass() {
    let rig = Rig::start().await;
    let wanted = Wanted::new(&rig, "jsapi", 1200, fen(FaultKind::RefundThrottled)).await;
    for number in 1..=3 {
        let report = wanted.refund(number).await;
        check(&report, Class::Unknown, "FREQUENCY_LIMITED");
        assert!(report.ask && report.throttled);
        assert_eq!(wanted.query().await, RefundProgress::NotExist);
    }
    check(&wanted.refund(4).await, Class::Done, "");

    let wanted = Wanted::new(&rig, "jsapi", 1300, fen(FaultKind::RefundNotEnough)).await;
    check(&wanted.refund(1).await, Class::Ops, "NOT_ENOUGH");
    assert_eq!(wanted.query().await, RefundProgress::NotExist);
    rig.clock.advance_ms(130_000);
    check(&wanted.refund(2).await, Class::Done, "");
}

#[tokio::test]
async fn a_refund_that_lands_late_is_the_same_as_its_repeat() {
    let rig = Rig::start().await;
    let wanted = Wanted::new(&rig, "jsapi", 1200, fen(FaultKind::RefundLandsLate)).await;
    check(&wanted.refund(1).await, Class::Unknown, "CONNECTION");
    assert_eq!(wanted.query().await, RefundProgress::NotExist);
    check(&wanted.refund(2).await, Class::Done, "");
    rig.clock.advance_ms(SPACING_MS);
    assert_eq!(wanted.query().await, RefundProgress::Done);
    check(&wanted.other("R2", 1200).refund(1).await, Class::Final, "INVALID_REQUEST");
}

#[tokio::test]
async fn a_lagging_read_side_says_that_there_is_no_refund() {
    let rig = Rig::start().await;
    let wanted = Wanted::new(&rig, "jsapi", 1200, fen(FaultKind::RefundQueryLagging)).await;
    check(&wanted.refund(1).await, Class::Done, "");
    assert_eq!(wanted.query().await, RefundProgress::NotExist);
    rig.clock.advance_ms(30_000);
    assert_eq!(wanted.query().await, RefundProgress::Done);
}

#[tokio::test]
async fn the_bad_ends_are_answered_asked_and_told_alike() {
    for (kind, progress, code) in [
        (FaultKind::RefundAbnormal, RefundProgress::Stuck, "ABNORMAL"),
        (FaultKind::RefundClosed, RefundProgress::Closed, "CLOSED"),
    ] {
        let mut rig = Rig::start().await;
        let wanted = Wanted::new(&rig, "jsapi", 1200, fen(kind)).await;
        assert_eq!(word(&wanted.refund(1).await.words).progress, RefundProgress::Processing);
        rig.clock.advance_ms(SPACING_MS);
        assert_eq!(wanted.query().await, progress);
        let again = wanted.refund(2).await;
        check(&again, Class::Done, "");
        let answered = word(&again.words);
        // What is stuck keeps its money, what is closed gives it free.
        let class = if progress == RefundProgress::Stuck { Class::Final } else { Class::Done };
        assert_eq!(wanted.other("R2", 1200).refund(1).await.class, class);
        let told = word(&refund_notified(&mut rig).await.unwrap());
        assert_eq!((told.progress, told.code.as_str()), (progress, code));
        assert_eq!(told, answered, "answer and notification say the same");
    }
}

#[tokio::test]
async fn forged_notifications_of_a_refund_are_refused_and_the_genuine_one_is_not() {
    let mut rig = Rig::start().await;
    let wanted = Wanted::new(&rig, "partner_jsapi", 1200, fen(FaultKind::RefundNotifyForged)).await;
    check(&wanted.refund(1).await, Class::Done, "");
    let number = wanted.request.out_refund_no;
    let mut reasons = Vec::new();
    for _ in 0..2 {
        reasons.push(refund_notified(&mut rig).await.unwrap_err().reason);
    }
    reasons.sort();
    assert_eq!(reasons, [RefusalReason::BadSignature, RefusalReason::UnknownKey]);
    rig.clock.advance_ms(SETTLE_MS);
    let told = word(&refund_notified(&mut rig).await.unwrap());
    assert_eq!((told.progress, told.out_refund_no), (RefundProgress::Done, Some(number)));
}
