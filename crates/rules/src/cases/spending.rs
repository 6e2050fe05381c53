//! Scenarios of detectors about what functions take: all lines stand in the log of one function, `checkout`.

use std::sync::Arc;

use tidewatch_core::meter::ledger::{Ledger, Limits};
use tidewatch_core::meter::tariff::Terms;
use tidewatch_core::signal::{Body, EventId, LogStream, Origin, Signal};
use tidewatch_core::spend::budget::Budgets;
use tidewatch_core::spend::detector::SpendDetector;
use tidewatch_core::spend::watch::{Prices, Watch};
use tidewatch_core::time::Span;
use tidewatch_ingest::format::Said;

use super::line::Runner;
use super::scenario::{Play, episodes, paced};
use super::{Difference, Scenario, Variation};
use crate::prices::{prices, shipped_prices};

/// Where the lines of such a scenario stand.
const GROUP: &str = "/aws/lambda/checkout";

/// And in which stream: of a version.
const STREAM: &str = "2026/01/05/[7]5f0c1a2b3d4e5f60718293a4b5c6d7e8";

/// The region whose prices count.
const REGION: &str = "us-east-1";

impl Runner {
    /// What is different from what the scenario says of the detector; `None` if it holds.
    pub fn rehearse_spending(
        &self,
        scenario: &Scenario,
        detector: &SpendDetector,
        variation: Variation,
    ) -> Option<Difference> {
        self.compare_play(scenario, self.play_spending(scenario, detector, variation), variation)
    }

    fn play_spending(
        &self,
        scenario: &Scenario,
        detector: &SpendDetector,
        variation: Variation,
    ) -> Result<Play, String> {
        let (file, text) = shipped_prices();
        let prices = prices(&file, &text).map_err(|faults| format!("{faults:?}"))?;
        let tariff = prices.region(REGION).map_err(|error| error.to_string())?.clone();
        let terms = Arc::new(|_: &str| Terms::default());
        let ledger = Ledger::new(Limits::default(), self.naming.key);
        let budget = scenario.budget;
        let budgets = Budgets { of: Arc::new(move |_: &str| budget), all: None };
        let mut watch =
            Watch::new(vec![detector.clone()], Prices { tariff, terms }, ledger).budgeted(budgets);
        let (group, stream) = (GROUP.to_owned(), STREAM.to_owned());
        let stream = Arc::new(LogStream { account: String::new(), group, stream });
        let (mut play, mut findings) = (Play::default(), Vec::new());
        let mut first = None;
        for (time, line) in paced(scenario, variation) {
            play.lines += 1;
            first.get_or_insert(time);
            let body = match self.ingest.hear(&line, GROUP).0 {
                Said::Invocation { invocation, .. } => Body::Invocation(invocation),
                _ => match self.ingest.hear_request(&line, GROUP) {
                    Some(access) => Body::Access(Box::new(access)),
                    None => continue,
                },
            };
            play.heard += 1;
            let origin = Origin { stream: Arc::clone(&stream), id: EventId::Offset(play.lines) };
            let event = self.naming.key.event(0, &play.lines.to_be_bytes());
            findings.extend(watch.observe(&Signal { time, event, origin, body }));
        }
        let lasts = scenario.steps.iter().map(|step| step.lasts().0).sum();
        if let Some(first) = first {
            findings.extend(watch.advance(first.plus(Span(lasts))));
        }
        findings.extend(watch.ended());
        play.raised = episodes(findings.iter());
        Ok(play)
    }
}
