//! All families of metrics: name, kind, labels and meaning. One family stands in one place: here.
//!
//! The unit is in the name. What `docs/metrics.md` lists is made from this.

/// What a family's numbers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// They only grow, until the process ends.
    Counter,
    /// They are as they are at the scrape.
    Gauge,
    /// They are counted by how long something took.
    Histogram,
}

impl Kind {
    /// The name in the text format.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A family.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The names of its labels, in the order in which their values are given.
    pub(crate) labels: &'static [&'static str],
    pub(crate) help: &'static str,
}

/// Declares the families, and the list of all of them.
macro_rules! families {
    ($($title:literal { $($id:ident $kind:ident $name:literal [$($label:literal),*] $help:literal)* })*) => {
        $($(
            pub(super) static $id: Family =
                Family { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };
        )*)*

        /// All families, under their headings.
        pub(crate) static ALL: &[(&str, &[&Family])] = &[$(($title, &[$(&$id),*])),*];
    };
}

families! {
    "The process" {
        BUILD_INFO Gauge "paymux_build_info" ["version", "roles", "backend"]
            "Always 1; its labels say what runs here."
        READY Gauge "paymux_ready" []
            "1 while the process can do its work, as its readiness probe says."
        UPTIME Gauge "paymux_uptime_seconds" []
            "Physical time since the process was started."
        CPU Counter "process_cpu_seconds_total" []
            "Processor time of the process. On Linux alone."
        MEMORY Gauge "process_resident_memory_bytes" []
            "Resident memory of the process. On Linux alone."
    }
    "Commands and notifications" {
        COMMANDS_ACCEPTED Counter "paymux_commands_accepted_total" ["command"]
            "Commands that were made durable, repeats included. Role ingest."
        CALLS_REFUSED Counter "paymux_calls_refused_total" ["reason"]
            "gRPC calls, and requests of streams, that were refused, by the reason that the caller was told. Role ingest."
        MERCHANT_ACCEPTED Counter "paymux_merchant_commands_accepted_total" ["merchant"]
            "Commands of a merchant that were made durable. Only with server.metrics_merchants_max."
        MERCHANT_TURNED_AWAY Counter "paymux_merchant_commands_turned_away_total" ["merchant"]
            "Commands of a merchant that were answered OVERLOADED or MERCHANT_LIMITED. Only with server.metrics_merchants_max."
        NOTIFICATIONS Counter "paymux_notifications_total" ["verdict"]
            "Notifications of providers by what became of them. Role notify."
    }
    "Orders" {
        ORDERS_CREATED Counter "paymux_orders_created_total" ["provider"]
            "Orders whose first facts were stored."
        ORDERS_ENDED Counter "paymux_orders_ended_total" ["provider", "end"]
            "Orders that came to an end. One that is paid after it was closed counts under both."
        ORDERS_PARKED Counter "paymux_orders_parked_total" ["reason"]
            "Times that a person was called to an order."
        ORDERS_UNPARKED Counter "paymux_orders_unparked_total" []
            "Times that a person has settled why one was called."
        UNRESOLVED_ORDERS Gauge "paymux_unresolved_orders" ["partition"]
            "Orders with a call whose outcome is not known, as far as the partition's owner has worked on them."
        UNRESOLVED_AGE Gauge "paymux_unresolved_oldest_age_seconds" ["partition"]
            "How long the oldest of these outcomes has not been known, in schedule time; 0: none."
    }
    "Calls to providers" {
        CALLS Counter "paymux_provider_calls_total" ["provider", "operation", "class"]
            "Calls that left, by what their answer allows; UNKNOWN: it is not known whether they had an effect."
        CALL_DURATION Histogram "paymux_provider_call_duration_seconds" ["provider", "operation"]
            "How long a call took from leaving to its report, signing included."
        CALLS_WITHHELD Counter "paymux_provider_calls_withheld_total" []
            "Calls that did not leave for want of lease, margin, line or budget; they are planned anew."
        LIMITER_WAIT Histogram "paymux_limiter_wait_seconds" ["operation"]
            "How long a call stood in line for its account's budget before it left."
        WAITING_FOR_BUDGET Gauge "paymux_orders_waiting_for_budget" []
            "Orders that hold a slot of a budget and wait for it."
        ACCOUNTS_CUT_OFF Gauge "paymux_accounts_cut_off" ["partition"]
            "Accounts on which no call leaves at the moment, since their provider does not answer."
    }
    "Signing" {
        SIGNING_QUEUE Gauge "paymux_signing_queue_jobs" []
            "Signatures that wait for a thread."
        SIGNING_QUEUE_MAX Gauge "paymux_signing_queue_jobs_max" []
            "How many may wait; further ones are refused and their calls tried again."
        SIGNING_THREADS Gauge "paymux_signing_threads" []
            "Threads that sign."
    }
    "Log" {
        LAG Gauge "paymux_log_lag_records" ["partition"]
            "Records behind the committed position. Told by every ingest for all partitions and by each worker for its own."
        RECORDS_READ Counter "paymux_log_records_read_total" []
            "Records taken from the log, replays included."
        RECORDS_DEAD Counter "paymux_log_records_dead_total" []
            "Records that could not be decoded and were put among the dead ones."
        EVENTS Counter "paymux_events_published_total" []
            "Events that the log has taken, repeats included."
        LOG_DURATION Histogram "paymux_log_request_duration_seconds" ["role", "request"]
            "How long the log took to answer."
        LOG_FAILED Counter "paymux_log_requests_failed_total" ["role", "request"]
            "Requests that the log refused or did not answer in time."
    }
    "Store" {
        STORE_DURATION Histogram "paymux_store_request_duration_seconds" ["role", "request"]
            "How long the store took to answer."
        STORE_FAILED Counter "paymux_store_requests_failed_total" ["role", "request"]
            "Requests that the store refused or did not answer in time."
    }
    "Partitions" {
        PARTITIONS_OWNED Gauge "paymux_partitions_owned" []
            "Partitions that this worker owns."
        LEASE_HELD Gauge "paymux_partition_lease_held" ["partition"]
            "1 while the owner of the partition holds its lease; without it nothing is called or concluded."
        WINDOW Gauge "paymux_window_records" ["partition"]
            "Records in work."
        WINDOW_MAX Gauge "paymux_window_records_max" ["partition"]
            "Records in work at which the partition is paused."
        ORDERS_IN_WORK Gauge "paymux_orders_in_work" ["partition"]
            "Orders with something in work: records, timers, calls under way."
        STEPS Counter "paymux_steps_total" []
            "Decisions that were carried out."
        INFRASTRUCTURE_WAITS Counter "paymux_infrastructure_waits_total" []
            "Times that a step waited for store, log or lease."
        CONFIGURATION_WAITS Counter "paymux_configuration_waits_total" []
            "Records, reports and timers that had to wait for a merchant, account or provider that is not configured."
    }
    "Sweeper" {
        ROWS_FIRED Counter "paymux_sweeper_rows_fired_total" []
            "Due rows that the sweep has read and handed on."
        ROWS_DROPPED Counter "paymux_sweeper_rows_dropped_total" []
            "Due rows and timers that a later one had replaced."
        SWEPT_THROUGH Gauge "paymux_sweeper_swept_through_timestamp_seconds" ["partition"]
            "The schedule time before which everything that was due is done or put off, in seconds since 1970."
        SWEEP_LATENESS Gauge "paymux_sweeper_lateness_seconds" ["partition"]
            "How long ago, in schedule time, the bucket has closed that is swept now or next; 0: none has."
    }
}

