//! Whose order a number at the provider is: the account's merchants by the prefixes of their numbers.

use std::fmt;

use paymux_domain::limits::PAGE_SIZE_MAX;
use paymux_domain::name::OutTradeNo;
use paymux_proto::client::Client;
use paymux_proto::v1;

use crate::cli::order::refused;

/// The merchants of an account. Their prefixes are prefix-free, as the configuration's check demands.
#[derive(Debug)]
pub(super) struct Owners {
    provider: String,
    /// Prefix and merchant.
    prefixes: Vec<(String, String)>,
    /// The one merchant that is meant; all when absent.
    only: Option<String>,
}

/// An order's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) merchant_id: String,
    pub(super) order_no: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.merchant_id, self.order_no)
    }
}

impl Owners {
    /// Asks the server for them.
    pub(super) async fn read(client: &Client, account: &str, merchant: Option<&str>) -> anyhow::Result<Self> {
        let only = merchant.map(ToOwned::to_owned);
        let mut owners = Self { provider: String::new(), prefixes: Vec::new(), only };
        let page_size = i32::try_from(PAGE_SIZE_MAX)?;
        let mut page_token = String::new();
        loop {
            let request = Client::request(v1::ListMerchantsRequest { page_size, page_token }, None);
            let page = client.operator().list_merchants(request).await.map_err(refused)?.into_inner();
            for found in page.merchants {
                for route in found.routes.into_iter().filter(|route| route.account == account) {
                    if owners.is_meant(&found.merchant_id) {
                        owners.provider = route.provider;
                    }
                    owners.prefixes.push((route.order_prefix, found.merchant_id.clone()));
                }
            }
            if page.next_page_token.is_empty() {
                return Ok(owners);
            }
            page_token = page.next_page_token;
        }
    }

    /// Whether the import is for orders of this merchant.
    pub(super) fn is_meant(&self, merchant_id: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == merchant_id)
    }

    /// The account's provider; empty when nobody who is meant uses the account.
    pub(super) fn provider(&self) -> &str {
        &self.provider
    }

    /// Whose order it is.
    pub(super) fn of(&self, out_trade_no: &OutTradeNo) -> Option<Owner> {
        let text = out_trade_no.as_str();
        self.prefixes.iter().find_map(|(prefix, merchant_id)| {
            let order_no = text.strip_prefix(prefix.as_str()).filter(|rest| !rest.is_empty())?;
            Some(Owner { merchant_id: merchant_id.clone(), order_no: order_no.to_owned() })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_belongs_to_the_merchant_with_its_prefix() {
        let prefixes = [("a1-", "m1"), ("a2-", "m2")].map(|(p, m)| (p.to_owned(), m.to_owned())).into();
        let owners = Owners { provider: String::new(), prefixes, only: Some("m2".to_owned()) };
        let of = |text: &str| owners.of(&text.parse().unwrap()).map(|owner| owner.to_string());
        assert_eq!(of("a2-7"), Some("m2/7".to_owned()));
        assert_eq!(of("a3-7"), None);
        assert_eq!(of("a1-"), None);
        assert_eq!([owners.is_meant("m1"), owners.is_meant("m2")], [false, true]);
    }
}
