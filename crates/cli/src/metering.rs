//! Counting what functions cost, as work of the pipeline.

use tidewatch_core::admission::Gate;
use tidewatch_core::counts::Counts;
use tidewatch_core::meter::attribution::Attribution;
use tidewatch_core::signal::{Body, Signal};
use tidewatch_core::spend::watch::Watch;

use crate::pricing::Pricing;

/// A ledger and what is usual, with what the engine would count besides.
pub struct Metering {
    pub watch: Watch,
    pub gate: Gate,
    pub counts: Counts,
    /// The function of reports that stand in no log group.
    pub unnamed: String,
    /// Whose the invocations were, where that is asked for, by these prices.
    pub attribution: Option<Attribution>,
    pub pricing: Pricing,
}

impl Metering {
    /// Counts a signal whose time is believed.
    pub fn take(&mut self, signal: &Signal) {
        if self.gate.lets_in(signal) {
            self.counts.note(signal);
            // No detector is loaded: nothing is told.
            self.watch.observe(signal);
            self.attribute(signal);
            self.counts.repeated = self.watch.ledger().repeated();
        }
    }

    fn attribute(&mut self, signal: &Signal) {
        let Some(attribution) = &mut self.attribution else { return };
        match &signal.body {
            Body::Access(access) => attribution.ask(access),
            Body::Invocation(invocation) => {
                let Some(request) = invocation.request.filter(|_| invocation.report.is_some())
                else {
                    return;
                };
                let name = signal.origin.stream.function().unwrap_or(&self.unnamed);
                let terms = self.pricing.terms(name);
                attribution.pay(request, self.pricing.tariff.cost_of(invocation, terms));
            }
            Body::Auth(_) => {}
        }
    }
}
