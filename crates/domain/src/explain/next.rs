//! What comes next by itself, and what a person can do.

use super::teller::Teller;
use crate::capabilities::{Capabilities, CloseKind, CreateKind};
use crate::fact::{AttentionReason, Closure, FactKey, Fulfilment};
use crate::fold::{Attempt, State};
use crate::followup::Followup;
use crate::limits::CREATE_ATTEMPTS_MAX;
use crate::outcome::Class;
use crate::time::Timestamp;

const LATE: &str =
    "Money that comes all the same is recorded, and the merchant's policy for late money decides.";

/// What comes next, and when the engine looks again at the latest; `None` when what is left is a person's.
pub(super) fn steps(
    teller: &Teller<'_>,
    followup: &Followup,
    capabilities: Option<&Capabilities>,
) -> (String, Option<Timestamp>) {
    let look = Look { teller, followup, capabilities };
    let mut steps = vec![if teller.created.is_none() {
        "Nothing by itself: there is no order here.".to_owned()
    } else if teller.order.is_frozen() {
        look.parked()
    } else {
        look.by_state()
    }];
    let mut told = Vec::new();
    for (reason, _, _) in teller.order.attention() {
        if !told.contains(&reason) {
            told.push(reason);
            steps.push(format!("{}: {}", reason.as_str(), way_out(reason)));
        }
    }
    // The bookkeeping of an order that owes nothing still names its last look.
    (steps.join(" "), followup.next_due.filter(|_| look.is_due()))
}

