//! Counting what functions cost, as work of the pipeline.

use tidewatch_core::admission::Gate;
use tidewatch_core::counts::Counts;
use tidewatch_core::meter::ledger::Ledger;
use tidewatch_core::signal::Signal;

/// A ledger, with what the engine would count besides.
pub struct Metering {
    pub ledger: Ledger,
    pub gate: Gate,
    pub counts: Counts,
    /// The function of reports that stand in no log group.
    pub unnamed: String,
}

impl Metering {
    /// Counts a signal whose time is believed.
    pub fn take(&mut self, signal: &Signal) {
        if self.gate.lets_in(signal) {
            self.counts.note(signal);
            self.ledger.observe(signal, &self.unnamed);
            self.counts.repeated = self.ledger.repeated();
        }
    }
}
