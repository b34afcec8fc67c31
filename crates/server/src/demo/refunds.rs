//! Refunds of a demo: what is asked for each paid order through gRPC, and whether the answers are those that may be
//! given.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use paymux_proto::v1::ErrorReason;
use paymux_simulators::control::view::Provider;
use rand::Rng;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::providers::{PROVIDERS, Refunds, at};
use super::watching::Name;

/// Share of paid orders for which refunds are asked.
const SHARE: f64 = 0.6;

/// How long a caller that waits for the end of a refund does so, in real time.
const WAIT_S: u8 = 5;

/// Orders whose refunds are asked for at once.
const ORDERS_AT_ONCE: usize = 32;

/// What may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum May {
    /// The refund.
    Refund,
    /// This refusal.
    Refuse(ErrorReason),
    /// Either, as the others that are asked for at the same moment leave room.
    Either(ErrorReason),
}

/// One call of RefundOrder.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    no: &'static str,
    minor: i64,
    waits: bool,
    may: May,
}

/// What is asked for one order: steps one after the other, each of calls at the same moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Script(Vec<Vec<Asked>>);

impl Script {
    /// What is asked for an order of that amount in fen; for some orders nothing.
    pub(super) fn draw(rng: &mut impl Rng, provider: Provider, total: i64) -> Self {
        if !rng.random_bool(SHARE) {
            return Self::default();
        }
        let plot = rng.random_range(0..6_u8);
        Self(match at(provider).refunds {
            Refunds::NumberedParts | Refunds::UnnumberedParts => in_parts(plot, total),
            Refunds::WholePayments => as_a_whole(plot, total),
        })
    }

    /// What is asked for an order that nobody has paid.
    fn unpaid(total: i64) -> Self {
        let may = May::Refuse(ErrorReason::OrderNotPaid);
        Self(vec![vec![Asked { no: "R1", minor: total, waits: false, may }]])
    }

    /// Whether nothing is asked.
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The provider refunds parts: one to three of them, some over the payment, repeated, or with other content.
fn in_parts(plot: u8, total: i64) -> Vec<Vec<Asked>> {
    let part = normal(total / 3);
    let taken = |no, minor, waits| Asked { no, minor, waits, may: May::Refund };
    let refused = |no, minor, reason| Asked { no, minor, waits: false, may: May::Refuse(reason) };
    match plot {
        0 => vec![vec![taken("R1", part, false)]],
        1 => vec![vec![taken("R1", normal(total), true)]],
        2 => vec![
            vec![taken("R1", part, true)],
            vec![taken("R2", part, false), taken("R3", normal(total - 2 * part), true)],
        ],
        3 => {
            let either = |no, waits| Asked {
                no,
                minor: normal(total),
                waits,
                may: May::Either(ErrorReason::RefundExceedsPayment),
            };
            vec![vec![either("R1", false), either("R2", true)]]
        }
        4 => vec![
            vec![taken("R1", part, false), taken("R1", part, true)],
            vec![taken("R1", part, false), refused("R1", part + 1, ErrorReason::RefundConflict)],
        ],
        _ => vec![
            vec![refused("R1", total + 1, ErrorReason::RefundExceedsPayment)],
            vec![taken("R1", part, true), taken("R2", part, false)],
        ],
    }
}

/// The provider refunds payments as a whole, once.
fn as_a_whole(plot: u8, total: i64) -> Vec<Vec<Asked>> {
    let taken = |no, waits| Asked { no, minor: total, waits, may: May::Refund };
    let refused = |no, minor, reason| Asked { no, minor, waits: false, may: May::Refuse(reason) };
    match plot {
        0 => vec![vec![taken("R1", false)]],
        1 => vec![vec![taken("R1", true)]],
        2 => vec![
            vec![refused("R1", total / 2, ErrorReason::PartialRefundNotOffered)],
            vec![taken("R1", true)],
        ],
        3 => {
            let either =
                |no, waits| Asked { may: May::Either(ErrorReason::RefundCountExceeded), ..taken(no, waits) };
            vec![vec![either("R1", false), either("R2", true)]]
        }
        4 => vec![vec![taken("R1", false), taken("R1", true)], vec![taken("R1", false)]],
        _ => vec![vec![refused("R1", total + 1, ErrorReason::RefundExceedsPayment)], vec![taken("R1", true)]],
    }
}

/// The largest amount up to this one whose last two digits choose no behaviour of the simulator.
fn normal(minor: i64) -> i64 {
    let over = (minor % 100 - 49).max(0);
    (minor - over).max(1)
}

/// What asking came to.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Calls that were made, repeats included.
    pub(super) asked: u64,
    /// Calls that were refused, as they had to be.
    pub(super) refused: u64,
    /// Answers that may not be given.
    pub(super) wrong: Vec<String>,
}

