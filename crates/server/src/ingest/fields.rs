//! Reads the fields of a create: every fault is noted and a stand-in taken, so that all faults are told at once.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use paymux_domain::amount::{Amount, AmountError, Currency};
use paymux_domain::command::{Fingerprint, Payer};
use paymux_domain::limits::{
    ATTACH_BYTES_MAX, DESCRIPTION_CHARS_MAX, EXPIRY_DEFAULT, EXPIRY_MAX, EXPIRY_MIN, METADATA_BYTES_MAX,
    METADATA_ENTRIES_MAX, OPEN_ID_CHARS_MAX, URL_BYTES_MAX, WAIT_MAX,
};
use paymux_domain::name::NameError;
use paymux_domain::ports::FieldFault;
use paymux_domain::time::Timestamp;
use paymux_proto::api;
use paymux_proto::v1;
use paymux_proto::v1::create_order_request::Expiry;

use super::{Refusal, options};

/// Characters of an app id.
const APP_ID_CHARS_MAX: usize = 64;

/// Characters of an IP address as text.
const CLIENT_IP_CHARS_MAX: usize = 45;

/// Characters of a provider's or method's name.
const WORD_CHARS_MAX: usize = 32;

/// Faults of a request, each with the path of its field.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<FieldFault>);

impl Faults {
    pub(super) fn add(&mut self, field: &str, reason: impl Into<String>) {
        self.0.push(FieldFault { field: field.to_owned(), reason: reason.into() });
    }

    /// Adds what a provider found, except on fields whose fault is known already.
    pub(super) fn add_missing(&mut self, found: Vec<FieldFault>) {
        for fault in found {
            if !self.0.iter().any(|known| known.field == fault.field) {
                self.0.push(fault);
            }
        }
    }

    /// Takes out the fault of a field when it is the only one.
    pub(super) fn take_only(&mut self, field: &str) -> Option<FieldFault> {
        if self.0.len() == 1 { self.0.pop_if(|fault| fault.field == field) } else { None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The refusal: the faults, or what else is wrong when there is none.
    pub(super) fn or(self, other: Refusal) -> Refusal {
        if self.0.is_empty() { other } else { Refusal::Fields(self.0) }
    }

    /// A name; `None` when it is none.
    pub(super) fn name<N: FromStr<Err = NameError>>(&mut self, field: &str, text: &str) -> Option<N> {
        let not_one = |error: &NameError| self.add(field, format!("must be {}", error.allowed));
        text.parse().inspect_err(not_one).ok()
    }

    pub(super) fn amount(&mut self, amount: Option<&v1::Amount>) -> Option<Amount> {
        let Some(amount) = amount else {
            self.add("amount", "is required");
            return None;
        };
        let currency: Result<Currency, AmountError> = amount.currency.parse();
        if let Err(error) = currency {
            self.add("amount.currency", error.to_string());
        }
        match Amount::new(amount.minor, Currency::Cny) {
            Ok(amount) => currency.ok().map(|_| amount),
            Err(error) => {
                self.add("amount.minor", error.to_string());
                None
            }
        }
    }

    pub(super) fn description(&mut self, text: &str) {
        if !(1..=DESCRIPTION_CHARS_MAX).contains(&text.chars().count()) {
            self.add("description", format!("must have 1 to {DESCRIPTION_CHARS_MAX} characters"));
        } else if text.chars().any(char::is_control) {
            self.add("description", "must have no control characters");
        }
    }

    pub(super) fn attach(&mut self, text: &str) -> Option<String> {
        if text.len() > ATTACH_BYTES_MAX {
            self.add("attach", format!("must have at most {ATTACH_BYTES_MAX} bytes"));
        }
        (!text.is_empty()).then(|| text.to_owned())
    }

    pub(super) fn payer(&mut self, payer: Option<&v1::Payer>) -> Payer {
        let Some(payer) = payer else { return Payer::default() };
        self.graphic("payer.open_id", &payer.open_id, OPEN_ID_CHARS_MAX);
        self.graphic("payer.app_id", &payer.app_id, APP_ID_CHARS_MAX);
        let ip = payer.client_ip.as_str();
        if !ip.is_empty() && (ip.len() > CLIENT_IP_CHARS_MAX || ip.parse::<IpAddr>().is_err()) {
            self.add("payer.client_ip", "must be an IPv4 or IPv6 address");
        }
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Payer { open_id: given(&payer.open_id), app_id: given(&payer.app_id), client_ip: given(ip) }
    }

    /// A text of visible ASCII characters that must be there.
    pub(super) fn required_graphic(&mut self, field: &str, text: &str, chars_max: usize) {
        if text.is_empty() || text.len() > chars_max || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.add(field, format!("must be 1 to {chars_max} visible ASCII characters"));
        }
    }

    fn graphic(&mut self, field: &str, text: &str, chars_max: usize) {
        if text.len() > chars_max || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.add(field, format!("must have at most {chars_max} visible ASCII characters"));
        }
    }

