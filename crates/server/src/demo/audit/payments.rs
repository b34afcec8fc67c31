//! Payments of one order, as the provider has them and as they are on record here.

use paymux_proto::v1;
use paymux_proto::v1::AttentionReason;
use paymux_simulators::control::view::{OrderTruth, Pushing};

/// A payment that the provider took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paid<'a> {
    /// The provider's number of it: PayJS and XorPay give it with the order.
    pub(super) trade_no: &'a str,
    /// What the provider says that it took, in fen: where it misreports an amount, that.
    minor: i64,
    /// What its pushes state, in fen: at XorPay they alone may misreport it, since its queries name no amount.
    stated: i64,
    /// Whether nobody here can know of it.
    pub(super) is_undeterminable: bool,
    /// What becomes of its pushes, at PayJS and 码钱.
    pub(super) pushing: Option<Pushing>,
}

/// The payments that the provider took for an order: at PayJS up to two.
pub(super) fn there(truth: Option<&OrderTruth>) -> impl Iterator<Item = Paid<'_>> {
    let first = truth.and_then(|truth| {
        let payment = truth.payment.as_ref()?;
        let known = Paid {
            trade_no: &payment.transaction_id,
            minor: payment.reported_total,
            stated: payment.reported_total,
            is_undeterminable: false,
            pushing: None,
        };
        Some(match (&truth.payjs, &truth.xorpay, &truth.maqian) {
            (Some(payjs), ..) => Paid {
                trade_no: &payjs.payjs_order_id,
                is_undeterminable: payjs.undeterminable,
                pushing: Some(payjs.pushing),
                ..known
            },
            (None, Some(xorpay), _) => Paid { trade_no: &xorpay.aoid, minor: payment.total, ..known },
            (None, None, Some(maqian)) => Paid {
                trade_no: &maqian.trade_no,
                is_undeterminable: maqian.undeterminable,
                pushing: Some(maqian.pushing),
                ..known
            },
            (None, None, None) => known,
        })
    });
    let second = truth.and_then(|truth| truth.payjs.as_ref()?.second.as_ref()).and_then(|second| {
        Some(Paid {
            trade_no: &second.payjs_order_id,
            minor: second.payment.as_ref()?.reported_total,
            stated: second.payment.as_ref()?.reported_total,
            is_undeterminable: second.undeterminable,
            pushing: Some(second.pushing),
        })
    });
    first.into_iter().chain(second)
}

impl Paid<'_> {
    fn is_fact(&self, order: &v1::Order) -> bool {
        order.payments.iter().any(|known| known.provider_trade_no == self.trade_no)
    }

    /// What of it stands in an attention only, in fen.
    fn parked(&self, order: &v1::Order) -> i64 {
        let stated = format!("{} states {} ", self.trade_no, self.stated);
        let in_attention = order
            .attention
            .iter()
            .any(|item| item.reason() == AttentionReason::PaymentMismatch && item.detail.contains(&stated));
        if in_attention && !self.is_fact(order) { self.minor } else { 0 }
    }

    /// What of it is on record, in fen.
    pub(super) fn recorded(&self, order: &v1::Order) -> i64 {
        if self.is_fact(order) { self.minor } else { self.parked(order) }
    }
}

/// Money that the provider says it took for an order, in fen, but for what nobody here can know of.
pub(crate) fn money_taken(truth: Option<&OrderTruth>) -> i64 {
    there(truth).filter(|paid| !paid.is_undeterminable).map(|paid| paid.minor).sum()
}

/// Money that the provider took for an order and nobody here can know of, in fen.
pub(in crate::demo) fn money_undeterminable(truth: Option<&OrderTruth>) -> i64 {
    there(truth).filter(|paid| paid.is_undeterminable).map(|paid| paid.minor).sum()
}

/// Whether the simulator took money for the order of which nobody here can know.
pub(crate) fn is_undeterminable(truth: &OrderTruth) -> bool {
    there(Some(truth)).any(|paid| paid.is_undeterminable)
}

/// Whether the payer paid twice.
pub(in crate::demo) fn is_paid_twice(truth: &OrderTruth) -> bool {
    there(Some(truth)).count() > 1
}

/// Money that the engine has on record for an order, in fen: its payments, and payments that differ from the order and
/// so stand in the attention that parked it.
pub(crate) fn money_recorded(order: &v1::Order, truth: Option<&OrderTruth>) -> i64 {
    let minor_of = |payment: &v1::Payment| {
        let minor = payment.total.as_ref().map_or(0, |total| total.minor);
        // What a push misstates is on record as it was stated.
        let misstated = there(truth).find(|paid| {
            paid.trade_no == payment.provider_trade_no && paid.stated == minor && paid.minor != minor
        });
        misstated.map_or(minor, |paid| paid.minor)
    };
    let recorded: i64 = order.payments.iter().map(minor_of).sum();
    recorded + money_parked(order, truth)
}

/// The part of the recorded money that stands in attentions only.
pub(in crate::demo) fn money_parked(order: &v1::Order, truth: Option<&OrderTruth>) -> i64 {
    there(truth).map(|paid| paid.parked(order)).sum()
}
