//! The audit of refunds: what the engine says of each, against the provider's truth and what was told.

use paymux_proto::v1;
use paymux_proto::v1::{AttentionReason, Fulfilment, OrderEventKind, RefundState};
use paymux_simulators::control::view::{self, OrderTruth, RefundTruth};
use paymux_simulators::faults::{FaultKind, XorpayFault};

use super::super::providers::{Refunds, at};
use super::super::world::GivesBack;
use super::Told;

/// Whether every refund has ended or waits for a person, and money that is to go back by itself is on its way.
pub(super) fn are_settled(order: &v1::Order, truth: Option<&OrderTruth>, gives_back: GivesBack) -> bool {
    let settled =
        |refund: &v1::Refund| has_ended(refund) || waits_for_person(order, refund) || is_barred(truth);
    let goes_back = |payment: &v1::Payment| {
        let mut refunds = order.refunds.iter();
        refunds.any(|refund| refund.provider_trade_no == payment.provider_trade_no)
    };
    let owed =
        order.payments.iter().all(|payment| !is_owed(order, payment, gives_back) || goes_back(payment));
    order.refunds.iter().all(settled) && (owed || is_unresolved(order))
}

/// Whether XorPay takes no refund of the order: it gives back only what a push of it was answered for, and here none
/// ever arrives. The engine tries for hours before it leaves the refund to a person.
fn is_barred(truth: Option<&OrderTruth>) -> bool {
    let lost = FaultKind::Xorpay(XorpayFault::NotifyLost);
    truth.is_some_and(|truth| {
        truth.faults.contains(&lost)
            && truth.xorpay.as_ref().is_some_and(|xorpay| xorpay.pushes_delivered == 0)
    })
}

/// Whether a payment is to go back by itself: each where the goods are refused to late money, else the second.
fn is_owed(order: &v1::Order, payment: &v1::Payment, gives_back: GivesBack) -> bool {
    match order.fulfilment() {
        Fulfilment::DoNotFulfil => gives_back.late,
        Fulfilment::Fulfil => payment.duplicate && gives_back.duplicates,
        _ => false,
    }
}

fn has_ended(refund: &v1::Refund) -> bool {
    matches!(refund.state(), RefundState::Done | RefundState::Failed)
}

/// Whether an open attention names the refund.
fn waits_for_person(order: &v1::Order, refund: &v1::Refund) -> bool {
    let (begun, stuck) =
        (format!("refund {}: ", refund.refund_no), format!("refund {} is ", refund.refund_no));
    order.attention.iter().filter(|item| item.resolve_time.is_none()).any(|item| match item.reason() {
        AttentionReason::RefundUnresolved => item.detail.starts_with(&begun),
        AttentionReason::RefundFailed => item.detail.starts_with(&stuck),
        _ => false,
    })
}

fn is_unresolved(order: &v1::Order) -> bool {
    let open = order.attention.iter().filter(|item| item.resolve_time.is_none());
    { open }.any(|item| item.reason() == AttentionReason::RefundUnresolved)
}

/// Refunds by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::demo) struct Counts {
    /// Reserved by the engine, its own included.
    pub(in crate::demo) requested: u64,
    pub(in crate::demo) done: u64,
    pub(in crate::demo) failed: u64,
    /// The engine's own, of late or surplus money.
    pub(in crate::demo) automatic: u64,
    /// Of these, second payments of orders whose goods were delivered.
    pub(in crate::demo) surplus: u64,
}

impl Counts {
    /// Those that wait for a person.
    pub(in crate::demo) fn unresolved(&self) -> u64 {
        self.requested.saturating_sub(self.done + self.failed)
    }

    pub(in crate::demo) fn add(&mut self, order: &v1::Order) {
        for refund in &order.refunds {
            self.requested += 1;
            self.done += u64::from(refund.state() == RefundState::Done);
            self.failed += u64::from(refund.state() == RefundState::Failed);
            self.automatic += u64::from(refund.automatic);
            let is_delivered = order.fulfilment() == Fulfilment::Fulfil;
            self.surplus += u64::from(refund.automatic && is_delivered);
        }
    }
}

