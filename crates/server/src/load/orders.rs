//! The orders of a load: each event has one, whose number, merchant and amount follow from the event's number; and what
//! the driver knows of each, in a byte.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use paymux_proto::client::Refusal;
use paymux_proto::v1::create_order_request::Expiry;
use paymux_proto::v1::{Amount, ErrorReason, Payer};
use paymux_proto::{api, v1};
use tonic::Code;

use super::mix::{Kind, Mix};

/// Digits of an event in an order's number.
const DIGITS: usize = 9;

/// Amounts begin anew after so many events; their last two digits are below 50, so that none asks for a fault.
const AMOUNTS: u64 = 999;
const FEN: u64 = 50;

/// A merchant that orders go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merchant {
    /// Its id.
    pub id: String,
    /// The provider of its default route.
    pub provider: String,
    /// Whether payers must open the launch before the provider knows of the order.
    pub opens_launch: bool,
}

/// Makes the orders of a load.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    tag: String,
    mix: Mix,
    /// Of all kinds.
    merchants: Vec<Merchant>,
    /// Of kinds whose payers see no launch.
    without_launch: Vec<Merchant>,
    life: Duration,
}

impl Orders {
    /// Orders whose numbers begin with this tag, of letters and digits, for these merchants.
    ///
    /// # Errors
    /// There is no merchant for a kind of the mix.
    pub(super) fn new(tag: &str, mix: Mix, merchants: Vec<Merchant>, life: Duration) -> anyhow::Result<Self> {
        let without_launch: Vec<_> =
            merchants.iter().filter(|merchant| !merchant.opens_launch).cloned().collect();
        anyhow::ensure!(!merchants.is_empty(), "the server has none of the wanted merchants");
        let unseen = mix.weights().iter().find(|(kind, _)| !kind.shows_launch());
        if let Some((kind, _)) = unseen {
            anyhow::ensure!(
                !without_launch.is_empty(),
                "payers of all wanted merchants must open a launch, which {kind} never sees: take other merchants, or \
                 create or life"
            );
        }
        Ok(Self { tag: tag.to_owned(), mix, merchants, without_launch, life })
    }

    pub(super) fn kind(&self, event: u64) -> Kind {
        self.mix.of(event).0
    }

    pub(super) fn merchant(&self, event: u64) -> &Merchant {
        let (kind, turn) = self.mix.of(event);
        let merchants = if kind.shows_launch() { &self.merchants } else { &self.without_launch };
        let count = u64::try_from(merchants.len()).unwrap_or(1).max(1);
        let at = usize::try_from(turn % count).unwrap_or(0);
        merchants.get(at).expect("a kind without merchants is refused at first")
    }

    pub(super) fn merchants(&self) -> &[Merchant] {
        &self.merchants
    }

    /// The order's number.
    pub(super) fn number(&self, event: u64) -> String {
        format!("{}{event:0DIGITS$}", self.begin())
    }

    fn begin(&self) -> String {
        format!("L{}N", self.tag)
    }

    /// The event of a number, be it the merchant's own or the provider's with something around it.
    pub(super) fn event_of(&self, number: &str) -> Option<u64> {
        let begin = self.begin();
        let (_, rest) = number.split_once(begin.as_str())?;
        rest.get(..DIGITS)?.parse().ok()
    }

    /// What the payer owes, in fen.
    pub(super) fn amount(event: u64) -> i64 {
        i64::try_from((1 + event % AMOUNTS) * 100 + event % FEN).unwrap_or(100)
    }

    pub(super) fn request(&self, event: u64, wait: Option<Duration>) -> v1::CreateOrderRequest {
        let number = self.number(event);
        v1::CreateOrderRequest {
            merchant_id: self.merchant(event).id.clone(),
            request_id: format!("load-{number}"),
            merchant_order_no: number,
            amount: Some(Amount { currency: "CNY".to_owned(), minor: Self::amount(event) }),
            description: "Load".to_owned(),
            payer: Some(Payer {
                open_id: format!("oLoad{event:023}"),
                app_id: String::new(),
                client_ip: "127.0.0.1".to_owned(),
            }),
            expiry: Some(Expiry::ExpireAfter(api::span(self.life))),
            wait: wait.map(api::span),
            ..v1::CreateOrderRequest::default()
        }
    }
}

/// What the driver knows of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Known {
    /// It was never sent.
    NotSent = 0,
    /// On its way, or nothing tells whether it was accepted.
    Unknown = 1,
    /// The server said that it has accepted nothing.
    Refused = 2,
    /// The server said that it has accepted it.
    Accepted = 3,
}

