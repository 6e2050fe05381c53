//! What a finding says of a budget, in words: what a month will come to, what of it is spent, when the budget is used
//! up, and who has most of it.

use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::series::ahead::Pace;
use tidewatch_core::spend::budget::Burn;

use crate::number::rfc3339;
use crate::spending::{dollars, who};

/// The sentence.
pub(crate) fn sentence(finding: &Finding, who: &str, burn: &Burn) -> String {
    let (month, budget) = (burn.month.name(), dollars(burn.budget));
    let spent = dollars(burn.spent);
    let since = burn
        .since
        .map_or(String::new(), |since| format!(" since {} {month}", burn.month.day(since)));
    let so_far = format!("{who}: {spent} spent so far in {month}{since}");
    match (finding.activity, burn.projected) {
        (Activity::Close, None) if finding.time >= burn.month.end() => {
            format!("{who}: {month} is over; it came to {spent}{since}, budget {budget}.")
        }
        (Activity::Close, None) => {
            format!("{so_far}, of a budget of {budget}; nothing has been invoked for a day.")
        }
        (Activity::Close, Some(projected)) => format!(
            "{who}: {} by the end of {month} at this pace, within the budget of {budget} again; spent so far{since} \
             {spent}.",
            dollars(projected)
        ),
        (_, _) if burn.spent >= burn.budget => {
            let by_the_end = burn.projected.map_or(String::new(), |projected| {
                format!("; {} by the end of {month} at this pace", dollars(projected))
            });
            format!("{so_far}, more than the budget of {budget}{by_the_end}.")
        }
        (_, Some(projected)) => {
            let used_up = burn.used_up.map_or(String::new(), |at| {
                format!("; the budget is used up on {} {month}", burn.month.day(at))
            });
            format!(
                "{who}: {} by the end of {month} at this pace, budget {budget}; spent so far{since} {spent}{used_up}.",
                dollars(projected)
            )
        }
        (_, None) => format!("{so_far}, of a budget of {budget}."),
    }
}

/// The lines of text below the headline: label and what.
pub(crate) fn lines(burn: &Burn) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(pace) = burn.pace {
        lines.push(("pace", format!("{}; months are those of UTC", goes_on(pace))));
    }
    if let Some(since) = burn.since {
        lines.push((
            "counted",
            format!("since {}; what was before is in no log here", rfc3339(since)),
        ));
    }
    let most = burn.most.iter().filter(|(_, spent)| *spent > 0.0);
    let most: Vec<String> =
        most.map(|(function, spent)| format!("{} {}", who(function), dollars(*spent))).collect();
    if !most.is_empty() {
        lines.push(("most", most.join(", ")));
    }
    lines
}

/// What is taken to go on.
pub fn goes_on(pace: Pace) -> String {
    match pace {
        Pace::Weekdays => "as on the same days of the last week".to_owned(),
        Pace::Days(days) => format!("as on the middle one of the last {days} days"),
        Pace::Hours(1) => "as in the last hour".to_owned(),
        Pace::Hours(hours) => format!("as in the middle one of the last {hours} hours"),
    }
}