/// Money that the engine has on record as given back, in fen.
pub(in crate::demo) fn recorded(order: &v1::Order) -> i64 {
    let done = order.refunds.iter().filter(|refund| refund.state() == RefundState::Done);
    done.map(minor).sum()
}

fn minor(refund: &v1::Refund) -> i64 {
    refund.amount.as_ref().map_or(0, |amount| amount.minor)
}

/// Whether nothing that the engine says of refunds is refuted by the truth, and every end was told.
pub(super) fn agree(
    order: &v1::Order,
    truth: Option<&OrderTruth>,
    told: &Told,
    gives_back: GivesBack,
) -> Result<(), String> {
    let there: &[RefundTruth] = truth.map_or(&[], |truth| &truth.refunds.list);
    let (pairs, strange) = paired(order, truth);
    for (refund, found) in &pairs {
        let agreed = if !has_ended(refund) && found.is_none() && is_barred(truth) {
            Ok(())
        } else {
            agrees(order, refund, *found)
        };
        agreed.map_err(|lie| format!("refund {}: {lie}", refund.refund_no))?;
        let mut payments = order.payments.iter();
        let of_owed = |payment: &v1::Payment| {
            payment.provider_trade_no == refund.provider_trade_no && is_owed(order, payment, gives_back)
        };
        if refund.automatic && !payments.any(of_owed) {
            return Err(format!("refund {}: the merchant's policy is to keep the money", refund.refund_no));
        }
    }
    if let Some(strange) = strange.first() {
        return Err(format!("{} fen went back that nobody here asked for", strange.amount));
    }
    let refunded: i64 = there.iter().filter(|there| is_back(there)).map(|there| there.amount).sum();
    let known = refunded - undeterminable(order, truth);
    if known != recorded(order) {
        return Err(format!("the provider gave back {known} fen, {} are recorded", recorded(order)));
    }
    if order.refunded_amount.as_ref().map_or(0, |amount| amount.minor) != recorded(order) {
        return Err("refunded_amount is not the sum of the refunds that are DONE".to_owned());
    }
    let ended = order.refunds.iter().filter(|refund| has_ended(refund)).count();
    if told.count(OrderEventKind::RefundEnded) < ended {
        return Err("the event REFUND_ENDED was never told".to_owned());
    }
    Ok(())
}

/// Each refund with the one that the provider has for it, and those of the provider that nobody here asked for.
///
/// Where refunds have no number, each is matched by its amount, first those that are done here, and last those that
/// failed.
fn paired<'a>(
    order: &'a v1::Order,
    truth: Option<&'a OrderTruth>,
) -> (Vec<(&'a v1::Refund, Option<&'a RefundTruth>)>, Vec<&'a RefundTruth>) {
    let kind = truth.map_or(Refunds::NumberedParts, |truth| at(truth.provider).refunds);
    let is_it = |here: &v1::Refund, there: &RefundTruth| match kind {
        Refunds::NumberedParts => here.out_refund_no == there.out_refund_no,
        Refunds::WholePayments => here.provider_trade_no == there.out_refund_no,
        Refunds::UnnumberedParts => !there.is_by_hand && minor(here) == there.amount,
    };
    let mut left: Vec<&RefundTruth> = truth.map_or(&[][..], |truth| &truth.refunds.list).iter().collect();
    let mut here: Vec<&v1::Refund> = order.refunds.iter().collect();
    here.sort_by_key(|refund| match refund.state() {
        RefundState::Done => 0,
        RefundState::Failed => 2,
        _ => 1,
    });
    let pair = |refund: &'a v1::Refund| {
        let place = left.iter().position(|there| is_it(refund, there));
        (refund, place.map(|place| left.remove(place)))
    };
    let pairs = here.into_iter().map(pair).collect();
    left.retain(|there| !there.is_by_hand);
    (pairs, left)
}

/// Money that the provider gave back without a number and that nobody here can know of, in fen: its refunds wait for a
/// person.
pub(in crate::demo) fn undeterminable(order: &v1::Order, truth: Option<&OrderTruth>) -> i64 {
    if truth.is_none_or(|truth| at(truth.provider).refunds != Refunds::UnnumberedParts) {
        return 0;
    }
    let (pairs, _) = paired(order, truth);
    let is_unknown = |refund: &v1::Refund| !has_ended(refund) && waits_for_person(order, refund);
    let back = pairs.into_iter().filter(|(refund, _)| is_unknown(refund)).filter_map(|(_, there)| there);
    back.filter(|there| is_back(there)).map(|there| there.amount).sum()
}