impl Known {
    const ALL: [Self; 4] = [Self::NotSent, Self::Unknown, Self::Refused, Self::Accepted];

    /// What an error leaves to be known: only the API's own word is one.
    pub(super) fn after(refusal: &Refusal) -> Self {
        let is_definite = match refusal.code {
            Code::ResourceExhausted | Code::InvalidArgument | Code::FailedPrecondition => true,
            Code::NotFound | Code::PermissionDenied | Code::Unauthenticated => true,
            Code::Unavailable => {
                matches!(refusal.reason, ErrorReason::LogUnavailable | ErrorReason::ShuttingDown)
            }
            _ => false,
        };
        if is_definite && refusal.reason != ErrorReason::Unspecified { Self::Refused } else { Self::Unknown }
    }
}

/// What is known of each order.
#[derive(Debug)]
pub(super) struct Ledger(Vec<AtomicU8>);

impl Ledger {
    pub(super) fn new(events: u64) -> Self {
        Self((0..events).map(|_| AtomicU8::new(Known::NotSent as u8)).collect())
    }

    pub(super) fn set(&self, event: u64, known: Known) {
        if let Some(slot) = usize::try_from(event).ok().and_then(|at| self.0.get(at)) {
            slot.store(known as u8, Ordering::Relaxed);
        }
    }

    pub(super) fn get(&self, event: u64) -> Known {
        let slot = usize::try_from(event).ok().and_then(|at| self.0.get(at));
        let number = slot.map_or(0, |slot| slot.load(Ordering::Relaxed));
        Known::ALL.into_iter().find(|known| *known as u8 == number).unwrap_or(Known::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn merchant(id: &str, opens_launch: bool) -> Merchant {
        Merchant { id: id.to_owned(), provider: "wechatpay".to_owned(), opens_launch }
    }

    fn orders(mix: &str, merchants: &[(&str, bool)]) -> anyhow::Result<Orders> {
        let merchants = merchants.iter().map(|(id, opens)| merchant(id, *opens)).collect();
        Orders::new("a1b2", mix.parse().unwrap(), merchants, Duration::from_secs(600))
    }

    #[test]
    fn an_order_is_found_again_by_its_number_here_and_there() {
        let orders = orders("accept", &[("m1", false)]).unwrap();
        let number = orders.number(1234);
        assert_eq!(number, "La1b2N000001234");
        for there in [number.clone(), format!("A-{number}"), format!("E-{number}x"), format!("7{number}7")] {
            assert_eq!(orders.event_of(&there), Some(1234), "{there}");
        }
        for stranger in ["La1b2N1", "La1b3N000001234", "ORDER-1", "La1b2N00000123x"] {
            assert_eq!(orders.event_of(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn no_amount_asks_for_a_fault() {
        assert!((0..5000).map(Orders::amount).all(|minor| minor >= 100 && minor % 100 < 50));
    }

    #[test]
    fn every_kind_meets_all_merchants_that_it_may() {
        let orders = orders("accept,life", &[("m1", false), ("m2", false), ("m5", true)]).unwrap();
        let met = |kind| -> BTreeSet<&str> {
            let events = (0..60).filter(|event| orders.kind(*event) == kind);
            events.map(|event| orders.merchant(event).id.as_str()).collect()
        };
        assert_eq!(met(Kind::Accept), BTreeSet::from(["m1", "m2"]));
        assert_eq!(met(Kind::Life), BTreeSet::from(["m1", "m2", "m5"]));
    }

    #[test]
    fn a_kind_without_merchants_is_refused_at_first() {
        assert!(orders("life", &[("m5", true)]).is_ok());
        let refused = orders("accept,life", &[("m5", true)]).unwrap_err().to_string();
        assert!(refused.contains("which accept never sees"), "{refused}");
        assert!(orders("life", &[]).is_err());
    }

    #[test]
    fn only_the_word_of_the_api_says_that_nothing_was_accepted() {
        let after = |code, reason| {
            let status = tonic::Status::new(code, "");
            Known::after(&Refusal { reason, ..Refusal::of(&status) })
        };
        assert_eq!(after(Code::ResourceExhausted, ErrorReason::Overloaded), Known::Refused);
        assert_eq!(after(Code::Unavailable, ErrorReason::ShuttingDown), Known::Refused);
        assert_eq!(after(Code::Unavailable, ErrorReason::AcceptUnknown), Known::Unknown);
        assert_eq!(after(Code::ResourceExhausted, ErrorReason::Unspecified), Known::Unknown);
        assert_eq!(after(Code::DeadlineExceeded, ErrorReason::Unspecified), Known::Unknown);
    }
}