/// What a person can do about an order that needs one.
#[must_use]
pub const fn way_out(reason: AttentionReason) -> &'static str {
    match reason {
        AttentionReason::PaymentMismatch => {
            "compare that payment in the provider's console with the order. If money was taken, confirm the \
             payment as it is there; then settle this with FULFIL or DO_NOT_FULFIL (ConfirmOutcome)."
        }
        AttentionReason::AnswerMismatch => {
            "the provider spoke of another order, merchant or account. Check the account's configuration, \
             then the order in the provider's console; Replay asks again."
        }
        AttentionReason::DuplicatePayment => {
            "the payer paid more than once. Deliver once, give the surplus back (RefundOrder, or by hand), then \
             settle this (ConfirmOutcome)."
        }
        AttentionReason::LatePayment => {
            "the money came after the order's end. Decide with the merchant, and settle this with FULFIL or \
             DO_NOT_FULFIL (ConfirmOutcome); with the latter the money goes back by itself."
        }
        AttentionReason::RefundedElsewhere => {
            "the provider gave money back without us. Ask the merchant who did it, hold back what is not \
             delivered yet, then settle this (ConfirmOutcome)."
        }
        AttentionReason::UnknownOrder => {
            "money came for a number that was never ordered here. Find out which system shares the \
             account; if nobody claims it, give it back in the provider's console. Then settle this \
             (ConfirmOutcome)."
        }
        AttentionReason::RetriesExhausted => {
            "see whether the provider works at all, then set it going again (Replay). What cannot be asked, look \
             up in the provider's console and confirm it (ConfirmOutcome)."
        }
        AttentionReason::RefundUnresolved => {
            "look the refund up in the provider's console and confirm what became of it (ConfirmOutcome); until \
             then its amount stays reserved and nothing is sent again."
        }
        AttentionReason::RefundFailed => {
            "the provider did not give the money back. Read its reason, mend what can be mended, and ask \
             for a new refund under a new number, or give the money back by hand."
        }
        AttentionReason::ConfirmationContradicted => {
            "a person confirmed one thing, and the provider, or another person, says another. A provider's word \
             stands before a person's; compare both in its console, then settle this, where it is asked for with \
             FULFIL or DO_NOT_FULFIL (ConfirmOutcome)."
        }
        AttentionReason::WrongMerchant => {
            "a genuine notification names another merchant than its URL. Check the account's numbers and the URLs \
             that the provider was given; look its number up in the provider's console, and see to it that \
             whoever it belongs to learns of the money. Then settle this (ConfirmOutcome)."
        }
        AttentionReason::ProviderOps => {
            "the account needs a person: key, certificate, rights or balance. Its orders go on by \
             themselves once that is mended."
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
        let order = self.teller.order;
        match order.state() {
            State::Accepted | State::Submitting | State::Closing if order.last_sent().is_none() => {
                self.unsent()
            }
            State::Accepted | State::Submitting => self.submitting(),
            State::Pending => self.pending(),
            State::Closing => format!("{} {}", self.next_look(), self.closing()),
            State::Failed if self.asks_after_end() => self.asked_again(),
            State::Failed => {
                "Nothing more. To try again the caller creates an order under a new number. Money that \
                 comes all the same is recorded."
                    .to_owned()
            }
            State::Closed => self.closed(),
            State::Paid => self.paid(),
        }
    }

    /// Whether the engine has something left to do by itself.
    fn is_due(&self) -> bool {
        let order = self.teller.order;
        if order.is_frozen() {
            return self.still_asks();
        }
        match order.state() {
            _ if self.teller.created.is_none() => false,
            State::Accepted | State::Submitting | State::Pending | State::Closing => true,
            State::Failed | State::Closed => self.asks_after_end(),
            State::Paid => self.decides_fulfilment() || self.refunds_go_on(),
        }
    }

    /// Whether the provider is still asked about a parked order: an open one because a person wants it, one that has
    /// ended without proof once more as any other.
    fn still_asks(&self) -> bool {
        match self.teller.order.state() {
            State::Failed | State::Closed => self.asks_after_end(),
            state => !state.is_final() && self.followup.ask && self.can_ask(),
        }
    }

    fn asks_after_end(&self) -> bool {
        let unproven = self.teller.order.closure().is_some_and(Closure::is_unproven);
        (self.followup.ask || unproven && !self.followup.asked_after_end) && self.can_ask()
    }

    fn decides_fulfilment(&self) -> bool {
        let order = self.teller.order;
        order.fulfilment().is_none() && !order.attention().any(|(reason, _, _)| reason.leaves_goods())
    }

    fn parked(&self) -> String {
        let order = self.teller.order;
        if order.state() == State::Paid && order.fulfilment().is_none() {
            return "Nothing by itself. Do not deliver yet: FULFIL comes only after a person has resolved \
                    this."
                .to_owned();
        }
        if order.state() == State::Closed && self.still_asks() {
            return self.closed();
        }
        if order.state().is_final() {
            return "Nothing by itself.".to_owned();
        }
        let asks = if self.still_asks() { " One query that was asked for still leaves." } else { "" };
        format!(
            "Nothing is repeated, asked or closed by itself until a person has resolved this; what the \
             provider tells is still recorded.{asks}"
        )
    }

    /// No create call has left, as far as its end is known.
    fn unsent(&self) -> String {
        let over = self.teller.order.has(&FactKey::CloseRequested) || self.expire_time() <= self.teller.now;
        if over {
            return format!("{} Then it ends as CLOSED, NEVER_SENT.", self.next_look());
        }
        format!(
            "{} Then a create call leaves, if the account's budget has room. If that cannot be before the \
             order expires ({}), it ends as CLOSED, NEVER_SENT.",
            self.next_look(),
            self.teller.relative(self.expire_time())
        )
    }

    fn submitting(&self) -> String {
        let provider = self.teller.provider();
        let step = if self.may_repeat() {
            format!("Then the same create call leaves again; {provider} takes it for the same order.")
        } else if self.can_ask() {
            let known = match self.followup.not_exist {
                Some(word) if !word.twice => {
                    " It has said once that it has no such order; that counts when it is said twice."
                }
                _ => "",
            };
            format!("Then {provider} is asked what became of it.{known}")
        } else {
            format!("{provider} cannot be asked; its notification may tell.")
        };
        format!("{} {step} {}", self.next_look(), self.at_expiry())
    }

    fn may_repeat(&self) -> bool {
        let order = self.teller.order;
        let sent = order.attempts().filter(Attempt::may_have_left).count();
        let few = u32::try_from(sent).is_ok_and(|sent| sent < CREATE_ATTEMPTS_MAX);
        let refused =
            order.attempts().any(|attempt| attempt.outcome.is_some_and(|o| o.class == Class::Final));
        let harmless = self.capabilities.is_some_and(|capabilities| capabilities.create_idempotent);
        let absent = self.followup.not_exist.is_some_and(|word| word.twice);
        few && !refused && (absent || (harmless && !self.followup.ask))
    }

    fn pending(&self) -> String {
        let provider = self.teller.provider();
        let step = if self.can_ask() {
            format!(
                "Then {provider} is asked whether it is paid; a notification of payment makes it PAID at \
                 once."
            )
        } else {
            format!("{provider} cannot be asked before a payment: its notification makes it PAID.")
        };
        format!("{} {step} {}", self.next_look(), self.at_expiry())
    }

    fn at_expiry(&self) -> String {
        let expire_time = self.expire_time();
        if expire_time <= self.teller.now {
            return "Its time is up, so closing begins.".to_owned();
        }
        format!(
            "If it is not paid when its time is up ({}), closing begins.",
            self.teller.relative(expire_time)
        )
    }

    /// An attempt may have left, and it is to be closed.
    fn closing(&self) -> String {
        let provider = self.teller.provider();
        let Some(capabilities) = self.capabilities else {
            return "Provider or method is not configured here: it waits until it is.".to_owned();
        };
        if self.followup.ask && self.can_ask() {
            return format!("Then {provider} is asked, for it may be paid; closing goes on with the answer.");
        }
        let unheard_of = capabilities.create == CreateKind::Local
            && self.followup.not_exist.is_some_and(|word| word.twice);
        match capabilities.close {
            CloseKind::Call { .. } if unheard_of => {
                let why = format!("{provider} has not heard of the order, so there is nothing to close");
                self.local_expiry(&why, self.expire_time() + capabilities.expiry_grace)
            }
            CloseKind::Call { min_age, refuses_paid } => self.close_there(min_age, refuses_paid),
            CloseKind::None => {
                let why = format!("{provider} cannot close an order");
                self.local_expiry(&why, self.expire_time() + capabilities.expiry_grace)
            }
        }
    }

    fn close_there(&self, min_age: std::time::Duration, refuses_paid: bool) -> String {
        let provider = self.teller.provider();
        let earliest = self.teller.order.last_sent().map(|attempt| attempt.time + min_age);
        let wait = match earliest {
            Some(earliest) if earliest > self.teller.now => {
                format!(" {} at the earliest", self.teller.relative(earliest))
            }
            _ => String::new(),
        };
        let proof = if refuses_paid {
            format!("{provider} refuses to close a paid order, so its yes proves that nobody paid.")
        } else {
            format!("{provider} is asked before it whether it is paid.")
        };
        format!("A close call leaves{wait}; {proof}")
    }

    fn local_expiry(&self, why: &str, end: Timestamp) -> String {
        let when = if end > self.teller.now {
            format!("when its time and the grace after it are over ({})", self.teller.relative(end))
        } else {
            "now that its time and the grace after it are over".to_owned()
        };
        let asked = if self.can_ask() { ", after one last query," } else { "" };
        format!("{why}: {when}{asked} it ends as CLOSED, LOCAL_EXPIRY, which is not proven unpaid.")
    }

    fn closed(&self) -> String {
        if self.asks_after_end() {
            return self.asked_again();
        }
        if self.teller.order.closure() == Some(Closure::LocalExpiry) {
            return format!(
                "Nothing by itself. If the money matters, look into the provider's console. {LATE}"
            );
        }
        format!("Nothing more. {LATE}")
    }

    fn asked_again(&self) -> String {
        let provider = self.teller.provider();
        format!("{} Then {provider} is asked once more, for it may be paid. {LATE}", self.next_look())
    }

    fn paid(&self) -> String {
        let order = self.teller.order;
        let open: Vec<String> = order
            .refunds()
            .iter()
            .filter(|refund| refund.end().is_none())
            .map(|refund| format!("refund {} of {}", refund.no, refund.request.amount))
            .collect();
        if !open.is_empty() {
            let goods = match order.fulfilment() {
                Some(Fulfilment::Fulfil) => "Deliver once: FULFIL is never taken back.",
                Some(Fulfilment::DoNotFulfil) => "Do not deliver.",
                None => "Wait for FULFIL before you deliver.",
            };
            let list = open.join(", ");
            if !self.refunds_go_on() {
                return format!("Nothing by itself: {list} waits for a person. {goods}");
            }
            let look = self.next_look();
            return format!("{look} Then {list} goes on until the provider says its end. {goods}");
        }
        match order.fulfilment() {
            Some(Fulfilment::Fulfil) => "Nothing more. Deliver once: FULFIL is never taken back.".to_owned(),
            Some(Fulfilment::DoNotFulfil)
                if self.followup.next_due.is_some() && order.refunds().is_empty() =>
            {
                format!("{} Then the money goes back by itself. Do not deliver.", self.next_look())
            }
            Some(Fulfilment::DoNotFulfil) => {
                "Nothing by itself. Do not deliver: the money is to go back to the payer.".to_owned()
            }
            None if self.decides_fulfilment() => {
                format!("{} Then FULFIL is decided: wait for it before you deliver.", self.next_look())
            }
            None => "Nothing by itself: a person decides whether to deliver.".to_owned(),
        }
    }

    /// Whether refunds go on, or late money is yet to go back, without anybody's help.
    fn refunds_go_on(&self) -> bool {
        let order = self.teller.order;
        let waits = order.attention().any(|(reason, _, _)| reason == AttentionReason::RefundUnresolved);
        let owed = order.fulfilment() == Some(Fulfilment::DoNotFulfil) && order.refunds().is_empty();
        let open = order.refunds().iter().any(|refund| refund.end().is_none());
        !waits && (open || (owed && self.followup.next_due.is_some()))
    }

    fn next_look(&self) -> String {
        match self.followup.next_due {
            Some(due) if due > self.teller.now => {
                format!("The engine looks again {} at the latest.", self.teller.relative(due))
            }
            Some(due) if due == self.teller.now => "The engine looks again now.".to_owned(),
            Some(due) => format!(
                "The engine was to look {}: it is at it, or behind with its work.",
                self.teller.relative(due)
            ),
            None => "When the engine looks again is not written down yet: it is at it.".to_owned(),
        }
    }

    fn expire_time(&self) -> Timestamp {
        self.teller.created.map_or(self.teller.now, |created| created.expire_time)
    }

    fn can_ask(&self) -> bool {
        let paid = self.teller.order.payments().next().is_some();
        self.capabilities.is_some_and(|capabilities| capabilities.query.can_ask(paid))
    }
}
