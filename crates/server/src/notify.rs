//! Notifications of providers: verified, made durable, and only then acknowledged in the provider's own words.

mod home;
mod refusals;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use paymux_domain::command::Record;
use paymux_domain::limits::NOTIFICATION_BODY_BYTES_MAX;
use paymux_domain::name::ProviderId;
use paymux_domain::ports::{
    Clock, CommandLog, NotificationAnswer, NotificationFate, NotificationRefusal, Provider, RawNotification,
    RefusalReason,
};
use paymux_domain::shard::Partition;
use paymux_engine::tally::Requests;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::config::{InForce, LiveRegistry};
use home::{accounts_of, addressee, home};
use refusals::Refusals;

/// Real time for making a notification durable; WeChat Pay waits 5 s for its answer.
const APPEND_TIMEOUT: Duration = Duration::from_secs(4);

/// Real time for a request's body.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// What notify is made of.
pub struct NotifyParts {
    /// Merchants, accounts and providers.
    pub registry: Arc<LiveRegistry>,
    /// The log.
    pub log: Arc<dyn CommandLog>,
    /// Schedule time.
    pub clock: Arc<dyn Clock>,
    /// Notifications under way at once.
    pub in_flight_max: usize,
}

impl std::fmt::Debug for NotifyParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NotifyParts")
    }
}

/// The endpoint for notifications.
pub struct Notify {
    parts: NotifyParts,
    slots: Semaphore,
    counts: Counts,
    refusals: Refusals,
}

impl std::fmt::Debug for Notify {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Notify({:?})", self.counts.refused())
    }
}

/// How many notifications were taken, and how many were not, by reason.
#[derive(Debug)]
pub struct Counts {
    taken: AtomicU64,
    not_durable: AtomicU64,
    turned_away: AtomicU64,
    unreadable: AtomicU64,
    refused: BTreeMap<RefusalReason, AtomicU64>,
    appends: Requests,
}

impl Default for Counts {
    fn default() -> Self {
        let refused = RefusalReason::ALL.into_iter().map(|reason| (reason, AtomicU64::new(0))).collect();
        Self {
            taken: AtomicU64::new(0),
            not_durable: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
            unreadable: AtomicU64::new(0),
            refused,
            appends: Requests::default(),
        }
    }
}

impl Counts {
    /// Taken: durable and acknowledged.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Verified, but not acknowledged, since the log did not take them in time.
    #[must_use]
    pub fn not_durable(&self) -> u64 {
        self.not_durable.load(Ordering::Relaxed)
    }

    /// Refused, by reason, those that never happened left out.
    #[must_use]
    pub fn refused(&self) -> BTreeMap<&'static str, u64> {
        let counts =
            self.refused.iter().map(|(reason, count)| (reason.as_str(), count.load(Ordering::Relaxed)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// All verdicts with their counts, those that never happened included.
    pub(crate) fn verdicts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let others = [
            ("taken", &self.taken),
            ("not_durable", &self.not_durable),
            ("turned_away", &self.turned_away),
            ("unreadable", &self.unreadable),
        ];
        let refused = self.refused.iter().map(|(reason, count)| (reason.as_str(), count));
        others.into_iter().chain(refused).map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }

    /// How long the log took to make them durable.
    pub(crate) const fn appends(&self) -> &Requests {
        &self.appends
    }

    fn refuse(&self, reason: RefusalReason) {
        if let Some(count) = self.refused.get(&reason) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Notify {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: NotifyParts) -> Arc<Self> {
        let slots = Semaphore::new(parts.in_flight_max);
        Arc::new(Self { parts, slots, counts: Counts::default(), refusals: Refusals::default() })
    }

    /// What came in so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The HTTP routes.
    pub fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/notify/{provider}/{merchant_id}", post(receive))
            .layer(DefaultBodyLimit::max(NOTIFICATION_BODY_BYTES_MAX))
            .with_state(self)
    }

    async fn take(&self, provider: &str, merchant_id: &str, request: Request) -> Response {
        // One version for the whole notification: a reload under way neither adds nor takes anything.
        let registry = self.parts.registry.load();
        let Some((provider_id, provider, merchant_id)) = addressee(&registry, provider, merchant_id) else {
            return self.unknown(&registry, provider);
        };
        let Ok(_slot) = self.slots.try_acquire() else {
            self.counts.turned_away.fetch_add(1, Ordering::Relaxed);
            return answer(provider.answer(NotificationFate::NotNow));
        };
        let headers = request.headers().clone();
        let headers = headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
        // The body is read in a slot, so that all bodies together stay bounded.
        let body = match body_of(request).await {
            Ok(body) => body,
            Err(unread) => return answer(self.answer_unread(provider.as_ref(), unread)),
        };
        let accounts = accounts_of(&registry, &merchant_id, &provider_id);
        let raw = RawNotification { merchant_id, accounts, headers: headers.collect(), body: body.into() };
        let (record, partition) = match self.record(&registry, provider.as_ref(), &provider_id, &raw) {
            Ok(record) => record,
            Err(refusal) => {
                self.refuse(refusal.reason);
                if refusal.reason == RefusalReason::UnknownKey {
                    provider.unknown_key(&raw.accounts);
                }
                tracing::debug!(
                    provider = %provider_id, merchant = %raw.merchant_id, %refusal, "notification refused"
                );
                return answer(provider.answer(NotificationFate::Refused(&refusal)));
            }
        };
        let began = Instant::now();
        let appended = tokio::time::timeout(APPEND_TIMEOUT, self.parts.log.append(partition, record)).await;
        self.counts.appends.record(began.elapsed(), matches!(appended, Ok(Ok(_))));
        match appended {
            Ok(Ok(_)) => {
                self.counts.taken.fetch_add(1, Ordering::Relaxed);
                answer(provider.answer(NotificationFate::Taken))
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "a notification could not be made durable");
                self.counts.not_durable.fetch_add(1, Ordering::Relaxed);
                answer(provider.answer(NotificationFate::NotNow))
            }
            Err(_) => {
                tracing::warn!("a notification was not durable in time");
                self.counts.not_durable.fetch_add(1, Ordering::Relaxed);
                answer(provider.answer(NotificationFate::NotNow))
            }
        }
    }

