//! Refusals as gRPC statuses: one table from reason to code, each with `ErrorInfo` and what belongs to it.

use std::collections::HashMap;
use std::time::Duration;

use paymux_domain::refund::RefundRefusal;
use paymux_proto::v1::ErrorReason;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use crate::access::AccessRefusal;
use crate::ingest::Refusal;

/// `ErrorInfo.domain` of every error of this API.
const DOMAIN: &str = "paymux";

/// Faults that are told one by one; the message counts them all. Details travel in a header, which clients limit: hyper
/// takes 16 KiB of headers.
const VIOLATIONS_MAX: usize = 40;

/// Names that a message lists.
const LISTED_MAX: usize = 5;

/// Bytes of a name that a message or a detail shows: labels of a caller may be longer.
const NAME_BYTES_MAX: usize = 64;

/// What a caller may do about a slow watch.
const RESUME: &str = "the watcher reads too slowly; resume with the last token";

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let Told { code, reason, message } = told(&refusal);
        let name = reason.as_str_name().trim_start_matches("ERROR_REASON_");
        let mut details = ErrorDetails::with_error_info(name, DOMAIN, metadata(&refusal));
        match refusal {
            Refusal::Fields(faults) | Refusal::Contradicts(faults) => {
                let violation = |fault: &paymux_domain::ports::FieldFault| {
                    FieldViolation::new(fault.field.clone(), fault.reason.clone())
                };
                details
                    .set_bad_request(faults.iter().take(VIOLATIONS_MAX).map(violation).collect::<Vec<_>>());
            }
            Refusal::PageToken => {
                details.set_bad_request(vec![FieldViolation::new("page_token", message.clone())]);
            }
            Refusal::ResumeToken => {
                details.set_bad_request(vec![FieldViolation::new("resume_token", message.clone())]);
            }
            Refusal::Access(AccessRefusal::CallerLimited(wait))
            | Refusal::MerchantLimited(wait)
            | Refusal::Overloaded(wait) => {
                details.set_retry_info(Some(wait));
            }
            Refusal::LogUnavailable
            | Refusal::AcceptUnknown
            | Refusal::StoreUnavailable
            | Refusal::Access(AccessRefusal::AuditUnavailable { .. }) => {
                details.set_retry_info(Some(Duration::from_secs(1)));
            }
            _ => {}
        }
        Self::with_error_details(code, message, details)
    }
}

/// The reason that a caller is told.
pub(crate) fn reason_of(refusal: &Refusal) -> ErrorReason {
    told(refusal).reason
}

struct Told {
    code: Code,
    reason: ErrorReason,
    message: String,
}

fn told_of_access(refusal: &AccessRefusal) -> Told {
    let (code, reason, message) = match refusal {
        AccessRefusal::CredentialsInvalid => (
            Code::Unauthenticated,
            ErrorReason::CredentialsInvalid,
            "no credentials, or none that are known here; send `authorization: Bearer KEY`",
        ),
        AccessRefusal::NotAllowed(what) => (Code::PermissionDenied, ErrorReason::NotAllowed, what.as_str()),
        AccessRefusal::CallerLimited(_) => (
            Code::ResourceExhausted,
            ErrorReason::CallerLimited,
            "more requests or calls of this caller than admitted",
        ),
        AccessRefusal::AuditUnavailable { was_done: false } => (
            Code::Unavailable,
            ErrorReason::AuditUnavailable,
            "the audit log cannot be written; nothing was done",
        ),
        AccessRefusal::AuditUnavailable { was_done: true } => (
            Code::Unavailable,
            ErrorReason::AuditUnavailable,
            "it was done, and the audit log could not record how it ended; the same request may be sent again",
        ),
    };
    Told { code, reason, message: message.to_owned() }
}

