//! A refund as answers and notifications state it.

use serde::Serialize;

use super::ledger::{Refund, RefundEnd, RefundState};
use crate::wechatpay::notification::Event;
use crate::wechatpay::order::{Order, Payment};
use crate::wechatpay::resource::beijing_time;

/// Where the money goes; the simulator knows no banks.
const RECEIVED_ACCOUNT: &str = "支付用户零钱";

/// The fields of a refund's answer and of the answer to its query.
#[derive(Serialize)]
pub(super) struct RefundAnswer {
    refund_id: String,
    out_refund_no: String,
    transaction_id: String,
    out_trade_no: String,
    channel: &'static str,
    user_received_account: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    success_time: Option<String>,
    create_time: String,
    status: RefundState,
    funds_account: &'static str,
    amount: AnswerAmount,
    /// The simulator knows no coupons.
    promotion_detail: [u8; 0],
}

#[derive(Serialize)]
struct AnswerAmount {
    total: i64,
    refund: i64,
    from: [u8; 0],
    payer_total: i64,
    payer_refund: i64,
    settlement_refund: i64,
    settlement_total: i64,
    discount_refund: i64,
    currency: &'static str,
}

impl RefundAnswer {
    pub(super) fn of(
        order: &Order,
        payment: &Payment,
        out_refund_no: &str,
        refund: &Refund,
        now_ms: i64,
    ) -> Self {
        Self {
            refund_id: refund.refund_id.clone(),
            out_refund_no: out_refund_no.to_owned(),
            transaction_id: payment.transaction_id.clone(),
            out_trade_no: order.params.out_trade_no.clone(),
            channel: "ORIGINAL",
            user_received_account: RECEIVED_ACCOUNT,
            success_time: refund.success_ms(now_ms).map(beijing_time),
            create_time: beijing_time(refund.created_ms),
            status: refund.state(now_ms),
            funds_account: "AVAILABLE",
            amount: AnswerAmount {
                total: payment.total,
                refund: refund.amount,
                from: [],
                payer_total: payment.payer_total,
                payer_refund: refund.payer_amount,
                settlement_refund: refund.amount,
                settlement_total: payment.total,
                discount_refund: refund.amount - refund.payer_amount,
                currency: "CNY",
            },
            promotion_detail: [],
        }
    }
}

/// The decrypted resource of a refund's notification. Direct merchants see `mchid`, partners `sp_mchid` and
/// `sub_mchid`.
#[derive(Serialize)]
pub(super) struct RefundNotice {
    #[serde(skip_serializing_if = "Option::is_none")]
    mchid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sp_mchid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_mchid: Option<String>,
    out_trade_no: String,
    transaction_id: String,
    out_refund_no: String,
    refund_id: String,
    refund_status: RefundEnd,
    #[serde(skip_serializing_if = "Option::is_none")]
    success_time: Option<String>,
    user_received_account: &'static str,
    amount: NoticeAmount,
}

#[derive(Serialize)]
struct NoticeAmount {
    total: i64,
    refund: i64,
    payer_total: i64,
    payer_refund: i64,
}

impl RefundNotice {
    /// The refund at its end.
    pub(super) fn of(order: &Order, payment: &Payment, out_refund_no: &str, refund: &Refund) -> Self {
        let params = &order.params;
        let is_partner = params.product.is_partner();
        let mchid = |wanted: bool| wanted.then(|| params.mchid.clone());
        Self {
            mchid: mchid(!is_partner),
            sp_mchid: mchid(is_partner),
            sub_mchid: params.sub_mchid.clone(),
            out_trade_no: params.out_trade_no.clone(),
            transaction_id: payment.transaction_id.clone(),
            out_refund_no: out_refund_no.to_owned(),
            refund_id: refund.refund_id.clone(),
            refund_status: refund.end,
            success_time: refund.success_ms(refund.ends_ms).map(beijing_time),
            user_received_account: RECEIVED_ACCOUNT,
            amount: NoticeAmount {
                total: payment.total,
                refund: refund.amount,
                payer_total: payment.payer_total,
                payer_refund: refund.payer_amount,
            },
        }
    }

    /// What a forger makes of it: a success now, of so many fen more.
    pub(super) fn forged(self, extra: i64, now_ms: i64) -> Self {
        let amount = NoticeAmount {
            refund: self.amount.refund + extra,
            payer_refund: self.amount.payer_refund + extra,
            ..self.amount
        };
        let success_time = Some(beijing_time(now_ms));
        Self { refund_status: RefundEnd::Success, success_time, amount, ..self }
    }

    /// The notification around it.
    pub(super) fn event(&self) -> Event {
        let (event_type, summary) = match self.refund_status {
            RefundEnd::Success => ("REFUND.SUCCESS", "退款成功"),
            RefundEnd::Abnormal => ("REFUND.ABNORMAL", "退款异常"),
            RefundEnd::Closed => ("REFUND.CLOSED", "退款关闭"),
        };
        Event { event_type, summary, original_type: "refund" }
    }
}