/// Asks for refunds; dropping it ends what is under way.
#[derive(Debug)]
pub(super) struct Refunding {
    client: Client,
    at_once: Arc<Semaphore>,
    begun: BTreeSet<Name>,
    under_way: BTreeSet<Name>,
    jobs: JoinSet<(Name, Answers)>,
    answers: Answers,
}

impl Refunding {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            at_once: Arc::new(Semaphore::new(ORDERS_AT_ONCE)),
            begun: BTreeSet::new(),
            under_way: BTreeSet::new(),
            jobs: JoinSet::new(),
            answers: Answers::default(),
        }
    }

    /// Begins with an order that is to be fulfilled, or with one that ended without a payment that can still come, once.
    /// Of two payments the first is asked for; what was paid twice is its merchant's policy.
    pub(super) fn begin(&mut self, name: &Name, script: &Script, order: &v1::Order, is_given_up: bool) {
        let is_over = matches!(order.state(), v1::OrderState::Closed | v1::OrderState::Failed);
        let first = order.payments.iter().find(|payment| !payment.duplicate);
        let script = if order.fulfilment() == v1::Fulfilment::Fulfil && first.is_some() {
            script.clone()
        } else if is_over && is_given_up && !script.is_empty() {
            Script::unpaid(order.amount.as_ref().map_or(1, |amount| amount.minor))
        } else {
            return;
        };
        if script.is_empty() || !self.begun.insert(name.clone()) {
            return;
        }
        self.under_way.insert(name.clone());
        // Whoever opens the cashier may pay again meanwhile, so the payment is named there.
        let may_double = PROVIDERS.iter().any(|at| at.name == order.provider && at.opened_by.is_some());
        let trade_no = first.filter(|_| may_double).map(|payment| payment.provider_trade_no.clone());
        let may_be_doubted =
            PROVIDERS.iter().any(|at| at.name == order.provider && at.refunds == Refunds::UnnumberedParts);
        let (client, at_once, name) = (self.client.clone(), Arc::clone(&self.at_once), name.clone());
        self.jobs.spawn(async move {
            // It is never closed.
            let _permit = at_once.acquire().await;
            let answers = play(&client, &name, &script, (trade_no, may_be_doubted)).await;
            (name, answers)
        });
    }

    /// Whether something is still asked for an order.
    pub(super) fn is_under_way(&self, name: &Name) -> bool {
        self.under_way.contains(name)
    }

    /// Takes in the answers that have come; gives the orders of which nothing more is asked.
    pub(super) fn collect(&mut self) -> anyhow::Result<Vec<Name>> {
        let mut collected = Vec::new();
        while let Some(ended) = self.jobs.try_join_next() {
            let (name, mut answers) = ended?;
            self.under_way.remove(&name);
            self.answers.asked += answers.asked;
            self.answers.refused += answers.refused;
            self.answers.wrong.append(&mut answers.wrong);
            collected.push(name);
        }
        Ok(collected)
    }

    /// What all of it came to; what is still under way counts as wrong.
    pub(super) fn into_answers(self) -> Answers {
        let mut answers = self.answers;
        let late = self
            .under_way
            .iter()
            .map(|(merchant, order)| format!("{merchant}/{order}: a refund is not answered"));
        answers.wrong.extend(late);
        answers
    }
}