fn told(refusal: &Refusal) -> Told {
    let (code, reason, message) = match refusal {
        Refusal::Access(refusal) => return told_of_access(refusal),
        Refusal::Fields(faults) => {
            let fields = listed(faults.iter().map(|fault| fault.field.as_str()));
            let message = format!("the request has {} faults: {fields}", faults.len());
            return Told { code: Code::InvalidArgument, reason: ErrorReason::FieldInvalid, message };
        }
        Refusal::Contradicts(faults) => return contradiction_told(faults),
        Refusal::RouteMissing(what) => {
            let message = format!("the order has nowhere to go; {what}");
            return Told { code: Code::FailedPrecondition, reason: ErrorReason::RouteMissing, message };
        }
        Refusal::NotOffered(what) => {
            let message = format!("not offered; {what}");
            return Told {
                code: Code::FailedPrecondition,
                reason: ErrorReason::OperationNotOffered,
                message,
            };
        }
        Refusal::Conflict { differing } => {
            let differing = listed(differing.iter().map(String::as_str));
            let message = format!("the number is taken with other content; differing: {differing}");
            return Told { code: Code::AlreadyExists, reason: ErrorReason::OrderConflict, message };
        }
        Refusal::RefundConflict { differing } => return refund_conflict(differing),
        Refusal::Refund(refusal) => return refund_told(refusal),
        Refusal::RefundNotFound => {
            (Code::NotFound, ErrorReason::RefundNotFound, "no such refund of this order")
        }
        Refusal::PageToken => (
            Code::InvalidArgument,
            ErrorReason::PageTokenInvalid,
            "page_token is not one of this list with all other fields as they are",
        ),
        Refusal::ResumeToken => {
            (Code::InvalidArgument, ErrorReason::ResumeTokenInvalid, "resume_token is not one of this stream")
        }
        Refusal::ResumeTokenExpired => (
            Code::OutOfRange,
            ErrorReason::ResumeTokenExpired,
            "the events behind the resume token are no longer kept; list the orders and watch from now",
        ),
        Refusal::MerchantUnknown => (Code::NotFound, ErrorReason::MerchantUnknown, "no such merchant"),
        Refusal::OrderNotFound => (Code::NotFound, ErrorReason::OrderNotFound, "no such order"),
        Refusal::MerchantLimited(_) => (
            Code::ResourceExhausted,
            ErrorReason::MerchantLimited,
            "more commands of this merchant than admitted",
        ),
        Refusal::Overloaded(_) => (Code::ResourceExhausted, ErrorReason::Overloaded, "the engine is behind"),
        Refusal::LogUnavailable => {
            (Code::Unavailable, ErrorReason::LogUnavailable, "the log does not answer; nothing was accepted")
        }
        Refusal::AcceptUnknown => (
            Code::Unavailable,
            ErrorReason::AcceptUnknown,
            "whether it was accepted is not known; send the same number again",
        ),
        Refusal::StoreUnavailable => {
            (Code::Unavailable, ErrorReason::StoreUnavailable, "the store cannot be read")
        }
        Refusal::WatcherTooSlow => (Code::Aborted, ErrorReason::WatcherTooSlow, RESUME),
        Refusal::ShuttingDown => {
            (Code::Unavailable, ErrorReason::ShuttingDown, "the server is stopping; nothing was accepted")
        }
        Refusal::NotImplemented(what) => (Code::Unimplemented, ErrorReason::NotImplemented, *what),
    };
    Told { code, reason, message: message.to_owned() }
}

fn contradiction_told(faults: &[paymux_domain::ports::FieldFault]) -> Told {
    let told = faults.iter().map(|fault| format!("{} {}", fault.field, fault.reason));
    let told: Vec<String> = told.take(LISTED_MAX).collect();
    let message = format!("it contradicts what is known: {}", told.join("; "));
    Told { code: Code::FailedPrecondition, reason: ErrorReason::ConfirmationContradicts, message }
}

fn refund_conflict(differing: &[String]) -> Told {
    let differing = listed(differing.iter().map(String::as_str));
    let message = format!("the refund number is taken with other content; differing: {differing}");
    Told { code: Code::AlreadyExists, reason: ErrorReason::RefundConflict, message }
}