fn is_back(there: &RefundTruth) -> bool {
    there.state == view::RefundState::Success
}

/// Whether what is said of one refund is so.
fn agrees(order: &v1::Order, refund: &v1::Refund, there: Option<&RefundTruth>) -> Result<(), String> {
    let state = there.map(|there| there.state);
    let known = state.map_or("never made", state_word);
    match refund.state() {
        RefundState::Done => match there {
            Some(there) if is_back(there) && there.amount == minor(refund) => Ok(()),
            Some(there) => {
                Err(format!("{} fen done here, {known} of {} fen there", minor(refund), there.amount))
            }
            None => Err("done here, never made there".to_owned()),
        },
        RefundState::Failed if matches!(state, None | Some(view::RefundState::Closed)) => Ok(()),
        RefundState::Failed => Err(format!("failed here, {known} there")),
        _ if waits_for_person(order, refund) => Ok(()),
        _ => Err(format!("has not ended here, {known} there")),
    }
}

/// The provider's word for a state.
fn state_word(state: view::RefundState) -> &'static str {
    match state {
        view::RefundState::Processing => "PROCESSING",
        view::RefundState::Success => "SUCCESS",
        view::RefundState::Closed => "CLOSED",
        view::RefundState::Abnormal => "ABNORMAL",
    }
}

#[cfg(test)]
mod tests {
    use paymux_simulators::control::view::{RefundCalls, RefundState as There};

    use super::super::tests::{paid_order, told, truth};
    use super::*;

    fn here(no: &str, minor: i64, state: RefundState) -> v1::Refund {
        v1::Refund {
            refund_no: no.to_owned(),
            out_refund_no: format!("out-{no}"),
            amount: Some(v1::Amount { currency: "CNY".to_owned(), minor }),
            state: state.into(),
            ..v1::Refund::default()
        }
    }

    fn there(no: &str, amount: i64, state: There) -> RefundTruth {
        RefundTruth {
            out_refund_no: format!("out-{no}"),
            refund_id: "50".to_owned(),
            state,
            amount,
            payer_amount: amount,
            created_ms: 2000,
            ended_ms: None,
            is_by_hand: false,
            calls: RefundCalls::default(),
            faults: std::collections::BTreeSet::new(),
            pushes: Vec::new(),
        }
    }

    fn outcome(here: Vec<v1::Refund>, there: Vec<RefundTruth>) -> Result<(), String> {
        let mut order = paid_order(100);
        order.refunds = here;
        order.refunded_amount = Some(v1::Amount { currency: "CNY".to_owned(), minor: recorded(&order) });
        let mut truth = truth(view::TradeState::Refund, Some(100));
        truth.refunds.list = there;
        agree(&order, Some(&truth), &told(&[OrderEventKind::RefundEnded]), GivesBack::default())
    }

    #[test]
    fn a_refund_is_right_when_the_provider_says_the_same() {
        for (here_is, there_is) in [
            (RefundState::Done, Some(There::Success)),
            (RefundState::Failed, Some(There::Closed)),
            (RefundState::Failed, None),
        ] {
            let there = there_is.map(|state| there("R1", 40, state)).into_iter().collect();
            assert_eq!(outcome(vec![here("R1", 40, here_is)], there), Ok(()), "{here_is:?} {there_is:?}");
        }
    }

    #[test]
    fn a_refund_is_wrong_when_the_provider_says_otherwise() {
        for (here_is, there_is) in [
            (RefundState::Done, None),
            (RefundState::Done, Some(There::Processing)),
            (RefundState::Done, Some(There::Abnormal)),
            (RefundState::Failed, Some(There::Success)),
            (RefundState::Failed, Some(There::Processing)),
            (RefundState::Processing, Some(There::Success)),
            (RefundState::Requested, None),
        ] {
            let there = there_is.map(|state| there("R1", 40, state)).into_iter().collect();
            assert!(outcome(vec![here("R1", 40, here_is)], there).is_err(), "{here_is:?} {there_is:?}");
        }
        let other_sum =
            outcome(vec![here("R1", 40, RefundState::Done)], vec![there("R1", 41, There::Success)]);
        assert!(other_sum.is_err());
        assert!(
            outcome(Vec::new(), vec![there("R1", 40, There::Processing)]).is_err(),
            "nobody asked for it"
        );
    }

