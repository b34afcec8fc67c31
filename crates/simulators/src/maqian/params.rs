//! The fields of a launch with their limits, and the refusal that names the first faulty one.

use serde_json::Value;

use super::launch::Launch;
use super::merchant::MaqianMerchant;
use super::sign::Document;

/// Each text with its greatest length in characters; where the pages state none, the choice is generous `[assumed]`.
const TEXTS: [(&str, usize); 22] = [
    ("app_id", 32),
    ("app_name", 64),
    ("color", 32),
    ("food_order_type", 32),
    ("goods_name", 128),
    ("hb_fq_num", 2),
    ("limit_pay", 1),
    ("merch_no", 32),
    ("notify_url", 255),
    ("operator_id", 32),
    ("out_trade_no", 32),
    ("pay_mode", 8),
    ("pay_type", 8),
    ("pn", 32),
    ("remark", 128),
    ("req_id", 32),
    ("source", 8),
    ("store_id", 32),
    ("sub_mch_id", 32),
    ("terminal_id", 32),
    ("total_amount", 12),
    ("version", 8),
];

/// Fields whose value is JSON of its own.
const NESTED: [&str; 2] = ["goods_detail", "terminal_info"];

/// Words that a field may have.
const WORDS: [(&str, &[&str]); 6] = [
    ("limit_pay", &["0", "1"]),
    ("hb_fq_num", &["3", "6", "12"]),
    ("food_order_type", &["qr_order", "pre_order", "home_delivery", "direct_payment", "other"]),
    ("pay_type", &["ALI"]),
    ("pay_mode", &["JSAPI"]),
    ("version", &["V2"]),
];

/// Fields that the newer revision demands beside `version`.
const NEWER: [&str; 4] = ["pay_mode", "pay_type", "req_id", "source"];

/// What a payer's device asks the cashier for. Holds personal data, so it has no `Debug`.
#[derive(Clone, PartialEq)]
pub(super) struct CashierParams {
    pub(super) out_trade_no: String,
    pub(super) total: i64,
    pub(super) goods_name: Option<String>,
    pub(super) remark: Option<String>,
    pub(super) notify_url: Option<String>,
    /// All fields; a repeat must equal them.
    content: Document,
}

impl CashierParams {
    /// Reads and checks the fields of a launch that is signed by the merchant; the first fault is told.
    pub(super) fn parse(launch: &Launch, merchant: &MaqianMerchant) -> Result<Self, String> {
        let bad = |name: &str| Err(format!("{name}参数错误"));
        for (name, value) in &launch.data {
            let chars_max = TEXTS.iter().find(|(known, _)| known == name).map(|(_, chars_max)| *chars_max);
            let is_good = match (value, chars_max) {
                (Value::String(text), Some(chars_max)) => text.chars().count() <= chars_max,
                (Value::Array(goods), None) if name == NESTED[0] => goods.iter().all(is_goods),
                (Value::Object(_), None) if name == NESTED[1] => true,
                _ => false,
            };
            if !is_good {
                return bad(name);
            }
        }
        for (name, words) in WORDS {
            if launch.get(name).is_some_and(|word| !words.contains(&word)) {
                return bad(name);
            }
        }
        let own = [("app_id", &merchant.app_id), ("app_name", &merchant.app_name), ("pn", &merchant.pn)];
        if let Some((name, _)) = own.into_iter().find(|(name, own)| launch.get(name) != Some(own.as_str())) {
            return bad(name);
        }
        if launch.get("source").is_some_and(|source| source != launch.source) {
            return bad("source");
        }
        if launch.get("version").is_some()
            && let Some(name) = NEWER.into_iter().find(|name| launch.get(name).is_none())
        {
            return bad(name);
        }
        let number = launch.get("out_trade_no").unwrap_or_default();
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return bad("out_trade_no");
        }
        let Some(total) = launch.get("total_amount").and_then(read_yuan).filter(|total| *total > 0) else {
            return bad("total_amount");
        };
        let notify_url = launch.get("notify_url");
        if notify_url.is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
            return bad("notify_url");
        }
        Ok(Self {
            out_trade_no: number.to_owned(),
            total,
            goods_name: launch.get("goods_name").map(str::to_owned),
            remark: launch.get("remark").map(str::to_owned),
            notify_url: notify_url.map(str::to_owned),
            content: launch.data.clone(),
        })
    }
}

fn is_goods(goods: &Value) -> bool {
    let Value::Object(goods) = goods else { return false };
    ["goods_id", "goods_name"].iter().all(|name| goods.get(*name).is_some_and(Value::is_string))
}

/// Yuan as text, with at most two decimals, in fen.
pub(super) fn read_yuan(text: &str) -> Option<i64> {
    let (yuan, fen) = text.split_once('.').unwrap_or((text, "00"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(yuan) || !digits(fen) || fen.len() > 2 || yuan.len() > 12 {
        return None;
    }
    let fen: i64 = if fen.len() == 1 { fen.parse::<i64>().ok()? * 10 } else { fen.parse().ok()? };
    Some(yuan.parse::<i64>().ok()? * 100 + fen)
}

/// Fen as yuan with two decimals.
pub(super) fn yuan(fen: i64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}
