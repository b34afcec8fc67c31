//! Texts from outside, shown without the personal data that an order holds.

use crate::fold::Order;

/// What stands in place of personal data.
const MASK: &str = "***";

/// A text from outside (a provider's words, an operator's) without the payer's open_id and address and the order's
/// `attach`. An order whose `created` is not known yet holds none of them.
#[must_use]
pub fn masked(order: &Order, text: &str) -> String {
    let Some(created) = order.created() else { return text.to_owned() };
    let payer = &created.payer;
    let mut text = text.to_owned();
    for personal in [&payer.open_id, &payer.client_ip, &created.attach].into_iter().flatten() {
        if !personal.is_empty() {
            text = text.replace(personal.as_str(), MASK);
        }
    }
    text
}
