//! What comes next by itself, and what a person can do.

use super::teller::Teller;
use crate::capabilities::{Capabilities, CloseKind, QueryKind};
use crate::fact::{AttentionReason, Closure, FactKey, Fulfilment};
use crate::fold::{Attempt, Order, State};
use crate::followup::Followup;
use crate::limits::CREATE_ATTEMPTS_MAX;
use crate::outcome::Class;
use crate::time::Timestamp;

pub(super) fn steps(
    teller: &Teller<'_>,
    followup: &Followup,
    capabilities: Option<&Capabilities>,
) -> String {
    let look = Look { teller, followup, capabilities };
    let order = teller.order;
    let mut steps = Vec::new();
    if order.is_frozen() {
        steps.push(look.parked());
    } else if teller.created.is_some() {
        steps.push(look.by_state());
    } else {
        steps.push("Nothing: there is no order here to drive.".to_owned());
    }
    let mut told = Vec::new();
    for (reason, _, _) in order.attention() {
        if !told.contains(&reason) {
            told.push(reason);
            steps.push(format!("{}: {}", reason.as_str(), way_out(reason)));
        }
    }
    steps.join(" ")
}

/// What a person can do about an order that asks for one.
#[must_use]
pub const fn way_out(reason: AttentionReason) -> &'static str {
    match reason {
        AttentionReason::PaymentMismatch => {
            "compare the payment in the provider's console with the order; do not deliver before they agree, and \
             give the money back there if they never will."
        }
        AttentionReason::AnswerMismatch => {
            "an answer spoke of another order, merchant or account: check that account's configuration and the \
             order in the provider's console."
        }
        AttentionReason::DuplicatePayment => {
            "the payer paid more than once: deliver once and give the surplus back in the provider's console."
        }
        AttentionReason::LatePayment => {
            "the money came after the order's end: deliver, or give it back in the provider's console, and tell \
             the merchant which."
        }
        AttentionReason::RefundedElsewhere => {
            "the provider gave the money back without us: ask the merchant who did it, and stop a delivery that \
             has not gone out."
        }
        AttentionReason::UnknownOrder => {
            "money came for a number that was never ordered here: find out which system shares the account, and \
             give the money back in the provider's console if nobody claims it."
        }
        AttentionReason::RetriesExhausted => {
            "see whether the provider works at all, then ask again: RequeryOrder asks once, as often as you send it."
        }
        AttentionReason::ProviderOps => {
            "the account needs a person: its key, certificate, rights or balance. The order goes on by itself."
        }
    }
}

struct Look<'a> {
    teller: &'a Teller<'a>,
    followup: &'a Followup,
    capabilities: Option<&'a Capabilities>,
}

