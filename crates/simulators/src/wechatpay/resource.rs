//! An order as queries and notifications state it.

use jiff::Timestamp;
use jiff::tz::{TimeZone, offset};
use serde::Serialize;

use super::order::{Order, TradeState};

/// The fields of a query's answer and of a notification's decrypted resource. Direct merchants see `appid`,
/// `mchid` and `payer.openid`, partners the sp_ and sub_ fields.
#[derive(Serialize)]
pub(crate) struct Transaction {
    #[serde(skip_serializing_if = "Option::is_none")]
    appid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mchid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sp_appid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sp_mchid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_appid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_mchid: Option<String>,
    out_trade_no: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trade_type: Option<&'static str>,
    trade_state: TradeState,
    trade_state_desc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attach: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    success_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer: Option<Payer>,
    amount: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    scene_info: Option<Scene>,
}

#[derive(Serialize)]
struct Payer {
    #[serde(skip_serializing_if = "Option::is_none")]
    openid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sp_openid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_openid: Option<String>,
}

#[derive(Serialize)]
struct Amount {
    total: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer_total: Option<i64>,
    currency: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer_currency: Option<&'static str>,
}

#[derive(Serialize)]
struct Scene {
    device_id: String,
}

impl Transaction {
    /// The order as it stands.
    pub(crate) fn of(order: &Order, now_ms: i64) -> Self {
        let mut transaction = Self::unpaid(order, order.state(now_ms));
        let Some(payment) = &order.payment else { return transaction };
        transaction.transaction_id = Some(payment.transaction_id.clone());
        transaction.trade_type = Some("JSAPI");
        transaction.bank_type = Some("OTHERS");
        transaction.success_time = Some(beijing_time(payment.paid_ms));
        transaction.payer = Some(payer_of(order));
        transaction.amount = Amount {
            total: payment.reported_total,
            payer_total: Some(payment.payer_total),
            currency: "CNY",
            payer_currency: Some("CNY"),
        };
        transaction
    }

    /// The order as if nobody had paid, for a stale read side and for orders without a payment.
    pub(crate) fn unpaid(order: &Order, state: TradeState) -> Self {
        let params = &order.params;
        let is_partner = params.product.is_partner();
        let direct = |value: Option<&String>| value.filter(|_| !is_partner).cloned();
        let partner = |value: Option<&String>| value.filter(|_| is_partner).cloned();
        Self {
            appid: direct(params.appid.as_ref()),
            mchid: direct(Some(&params.mchid)),
            sp_appid: partner(params.appid.as_ref()),
            sp_mchid: partner(Some(&params.mchid)),
            sub_appid: partner(params.sub_appid.as_ref()),
            sub_mchid: partner(params.sub_mchid.as_ref()),
            out_trade_no: params.out_trade_no.clone(),
            transaction_id: None,
            trade_type: None,
            trade_state: state,
            trade_state_desc: describe(state),
            bank_type: None,
            attach: params.attach.clone(),
            success_time: None,
            payer: None,
            amount: Amount { total: params.total, payer_total: None, currency: "CNY", payer_currency: None },
            scene_info: params.device_id.clone().map(|device_id| Scene { device_id }),
        }
    }

    /// What a forger makes of an unpaid order: a success with an invented number and the given total.
    pub(crate) fn forged(order: &Order, total: i64, now_ms: i64) -> Self {
        let mut forged = Self::unpaid(order, TradeState::Success);
        forged.transaction_id = Some(format!("4299{:024}", order.created_ms));
        forged.trade_type = Some("JSAPI");
        forged.bank_type = Some("OTHERS");
        forged.success_time = Some(beijing_time(now_ms));
        forged.payer = Some(payer_of(order));
        forged.amount =
            Amount { total, payer_total: Some(total), currency: "CNY", payer_currency: Some("CNY") };
        forged
    }
}

fn payer_of(order: &Order) -> Payer {
    let params = &order.params;
    let is_partner = params.product.is_partner();
    Payer {
        openid: params.openid.clone().filter(|_| !is_partner),
        sp_openid: params.openid.clone().filter(|_| is_partner),
        sub_openid: params.sub_openid.clone(),
    }
}

fn describe(state: TradeState) -> &'static str {
    match state {
        TradeState::Success => "支付成功",
        TradeState::Refund => "转入退款",
        TradeState::Notpay => "订单未支付",
        TradeState::Closed => "订单已关闭",
    }
}

/// RFC 3339 in whole seconds at +08:00, as the provider writes times.
pub(crate) fn beijing_time(at_ms: i64) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::MAX);
    at.to_zoned(TimeZone::fixed(offset(8))).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_beijing_time() {
        assert_eq!(beijing_time(1_704_038_460_999), "2024-01-01T00:01:00+08:00");
    }
}
