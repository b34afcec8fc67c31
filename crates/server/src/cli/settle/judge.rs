//! What a line of an export means for its order: they agree, they contradict each other, or the line decides.

use paymux_domain::name::{OutRefundNo, OutTradeNo, ProviderTradeNo};
use paymux_proto::v1::confirm_outcome_request::Outcome;
use paymux_proto::{api, v1};

use super::export::Survey;
use crate::cli::json::word;

/// A line of an export.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) out_trade_no: OutTradeNo,
    pub(super) what: What,
}

/// What a line tells of.
#[derive(Clone, Debug)]
pub(super) enum What {
    Payment {
        trade_no: ProviderTradeNo,
        total_minor: i64,
        success_time: Option<prost_types::Timestamp>,
        fee_minor: Option<i64>,
    },
    Refund {
        out_refund_no: OutRefundNo,
        total_minor: i64,
        done: bool,
        provider_refund_no: String,
    },
    /// Paid and given back as a whole.
    Refunded,
    /// No money is with the merchant; in which words.
    Unpaid(&'static str),
}

/// What a line means for its order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// Known, and the same.
    Agrees,
    /// It decides nothing, and nothing here contradicts it.
    Skipped,
    /// It is of a merchant that is not meant.
    NotMeant,
    /// It decides what was open.
    Confirm(Outcome),
    /// It was, or would be, confirmed: the facts that this adds.
    Confirmed(Vec<String>),
    /// It contradicts what is known: a person's.
    Differs(String),
    /// There is no such order.
    Unknown(String),
}

/// Judges a line beside its order. Only what is open is ever decided.
pub(super) fn judge(line: &Line, order: &v1::Order, account: &str, survey: &Survey) -> Verdict {
    if order.account != account {
        return Verdict::Differs(format!("the order is at the account {}", order.account));
    }
    if order.out_trade_no != line.out_trade_no.as_str() {
        return Verdict::Differs(format!("the order has the number {:?} there", order.out_trade_no));
    }
    match &line.what {
        What::Payment { trade_no, total_minor, success_time, fee_minor } => {
            let verdict = payment(line, order, survey, (trade_no.as_str(), *total_minor, *success_time));
            match other_fee(order, trade_no.as_str(), *fee_minor) {
                Some(text) if verdict == Verdict::Agrees => Verdict::Differs(text),
                _ => verdict,
            }
        }
        What::Refund { out_refund_no, done: false, .. } => not_refunded(order, out_refund_no.as_str()),
        What::Refund { out_refund_no, total_minor, provider_refund_no, .. } => {
            refund(order, out_refund_no.as_str(), *total_minor, provider_refund_no)
        }
        What::Refunded => refunded(order),
        What::Unpaid(why) => unpaid(order, why),
    }
}

/// The line is of an order without money.
fn unpaid(order: &v1::Order, why: &str) -> Verdict {
    match order.payments.first() {
        Some(known) => {
            let (known, state) = (&known.provider_trade_no, stands(order));
            Verdict::Differs(format!("the line says {why}; here the order is {state} by payment {known}"))
        }
        None if order.state() == v1::OrderState::Paid => {
            Verdict::Differs(format!("the line says {why}, the order is PAID here"))
        }
        None => Verdict::Skipped,
    }
}

/// The line is of a refund that has not, or not yet, ended well.
fn not_refunded(order: &v1::Order, out_refund_no: &str) -> Verdict {
    let known = order.refunds.iter().find(|known| known.out_refund_no == out_refund_no);
    match known.filter(|known| known.state() == v1::RefundState::Done) {
        Some(known) => {
            let no = &known.refund_no;
            Verdict::Differs(format!("refund {no} is DONE here, by the line it has not ended well"))
        }
        None => Verdict::Skipped,
    }
}

fn minor(amount: Option<&v1::Amount>) -> i64 {
    amount.map_or(0, |amount| amount.minor)
}

/// State and closure in one word.
fn stands(order: &v1::Order) -> String {
    let state = api::state_word(order.state);
    match order.closure() {
        v1::Closure::Unspecified => state.to_owned(),
        closure => format!("{state}/{}", word(closure.as_str_name(), "CLOSURE_")),
    }
}