    /// What to say to a body that was not read. No answer of our own: to some providers any answer is the last word.
    fn answer_unread(&self, provider: &dyn Provider, unread: Unread) -> Option<NotificationAnswer> {
        match unread {
            Unread::BrokenOff => {
                self.counts.unreadable.fetch_add(1, Ordering::Relaxed);
                provider.answer(NotificationFate::NotNow)
            }
            Unread::TooLong => {
                self.refuse(RefusalReason::Malformed);
                let detail = format!("the body is longer than {NOTIFICATION_BODY_BYTES_MAX} bytes");
                let refusal = NotificationRefusal { reason: RefusalReason::Malformed, detail };
                provider.answer(NotificationFate::Refused(&refusal))
            }
        }
    }

    fn refuse(&self, reason: RefusalReason) {
        self.counts.refuse(reason);
        if let Some(sums) = self.refusals.add(reason) {
            tracing::info!(sums, "notifications refused since the last line like this");
        }
    }

    /// Nobody of that merchant is configured under that provider: the provider is told so in its own way, since the
    /// merchant may come back.
    fn unknown(&self, registry: &InForce, provider: &str) -> Response {
        self.refuse(RefusalReason::UnknownMerchant);
        let provider = provider.parse().ok().and_then(|id: ProviderId| registry.provider(&id));
        let Some(provider) = provider else { return StatusCode::NOT_FOUND.into_response() };
        let detail = "no such merchant here".to_owned();
        let refusal = NotificationRefusal { reason: RefusalReason::UnknownMerchant, detail };
        answer(provider.answer(NotificationFate::Refused(&refusal)))
    }

    fn record(
        &self,
        registry: &InForce,
        provider: &dyn Provider,
        provider_id: &ProviderId,
        raw: &RawNotification,
    ) -> Result<(Record, Partition), NotificationRefusal> {
        let now = self.parts.clock.now();
        let verified = provider.verify(raw, now)?;
        let (key, partition, verified) =
            home(registry, provider_id, raw, verified, self.parts.log.partitions())?;
        let notification = verified.into_record(key, provider_id.clone(), now);
        Ok((Record::Notification(notification), partition))
    }
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug)]
enum Unread {
    /// It did not come as a whole in time.
    BrokenOff,
    /// It is longer than any notification.
    TooLong,
}

/// A body that comes too slowly is not waited for, so that strangers cannot hold slots.
async fn body_of(request: Request) -> Result<Bytes, Unread> {
    match tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Unread::TooLong),
        Ok(Err(_)) | Err(_) => Err(Unread::BrokenOff),
    }
}

async fn receive(
    State(notify): State<Arc<Notify>>,
    Path((provider, merchant_id)): Path<(String, String)>,
    request: Request,
) -> Response {
    notify.take(&provider, &merchant_id, request).await
}

fn answer(answer: Option<NotificationAnswer>) -> Response {
    let Some(answer) = answer else { return cut_off() };
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, answer.content_type)], answer.body).into_response()
}

/// Ends the connection without an answer, where any answer would end the provider's pushing for good: the body fails
/// before the head has been sent.
pub(crate) fn cut_off() -> Response {
    let failed = futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("cut off")) });
    axum::body::Body::from_stream(failed).into_response()
}

#[cfg(test)]
mod tests;
