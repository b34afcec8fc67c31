//! The rule under signatures (`providers.md` section 3.4 `[assumed]`: none is published), of requests, answers and
//! notifications.
//!
//! All texts and numbers but `sign`, without empty ones, sorted by name in byte order, `name=value` joined by `&`, then
//! `&key=` and the key, or the key alone; MD5 in small hexadecimal digits. Objects and lists take no part. The samples
//! show one signature over two prepay fields, so these may stand outside of it. Which fields a text can be cut into:
//! [`pairs`].

use super::wire::Fields;
use crate::key_ring::KeyRing;
use crate::signing::{self, Digest, from_hex, is_sealed, md5, pairs, seal};

/// The field of the signature.
pub(super) const SIGN: &str = "sign";
/// The fields of launch parameters.
const PREPAY: [&str; 3] = ["pre_pay_info", "pre_pay_no", "pre_pay_url"];

/// Which fields take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// All texts and numbers.
    Scalars,
    /// All but the fields of launch parameters.
    ScalarsWithoutPrepay,
}

/// The words for both.
pub(super) const RULES: [(&str, Rule); 2] =
    [("scalars", Rule::Scalars), ("scalars_without_prepay", Rule::ScalarsWithoutPrepay)];

/// How the key joins the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joining {
    /// As a last field, `&key=KEY`.
    Named,
    /// As it is.
    Appended,
}

/// Keys and rules of an account. Where there is a rule there is a key.
pub(super) struct Signing {
    /// The keys.
    pub(super) keys: Option<KeyRing>,
    /// How they join the text.
    pub(super) joining: Joining,
    /// What requests are signed by; absent: they are not.
    pub(super) request: Option<Rule>,
    /// What answers are verified by; absent: they are not.
    pub(super) response: Option<Rule>,
}

/// What a message's signature proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// It was made with one of the keys.
    Signed,
    /// It was, but its text can be cut into other fields.
    Ambiguous,
    /// There is none.
    Unsigned,
    /// It was made with no key of the account.
    Wrong,
}

/// The text under a signature, but for the key.
pub(super) fn text<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>, rule: Rule) -> String {
    let is_outside = |name: &str| rule == Rule::ScalarsWithoutPrepay && PREPAY.contains(&name);
    let takes_part = |(name, value): &(&str, &str)| *name != SIGN && !value.is_empty() && !is_outside(name);
    pairs::joined(fields.into_iter().filter(takes_part))
}

impl Signing {
    /// The text with the key behind it.
    pub(super) fn keyed(&self, text: &str, key: &str) -> String {
        match self.joining {
            Joining::Named => pairs::keyed(text, key),
            Joining::Appended => format!("{text}{key}"),
        }
    }

    fn digest(&self, text: &str) -> impl Fn(&str) -> Digest {
        move |key| match self.joining {
            Joining::Named => pairs::digest(text, key),
            Joining::Appended => md5([text, key]),
        }
    }

    /// The signature over a text; `None`: there is no key.
    pub(super) fn made(&self, text: &str) -> Option<String> {
        Some(hex::encode(seal(self.keys.as_ref()?, self.digest(text))))
    }

    /// What the signature of a received message proves. `counting` are the fields that decide what it means.
    pub(super) fn proof(&self, rule: Rule, fields: &Fields, counting: &[String]) -> Proof {
        let Some(given) = fields.get(SIGN) else { return Proof::Unsigned };
        let (Some(given), Some(keys)) = (from_hex(given), self.keys.as_ref()) else { return Proof::Wrong };
        let text = text(fields.scalars(), rule);
        if !is_sealed(keys, &given, self.digest(&text)) {
            Proof::Wrong
        } else if pairs::is_unambiguous(&text, counting) {
            Proof::Signed
        } else {
            Proof::Ambiguous
        }
    }

    /// The key that made the signature of a received message, counted from the current one.
    pub(super) fn sealed_by(&self, rule: Rule, fields: &Fields) -> Option<usize> {
        let given = from_hex(fields.get(SIGN)?)?;
        signing::sealed_by(self.keys.as_ref()?, &given, self.digest(&text(fields.scalars(), rule)))
    }
}
