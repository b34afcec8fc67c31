//! What the events of a load are: kinds by weights, dealt out evenly.

use std::fmt;
use std::str::FromStr;

/// The largest sum of weights.
const WEIGHTS_MAX: u32 = 1000;

/// What one event does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `CreateOrder` without `wait`: answered once the command is durable.
    Accept,
    /// `CreateOrder` with `wait`: answered once the payer can pay.
    Create,
    /// One message of a `SubmitOrders` stream.
    Stream,
    /// A payer pays an order that was created before, the provider notifies, and PAID is heard.
    Notify,
    /// A whole life: create with `wait`, the payer pays at once, the provider notifies, and PAID is heard.
    Life,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Accept, Self::Create, Self::Stream, Self::Notify, Self::Life];

    /// Its name on the command line and in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Create => "create",
            Self::Stream => "stream",
            Self::Notify => "notify",
            Self::Life => "life",
        }
    }

    /// Whether its payer gets to see the launch, so that it may go to a provider whose payers must open it.
    pub(super) const fn shows_launch(self) -> bool {
        matches!(self, Self::Create | Self::Notify | Self::Life)
    }

    /// Whether it ends with the event PAID.
    pub(super) const fn hears_paid(self) -> bool {
        matches!(self, Self::Notify | Self::Life)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Kinds with their weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix {
    weights: Vec<(Kind, u32)>,
    /// The kinds of as many events as the weights sum up to, over and over.
    deck: Vec<Kind>,
}

impl Mix {
    /// One kind alone.
    #[must_use]
    pub fn only(kind: Kind) -> Self {
        Self { weights: vec![(kind, 1)], deck: vec![kind] }
    }

    /// The kinds in it, with their weights.
    #[must_use]
    pub fn weights(&self) -> &[(Kind, u32)] {
        &self.weights
    }

    /// Whether it has this kind.
    #[must_use]
    pub fn has(&self, kind: Kind) -> bool {
        self.weights.iter().any(|(known, _)| *known == kind)
    }

    /// The kind of an event, and how many events of a kind come before it in turn: what else is dealt out goes by the
    /// second, so that no kind always meets the same merchants.
    pub(super) fn of(&self, event: u64) -> (Kind, u64) {
        let cards = u64::try_from(self.deck.len()).unwrap_or(1).max(1);
        let card = usize::try_from(event % cards).unwrap_or(0);
        (self.deck.get(card).copied().unwrap_or(Kind::Accept), event / cards)
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weights: Vec<String> = match self.weights.as_slice() {
            [(kind, _)] => vec![kind.to_string()],
            weights => weights.iter().map(|(kind, weight)| format!("{kind}={weight}")).collect(),
        };
        f.write_str(&weights.join(","))
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut weights: Vec<(Kind, u32)> = Vec::new();
        for part in text.split(',') {
            let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name.trim());
            let kind = kind.ok_or_else(|| {
                let names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
                format!("{name:?} is none of {}", names.join(", "))
            })?;
            let weight = weight.trim().parse().ok().filter(|weight| *weight > 0);
            let weight =
                weight.ok_or_else(|| format!("the weight of {kind} must be a number of 1 or more"))?;
            if weights.iter().any(|(known, _)| *known == kind) {
                return Err(format!("{kind} stands there twice"));
            }
            weights.push((kind, weight));
        }
        let sum = weights.iter().map(|(_, weight)| *weight).fold(0, u32::saturating_add);
        if sum > WEIGHTS_MAX {
            return Err(format!("the weights sum up to more than {WEIGHTS_MAX}"));
        }
        Ok(Self { deck: dealt(&weights, sum), weights })
    }
}

/// The kinds spread evenly: each event goes to the kind that is furthest behind its share.
fn dealt(weights: &[(Kind, u32)], sum: u32) -> Vec<Kind> {
    let mut behind: Vec<(i64, Kind, u32)> =
        weights.iter().map(|(kind, weight)| (0, *kind, *weight)).collect();
    let mut deck = Vec::new();
    for _ in 0..sum {
        behind.iter_mut().for_each(|(due, _, weight)| *due += i64::from(*weight));
        if let Some((due, kind, _)) = behind.iter_mut().max_by_key(|(due, ..)| *due) {
            *due -= i64::from(sum);
            deck.push(*kind);
        }
    }
    deck
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_come_by_their_weights_and_spread() {
        let mix: Mix = "accept=4,create=2,life".parse().unwrap();
        let deck: Vec<Kind> = (0..7).map(|event| mix.of(event).0).collect();
        for (kind, weight) in [(Kind::Accept, 4), (Kind::Create, 2), (Kind::Life, 1)] {
            assert_eq!(deck.iter().filter(|dealt| **dealt == kind).count(), weight, "{deck:?}");
        }
        let longest = deck.chunk_by(|one, next| one == next).map(<[Kind]>::len).max();
        assert!(longest <= Some(2), "{deck:?}");
        assert_eq!(mix.of(7 + 3), (deck[3], 1));
        assert_eq!(mix.to_string(), "accept=4,create=2,life=1");
    }

    #[test]
    fn one_kind_is_a_mix() {
        assert_eq!("stream".parse(), Ok(Mix::only(Kind::Stream)));
        assert_eq!(Mix::only(Kind::Stream).of(9), (Kind::Stream, 9));
    }

    #[test]
    fn what_is_no_mix_is_refused_with_the_reason() {
        for (text, reason) in [
            ("pay", "none of accept, create"),
            ("", "none of"),
            ("accept=0", "weight of accept"),
            ("accept=many", "weight of accept"),
            ("life,life=2", "twice"),
            ("accept=600,life=600", "more than 1000"),
        ] {
            let refused = text.parse::<Mix>().unwrap_err();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }
}
