//! What the audit log says of an operator's act: to what it is done, under which request, and why. No amounts, no
//! payers, no provider's texts.

use paymux_proto::v1;
use paymux_proto::v1::confirm_outcome_request::Outcome;
use paymux_proto::v1::replay_request::Target;

type Fields = Vec<(&'static str, String)>;

/// A request that is an act when an operator sends it.
pub(super) trait Audited {
    /// The method, as the audit log names it.
    const METHOD: &'static str;

    /// Whether it does something that has to be recorded.
    fn is_act(&self) -> bool {
        true
    }

    /// Names and values.
    fn fields(&self) -> Fields;
}

fn order(merchant_id: &str, merchant_order_no: &str, request_id: &str) -> Fields {
    vec![
        ("merchant_id", merchant_id.to_owned()),
        ("merchant_order_no", merchant_order_no.to_owned()),
        ("request_id", request_id.to_owned()),
    ]
}

impl Audited for v1::CloseOrderRequest {
    const METHOD: &'static str = "OrderService/CloseOrder";

    fn fields(&self) -> Fields {
        order(&self.merchant_id, &self.merchant_order_no, &self.request_id)
    }
}

impl Audited for v1::RequeryOrderRequest {
    const METHOD: &'static str = "OrderService/RequeryOrder";

    fn fields(&self) -> Fields {
        order(&self.merchant_id, &self.merchant_order_no, &self.request_id)
    }
}

impl Audited for v1::ConfirmOutcomeRequest {
    const METHOD: &'static str = "OperatorService/ConfirmOutcome";

    fn is_act(&self) -> bool {
        !self.validate_only
    }

    fn fields(&self) -> Fields {
        let confirmed = match &self.outcome {
            None => String::new(),
            Some(Outcome::Paid(paid)) => format!("paid {}", paid.provider_trade_no),
            Some(Outcome::Unpaid(_)) => "unpaid".to_owned(),
            Some(Outcome::Refund(refund)) => format!("refund {} done: {}", refund.refund_no, refund.done),
            Some(Outcome::Attention(settled)) => {
                let about = format!("attention {} {}", settled.reason().as_str_name(), settled.number);
                match settled.fulfilment {
                    None => about,
                    Some(_) => {
                        let word = settled.fulfilment().as_str_name();
                        format!("{about} {}", word.trim_start_matches("FULFILMENT_"))
                    }
                }
            }
        };
        let mut fields = order(&self.merchant_id, &self.merchant_order_no, &self.request_id);
        fields.extend([("reason", self.reason.clone()), ("confirmed", confirmed)]);
        fields
    }
}

impl Audited for v1::ReplayRequest {
    const METHOD: &'static str = "OperatorService/Replay";

    fn is_act(&self) -> bool {
        !self.validate_only
    }

    fn fields(&self) -> Fields {
        let mut fields = match &self.target {
            None => order("", "", &self.request_id),
            Some(Target::Order(named)) => {
                order(&named.merchant_id, &named.merchant_order_no, &self.request_id)
            }
            Some(Target::Parked(filter)) => {
                let mut fields =
                    order(filter.merchant_id.as_deref().unwrap_or_default(), "", &self.request_id);
                let reasons: Vec<&str> = filter.reasons().map(|reason| reason.as_str_name()).collect();
                fields.extend([
                    ("provider", filter.provider.clone().unwrap_or_default()),
                    ("account", filter.account.clone().unwrap_or_default()),
                    ("attention", reasons.join(",")),
                ]);
                fields
            }
            Some(Target::Dead(dead)) => {
                let mut fields = order("", "", &self.request_id);
                fields.push(("dead_ids", dead.dead_ids.join(",")));
                fields
            }
        };
        fields.extend([("reason", self.reason.clone()), ("count_max", self.count_max.to_string())]);
        fields
    }
}

/// Looking at raw records, which may hold personal data, leaves a trace too.
impl Audited for v1::ListDeadRequest {
    const METHOD: &'static str = "OperatorService/ListDead";

    fn is_act(&self) -> bool {
        self.include_raw
    }

    fn fields(&self) -> Fields {
        vec![("include_raw", self.include_raw.to_string())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_on_the_goods_stands_in_the_audit_log() {
        let confirmed = |fulfilment: Option<v1::Fulfilment>| {
            let settled = v1::SettledAttention {
                reason: v1::AttentionReason::LatePayment.into(),
                number: 1,
                fulfilment: fulfilment.map(Into::into),
            };
            let outcome = Some(Outcome::Attention(settled));
            let fields = v1::ConfirmOutcomeRequest { outcome, ..Default::default() }.fields();
            fields.into_iter().find(|(name, _)| *name == "confirmed").unwrap().1
        };
        assert!(confirmed(None).ends_with("LATE_PAYMENT 1"));
        assert!(confirmed(Some(v1::Fulfilment::Fulfil)).ends_with("LATE_PAYMENT 1 FULFIL"));
        assert!(confirmed(Some(v1::Fulfilment::DoNotFulfil)).ends_with("LATE_PAYMENT 1 DO_NOT_FULFIL"));
    }
}
