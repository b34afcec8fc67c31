//! Notifications: `PROVIDER`, headers, body.

use paymux_domain::outcome::Word;
use paymux_domain::ports::{NotificationFate, RawNotification};

use crate::accounts::{self, NOW};
use crate::framing::Framed;

/// Whatever is pushed at a provider's URL is refused or taken without a panic, the same way each time, and no payment
/// of nothing or less is ever taken.
#[must_use]
pub fn notification(data: &[u8]) -> bool {
    let framed = Framed::of(data);
    let Some(provider) = accounts::provider(framed.word(0)) else { return false };
    let merchant_id = "m1".parse().expect("a name of a merchant");
    let raw =
        RawNotification { merchant_id, accounts: Vec::new(), headers: framed.headers, body: framed.body };
    let verdict = provider.verify(&raw, NOW);
    assert_eq!(verdict, provider.verify(&raw, NOW), "the same notification is judged the same way");
    match verdict {
        Ok(verified) => {
            for word in &verified.words {
                let Word::Paid(payment) = word else { continue };
                assert!(payment.total_minor > 0, "a payment of {}", payment.total_minor);
            }
            assert!(provider.answer(NotificationFate::Taken).is_some(), "what is taken is answered");
            true
        }
        Err(refusal) => {
            let _answer = provider.answer(NotificationFate::Refused(&refusal));
            false
        }
    }
}