    /// An order of XorPay with these refunds on either side, the unended ones waiting for a person.
    fn unnumbered(here_are: &[(i64, RefundState)], there_are: &[i64]) -> (Result<(), String>, i64) {
        let mut order = paid_order(100);
        let refunds =
            here_are.iter().enumerate().map(|(n, (minor, state))| here(&format!("R{n}"), *minor, *state));
        order.refunds = refunds.collect();
        order.refunded_amount = Some(v1::Amount { currency: "CNY".to_owned(), minor: recorded(&order) });
        let unended = order.refunds.iter().filter(|refund| !has_ended(refund));
        let waiting = unended.map(|refund| v1::Attention {
            reason: AttentionReason::RefundUnresolved.into(),
            detail: format!("refund {}: its call may have left and may not be repeated", refund.refund_no),
            ..v1::Attention::default()
        });
        order.attention = waiting.collect();
        let mut truth = truth(view::TradeState::Refund, Some(100));
        truth.provider = view::Provider::Xorpay;
        truth.refunds.list =
            there_are.iter().map(|amount| there("aoid-1", *amount, There::Success)).collect();
        let mut told = told(&[]);
        for refund in &order.refunds {
            let (event_id, kind) = (refund.refund_no.clone(), OrderEventKind::RefundEnded.into());
            told.add(&v1::OrderEvent { event_id, kind, ..v1::OrderEvent::default() });
        }
        (agree(&order, Some(&truth), &told, GivesBack::default()), undeterminable(&order, Some(&truth)))
    }

    #[test]
    fn refunds_without_numbers_are_compared_by_their_count_and_amounts() {
        use RefundState::{Done, Failed, Requested};
        assert_eq!(unnumbered(&[(40, Done), (30, Done)], &[30, 40]), (Ok(()), 0));
        assert_eq!(unnumbered(&[(40, Done), (40, Failed)], &[40]), (Ok(()), 0));
        assert!(unnumbered(&[(40, Done)], &[40, 40]).0.is_err(), "it went back twice");
        assert!(unnumbered(&[(40, Done), (40, Done)], &[40]).0.is_err(), "one never went back");
        assert!(unnumbered(&[(40, Done)], &[39]).0.is_err());
        assert!(unnumbered(&[(40, Failed)], &[40]).0.is_err(), "it went back");
        assert_eq!(unnumbered(&[(40, Requested), (40, Done)], &[40]), (Ok(()), 0));
        assert_eq!(unnumbered(&[(40, Requested), (40, Done)], &[40, 40]), (Ok(()), 40));
        assert!(unnumbered(&[(40, Requested)], &[40, 40]).0.is_err(), "it was repeated");
    }

    #[test]
    fn a_refund_that_is_stuck_waits_for_a_person() {
        let mut order = paid_order(100);
        order.refunds = vec![here("R1", 40, RefundState::Processing)];
        order.attention = vec![v1::Attention {
            reason: AttentionReason::RefundFailed.into(),
            detail: "refund R1 is stuck on its way to the payer (ABNORMAL)".to_owned(),
            ..v1::Attention::default()
        }];
        assert!(are_settled(&order, None, GivesBack::default()));
        let mut stuck = truth(view::TradeState::Success, Some(100));
        stuck.refunds.list = vec![there("R1", 40, There::Abnormal)];
        assert_eq!(agree(&order, Some(&stuck), &Told::default(), GivesBack::default()), Ok(()));
        order.refunds.push(here("R11", 10, RefundState::Processing));
        assert!(!are_settled(&order, None, GivesBack::default()), "the attention names another refund");
    }

    #[test]
    fn an_end_that_was_not_told_is_wrong() {
        let mut order = paid_order(100);
        order.refunds = vec![here("R1", 40, RefundState::Failed)];
        let paid = truth(view::TradeState::Success, Some(100));
        assert!(agree(&order, Some(&paid), &Told::default(), GivesBack::default()).is_err());
    }
}
