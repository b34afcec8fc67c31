//! Every limit of the engine that is not configuration, in one place, each with its unit.

use std::time::Duration;

/// Largest amount of one order: 100,000,000.00 yuan in fen. Far above any provider's own limit `[assumed]`.
pub const AMOUNT_MINOR_MAX: i64 = 10_000_000_000;

/// Longest life of an order from its acceptance to its expiry.
pub const EXPIRY_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// Longest time after its expiry that an order is still asked about, whatever its provider's settings say.
pub const EXPIRY_GRACE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// How far ahead a due row may lie: an order's whole life and the grace after it; the steps between two queries and the
/// waits for an account's budget take less than a day `[assumed]`.
pub const DUE_AHEAD_MAX: Duration =
    EXPIRY_MAX.saturating_add(EXPIRY_GRACE_MAX).saturating_add(Duration::from_secs(24 * 3600));
/// Life of an order whose request names none.
pub const EXPIRY_DEFAULT: Duration = Duration::from_secs(30 * 60);
/// Shortest life of an order: the time a payer needs at the very least `[assumed]`.
pub const EXPIRY_MIN: Duration = Duration::from_secs(60);

/// Longest time after a payment in which a provider takes a refund of it: one year (WeChat Pay).
pub const REFUND_WINDOW: Duration = Duration::from_secs(365 * 24 * 3600);
/// How long ended orders are kept, counted from their creation, unless the configuration says otherwise.
pub const RETENTION_DEFAULT: Duration = Duration::from_secs(400 * 24 * 3600);

/// Slices of one shard group: several for each worker of a large cluster `[assumed]`.
pub const SLICES_MAX: u16 = 64;

/// Characters of `description`; WeChat Pay takes 127.
pub const DESCRIPTION_CHARS_MAX: usize = 127;
/// Bytes of `attach`; WeChat Pay takes 128, PayJS 127.
pub const ATTACH_BYTES_MAX: usize = 127;
/// Bytes of a URL that a provider is given.
pub const URL_BYTES_MAX: usize = 255;
/// Characters of an open_id.
pub const OPEN_ID_CHARS_MAX: usize = 128;
/// Entries of `metadata`.
pub const METADATA_ENTRIES_MAX: usize = 32;
/// Bytes of one key or value of `metadata`.
pub const METADATA_BYTES_MAX: usize = 256;

/// Bytes of one log record.
pub const RECORD_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a notification's body.
pub const NOTIFICATION_BODY_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a provider's answer that are read.
pub const ANSWER_BODY_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a provider's code or message that are kept.
pub const PROVIDER_TEXT_BYTES_MAX: usize = 256;

/// Create attempts of one order that may leave before the engine only asks.
pub const CREATE_ATTEMPTS_MAX: u32 = 12;
/// Queries or closes in a row without an answer that decides anything; then the order is parked.
pub const FRUITLESS_CALLS_MAX: u32 = 200;
/// Calls about one refund in a row without a word that decides anything; then a person is called.
pub const REFUND_CALLS_MAX: u32 = 60;
/// Refunds of one order, whatever its provider allows: an order stays small enough to be read as a whole.
pub const REFUNDS_PER_ORDER_MAX: u32 = 100;
/// Bytes of a refund's reason; WeChat Pay takes 80.
pub const REFUND_REASON_BYTES_MAX: usize = 80;
/// Answers "not paid" about a payment that a notification told of before a person is called.
pub const DENIALS_MAX: u32 = 5;
/// Attention facts of one reason on one order; more of the same say nothing new.
pub const ATTENTION_PER_REASON_MAX: u32 = 16;
/// Payments of one order by people's word. More can only be a fault in what is confirmed from `[assumed]`.
pub const CONFIRMED_PAYMENTS_MAX: usize = 16;

/// Accounts that one report of a partition's owner names.
pub const ACCOUNTS_PER_REPORT_MAX: usize = 100;
/// Bytes of the words on why a partition stands still.
pub const WAIT_REASON_BYTES_MAX: usize = 200;

/// Largest page of a list.
pub const PAGE_SIZE_MAX: u32 = 1000;
/// Page size when the request names none.
pub const PAGE_SIZE_DEFAULT: u32 = 100;
/// Longest `wait` of a call.
pub const WAIT_MAX: Duration = Duration::from_secs(30);