/// Asks for everything of one order.
///
/// At XorPay the goods are promised before a push has stated the amount: where it states another, the payment is in doubt
/// from then on, and a person has to look before anything more goes back.
async fn play(
    client: &Client,
    name: &Name,
    script: &Script,
    (trade_no, may_be_doubted): (Option<String>, bool),
) -> Answers {
    let mut answers = Answers::default();
    for (step, calls) in script.0.iter().enumerate() {
        let calls = calls.iter().enumerate().map(|(n, asked)| {
            let request_id = format!("refund-{}-{step}-{n}", name.1);
            let trade_no = trade_no.clone();
            async move { (asked, ask(client, name, asked, trade_no, request_id).await) }
        });
        let answered = futures_util::future::join_all(calls).await;
        let is_doubt = |answer: &Result<v1::Refund, Refusal>| matches!(answer, Err(refusal) if refusal.reason == ErrorReason::OrderParked);
        if may_be_doubted && answered.iter().any(|(_, answer)| is_doubt(answer)) {
            answers.asked += u64::try_from(answered.len()).unwrap_or(u64::MAX);
            answers.refused +=
                u64::try_from(answered.iter().filter(|(_, a)| is_doubt(a)).count()).unwrap_or(u64::MAX);
            break;
        }
        let taken = answered.iter().filter(|(_, answer)| answer.is_ok()).count();
        for (asked, answer) in &answered {
            answers.asked += 1;
            answers.refused += u64::from(matches!(answer, Err(refusal) if asked.may.refuses(refusal.reason)));
            if let Some(wrong) = fault(asked, answer) {
                answers.wrong.push(format!("{}/{}: refund {}: {wrong}", name.0, name.1, asked.no));
            }
        }
        if taken == 0 && answered.iter().any(|(asked, _)| matches!(asked.may, May::Either(_))) {
            answers.wrong.push(format!("{}/{}: each of its refunds was refused", name.0, name.1));
        }
    }
    answers
}

async fn ask(
    client: &Client,
    name: &Name,
    asked: &Asked,
    provider_trade_no: Option<String>,
    request_id: String,
) -> Result<v1::Refund, Refusal> {
    let wait_s = if asked.waits { WAIT_S } else { 0 };
    let request = v1::RefundOrderRequest {
        merchant_id: name.0.clone(),
        merchant_order_no: name.1.clone(),
        refund_no: asked.no.to_owned(),
        provider_trade_no,
        request_id,
        amount: Some(v1::Amount { currency: "CNY".to_owned(), minor: asked.minor }),
        reason: "Demo".to_owned(),
        wait: asked.waits.then(|| prost_types::Duration { seconds: wait_s.into(), nanos: 0 }),
        options: None,
    };
    let wait = Duration::from_secs(wait_s.into());
    let answer = client.orders().refund_order(Client::request(request, Some(wait))).await;
    answer.map(|answer| answer.into_inner().refund.unwrap_or_default()).map_err(|status| Refusal::of(&status))
}

impl May {
    fn refuses(self, reason: ErrorReason) -> bool {
        matches!(self, Self::Refuse(may) | Self::Either(may) if may == reason)
    }
}

/// What is wrong with an answer.
fn fault(asked: &Asked, answer: &Result<v1::Refund, Refusal>) -> Option<String> {
    match (answer, asked.may) {
        (Ok(refund), May::Refund | May::Either(_)) => {
            let minor = refund.amount.as_ref().map_or(0, |amount| amount.minor);
            let is_it = refund.refund_no == asked.no && minor == asked.minor;
            (!is_it)
                .then(|| format!("asked for {} fen, answered {minor} as {}", asked.minor, refund.refund_no))
        }
        (Ok(_), May::Refuse(reason)) => Some(format!("{} fen taken in spite of {reason:?}", asked.minor)),
        (Err(refusal), may) if may.refuses(refusal.reason) => None,
        (Err(refusal), _) => Some(format!("{} fen: {refusal}", asked.minor)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_choose_no_behaviour_of_the_simulator_and_sum_up_to_the_payment_at_most() {
        for total in [100, 149, 150, 151, 9_999, 12_345, 99_949] {
            for plot in 0..6 {
                let steps = in_parts(plot, total);
                let taken = steps.iter().flatten().filter(|asked| asked.may == May::Refund);
                let mut numbers = BTreeSet::new();
                let sum: i64 = taken
                    .filter(|asked| numbers.insert(asked.no))
                    .inspect(|asked| assert!(asked.minor >= 1 && asked.minor % 100 < 50, "{asked:?}"))
                    .map(|asked| asked.minor)
                    .sum();
                assert!(sum <= total, "{plot} of {total}: {sum}");
            }
        }
    }

    #[test]
    fn two_refunds_that_race_cannot_both_have_room() {
        for total in [100, 149, 150, 12_345] {
            for steps in [in_parts(3, total), as_a_whole(3, total)] {
                let sum: i64 = steps.iter().flatten().map(|asked| asked.minor).sum();
                assert!(sum > total && steps.iter().flatten().all(|asked| asked.minor <= total));
            }
        }
    }
}
