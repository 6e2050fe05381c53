//! Numbers of CloudWatch: sums, or the most, over the last minutes.

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::Span;

use super::Status;
use crate::asked::{Asked, Service};
use crate::client;
use crate::failure::Failure;
use crate::insistence::insist;
use crate::stack::PATIENCE;

/// Queries of one request
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>).
const QUERIES_MAX: usize = 500;

/// One number.
#[derive(Clone, Debug)]
pub(super) struct Number {
    pub(super) namespace: &'static str,
    pub(super) metric: &'static str,
    pub(super) dimensions: Vec<(&'static str, String)>,
    /// `Sum` or `Maximum`.
    pub(super) stat: &'static str,
    /// How far back.
    pub(super) span: Span,
}

impl Status<'_> {
    /// Each number, in order; `None` where there are no data.
    pub(super) async fn numbers(&self, numbers: &[Number]) -> Result<Vec<Option<f64>>, Failure> {
        let mut all = Vec::with_capacity(numbers.len());
        for some in numbers.chunks(QUERIES_MAX) {
            all.extend(self.page(some).await?);
        }
        Ok(all)
    }

    async fn page(&self, numbers: &[Number]) -> Result<Vec<Option<f64>>, Failure> {
        let client = client::cloudwatch(self.config);
        let asked =
            Asked { service: Service::CloudWatch, operation: "GetMetricData", resource: "*" };
        let now = self.pace.now();
        let longest = numbers.iter().map(|number| number.span).max().unwrap_or(Span(0));
        let queries: Vec<MetricDataQuery> =
            numbers.iter().enumerate().map(|(nth, number)| query(nth, number)).collect();
        let mut found: Vec<Option<f64>> = vec![None; numbers.len()];
        let mut token: Option<String> = None;
        loop {
            let ask = || async {
                let request =
                    client.get_metric_data().set_metric_data_queries(Some(queries.clone()));
                let request = request
                    .start_time(DateTime::from_millis(now.minus(longest).0))
                    .end_time(DateTime::from_millis(now.0))
                    .set_next_token(token.clone());
                request.send().await.map_err(|error| asked.failed(&error))
            };
            let answer = insist(asked, &self.pace, now.plus(PATIENCE), ask).await.answer?;
            for result in answer.metric_data_results() {
                let nth = result.id().and_then(|id| id.strip_prefix('n')?.parse::<usize>().ok());
                let Some(number) = nth.and_then(|nth| numbers.get(nth)) else { continue };
                let since = now.minus(number.span).0;
                let dated = result.timestamps().iter().zip(result.values());
                // A minute is dated by its beginning.
                let within = dated.filter(|(at, _)| at.secs() * 1_000 + 60_000 > since);
                let values = within.map(|(_, value)| *value);
                let value = match number.stat {
                    "Maximum" => values.reduce(f64::max),
                    _ => values.reduce(|sum, value| sum + value),
                };
                let place = nth.and_then(|nth| found.get_mut(nth));
                if let (Some(place), Some(value)) = (place, value) {
                    *place = Some(match number.stat {
                        "Maximum" => place.map_or(value, |most| most.max(value)),
                        _ => place.unwrap_or(0.0) + value,
                    });
                }
            }
            token = answer.next_token;
            if token.is_none() {
                return Ok(found);
            }
        }
    }
}

fn query(nth: usize, number: &Number) -> MetricDataQuery {
    let dimensions = number
        .dimensions
        .iter()
        .map(|(name, value)| Dimension::builder().name(*name).value(value).build())
        .collect();
    let metric = Metric::builder()
        .namespace(number.namespace)
        .metric_name(number.metric)
        .set_dimensions(Some(dimensions))
        .build();
    let stat = MetricStat::builder().metric(metric).period(60).stat(number.stat).build();
    MetricDataQuery::builder().id(format!("n{nth}")).metric_stat(stat).build()
}
