//! What PayJS says → what the engine may do next: one table for all operations.
//!
//! There is no list of codes, only `return_code` 1 or 0 with a text for people (`providers.md` section 1.8); the
//! classes are ours `[assumed]`. What is not listed is UNKNOWN. A create has no rows: nothing is sent for it, and the
//! cashier shows its refusal to the payer.

use std::time::Duration;

use paymux_domain::outcome::Operation;

use super::wire::Fields;

/// Pause after a refusal and after a throttled call. [assumed] PayJS blocks addresses that ask at high frequency and
/// names no number (section 1.5).
pub(super) const PAUSE: Duration = Duration::from_secs(30);

/// Refusals of one refund that are tried again; after further ones a person is called.
pub(super) const REFUND_REFUSALS_MAX: usize = 3;

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// `return_code` 1.
    Yes,
    /// `return_code` 0.
    No,
    /// `return_code` 0, and the text is about our signature.
    NotOurSignature,
    /// `refund` = 1, with either `return_code`: given back already (section 8).
    RefundedBefore,
    /// HTTP 429.
    TooFast,
}

/// What that means for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Answered, or the wanted state holds.
    Done,
    /// The same again after a pause.
    Later,
    /// As `Later`, but the order must be asked about first.
    AskThenLater,
    /// As `Later`, a few times; then a person must look (the account's balance).
    LaterThenPerson,
    /// The same again after a pause, and the account was called too fast.
    Throttled,
    /// A person must look at the account's key.
    Person,
    /// Not known.
    Unknown,
}

/// The table.
const ROWS: &[(Operation, Said, Verdict)] = &[
    (Operation::Query, Said::Yes, Verdict::Done),
    (Operation::Query, Said::No, Verdict::Later),
    (Operation::Query, Said::NotOurSignature, Verdict::Person),
    (Operation::Query, Said::TooFast, Verdict::Throttled),
    (Operation::Close, Said::Yes, Verdict::Done),
    // It may be paid, or older than 30 days.
    (Operation::Close, Said::No, Verdict::AskThenLater),
    (Operation::Close, Said::NotOurSignature, Verdict::Person),
    (Operation::Close, Said::TooFast, Verdict::Throttled),
    (Operation::Refund, Said::Yes, Verdict::Done),
    (Operation::Refund, Said::RefundedBefore, Verdict::Done),
    // What is not yet settled must exceed the refund; that may come with the next payments.
    (Operation::Refund, Said::No, Verdict::LaterThenPerson),
    (Operation::Refund, Said::NotOurSignature, Verdict::Person),
    (Operation::Refund, Said::TooFast, Verdict::Throttled),
];

/// What is said, means for an operation.
pub(super) fn verdict(operation: Operation, said: Said) -> Verdict {
    let row = ROWS.iter().find(|(known, saying, _)| *known == operation && *saying == said);
    row.map_or(Verdict::Unknown, |(_, _, verdict)| *verdict)
}

impl Said {
    /// What an answer's fields say; `None` when there is no `return_code` of 1 or 0. That money went back is taken from
    /// a signed answer alone.
    pub(super) fn of(operation: Operation, fields: &Fields, is_signed: bool) -> Option<Self> {
        let code = fields.get("return_code").filter(|code| matches!(*code, "0" | "1"))?;
        if is_signed && operation == Operation::Refund && fields.get("refund") == Some("1") {
            Some(Self::RefundedBefore)
        } else if code == "1" {
            Some(Self::Yes)
        } else if is_about_signatures(message(fields)) {
            Some(Self::NotOurSignature)
        } else {
            Some(Self::No)
        }
    }
}

/// The text for people. A failure has it as `return_msg`, `msg` or both (sections 1.3, 1.5, 1.6).
pub(super) fn message(fields: &Fields) -> &str {
    fields.get("return_msg").or_else(|| fields.get("msg")).unwrap_or_default()
}

fn is_about_signatures(message: &str) -> bool {
    message.contains("签名") || message.to_ascii_lowercase().contains("sign")
}
