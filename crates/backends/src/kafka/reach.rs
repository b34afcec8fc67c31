//! Looks whether the cluster lets this process in, and says why it does not: librdkafka itself would only try again and
//! again.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::client;
use super::config::KafkaConfig;
use super::topics::TopicNames;

/// How long one look waits for an answer.
const LOOK: Duration = Duration::from_millis(400);
/// How long it then listens to what was said of the connections: without a time to spend, the client gives one word at
/// a time, and its log alone says more than one in each look.
const HEAR: Duration = Duration::from_millis(100);
/// Errors that are heard in one look: a client that finds nobody has another one all the time.
const HEARD_MAX: usize = 4;
/// Looks after which a cluster that says nothing counts as away: about ten seconds.
const LOOKS_MAX: usize = 16;

/// Keeps what was said last of a connection, and what was said of one that was refused.
#[derive(Clone, Debug, Default)]
struct Heard {
    last: Arc<Mutex<Option<String>>>,
    refusal: Arc<Mutex<Option<String>>>,
}

impl ClientContext for Heard {
    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code().and_then(|code| look_at(code, reason)) {
            Some(settings) => *self.refusal.lock() = Some(format!("{reason}; look at {settings}")),
            // Of all brokers it says nothing that it did not say of one.
            None if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) => {}
            None => *self.last.lock() = Some(reason.to_owned()),
        }
    }
}

impl ConsumerContext for Heard {}

/// The settings that a refusal speaks of; `None` where a connection may still come about.
fn look_at(code: RDKafkaErrorCode, reason: &str) -> Option<&'static str> {
    match code {
        RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => {
            Some("sasl.mechanism, sasl.username and sasl.password")
        }
        _ if reason.contains("PLAINTEXT broker") => Some("tls, which these brokers do not take at this port"),
        RDKafkaErrorCode::SSL => {
            Some("tls.ca_file, and whether the broker's certificate names the host in brokers")
        }
        _ if reason.contains("SSL listener") => Some("tls, which is missing"),
        _ if reason.contains("require SASL") => Some("sasl, which is missing"),
        _ => None,
    }
}

/// Waits until a broker answers. Blocks; never on an async worker.
///
/// # Errors
/// Why none does: at once where it was refused, after about ten seconds where nobody is there.
pub(super) fn reach(config: &KafkaConfig) -> Result<(), String> {
    let heard = Heard::default();
    let reader: BaseConsumer<Heard> =
        BaseConsumer::from_config_and_context(&client::reader(config), heard.clone())
            .map_err(|error| error.to_string())?;
    let topic = TopicNames::new(&config.topic_prefix).log;
    let mut why = String::new();
    for _ in 0..LOOKS_MAX {
        // Whether the topic is there makes no difference: a broker has said so.
        match reader.fetch_metadata(Some(&topic), LOOK) {
            Ok(_) => return Ok(()),
            Err(error) => why = error.to_string(),
        }
        let mut heard_all = (0..HEARD_MAX).map(|_| reader.poll(HEAR).is_none());
        let _is_quiet = heard_all.any(|is_quiet| is_quiet);
        if let Some(refusal) = heard.refusal.lock().take() {
            return Err(refusal);
        }
    }
    let why = heard.last.lock().take().unwrap_or(why);
    if ["Connect to", "resolve"].iter().any(|begun| why.contains(begun)) {
        return Err(why);
    }
    // It is there: brokers that cannot make sense of a client hang up without a word.
    Err(format!("{why}; look at tls and sasl, which brokers that ask for them miss in silence"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_its_settings_and_an_absence_none() {
        use RDKafkaErrorCode::{Authentication, BrokerTransportFailure, SSL};
        for (code, reason, setting) in [
            (Authentication, "SASL authentication error: invalid credentials", Some("sasl.password")),
            (SSL, "SSL handshake failed: certificate verify failed", Some("tls.ca_file")),
            (
                SSL,
                "SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener?",
                Some("tls, "),
            ),
            (
                BrokerTransportFailure,
                "Disconnected (connecting to a SSL listener?)",
                Some("tls, which is missing"),
            ),
            (
                BrokerTransportFailure,
                "Disconnected, broker might require SASL authentication",
                Some("sasl, "),
            ),
            (BrokerTransportFailure, "Connect to ipv4#127.0.0.1:9 failed: Connection refused", None),
        ] {
            let told = look_at(code, reason);
            assert_eq!(told.is_some(), setting.is_some(), "{reason}: {told:?}");
            assert!(
                told.zip(setting).is_none_or(|(told, setting)| told.contains(setting)),
                "{reason}: {told:?}"
            );
        }
    }
}