fn refund_told(refusal: &RefundRefusal) -> Told {
    let (reason, message) = match refusal {
        RefundRefusal::Conflict(differing) => return refund_conflict(differing),
        RefundRefusal::NotPaid => (ErrorReason::OrderNotPaid, "nobody has paid the order"),
        RefundRefusal::PaymentNotFound => {
            (ErrorReason::PaymentNotFound, "no such payment on this order, or several and none named")
        }
        RefundRefusal::ExceedsPayment => {
            (ErrorReason::RefundExceedsPayment, "more than is left of the payment beside its other refunds")
        }
        RefundRefusal::CountExceeded => {
            (ErrorReason::RefundCountExceeded, "the provider allows no further refund of this payment")
        }
        RefundRefusal::WindowPassed => (ErrorReason::RefundWindowPassed, "too long after the payment"),
        RefundRefusal::PartialNotOffered => {
            (ErrorReason::PartialRefundNotOffered, "the provider refunds payments as a whole only")
        }
        RefundRefusal::NotOffered => (ErrorReason::OperationNotOffered, "the provider has no refunds"),
        RefundRefusal::Parked => {
            (ErrorReason::OrderParked, "the payment itself is in doubt; a person has to look first")
        }
    };
    let code = match refusal {
        RefundRefusal::PaymentNotFound => Code::NotFound,
        _ => Code::FailedPrecondition,
    };
    Told { code, reason, message: message.to_owned() }
}

fn metadata(refusal: &Refusal) -> HashMap<String, String> {
    match refusal {
        Refusal::Conflict { differing } | Refusal::RefundConflict { differing } => {
            let names: Vec<&str> = differing.iter().take(VIOLATIONS_MAX).map(|name| shown(name)).collect();
            [("differing_fields".to_owned(), names.join(","))].into()
        }
        _ => HashMap::new(),
    }
}

/// The first names, and how many more there are.
fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(LISTED_MAX);
    let first: Vec<&str> = names.take(LISTED_MAX).map(shown).collect();
    let first = first.join(", ");
    if more == 0 { first } else { format!("{first} and {more} more") }
}

/// A name, cut where it is too long.
fn shown(name: &str) -> &str {
    let end =
        name.char_indices().map(|(at, char)| at + char.len_utf8()).take_while(|end| *end <= NAME_BYTES_MAX);
    name.get(..end.last().unwrap_or(0)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use paymux_domain::ports::FieldFault;
    use paymux_proto::client;

    use super::*;

    /// Bytes that a status may take: half of what hyper's clients take as headers.
    const STATUS_BYTES_MAX: usize = 8 * 1024;

    /// Bytes of a status in the trailers: the message percent-encoded, the details in base64.
    fn bytes(status: &Status) -> usize {
        let mut headers = tonic::metadata::MetadataMap::new().into_headers();
        status.add_header(&mut headers).unwrap();
        headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
    }

    #[test]
    fn however_much_is_wrong_the_status_fits_into_headers() {
        let fault = |n: usize| FieldFault {
            field: format!("wechatpay.detail.goods[{n}].unit_price_minor"),
            reason: "must be a whole number of fen from 1 to 10000000000".to_owned(),
        };
        let status = Status::from(Refusal::Fields((0..1000).map(fault).collect()));
        assert!(bytes(&status) < STATUS_BYTES_MAX, "{} bytes", bytes(&status));
        assert!(status.message().starts_with("the request has 1000 faults: wechatpay.detail.goods[0]"));
        assert!(status.message().ends_with(" and 995 more"), "{status}");
        assert_eq!(client::Refusal::of(&status).violations.len(), VIOLATIONS_MAX);
        let differing = (0..32).map(|n| format!("metadata.{n:02}{}", "茶".repeat(80))).collect();
        let status = Status::from(Refusal::Conflict { differing });
        assert!(bytes(&status) < STATUS_BYTES_MAX, "{} bytes", bytes(&status));
    }

    #[test]
    fn the_client_reads_back_what_is_told() {
        let fault = |field: &str| FieldFault { field: field.to_owned(), reason: "must be better".to_owned() };
        let fields = Refusal::Fields(vec![fault("amount.minor"), fault("payer.open_id")]);
        let told = client::Refusal::of(&fields.into());
        assert_eq!((told.code, told.reason), (Code::InvalidArgument, ErrorReason::FieldInvalid));
        assert_eq!(told.violations.len(), 2);
        let limited = client::Refusal::of(&Refusal::MerchantLimited(Duration::from_millis(70)).into());
        assert_eq!(limited.retry_after, Some(Duration::from_millis(70)));
        let conflict = Refusal::Conflict { differing: vec!["amount".to_owned(), "method".to_owned()] };
        let told = client::Refusal::of(&conflict.into());
        assert_eq!(told.metadata.get("differing_fields").map(String::as_str), Some("amount,method"));
    }
}
