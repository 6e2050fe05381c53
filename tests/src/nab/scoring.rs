//! How the Numenta Anomaly Benchmark scores alerts (Lavin and Ahmad, "Evaluating Real-time Anomaly Detection
//! Algorithms", ICMLA 2015): a window counts for its best alert, more the earlier; an alert outside costs more
//! the farther it is behind a window; nothing in the probation counts. Scores are put on a scale on which no
//! alert at all is 0 and an alert at the start of each window, and none elsewhere, is 100.

use super::corpus::{File, Profile};

/// 1 well inside the left end, 0 at the right end of a window, −1 far behind it; `position` in window lengths.
fn sigmoid(position: f64) -> f64 {
    match position > 3.0 {
        true => -1.0,
        false => 2.0 / (1.0 + (5.0 * position).exp()) - 1.0,
    }
}

/// The windows of a file that are scored at all: those that reach beyond the probation.
pub fn windows(file: &File) -> usize {
    file.windows.iter().filter(|(_, last)| *last >= file.probation()).count()
}

/// The raw score of alerts at these rows.
pub fn raw(file: &File, alerts: &[usize], profile: &Profile) -> f64 {
    let mut best: Vec<f64> = vec![-profile.missed; file.windows.len()];
    let mut wrong = 0.0;
    for row in alerts.iter().copied().filter(|row| *row >= file.probation()) {
        let inside = file.windows.iter().position(|(first, last)| (*first..=*last).contains(&row));
        match inside {
            Some(at) => {
                let (first, last) = file.windows[at];
                let length = (last - first + 1) as f64;
                let position = -((last - row + 1) as f64) / length;
                let points = sigmoid(position) / sigmoid(-1.0) * profile.found;
                best[at] = best[at].max(points);
            }
            None => wrong += behind(file, row) * profile.wrong,
        }
    }
    let scored = file.windows.iter().zip(&best).filter(|((_, last), _)| *last >= file.probation());
    scored.map(|(_, points)| points).sum::<f64>() + wrong
}

/// What an alert outside all windows counts, before its weight.
fn behind(file: &File, row: usize) -> f64 {
    match file.windows.iter().rfind(|(_, last)| *last < row) {
        None => -1.0,
        Some((first, last)) => sigmoid((row - last) as f64 / (last - first) as f64),
    }
}

/// The sum of raw scores on the scale from 0 to 100; nothing where there is no window.
pub fn normalised(raw: f64, windows: usize, profile: &Profile) -> Option<f64> {
    let (null, perfect) = (-profile.missed * windows as f64, profile.found * windows as f64);
    (windows > 0).then(|| 100.0 * (raw - null) / (perfect - null))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANDARD: Profile = Profile { found: 1.0, missed: 1.0, wrong: 0.11 };

    fn file() -> File {
        File {
            name: "category/file.csv".to_owned(),
            times: (0..1_000).collect(),
            values: vec![0.0; 1_000],
            windows: vec![(200, 299), (500, 599)],
        }
    }

    fn score(alerts: &[usize]) -> f64 {
        let raw = raw(&file(), alerts, &STANDARD);
        normalised(raw, windows(&file()), &STANDARD).expect("windows")
    }

    #[test]
    fn nothing_is_nought_and_the_first_row_of_each_window_is_a_hundred() {
        assert_eq!(score(&[]), 0.0);
        assert!((score(&[200, 500]) - 100.0).abs() < 1e-9);
        assert!((score(&[200, 210, 299, 500]) - 100.0).abs() < 1e-9, "the best of a window counts");
        // Half a point of a hundred for each window missed, and less the later it is found.
        assert!((score(&[200]) - 50.0).abs() < 1e-9);
        assert!(score(&[250]) > score(&[290]) && score(&[290]) > score(&[]));
    }

    #[test]
    fn an_alert_outside_costs_more_the_farther_it_is_behind() {
        let all = -0.11 / 4.0 * 100.0;
        assert!((score(&[160]) - all).abs() < 1e-9, "before the first window");
        assert!(score(&[303]) > score(&[340]), "it may be about what was");
        assert!((score(&[999]) - all).abs() < 1e-2);
        assert_eq!(score(&[149]), 0.0, "the probation is not scored");
    }
}
