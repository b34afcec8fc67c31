//! The parameters of a create, read from a checked body.

use jiff::Timestamp;
use serde_json::Value;

use super::schema::{self, BadField, Field};

/// The products that can be ordered, each with its own path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Product {
    /// `/v3/pay/transactions/jsapi`.
    DirectJsapi,
    /// `/v3/pay/partner/transactions/jsapi`.
    PartnerJsapi,
    /// `/v3/pay/partner/transactions/scannedpos`.
    PartnerScannedpos,
}

impl Product {
    fn table(self) -> &'static [Field] {
        match self {
            Self::DirectJsapi => schema::DIRECT_JSAPI,
            Self::PartnerJsapi => schema::PARTNER_JSAPI,
            Self::PartnerScannedpos => schema::PARTNER_SCANNEDPOS,
        }
    }

    /// Whether a service provider orders for a sub-merchant.
    pub(crate) fn is_partner(self) -> bool {
        self != Self::DirectJsapi
    }
}

/// What a create asks for. Holds personal data, so it has no `Debug`.
pub(crate) struct CreateParams {
    pub(crate) product: Product,
    /// mchid or sp_mchid: the account under which the number is unique.
    pub(crate) mchid: String,
    pub(crate) sub_mchid: Option<String>,
    /// appid or sp_appid.
    pub(crate) appid: Option<String>,
    pub(crate) sub_appid: Option<String>,
    pub(crate) out_trade_no: String,
    pub(crate) total: i64,
    pub(crate) attach: Option<String>,
    pub(crate) notify_url: Option<String>,
    pub(crate) time_expire_ms: Option<i64>,
    /// openid or sp_openid.
    pub(crate) openid: Option<String>,
    pub(crate) sub_openid: Option<String>,
    pub(crate) device_id: Option<String>,
    /// The whole body; a repeat must equal it.
    pub(crate) body: Value,
}

impl CreateParams {
    /// Reads and checks a body; the first fault is told.
    pub(crate) fn parse(product: Product, body: &[u8]) -> Result<Self, BadField> {
        let body = schema::parse(body, product.table())?;
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let (mchid, appid, openid) = if product.is_partner() {
            ("/sp_mchid", "/sp_appid", "/payer/sp_openid")
        } else {
            ("/mchid", "/appid", "/payer/openid")
        };
        let params = Self {
            product,
            mchid: text(mchid).ok_or_else(|| BadField::new(mchid, "missing parameter"))?,
            sub_mchid: text("/sub_mchid"),
            appid: text(appid),
            sub_appid: text("/sub_appid"),
            out_trade_no: text("/out_trade_no")
                .ok_or_else(|| BadField::new("/out_trade_no", "missing parameter"))?,
            total: body.pointer("/amount/total").and_then(Value::as_i64).unwrap_or_default(),
            attach: text("/attach"),
            notify_url: text("/notify_url"),
            time_expire_ms: text("/time_expire").map(|time| read_time(&time)).transpose()?,
            openid: text(openid),
            sub_openid: text("/payer/sub_openid"),
            device_id: text("/scene_info/device_id"),
            body,
        };
        params.check()?;
        Ok(params)
    }

    /// The rules that go beyond single fields' types and lengths.
    fn check(&self) -> Result<(), BadField> {
        if !self.out_trade_no.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-*".contains(&byte)) {
            return Err(BadField::new("/out_trade_no", "only digits, letters and _-* are allowed"));
        }
        if self.body.pointer("/amount/currency").is_some_and(|currency| currency != "CNY") {
            return Err(BadField::new("/amount/currency", "only CNY is allowed"));
        }
        if let Some(url) = &self.notify_url {
            check_notify_url(url)?;
        }
        if self.product.is_partner() {
            self.check_partner()?;
        }
        Ok(())
    }

    /// A partner names the payer under sp_appid or under sub_appid; scannedpos wants the store's number.
    fn check_partner(&self) -> Result<(), BadField> {
        if self.openid.is_none() && self.sub_openid.is_none() {
            return Err(BadField::new("/payer", "one of sp_openid and sub_openid is needed"));
        }
        if self.openid.is_some() && self.appid.is_none() {
            return Err(BadField::new("/sp_appid", "needed with sp_openid"));
        }
        if self.sub_openid.is_some() && self.sub_appid.is_none() {
            return Err(BadField::new("/sub_appid", "needed with sub_openid"));
        }
        let has_store = |key: &str| self.body.pointer(&format!("/scene_info/store_info/{key}")).is_some();
        if self.product == Product::PartnerScannedpos && !has_store("id") && !has_store("out_id") {
            return Err(BadField::new("/scene_info/store_info", "one of id and out_id is needed"));
        }
        Ok(())
    }

    /// The application in whose name the payer pays.
    pub(crate) fn paying_appid(&self) -> Option<&str> {
        if self.sub_openid.is_some() { self.sub_appid.as_deref() } else { self.appid.as_deref() }
    }
}

