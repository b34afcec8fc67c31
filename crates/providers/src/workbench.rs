//! What integrators lay beside their own code: the text under a signature, and every check of a notification.
//!
//! Both come from the code that signs and verifies for the engine; no rule of a provider is written a second time.

mod input;

use std::fmt;

use paymux_domain::name::AccountId;
use paymux_domain::outcome::Word;
use paymux_domain::ports::{
    BoxFuture, FieldFault, NotificationRefusal, RawNotification, SignError, Signer, VerifiedNotification,
};
use paymux_domain::time::Timestamp;

pub(crate) use input::Input;

/// A text with its signature. `Debug` shows neither, since the text may hold personal data.
pub struct SignedText {
    /// The text under the signature. Where a shared key is part of it, `<key>` stands in its place.
    pub canonical: String,
    /// The signature as the provider takes it.
    pub signature: String,
    /// The value of the `Authorization` header, where the provider has one.
    pub authorization: Option<String>,
}

impl fmt::Debug for SignedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedText({} bytes)", self.canonical.len())
    }
}

/// Why nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignFault {
    /// Everything that is wrong with the fields.
    #[error("the fields cannot be signed: {} faults", .0.len())]
    Input(Vec<FieldFault>),
    /// The signer refuses.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// There is no such account.
    #[error("account {0} is not configured")]
    UnknownAccount(AccountId),
}

/// What one check of a notification found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is as it should be.
    Passed,
    /// It is wrong.
    Failed,
    /// It could not be looked at, since an earlier check failed.
    NotReached,
}

impl Finding {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotReached => "not_reached",
        }
    }
}

/// One check of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// What it found.
    pub finding: Finding,
    /// What was seen, without keys and without personal data.
    pub detail: String,
}

/// What a notification says, proven or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The order's number at the provider.
    pub out_trade_no: String,
    /// What it says of it.
    pub words: Vec<Word>,
}

/// Everything that was found out about a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examination {
    /// The checks in their order. A failed one does not keep the later ones from being made, where they can be.
    pub checks: Vec<Check>,
    /// What it says, as far as it can be read.
    pub said: Option<Said>,
    /// What the engine makes of it.
    pub verdict: Result<VerifiedNotification, NotificationRefusal>,
}

/// Signs fields and examines notifications for one provider's accounts.
pub trait Workbench: Send + Sync {
    /// Signs the fields of a JSON object as a request or a launch of the account.
    fn sign<'a>(
        &'a self,
        account: &'a AccountId,
        input: &'a [u8],
        signer: &'a dyn Signer,
    ) -> BoxFuture<'a, Result<SignedText, SignFault>>;

    /// Makes every check of a notification that is taken to be the account's; `None`: there is no such account.
    fn examine(&self, account: &AccountId, raw: &RawNotification, now: Timestamp) -> Option<Examination>;
}

/// The checks so far.
#[derive(Debug, Default)]
pub(crate) struct Checks(Vec<Check>);

impl Checks {
    /// Notes what a check found: `Ok` is a pass.
    pub(crate) fn note(&mut self, name: &'static str, found: Result<String, String>) -> bool {
        let (finding, detail) = match found {
            Ok(detail) => (Finding::Passed, detail),
            Err(detail) => (Finding::Failed, detail),
        };
        self.0.push(Check { name, finding, detail });
        finding == Finding::Passed
    }

    /// Notes checks that cannot be made.
    pub(crate) fn not_reached(&mut self, names: &[&'static str], why: &str) {
        let detail = why.to_owned();
        self.0.extend(names.iter().map(|name| Check {
            name,
            finding: Finding::NotReached,
            detail: detail.clone(),
        }));
    }

    pub(crate) fn into_vec(self) -> Vec<Check> {
        self.0
    }
}

/// The body without the line break that an editor or a log may have put at its end; `None` when there is none.
pub(crate) fn without_line_break(body: &[u8]) -> Option<&[u8]> {
    let body = body.strip_suffix(b"\n")?;
    Some(body.strip_suffix(b"\r").unwrap_or(body))
}
