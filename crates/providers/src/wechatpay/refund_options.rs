//! A refund's optional fields for WeChat Pay, read from its `options_json` (`providers.md` section 4.9).

use paymux_domain::amount::Amount;
use serde::Deserialize;

use super::options::{GOODS_MAX, OptionFault, check_text, fault};
use super::wire::{RefundGoods, RefundSource};

/// Whose money pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Funds {
    /// The available balance.
    Available,
    /// What is not settled yet; of accounts that are named with sums, the one that is not available.
    Unsettled,
}

/// A part from one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    account: Option<Funds>,
    /// Fen.
    amount: i64,
}

/// The options. An empty `options_json` is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RefundOptions {
    funds_account: Option<Funds>,
    from: Vec<Source>,
    /// What is given back.
    pub(super) goods_detail: Vec<RefundGoods>,
}

impl RefundOptions {
    /// Reads the JSON; the error is a reason without any of its values.
    pub(super) fn parse(json: &str) -> Result<Self, &'static str> {
        if json.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(json).map_err(|_| "not the options of a refund, or one of a wrong type")
    }

    /// The word of `funds_account`.
    pub(super) fn funds_account(&self) -> Option<&'static str> {
        self.funds_account.map(|funds| match funds {
            Funds::Available => "AVAILABLE",
            Funds::Unsettled => "UNSETTLED",
        })
    }

    /// The parts of `amount.from`.
    pub(super) fn from(&self) -> Vec<RefundSource> {
        let part = |part: &Source| {
            let account = match part.account? {
                Funds::Available => "AVAILABLE",
                Funds::Unsettled => "UNAVAILABLE",
            };
            Some(RefundSource { account, amount: part.amount })
        };
        self.from.iter().filter_map(part).collect()
    }

    /// Everything that is out of bounds for a refund of that amount.
    pub(super) fn faults(&self, amount: Amount) -> Vec<OptionFault> {
        let mut faults = Vec::new();
        self.check_sources(&mut faults, amount);
        if self.goods_detail.len() > GOODS_MAX {
            fault(&mut faults, "goods", "must be at most 100 kinds");
            return faults;
        }
        for (at, goods) in self.goods_detail.iter().enumerate() {
            let path = |field: &str| format!("goods[{at}].{field}");
            check_text(&mut faults, &path("merchant_goods_id"), Some(&goods.merchant_goods_id), 32);
            check_text(&mut faults, &path("wechatpay_goods_id"), goods.wechatpay_goods_id.as_deref(), 32);
            check_text(&mut faults, &path("goods_name"), goods.goods_name.as_deref(), 256);
            if !(1..=i64::from(i32::MAX)).contains(&goods.refund_quantity) {
                fault(&mut faults, &path("quantity"), "must be 1 to 2147483647");
            }
            for (field, fen) in
                [("unit_price_minor", goods.unit_price), ("refund_amount_minor", goods.refund_amount)]
            {
                if fen < 1 {
                    fault(&mut faults, &path(field), "must be at least 1 fen");
                }
            }
        }
        faults
    }

    fn check_sources(&self, faults: &mut Vec<OptionFault>, amount: Amount) {
        for (at, part) in self.from.iter().enumerate() {
            if part.account.is_none() {
                fault(faults, &format!("sources[{at}].funds"), "is demanded");
            }
            if part.amount < 1 {
                fault(faults, &format!("sources[{at}].amount_minor"), "must be at least 1 fen");
            }
            let is_same = |earlier: &Source| part.account.is_some() && earlier.account == part.account;
            if self.from.iter().take(at).any(is_same) {
                fault(faults, &format!("sources[{at}].funds"), "is named twice");
            }
        }
        let sum = self.from.iter().try_fold(0_i64, |sum, part| sum.checked_add(part.amount));
        if !self.from.is_empty() && sum != Some(amount.minor()) {
            fault(faults, "sources", format!("must sum up to the refund, {} fen", amount.minor()));
        }
    }
}
