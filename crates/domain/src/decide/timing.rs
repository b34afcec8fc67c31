//! Margins and schedules, with physical durations stretched to schedule time once.

use std::time::Duration;

use crate::capabilities::Capabilities;
use crate::plant::Plant;
use crate::time::ClockFactor;

/// All durations that decisions need, in schedule time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A call leaves within this time of its fact or not at all.
    pub send_margin: Duration,
    /// A call has ended this long after its fact, whatever happens: the crash net lies there.
    pub call_horizon: Duration,
    /// First pause after a call that brought nothing.
    pub backoff_min: Duration,
    /// Longest pause.
    pub backoff_max: Duration,
    /// Times after launch at which the provider is asked.
    pub follow_up: Vec<Duration>,
    /// Pause between queries after the last of them.
    pub follow_up_every: Duration,
    /// Pause between calls that close an order, and between two words "does not exist".
    pub close_pause: Duration,
    /// How long an automatic refund waits after the payment was learnt, far beyond any lease.
    pub late_refund_delay: Duration,
    /// First pause before the provider is asked about a refund that it accepted; doubled each time.
    pub refund_pause_min: Duration,
    /// Longest such pause: refunds to some cards take days.
    pub refund_pause_max: Duration,
    /// Physical to schedule time.
    pub factor: ClockFactor,
    /// The one rule that is taken out, with its companion, so that the simulation can show that it would notice.
    #[cfg(feature = "plant")]
    pub plant: Option<Plant>,
}

impl Timing {
    /// Physical send margin.
    pub const SEND_MARGIN: Duration = Duration::from_secs(10);
    /// Physical time that a call may take from its fact to its report: margin, HTTP deadline, room to decide.
    pub const CALL_HORIZON: Duration = Duration::from_secs(45);

    /// The design's schedule at a clock factor.
    #[must_use]
    pub fn new(factor: ClockFactor) -> Self {
        Self {
            send_margin: factor.stretch(Self::SEND_MARGIN),
            call_horizon: factor.stretch(Self::CALL_HORIZON),
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(600),
            follow_up: [15, 30, 60, 180, 600, 1800].map(Duration::from_secs).to_vec(),
            follow_up_every: Duration::from_secs(1800),
            close_pause: Duration::from_secs(30),
            late_refund_delay: Duration::from_secs(600),
            refund_pause_min: Duration::from_secs(30),
            refund_pause_max: Duration::from_secs(6 * 3600),
            factor,
            #[cfg(feature = "plant")]
            plant: None,
        }
    }

    /// Whether a rule is taken out; never without the test-only feature `plant`.
    #[must_use]
    pub fn lacks(&self, rule: Plant) -> bool {
        #[cfg(feature = "plant")]
        let lacks = self.plant.is_some_and(|out| out == rule || out.companion() == Some(rule));
        #[cfg(not(feature = "plant"))]
        let lacks = {
            let _: Plant = rule;
            false
        };
        lacks
    }

    /// How long after an attempt's fact a provider's "does not exist" becomes credible: the margin within which
    /// the call left, the longest time it may take to land, and a second.
    #[must_use]
    pub fn settling(&self, capabilities: &Capabilities) -> Duration {
        self.send_margin + self.factor.stretch(capabilities.landing + Duration::from_secs(1))
    }
}