fn payment(
    line: &Line,
    order: &v1::Order,
    survey: &Survey,
    (trade_no, total_minor, success_time): (&str, i64, Option<prost_types::Timestamp>),
) -> Verdict {
    let differs = |text: String| Verdict::Differs(text);
    if let Some(known) = order.payments.iter().find(|known| known.provider_trade_no == trade_no) {
        let known = minor(known.total.as_ref());
        if known == total_minor {
            return Verdict::Agrees;
        }
        return differs(format!(
            "payment {trade_no} is recorded with {known} fen, the line has {total_minor}"
        ));
    }
    if let Some(known) = order.payments.first() {
        return differs(format!("{} is recorded, not payment {trade_no}", known.provider_trade_no));
    }
    let open = match order.state() {
        v1::OrderState::Paid | v1::OrderState::Failed | v1::OrderState::Unspecified => false,
        v1::OrderState::Closed => order.closure() == v1::Closure::LocalExpiry,
        _ => true,
    };
    if !open {
        return differs(format!("the order is {}, the line names payment {trade_no}", stands(order)));
    }
    if let Some(text) = waits(order) {
        return differs(text);
    }
    let amount = minor(order.amount.as_ref());
    if amount != total_minor {
        return differs(format!("the order is of {amount} fen, the line of {total_minor}"));
    }
    if survey.is_paid_twice(&line.out_trade_no) {
        return differs("the export has several payments of it".to_owned());
    }
    if survey.is_refunded(&line.out_trade_no) {
        return differs("the export has a refund of it, too".to_owned());
    }
    let total = Some(v1::Amount { currency: "CNY".to_owned(), minor: total_minor });
    let provider_trade_no = trade_no.to_owned();
    Verdict::Confirm(Outcome::Paid(v1::ConfirmedPayment { provider_trade_no, total, success_time }))
}

/// How the line's fee differs from the one that the provider stated of the payment, where both are there.
fn other_fee(order: &v1::Order, trade_no: &str, fee_minor: Option<i64>) -> Option<String> {
    let known = order.payments.iter().find(|known| known.provider_trade_no == trade_no)?;
    let (known, fee_minor) = (known.fee.as_ref()?.minor, fee_minor?);
    let text = format!("payment {trade_no} is recorded with a fee of {known} fen, the line has {fee_minor}");
    (known != fee_minor).then_some(text)
}

/// An open attention that no list of payments can settle.
fn waits(order: &v1::Order) -> Option<String> {
    let open = order.attention.iter().find(|item| {
        item.resolve_time.is_none()
            && !matches!(
                item.reason(),
                v1::AttentionReason::RetriesExhausted | v1::AttentionReason::ProviderOps
            )
    })?;
    Some(format!("the order waits for a person: {}", word(open.reason().as_str_name(), "ATTENTION_REASON_")))
}

fn refund(order: &v1::Order, out_refund_no: &str, total_minor: i64, provider_refund_no: &str) -> Verdict {
    let Some(known) = order.refunds.iter().find(|known| known.out_refund_no == out_refund_no) else {
        return Verdict::Differs(format!("refund {out_refund_no} was not made here"));
    };
    let amount = minor(known.amount.as_ref());
    if amount != total_minor {
        let no = &known.refund_no;
        return Verdict::Differs(format!("refund {no} is of {amount} fen, the line of {total_minor}"));
    }
    match known.state() {
        v1::RefundState::Done => Verdict::Agrees,
        v1::RefundState::Failed => Verdict::Differs(format!("refund {} FAILED here", known.refund_no)),
        _ => Verdict::Confirm(Outcome::Refund(v1::ConfirmedRefund {
            refund_no: known.refund_no.clone(),
            done: true,
            provider_refund_no: provider_refund_no.to_owned(),
        })),
    }
}

