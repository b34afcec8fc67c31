//! Money as integers in the currency's minor unit, and yuan text parsed as text.

use std::fmt;
use std::str::FromStr;

use crate::limits::AMOUNT_MINOR_MAX;

/// A currency that a provider here can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Currency {
    /// Renminbi; the minor unit is the fen, 100 to the yuan.
    Cny,
}

impl Currency {
    /// The ISO 4217 code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Cny => "CNY",
        }
    }
}

impl FromStr for Currency {
    type Err = AmountError;

    fn from_str(code: &str) -> Result<Self, AmountError> {
        match code {
            "CNY" => Ok(Self::Cny),
            _ => Err(AmountError::Currency),
        }
    }
}

/// Why a number is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Zero or negative.
    #[error("must be at least 1 fen")]
    NotPositive,
    /// Above [`AMOUNT_MINOR_MAX`].
    #[error("must be at most {AMOUNT_MINOR_MAX} fen")]
    TooLarge,
    /// A currency that no provider here takes.
    #[error("must be CNY")]
    Currency,
    /// Yuan text that is not digits, a point and two digits.
    #[error("must be yuan with exactly two decimals")]
    Text,
}

/// A positive sum of money: 1 to [`AMOUNT_MINOR_MAX`] minor units of one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount {
    minor: i64,
    currency: Currency,
}

impl Amount {
    /// Takes minor units (fen).
    ///
    /// # Errors
    /// Zero, negative and too large numbers.
    pub const fn new(minor: i64, currency: Currency) -> Result<Self, AmountError> {
        if minor < 1 {
            Err(AmountError::NotPositive)
        } else if minor > AMOUNT_MINOR_MAX {
            Err(AmountError::TooLarge)
        } else {
            Ok(Self { minor, currency })
        }
    }

    /// Parses a provider's yuan text (`12.34`) without any floating point.
    ///
    /// # Errors
    /// Anything but digits, a point and two digits; and what [`Amount::new`] refuses.
    pub fn from_yuan(text: &str) -> Result<Self, AmountError> {
        let (yuan, fen) = text.split_once('.').ok_or(AmountError::Text)?;
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(yuan) || !digits(fen) || fen.len() != 2 || (yuan.len() > 1 && yuan.starts_with('0')) {
            return Err(AmountError::Text);
        }
        let yuan: i64 = yuan.parse().map_err(|_| AmountError::TooLarge)?;
        let fen: i64 = fen.parse().map_err(|_| AmountError::Text)?;
        let minor = yuan.checked_mul(100).and_then(|m| m.checked_add(fen)).ok_or(AmountError::TooLarge)?;
        Self::new(minor, Currency::Cny)
    }

    /// Minor units (fen).
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02} {}", self.minor / 100, self.minor % 100, self.currency.code())
    }
}