/// The family of that name; a histogram also by the names of its samples.
#[cfg(test)]
pub(crate) fn named(sample: &str) -> Option<&'static Family> {
    let all = || ALL.iter().flat_map(|(_, families)| families.iter().copied());
    all().find(|family| family.name == sample).or_else(|| {
        let of = |suffix: &str| sample.strip_suffix(suffix);
        let stem = of("_bucket").or_else(|| of("_sum")).or_else(|| of("_count"))?;
        all().find(|family| family.kind == Kind::Histogram && family.name == stem)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn all() -> impl Iterator<Item = &'static Family> {
        ALL.iter().flat_map(|(_, families)| families.iter().copied())
    }

    #[test]
    fn names_say_what_they_count_and_in_which_unit() {
        let mut names = BTreeSet::new();
        for Family { name, kind, help, .. } in all() {
            assert!(names.insert(name), "{name} twice");
            assert!(name.starts_with("paymux_") || name.starts_with("process_"), "{name}");
            assert_eq!(*kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert!(*kind != Kind::Histogram || name.ends_with("_seconds"), "{name}");
            assert!(help.ends_with('.') && !help.contains(['\n', '\\']), "{name}: {help}");
        }
        assert!(names.len() > 40);
    }

    /// What grows with orders or payers never becomes a label; merchants only behind their key.
    #[test]
    fn labels_are_out_of_a_closed_list() {
        let bounded = [
            "version",
            "roles",
            "backend",
            "command",
            "reason",
            "verdict",
            "provider",
            "end",
            "operation",
            "class",
            "partition",
            "role",
            "request",
        ];
        for family in all() {
            for label in family.labels {
                let behind_the_switch = *label == "merchant" && family.help.contains("metrics_merchants_max");
                assert!(bounded.contains(label) || behind_the_switch, "{}: {label}", family.name);
            }
        }
    }

    #[test]
    fn a_histogram_is_found_by_its_samples() {
        assert!(named("paymux_limiter_wait_seconds_bucket").is_some());
        assert!(named("paymux_steps_total").is_some());
        assert!(named("paymux_steps_total_bucket").is_none());
    }
}
