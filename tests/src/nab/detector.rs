//! What the novelty rank says of a file, and which rows it alerts at.

use tidewatch_core::series::{Gap, PANE, Series, episode};

use super::corpus::File;

/// The novelty score of each row, where the file begins at row `start`.
pub fn scores(file: &File, start: usize) -> Vec<f64> {
    let mut series = Series::new(PANE, Gap::Zero);
    let mut scores = vec![0.0; start];
    for (row, value) in file.values.iter().enumerate().skip(start) {
        series.close(row as i64, Some(*value)).expect("rows are in order");
        scores.push(series.novelty().score());
    }
    scores
}

/// The rows that open an episode: it lasts so many rows and so long.
pub fn alerts(file: &File, scores: &[f64], threshold: f64) -> Vec<usize> {
    let mut alerts: Vec<usize> = Vec::new();
    for row in (0..scores.len()).filter(|row| scores[*row] >= threshold) {
        let lasts = alerts.last().is_some_and(|opened| {
            let since = file.times[row] - file.times[*opened];
            row - opened < episode::PANES_MIN as usize || since < episode::SPAN_MIN.0
        });
        if !lasts {
            alerts.push(row);
        }
    }
    alerts
}