impl Look<'_> {
    fn by_state(&self) -> String {
        match self.teller.order.state() {
            State::Accepted => self.unsent(),
            State::Submitting if self.teller.order.last_sent().is_none() => self.unsent(),
            State::Submitting => self.submitting(),
            State::Pending => self.pending(),
            State::Closing => self.closing(),
            State::Failed => {
                "Nothing: a new try needs a new order number. Money that should come all the same is recorded."
                    .to_owned()
            }
            State::Closed => self.closed(),
            State::Paid => self.paid(),
        }
    }

    fn parked(&self) -> String {
        let order = self.teller.order;
        let asked = if self.followup.ask && self.can_ask() { " A query that was asked for still leaves." } else { "" };
        if order.state() == State::Paid {
            let deliver = match order.fulfilment() {
                Some(Fulfilment::Fulfil) => "FULFIL has been said and stands.",
                Some(Fulfilment::DoNotFulfil) => "DO_NOT_FULFIL has been said.",
                None => "Do not deliver yet: FULFIL is not said before a person has settled this.",
            };
            return format!("Nothing happens by itself. {deliver}");
        }
        format!(
            "Nothing is asked, repeated or closed by itself until a person has settled this; what the provider \
             tells is still recorded.{asked}"
        )
    }

    /// No create call has left, or none that left is in doubt.
    fn unsent(&self) -> String {
        let closing = self.teller.order.has(&FactKey::CloseRequested) || self.expire_time() <= self.teller.now;
        if closing {
            return format!("{} It is closed as NEVER_SENT, for no create call has left.", self.next_look());
        }
        format!(
            "{} A create call leaves when the account's budget has room; if that is not before the order expires \
             ({}), the order ends as CLOSED, NEVER_SENT.",
            self.next_look(),
            self.teller.from_now(self.expire_time())
        )
    }

    fn submitting(&self) -> String {
        let order = self.teller.order;
        let sent = order.attempts().filter(Attempt::may_have_left).count();
        let few = u32::try_from(sent).is_ok_and(|sent| sent < CREATE_ATTEMPTS_MAX);
        let refused = order.attempts().any(|attempt| attempt.outcome.is_some_and(|o| o.class == Class::Final));
        let repeats = self.capabilities.is_some_and(|capabilities| capabilities.create_idempotent);
        let provider = self.teller.provider();
        let step = if repeats && few && !refused && !self.followup.ask {
            format!("The same create goes out again; {provider} takes it as the same order.")
        } else if self.can_ask() {
            let known = if self.followup.not_exist.is_some() {
                format!(" {provider} has said once that it does not know the order; it counts when said twice.")
            } else {
                String::new()
            };
            format!("{provider} is asked what became of it; nothing is guessed.{known}")
        } else {
            format!("{provider} cannot be asked now: its notification may tell.")
        };
        format!("{} {step} {}", self.next_look(), self.at_expiry())
    }

    fn pending(&self) -> String {
        let provider = self.teller.provider();
        let step = if self.can_ask() {
            format!("{provider} is asked whether it was paid.")
        } else {
            format!("{provider} cannot be asked before a payment: its notification tells.")
        };
        format!("{} {step} A notification of payment makes it PAID at once. {}", self.next_look(), self.at_expiry())
    }

    fn closing(&self) -> String {
        if self.teller.order.last_sent().is_none() {
            return self.unsent();
        }
        format!("{} {}", self.next_look(), self.closing_step())
    }

    fn closing_step(&self) -> String {
        let provider = self.teller.provider();
        let ask_first = if self.followup.ask && self.can_ask() {
            format!("{provider} is asked first, for an answer hinted at a payment. ")
        } else {
            String::new()
        };
        let sent = self.teller.order.last_sent().map(|attempt| attempt.time);
        match (self.capabilities, sent) {
            (None, _) => "What the provider can do is not known here: provider or method is not configured.".to_owned(),
            (Some(Capabilities { close: CloseKind::Call { min_age, refuses_paid }, .. }), sent) => {
                let earliest = sent.map_or(self.teller.now, |sent| sent + *min_age);
                let when = if earliest > self.teller.now {
                    format!(", {} at the earliest", self.teller.from_now(earliest))
                } else {
                    String::new()
                };
                let proof = if *refuses_paid {
                    "; it refuses to close a paid order, so its yes proves that nobody paid"
                } else {
                    ", after a query that finds it unpaid"
                };
                format!("{ask_first}A close call leaves{when}{proof}.")
            }
            (Some(capabilities), _) => {
                let end = self.expire_time() + capabilities.expiry_grace;
                format!("{ask_first}{}", self.local_expiry(end))
            }
        }
    }

    fn local_expiry(&self, end: Timestamp) -> String {
        let provider = self.teller.provider();
        let grace = if end > self.teller.now {
            format!("once its time and the grace after it have passed ({})", self.teller.from_now(end))
        } else {
            "now that its time and the grace after it have passed".to_owned()
        };
        let asked = if self.can_ask() { ", after one more query" } else { "" };
        format!(
            "{provider} cannot close an order: it is called over {grace}{asked}, as LOCAL_EXPIRY, which is not \
             proven unpaid."
        )
    }

    fn at_expiry(&self) -> String {
        format!(
            "If nobody has paid when its time is up ({}), closing begins.",
            self.teller.from_now(self.expire_time())
        )
    }

    fn closed(&self) -> String {
        let late = "Money that comes all the same is recorded, and the merchant's policy for late money decides.";
        if self.teller.order.closure() != Some(Closure::LocalExpiry) {
            return format!("Nothing. {late}");
        }
        if !self.followup.asked_after_end && self.can_ask() {
            return format!(
                "{} {} is asked once more, for somebody may have paid late. {late}",
                self.next_look(),
                self.teller.provider()
            );
        }
        format!("Nothing by itself. If the money matters, look into the provider's console. {late}")
    }

    fn paid(&self) -> String {
        match self.teller.order.fulfilment() {
            Some(Fulfilment::Fulfil) => "Nothing: deliver once. FULFIL is never taken back.".to_owned(),
            Some(Fulfilment::DoNotFulfil) => {
                "Nothing by itself: do not deliver; the money is to go back to the payer.".to_owned()
            }
            None if self.teller.order.attention().any(|(reason, _, _)| reason == AttentionReason::LatePayment) => {
                "Nothing by itself: a person decides whether to deliver.".to_owned()
            }
            None => format!("{} FULFIL is decided then; wait for it before you deliver.", self.next_look()),
        }
    }

    fn next_look(&self) -> String {
        match self.followup.next_due {
            Some(due) if due > self.teller.now => {
                format!("The engine looks again {} at the latest.", self.teller.from_now(due))
            }
            Some(due) => format!("The engine was to look {}; it comes as soon as it can.", self.was(due)),
            None => "The engine has not written down when it looks next: it is at it now.".to_owned(),
        }
    }

    fn was(&self, due: Timestamp) -> String {
        self.teller.from_now(due)
    }

    fn expire_time(&self) -> Timestamp {
        self.teller.created.map_or(self.teller.now, |created| created.expire_time)
    }

    fn can_ask(&self) -> bool {
        let Some(capabilities) = self.capabilities else { return false };
        can_ask(self.teller.order, capabilities.query)
    }
}

fn can_ask(order: &Order, query: QueryKind) -> bool {
    match query {
        QueryKind::None => false,
        QueryKind::ByOutTradeNo => true,
        QueryKind::ByProviderTradeNo => order.payments().next().is_some(),
    }
}