fn refunded(order: &v1::Order) -> Verdict {
    let paid: i64 = order.payments.iter().map(|payment| minor(payment.total.as_ref())).sum();
    let back = minor(order.refunded_amount.as_ref());
    if paid > 0 && paid == back {
        return Verdict::Agrees;
    }
    Verdict::Differs(format!(
        "the line is of money that went back; here {paid} fen were paid, {back} went back"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(state: v1::OrderState, closure: v1::Closure) -> v1::Order {
        v1::Order {
            account: "main".to_owned(),
            out_trade_no: "a1-1".to_owned(),
            state: state.into(),
            closure: closure.into(),
            amount: Some(v1::Amount { currency: "CNY".to_owned(), minor: 100 }),
            ..v1::Order::default()
        }
    }

    fn line(total_minor: i64) -> Line {
        let trade_no = "T1".parse().unwrap();
        let what = What::Payment { trade_no, total_minor, success_time: None, fee_minor: Some(1) };
        Line { number: 2, out_trade_no: "a1-1".parse().unwrap(), what }
    }

    fn judged(order: &v1::Order, total_minor: i64) -> Verdict {
        judge(&line(total_minor), order, "main", &Survey::default())
    }

    fn paid(total_minor: i64) -> v1::Order {
        let payment = v1::Payment {
            provider_trade_no: "T1".to_owned(),
            total: Some(v1::Amount { currency: "CNY".to_owned(), minor: total_minor }),
            ..v1::Payment::default()
        };
        v1::Order { payments: vec![payment], ..order(v1::OrderState::Paid, v1::Closure::Unspecified) }
    }

    #[test]
    fn only_what_is_open_is_decided() {
        use v1::{Closure, OrderState};
        for (state, closure, decides) in [
            (OrderState::Submitting, Closure::Unspecified, true),
            (OrderState::Pending, Closure::Unspecified, true),
            (OrderState::Closing, Closure::Unspecified, true),
            (OrderState::Closed, Closure::LocalExpiry, true),
            (OrderState::Closed, Closure::ProviderConfirmed, false),
            (OrderState::Closed, Closure::NeverSent, false),
            (OrderState::Closed, Closure::OperatorConfirmed, false),
            (OrderState::Failed, Closure::Unspecified, false),
        ] {
            let verdict = judged(&order(state, closure), 100);
            assert_eq!(matches!(verdict, Verdict::Confirm(_)), decides, "{state:?} {closure:?}: {verdict:?}");
            assert_eq!(
                matches!(verdict, Verdict::Differs(_)),
                !decides,
                "{state:?} {closure:?}: {verdict:?}"
            );
        }
    }

    #[test]
    fn what_is_known_agrees_or_differs() {
        assert_eq!(judged(&paid(100), 100), Verdict::Agrees);
        assert!(matches!(judged(&paid(90), 100), Verdict::Differs(text) if text.contains("90 fen")));
        let fee = |minor| {
            let mut order = paid(100);
            order.payments[0].fee = Some(v1::Amount { currency: "CNY".to_owned(), minor });
            judged(&order, 100)
        };
        assert_eq!(fee(1), Verdict::Agrees);
        assert!(matches!(fee(2), Verdict::Differs(text) if text.contains("a fee of 2 fen, the line has 1")));
        let pending = order(v1::OrderState::Pending, v1::Closure::Unspecified);
        assert!(matches!(judged(&pending, 99), Verdict::Differs(text) if text.contains("100 fen")));
        let mismatch =
            v1::Attention { reason: v1::AttentionReason::PaymentMismatch.into(), ..v1::Attention::default() };
        let parked = v1::Order { attention: vec![mismatch], ..pending.clone() };
        assert!(matches!(judged(&parked, 100), Verdict::Differs(text) if text.contains("PAYMENT_MISMATCH")));
        let elsewhere = judge(&line(100), &pending, "other", &Survey::default());
        assert!(matches!(elsewhere, Verdict::Differs(_)));
    }

    #[test]
    fn a_line_of_another_number_than_the_orders_is_never_its_own() {
        for out_trade_no in ["old-1", ""] {
            let pending = order(v1::OrderState::Pending, v1::Closure::Unspecified);
            let other = v1::Order { out_trade_no: out_trade_no.to_owned(), ..pending };
            assert!(matches!(judged(&other, 100), Verdict::Differs(_)), "{out_trade_no}");
        }
    }

    #[test]
    fn a_line_without_money_is_compared_with_the_order_too() {
        let unpaid = Line { what: What::Unpaid("not paid"), ..line(100) };
        let judged = |order: &v1::Order| judge(&unpaid, order, "main", &Survey::default());
        assert!(matches!(judged(&paid(100)), Verdict::Differs(text) if text.contains("T1")));
        let without = order(v1::OrderState::Paid, v1::Closure::Unspecified);
        assert!(matches!(judged(&without), Verdict::Differs(_)));
        for state in [v1::OrderState::Pending, v1::OrderState::Closed] {
            assert_eq!(judged(&order(state, v1::Closure::Unspecified)), Verdict::Skipped);
        }
    }

    #[test]
    fn a_refund_without_an_end_is_decided() {
        let refund = |state: v1::RefundState| {
            let refund = v1::Refund {
                refund_no: "R1".to_owned(),
                out_refund_no: "0011".to_owned(),
                amount: Some(v1::Amount { currency: "CNY".to_owned(), minor: 40 }),
                state: state.into(),
                ..v1::Refund::default()
            };
            v1::Order { refunds: vec![refund], ..paid(100) }
        };
        let what = What::Refund {
            out_refund_no: "0011".parse().unwrap(),
            total_minor: 40,
            done: true,
            provider_refund_no: "5030001".to_owned(),
        };
        let line = Line { what, ..line(100) };
        let judged = |state| judge(&line, &refund(state), "main", &Survey::default());
        assert!(matches!(judged(v1::RefundState::Processing), Verdict::Confirm(Outcome::Refund(_))));
        assert_eq!(judged(v1::RefundState::Done), Verdict::Agrees);
        assert!(matches!(judged(v1::RefundState::Failed), Verdict::Differs(_)));
        assert!(matches!(judge(&line, &paid(100), "main", &Survey::default()), Verdict::Differs(_)));
        let What::Refund { out_refund_no, .. } = line.what else { panic!("it is a refund") };
        let what =
            What::Refund { out_refund_no, total_minor: 40, done: false, provider_refund_no: String::new() };
        let line = Line { what, number: 3, out_trade_no: line.out_trade_no };
        let judged = |state| judge(&line, &refund(state), "main", &Survey::default());
        assert!(matches!(judged(v1::RefundState::Done), Verdict::Differs(text) if text.contains("R1")));
        for state in [v1::RefundState::Processing, v1::RefundState::Failed] {
            assert_eq!(judged(state), Verdict::Skipped);
        }
    }
}