fn read_time(text: &str) -> Result<i64, BadField> {
    let time: Timestamp = text.parse().map_err(|_| BadField::new("/time_expire", "not an RFC 3339 time"))?;
    Ok(time.as_millisecond())
}

/// https without query or fragment; plain http only to a loopback address, which the real provider cannot
/// reach.
pub(super) fn check_notify_url(url: &str) -> Result<(), BadField> {
    let bad = |issue: &str| BadField::new("/notify_url", issue);
    let url = reqwest::Url::parse(url).map_err(|_| bad("not an absolute URL"))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("must not have a query string"));
    }
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_loopback =
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback => Ok(()),
        _ => Err(bad("must be https")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scannedpos() -> Value {
        json!({
            "sp_appid": "wx8888888888888888", "sp_mchid": "1230000109", "sub_mchid": "1900000109",
            "description": "门店付款", "out_trade_no": "WX20240101000001",
            "amount": {"total": 1200, "currency": "CNY"}, "payer": {"sp_openid": "oUpF8uMuAJO"},
            "scene_info": {"payer_client_ip": "14.23.150.211", "store_info": {"out_id": "0001"}},
        })
    }

    fn fault(change: impl FnOnce(&mut Value)) -> Option<String> {
        let mut body = scannedpos();
        change(&mut body);
        CreateParams::parse(Product::PartnerScannedpos, body.to_string().as_bytes())
            .err()
            .map(|bad| bad.field)
    }

    #[test]
    fn rules_across_fields_are_held() {
        assert_eq!(fault(|_| ()), None);
        let cases: [(&str, Value, &str); 7] = [
            ("out_trade_no", json!("WX|20240101"), "/out_trade_no"),
            ("amount", json!({"total": 1, "currency": "USD"}), "/amount/currency"),
            ("payer", json!({}), "/payer"),
            ("payer", json!({"sub_openid": "o1"}), "/sub_appid"),
            ("time_expire", json!("tomorrow"), "/time_expire"),
            ("notify_url", json!("https://pay.example.com/n?x=1"), "/notify_url"),
            ("scene_info", json!({"payer_client_ip": "1.2.3.4", "store_info": {}}), "/scene_info/store_info"),
        ];
        for (name, value, field) in cases {
            assert_eq!(fault(|body| body[name] = value).as_deref(), Some(field), "{name}");
        }
        assert_eq!(
            fault(|body| drop(body.as_object_mut().unwrap().remove("sp_appid"))).as_deref(),
            Some("/sp_appid")
        );
    }

    #[test]
    fn plain_http_is_taken_for_loopback_only() {
        for good in
            ["https://pay.example.com/n", "http://127.0.0.1:80/n", "http://localhost/n", "http://[::1]:1/n"]
        {
            assert!(check_notify_url(good).is_ok(), "{good}");
        }
        for bad in ["http://pay.example.com/n", "ftp://127.0.0.1/n", "/n", "https://a.b/n#f"] {
            assert!(check_notify_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_expiry_is_read_with_its_offset() {
        let expiry = read_time("2024-01-01T08:00:00+08:00");
        assert_eq!(expiry.ok(), Some(1_704_067_200_000));
    }
}
