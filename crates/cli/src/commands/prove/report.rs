//! What a proof says in the end.

use serde_json::{Value, json};
use tidewatch_alert::printable;
use tidewatch_aws::proving::Left;
use tidewatch_aws::subscriptions::Way;

use super::course::Course;

/// How long messages took, in milliseconds. Quantiles are those of the nearest rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distribution {
    pub count: usize,
    pub min: i64,
    pub median: i64,
    pub p90: i64,
    pub max: i64,
}

impl Distribution {
    /// Of these times; `None` of none.
    pub fn of(took_ms: impl Iterator<Item = i64>) -> Option<Distribution> {
        let mut sorted: Vec<i64> = took_ms.collect();
        sorted.sort_unstable();
        let count = sorted.len();
        let rank = |percent: usize| sorted.get((count * percent).div_ceil(100).max(1) - 1).copied();
        Some(Distribution {
            count,
            min: *sorted.first()?,
            median: rank(50)?,
            p90: rank(90)?,
            max: *sorted.last()?,
        })
    }

    fn object(&self) -> Value {
        let Distribution { count, min, median, p90, max } = self;
        json!({ "count": count, "min": min, "median": median, "p90": p90, "max": max })
    }
}

impl std::fmt::Display for Distribution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = |ms: i64| ms as f64 / 1_000.0;
        write!(
            f,
            "min {:.1} s, median {:.1} s, p90 {:.1} s, max {:.1} s",
            seconds(self.min),
            seconds(self.median),
            seconds(self.p90),
            seconds(self.max)
        )
    }
}

/// All there is to say.
pub struct Outcome<'a> {
    pub stack: &'a str,
    pub wait_s: u32,
    pub names: usize,
    pub courses: &'a [Course],
    pub left: &'a [Left],
    pub is_partial: bool,
}

impl Outcome<'_> {
    /// Whether each log group that was asked for is proved, and nothing is left behind.
    pub fn is_good(&self) -> bool {
        let is_good = |course: &Course| course.why.is_none() && course.unmarked == 0;
        self.courses.iter().all(is_good) && self.left.is_empty()
    }

    fn all(&self) -> Option<Distribution> {
        Distribution::of(self.courses.iter().flat_map(|course| course.took_ms.iter().copied()))
    }

    fn lost(&self) -> u64 {
        self.courses.iter().map(|course| course.lost).sum()
    }

    /// A line for each log group, and what all took.
    pub fn text(&self) -> String {
        let mut lines: Vec<String> = self.courses.iter().map(|course| self.line(course)).collect();
        if let Some(all) = self.all() {
            let marked = self.courses.iter().all(|course| course.unmarked == 0);
            let mark = if marked { ", marked as simulated" } else { "" };
            lines.push(format!(
                "log line to message: {all}; {} came through{mark}, {} lost",
                all.count,
                self.lost()
            ));
        }
        lines.extend(
            self.left.iter().map(|left| format!("left behind: {}: {}", left.what, left.why)),
        );
        lines.iter().map(|line| printable(line).into_owned()).collect::<Vec<_>>().join("\n")
    }

    fn line(&self, course: &Course) -> String {
        let is_proved = course.why.is_none() && !course.took_ms.is_empty();
        let word = match is_proved {
            true => "proved",
            false if course.why.is_none() => "unknown",
            false => "failed",
        };
        let times = Distribution::of(course.took_ms.iter().copied());
        let times =
            times.map_or(String::new(), |times| format!(" ({} times, {times})", times.count));
        let why = course.why.as_ref().map_or(String::new(), |why| format!(": {why}"));
        let todo = self.todo(course).map_or(String::new(), |todo| format!("; {todo}"));
        format!("{word:<8} {}{times}{why}{todo}", course.group)
    }

    /// What to look at next.
    fn todo(&self, course: &Course) -> Option<String> {
        let others_came = self.courses.iter().any(|course| !course.took_ms.is_empty());
        let status = format!("tidewatch status --stack {} '{}'", self.stack, course.group);
        if course.late > 0 {
            return Some(format!("{} came later: raise --wait above {}", course.late, self.wait_s));
        }
        if course.unmarked > 0 {
            return Some(format!(
                "{} messages are not marked as simulated, for the function is an older version: deploy the stack anew",
                course.unmarked
            ));
        }
        if course.lost == 0 {
            return None;
        }
        match &course.way {
            Way::Filter(filter) if !filter.pattern.is_empty() => Some(format!(
                "its filter passes only what fits `{}`, which the proof's lines may not; else see `{status}`",
                filter.pattern
            )),
            _ if course.is_made => Some(format!(
                "see `tidewatch status --stack {}`: which part of the stack is blind",
                self.stack
            )),
            _ if others_came => {
                Some(format!("the stack works, so it is this subscription: see `{status}`"))
            }
            _ => Some(format!("see `{status}`")),
        }
    }

    /// The same as an object.
    pub fn object(&self) -> Value {
        let group = |course: &Course| {
            let times = Distribution::of(course.took_ms.iter().copied());
            json!({
                "log_group": course.group,
                "made": course.is_made,
                "proved": course.why.is_none() && !course.took_ms.is_empty(),
                "ready_ms": course.ready_ms,
                "took_ms": course.took_ms,
                "distribution_ms": times.map(|times| times.object()),
                "lost": course.lost,
                "late": course.late,
                "not_marked": course.unmarked,
                "told_by": course.told_by,
                "why": course.why,
                "what_to_do": self.todo(course),
            })
        };
        let left = |left: &Left| json!({ "what": left.what, "why": left.why });
        json!({
            "stack": self.stack,
            "wait_s": self.wait_s,
            "names": self.names,
            "partial": self.is_partial,
            "log_groups": self.courses.iter().map(group).collect::<Vec<_>>(),
            "distribution_ms": self.all().map(|all| all.object()),
            "lost": self.lost(),
            "left_behind": self.left.iter().map(left).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_nearest_rank() {
        let check = |took: &[i64], expected: Option<(i64, i64, i64, i64)>| {
            let found = Distribution::of(took.iter().copied());
            assert_eq!(found.map(|of| (of.min, of.median, of.p90, of.max)), expected, "{took:?}");
        };
        check(&[], None);
        check(&[7], Some((7, 7, 7, 7)));
        check(&[9, 1], Some((1, 1, 9, 9)));
        check(&[5, 3, 1, 2, 4], Some((1, 3, 5, 5)));
        check(&(1..=20).collect::<Vec<_>>(), Some((1, 10, 18, 20)));
    }
}
