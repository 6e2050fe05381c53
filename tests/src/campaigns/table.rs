//! The score as text and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::attacks::Class;
use super::bound;
use super::score::{Score, Tally};

/// The tables, one for each scale, and the bounds they rest on.
pub fn text(scores: &[Score]) -> String {
    let mut text = String::new();
    for score in scores {
        let [planted, found] = score.above();
        let [got_in, told] = score.takeovers();
        let _ = writeln!(
            text,
            "thresholds x {:.1}, {} days: found {found} of {planted} attacks above the bound, told {told} of {got_in} \
             takeovers, {:.2} false findings a day\n",
            score.scale,
            score.days,
            score.false_a_day(),
        );
        text += "| attack | above the bound | found | below | found | takeovers | told | tries | seconds | names | \
                 sequential test | ratio |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";
        for (class, tells) in
            Class::ALL.iter().flat_map(|(class, _)| [(*class, true), (*class, false)])
        {
            if let Some(tally) = score.classes.get(&(class, tells)) {
                let _ = writeln!(text, "{}", row(class, tells, tally));
            }
        }
        for (title, list) in
            [("false findings", &score.falsely), ("documented, apart", &score.documented)]
        {
            let _ = writeln!(text, "\n| {title} | detector | a day |\n|---|---|---:|");
            for ((cause, detector), count) in list {
                let a_day = *count as f64 / score.days.max(1) as f64;
                let _ = writeln!(text, "| {cause} | `{detector}` | {a_day:.2} |");
            }
        }
        text += "\n";
        for missed in score.missed.iter().take(20) {
            let _ = writeln!(text, "missed: {missed}");
        }
        for behind in score.behind.iter().take(20) {
            let _ = writeln!(text, "false: {behind}");
        }
    }
    text += "\n| detectable is what reaches | from | because below it |\n|---|---:|---|\n";
    for bound in bound::ALL {
        let _ = writeln!(text, "| {} | {} | {} |", bound.what, bound.from, bound.why);
    }
    text
}

fn row(class: Class, tells: bool, tally: &Tally) -> String {
    let Tally { above, below, takeovers, soon, .. } = tally;
    let mean = |sum: f64, count: f64| match count {
        0.0 => "-".to_owned(),
        count => format!("{:.1}", sum / count),
    };
    format!(
        "| {}{} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        class.name(),
        if tells { "" } else { ", log hides who exists" },
        above[0],
        above[1],
        below[0],
        below[1],
        takeovers[0],
        takeovers[1],
        mean(soon.tries, soon.count),
        mean(soon.seconds, soon.count),
        mean(soon.contacts, soon.walked),
        mean(soon.bound, soon.walked),
        mean(soon.contacts, soon.bound),
    )
}

/// The same for programs.
pub fn document(scores: &[Score]) -> Value {
    let of_score = |score: &Score| {
        let [planted, found] = score.above();
        let causes = |list: &std::collections::BTreeMap<(String, String), u64>| {
            let each = list.iter().map(|((cause, detector), count)| {
                json!({ "cause": cause, "detector": detector, "findings": count })
            });
            each.collect::<Vec<Value>>()
        };
        let classes = score.classes.iter().map(|((class, tells), tally)| {
            let soon = tally.soon;
            json!({
                "class": class.name(), "log_tells_who_exists": tells,
                "above_bound": tally.above[0], "found": tally.above[1],
                "below_bound": tally.below[0], "found_below": tally.below[1],
                "takeovers": tally.takeovers[0], "takeovers_told": tally.takeovers[1],
                "takeovers_told_wrongly": tally.wrong_takeovers,
                "tries": soon.tries / soon.count, "seconds": soon.seconds / soon.count,
                "names": soon.contacts / soon.walked,
                "names_of_sequential_test": soon.bound / soon.walked,
            })
        });
        json!({
            "scale": score.scale, "days": score.days, "above_bound": planted, "found": found,
            "false_a_day": score.false_a_day(), "classes": classes.collect::<Vec<Value>>(),
            "false": causes(&score.falsely), "documented": causes(&score.documented),
            "missed": score.missed, "behind_false": score.behind,
        })
    };
    let bounds =
        bound::ALL.map(|bound| json!({ "what": bound.what, "from": bound.from, "why": bound.why }));
    json!({ "scores": scores.iter().map(of_score).collect::<Vec<Value>>(), "bounds": bounds })
}