    /// A provider's or method's name; a faulty one counts as none, so that the other fields are looked at all the same.
    pub(super) fn word<'a>(&mut self, field: &str, text: &'a str) -> &'a str {
        if text.len() > WORD_CHARS_MAX
            || !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        {
            self.add(field, format!("must have at most {WORD_CHARS_MAX} of a-z 0-9 _"));
            return "";
        }
        text
    }

    pub(super) fn return_url(&mut self, url: &str) -> Option<String> {
        if url.is_empty() {
            return None;
        }
        let is_web = url.starts_with("https://") || url.starts_with("http://");
        if !is_web || url.len() > URL_BYTES_MAX || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.add("return_url", format!("must be http:// or https:// with at most {URL_BYTES_MAX} bytes"));
        }
        Some(url.to_owned())
    }

    pub(super) fn metadata(&mut self, metadata: &BTreeMap<String, String>) {
        if metadata.len() > METADATA_ENTRIES_MAX {
            self.add("metadata", format!("must have at most {METADATA_ENTRIES_MAX} entries"));
        }
        let fits = |key: &str, value: &str| {
            (1..=METADATA_BYTES_MAX).contains(&key.len()) && value.len() <= METADATA_BYTES_MAX
        };
        if !metadata.iter().all(|(key, value)| fits(key, value)) {
            self.add(
                "metadata",
                format!("must have keys of 1 to {METADATA_BYTES_MAX} bytes and values of at most as many"),
            );
        }
    }

    /// The end of paying, in schedule time.
    pub(super) fn expiry(&mut self, expiry: Option<&Expiry>, now: Timestamp) -> Timestamp {
        let (field, time) = match expiry {
            None => return now + EXPIRY_DEFAULT,
            Some(Expiry::ExpireAfter(span)) => ("expire_after", api::duration(span).map(|span| now + span)),
            Some(Expiry::ExpireTime(time)) => ("expire_time", api::instant(time)),
        };
        match time {
            Some(time) if (now + EXPIRY_MIN..=now + EXPIRY_MAX).contains(&time) => time,
            _ => {
                let (shortest, longest) = (EXPIRY_MIN.as_secs(), EXPIRY_MAX.as_secs());
                self.add(field, format!("must lie {shortest} to {longest} seconds ahead"));
                now + EXPIRY_DEFAULT
            }
        }
    }

    /// How long an answer may wait, in real time; zero when the request names nothing.
    pub(super) fn wait(&mut self, wait: Option<&prost_types::Duration>) -> Duration {
        match wait.map(api::duration) {
            None => Duration::ZERO,
            Some(Some(wait)) if wait <= WAIT_MAX => wait,
            Some(_) => {
                self.add("wait", format!("must be 0 to {} s", WAIT_MAX.as_secs()));
                Duration::ZERO
            }
        }
    }
}

/// Whether paying must be over at an instant that is not far enough ahead any more, or past.
pub(super) fn expires_too_soon(expiry: Option<&Expiry>, now: Timestamp) -> bool {
    match expiry {
        Some(Expiry::ExpireTime(time)) => api::instant(time).is_some_and(|time| time < now + EXPIRY_MIN),
        Some(Expiry::ExpireAfter(_)) | None => false,
    }
}

/// The request as received, field by field: absent fields take no part, nor do `wait` and `request_id`.
pub(super) fn fingerprint(request: &v1::CreateOrderRequest, options_json: &str) -> Fingerprint {
    let payer = request.payer.as_ref();
    let amount = request.amount.as_ref().map(|amount| format!("{} {}", amount.minor, amount.currency));
    let (expire_after, expire_time) = match &request.expiry {
        Some(Expiry::ExpireAfter(span)) => (Some(format!("{}.{:09}", span.seconds, span.nanos)), None),
        Some(Expiry::ExpireTime(time)) => (None, Some(format!("{}.{:09}", time.seconds, time.nanos))),
        None => (None, None),
    };
    let given = request.options.as_ref().map(options::provider_of);
    let fields = [
        ("provider", request.provider.as_deref()),
        ("method", Some(request.method.as_str())),
        ("amount", amount.as_deref()),
        ("description", Some(request.description.as_str())),
        ("attach", Some(request.attach.as_str())),
        ("payer.open_id", payer.map(|payer| payer.open_id.as_str())),
        ("payer.app_id", payer.map(|payer| payer.app_id.as_str())),
        ("payer.client_ip", payer.map(|payer| payer.client_ip.as_str())),
        ("expire_after", expire_after.as_deref()),
        ("expire_time", expire_time.as_deref()),
        ("return_url", Some(request.return_url.as_str())),
        (given.unwrap_or_default(), given.map(|_| options_json)),
    ];
    let fields = fields.into_iter().map(|(name, text)| (Cow::Borrowed(name), text.unwrap_or_default()));
    // The mark before the value lets an empty value differ from an absent label.
    let labels = request.metadata.iter().map(|(key, value)| (format!("metadata.{key}"), format!("={value}")));
    let labels: Vec<(String, String)> = labels.collect();
    let labels = labels.iter().map(|(name, text)| (Cow::Owned(name.clone()), text.as_str()));
    Fingerprint::of(fields.chain(labels).filter(|(_, text)| !text.is_empty()))
}
