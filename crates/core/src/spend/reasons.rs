//! Why something is raised about a function, or is not: the numbers that were decided by, and the decision as a function
//! of these alone. So what is explained is what was decided by.

use crate::detector::Severity;
use crate::finding::Activity;
use crate::meter::ledger::Function;
use crate::series::Weighed;
use crate::series::creep::{Creep, RISE_MIN, TIMES_RESTLESS};
use crate::series::season::{Basis, Usual};
use crate::series::weighed::Silence;
use crate::spend::budget::Burn;
use crate::spend::burning::Opinion;
use crate::spend::callers::DAY_PANES;
use crate::spend::detector::{Number, RUNAWAY_TIMES, Rule, SpendDetector};
use crate::spend::judged::{
    HISTORY_MIN, Judged, SILENCE_HISTORY_MIN, SILENT_PANES_MIN, by_the_hour,
};

/// The numbers that a pane is decided by.
#[derive(Clone, Debug, PartialEq)]
pub enum Reasons {
    /// There is nothing to weigh: the pane has no such number, or nothing was counted yet.
    Nothing,
    /// Of what is above everything, or above what is usual.
    Above {
        /// The number against the past.
        weighed: Box<Weighed>,
        /// Of a count, its share of the invocations, and the least that matters.
        share: Option<(f64, f64)>,
        /// The largest share of one driver, and the least that matters, where that is asked for.
        driven: Option<(f64, f64)>,
    },
    /// Of days that creep.
    Creeping {
        /// The last week against the one before, if there are two.
        creep: Option<Creep>,
        /// Whether that is a creep.
        creeps: bool,
    },
    /// Of what does not come.
    Silent {
        /// The silence, if the pane is part of one.
        silence: Option<Silence>,
        /// Panes of history.
        panes: usize,
    },
    /// Of what runs away.
    Runaway {
        /// What is in the pane so far.
        amount: f64,
        /// From how much on it runs away, and the largest pane before; nothing while the history is short.
        from: Option<(f64, f64)>,
        /// What is usual at the hour.
        usual: Option<f64>,
    },
    /// Of a caller.
    Riding {
        /// The dollars of its pane against its own past.
        weighed: Box<Weighed>,
        /// Panes since it was first seen.
        panes: i64,
        /// How many panes ago one was above all its past, if within the hour.
        odd: Option<i64>,
        /// Its dollars of the hour, as far as they are compared with its past.
        hour: f64,
        /// Its dollars of the hour at a function it never used before, if it uses one.
        new: Option<f64>,
    },
    /// Of a budget.
    Budget {
        /// How far along it is.
        burn: Burn,
        /// Whether the pane is the last of an hour, so that what is to come is looked at.
        with_pace: bool,
    },
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its name.
    pub what: &'static str,
    /// The number, where it is one.
    pub amount: Option<f64>,
    /// What it must come to.
    pub least: Option<f64>,
    /// Whether it does.
    pub holds: Option<bool>,
    /// What the numbers are in.
    pub unit: Unit,
    /// What there is to be said besides.
    pub note: String,
}

/// What numbers of a step are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// The number's own, dollars and counts by the hour.
    Own(Number),
    /// As they are.
    Plain,
    /// A share of something.
    Share,
    /// Dollars.
    Dollars,
}

/// What a detector made of a pane of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The detector, by its place among those about functions.
    pub nth: usize,
    /// Whose.
    pub function: Function,
    /// Which pane.
    pub pane: i64,
    /// The numbers.
    pub reasons: Reasons,
    /// How bad they are, if they raise.
    pub severity: Option<Severity>,
    /// The worst other finding about the function that tells it, where that keeps this one from being opened.
    pub told_by: Option<(String, Severity)>,
    /// The entry of the allowlist that holds it back, if one does.
    pub held_back: Option<usize>,
    /// The message that followed, if one did: the uid and what it says.
    pub told: Option<(String, Activity)>,
}

impl Reasons {
    /// What is odd by these numbers, if anything is.
    pub(crate) fn judged(&self, rule: &SpendDetector) -> Option<Judged> {
        let times = by_the_hour(rule.of);
        match self {
            Reasons::Nothing | Reasons::Budget { .. } => None,
            Reasons::Above { weighed, share, driven } => {
                let enough = [share, driven].into_iter().flatten().all(|(is, least)| is >= least);
                let rank = weighed.raised.novel.and_then(|channel| weighed.novelty.by(channel));
                (weighed.raised.at_once() && enough).then(|| Judged {
                    amount: weighed.number * times,
                    excess: weighed.excess() * times,
                    usual: weighed.usual.map(|usual| usual.median * times),
                    basis: weighed.usual.map(|usual| usual.basis),
                    nearest: weighed.nearest.map(|nearest| nearest * times),
                    as_far: rank.map(|rank| (rank.as_far, rank.of)),
                })
            }
            Reasons::Riding { weighed, odd, hour, new, .. } => {
                let usual = weighed.usual.map(|usual| usual.median * times);
                let above = odd.map(|_| hour - usual.unwrap_or(0.0));
                let excess = above.into_iter().chain(*new).reduce(f64::max)?;
                let rank = weighed.raised.novel.and_then(|channel| weighed.novelty.by(channel));
                Some(Judged {
                    usual,
                    basis: weighed.usual.map(|usual| usual.basis),
                    nearest: weighed.nearest.map(|nearest| nearest * times),
                    as_far: rank.map(|rank| (rank.as_far, rank.of)),
                    ..Judged::of(hour.max(new.unwrap_or(0.0)), excess)
                })
            }
            Reasons::Creeping { creep, creeps } => creep.filter(|_| *creeps).map(|creep| Judged {
                usual: Some(creep.before * times),
                ..Judged::of(creep.mean * times, (creep.mean - creep.before) * times)
            }),
            Reasons::Silent { silence, panes } => {
                let silence = silence.filter(|silence| {
                    silence.panes >= SILENT_PANES_MIN
                        && silence.panes > silence.longest_before
                        && *panes >= SILENCE_HISTORY_MIN
                })?;
                let usual = silence.usual / silence.panes as f64 * times;
                Some(Judged { usual: Some(usual), ..Judged::of(0.0, silence.usual) })
            }
            Reasons::Runaway { amount, from, usual } => {
                let (from, largest) = (*from)?;
                (*amount >= from).then(|| Judged {
                    usual: *usual,
                    nearest: Some(largest),
                    ..Judged::of(*amount, *amount)
                })
            }
        }
    }

    /// How bad that is.
    pub fn severity(&self, rule: &SpendDetector) -> Option<Severity> {
        match self {
            Reasons::Budget { burn, .. } => match crate::spend::burning::opinion(rule, burn) {
                Opinion::Raised(severity) => Some(severity),
                Opinion::Below | Opinion::Neither => None,
            },
            other => rule.severity(other.judged(rule)?.excess),
        }
    }

    /// How near it is to being raised: below 1 the way that has come farthest, and more the worse it is.
    pub fn nearness(&self, rule: &SpendDetector) -> f64 {
        if let Some(severity) = self.severity(rule) {
            return f64::from(severity as u8) + 1.0;
        }
        let way = |is: f64, least: f64| if is >= least { 1.0 } else { (is / least).max(0.0) };
        let near = match self {
            Reasons::Nothing => 0.0,
            Reasons::Above { weighed, share, driven } => {
                let bounds = &weighed.bounds;
                let novel = way(weighed.novelty.score(), bounds.threshold)
                    .min(way(weighed.number, bounds.matters));
                let excessive = bounds.excessive.map_or(0.0, |least| way(weighed.number, least));
                let parts =
                    [share, driven].into_iter().flatten().map(|(is, least)| way(*is, *least));
                parts.fold(novel.max(excessive), f64::min)
            }
            Reasons::Riding { weighed, panes, odd, hour, new } => {
                let usual = weighed.usual.map_or(0.0, |usual| usual.median * by_the_hour(rule.of));
                let floor = rule.floor();
                let novel = match odd {
                    Some(_) => 1.0,
                    None => way(weighed.novelty.score(), weighed.bounds.threshold),
                };
                let old = way(*panes as f64, DAY_PANES as f64);
                let above = novel.min(old).min(way(hour - usual, floor));
                above.max(new.map_or(0.0, |new| way(new, floor)))
            }
            Reasons::Creeping { creep, .. } => creep.map_or(0.0, |creep| way(creep.rise, RISE_MIN)),
            Reasons::Silent { silence, .. } => silence.map_or(0.0, |silence| {
                way(silence.panes as f64, silence.longest_before.max(SILENT_PANES_MIN) as f64)
            }),
            Reasons::Runaway { amount, from, .. } => {
                from.map_or(0.0, |(from, _)| way(*amount, from))
            }
            Reasons::Budget { burn, .. } => {
                way(burn.projected_share().unwrap_or(0.0).max(burn.spent_share()), rule.floor())
            }
        };
        near.min(0.999)
    }

    /// The steps, in the order they are taken. `rule` is what was asked for.
    pub fn steps(&self, rule: &SpendDetector) -> Vec<Step> {
        let mut steps = match self {
            Reasons::Nothing => vec![note("number", "nothing to weigh".to_owned())],
            Reasons::Above { weighed, share, driven } => {
                let mut steps = above(rule, weighed);
                let shares = [("share of invocations", share), ("one driver's share", driven)];
                steps.extend(shares.into_iter().filter_map(|(what, share)| {
                    let (is, least) = (*share)?;
                    Some(compared(what, is, least, Unit::Share))
                }));
                steps
            }
            Reasons::Riding { .. } => self.riding(rule),
            Reasons::Creeping { creep, .. } => creeping(rule, creep.as_ref()),
            Reasons::Silent { silence, panes } => silent(rule, silence.as_ref(), *panes),
            Reasons::Runaway { amount, from, .. } => match from {
                None => vec![compared("panes of history", 0.0, HISTORY_MIN as f64, Unit::Plain)],
                Some((from, largest)) => {
                    let mut step = compared("in the pane", *amount, *from, Unit::Plain);
                    step.note = format!("{RUNAWAY_TIMES} times the largest before, {largest:.0}");
                    vec![step]
                }
            },
            Reasons::Budget { burn, with_pace } => budget(rule, burn, *with_pace),
        };
        if let Some(judged) = self.judged(rule) {
            let unit = if rule.rule == Rule::Runaway || rule.rule == Rule::Silent {
                Unit::Plain
            } else {
                Unit::Own(rule.of)
            };
            steps.push(compared("above usual", judged.excess, rule.floor(), unit));
        }
        steps
    }
}

impl Reasons {
    fn riding(&self, rule: &SpendDetector) -> Vec<Step> {
        let Reasons::Riding { weighed, panes, odd, hour, new } = self else { return Vec::new() };
        let mut steps = above(rule, weighed);
        steps.push(compared("panes of history", *panes as f64, DAY_PANES as f64, Unit::Plain));
        steps.push(note(
            "above all its past",
            match odd {
                Some(0) => "now".to_owned(),
                Some(ago) => format!("{ago} panes ago"),
                None => "not within the hour".to_owned(),
            },
        ));
        let unit = Unit::Own(rule.of);
        steps.push(number("in the hour", *hour, unit, String::new()));
        if let Some(new) = new {
            steps.push(compared("at a new function", *new, rule.floor(), unit));
        }
        steps
    }
}

fn note(what: &'static str, note: String) -> Step {
    Step { what, amount: None, least: None, holds: None, unit: Unit::Plain, note }
}

fn number(what: &'static str, amount: f64, unit: Unit, said: String) -> Step {
    Step { amount: Some(amount), unit, ..note(what, said) }
}

fn compared(what: &'static str, is: f64, least: f64, unit: Unit) -> Step {
    let holds = Some(is >= least);
    Step { amount: Some(is), least: Some(least), holds, unit, ..note(what, String::new()) }
}

fn above(rule: &SpendDetector, weighed: &Weighed) -> Vec<Step> {
    let (times, unit) = (by_the_hour(rule.of), Unit::Own(rule.of));
    let Weighed { number: is, usual, bounds, novelty, .. } = weighed;
    let mut steps = vec![number("number", is * times, unit, String::new()), {
        match usual {
            None => note("usual", "too few panes to say".to_owned()),
            Some(usual) => number("usual", usual.median * times, unit, taken_from(usual)),
        }
    }];
    let mut novel = compared("novel", novelty.score(), bounds.threshold, Unit::Plain);
    if let Some((channel, rank)) = novelty.most().and_then(|(c, _)| Some((c, novelty.by(c)?))) {
        novel.note = format!(
            "by {}: {} of {} panes were as far from all before them",
            channel.name(),
            rank.as_far,
            rank.of
        );
    }
    steps.push(novel);
    steps.push(compared("novel and matters", is * times, bounds.matters * times, unit));
    steps.push(match bounds.excessive {
        None => note("excessive", "nothing is usual to exceed".to_owned()),
        Some(least) => compared("excessive", is * times, least * times, unit),
    });
    steps
}

/// From which panes what is usual is taken.
fn taken_from(usual: &Usual) -> String {
    let panes = match usual.basis {
        Basis::Level => "panes so far, for there is no whole day",
        Basis::HourOfDay => "panes at this hour of the days before",
        Basis::HourOfWeek => "panes at this hour of the same day of the weeks before",
    };
    format!("the middle one of {} {panes}", usual.panes)
}

fn creeping(rule: &SpendDetector, creep: Option<&Creep>) -> Vec<Step> {
    let (times, unit) = (by_the_hour(rule.of), Unit::Own(rule.of));
    let Some(creep) = creep else {
        return vec![note("number", "there are no two weeks to compare".to_owned())];
    };
    let least = RISE_MIN.max(TIMES_RESTLESS * creep.restless);
    let mut rise = compared("rise of the middle day", creep.rise, least, Unit::Share);
    rise.note = format!("weeks usually differ by {:.1} %", creep.restless * 100.0);
    let days = compared("days that rose", creep.days as f64, 6.0, Unit::Plain);
    let said = format!("a week before; floor {}", rule.floor());
    vec![
        number("mean of the week", creep.mean * times, unit, String::new()),
        number("usual", creep.before * times, unit, said),
        rise,
        days,
    ]
}

fn silent(rule: &SpendDetector, silence: Option<&Silence>, panes: usize) -> Vec<Step> {
    let history =
        compared("panes of history", panes as f64, SILENCE_HISTORY_MIN as f64, Unit::Plain);
    let Some(silence) = silence else {
        return vec![note("silent panes", "there was something in it".to_owned()), history];
    };
    let least = SILENT_PANES_MIN.max(silence.longest_before + 1) as f64;
    let mut silent = compared("silent panes", silence.panes as f64, least, Unit::Plain);
    silent.note = format!("the longest before were {}", silence.longest_before);
    let said = format!("{} that usually come meanwhile", rule.of.name());
    vec![silent, history, number("usual", silence.usual, Unit::Plain, said)]
}

fn budget(rule: &SpendDetector, burn: &Burn, with_pace: bool) -> Vec<Step> {
    let least =
        |raises: &[(Severity, f64)]| raises.iter().map(|(_, least)| *least).reduce(f64::min);
    let mut steps =
        vec![number("budget", burn.budget, Unit::Dollars, burn.month.name().to_owned())];
    steps.push(match least(&rule.spent) {
        Some(least) => compared("spent", burn.spent, least * burn.budget, Unit::Dollars),
        None => number("spent", burn.spent, Unit::Dollars, String::new()),
    });
    steps.push(match (burn.projected, burn.projected_share(), least(&rule.raises)) {
        _ if !with_pace => note("projected", "looked at with the last pane of an hour".to_owned()),
        (Some(is), Some(_), Some(least)) => {
            compared("projected", is, least * burn.budget, Unit::Dollars)
        }
        (Some(is), _, _) => {
            let said = "not decided by: there is no whole day".to_owned();
            number("projected", is, Unit::Dollars, said)
        }
        (None, ..) => note("projected", "there is no whole hour".to_owned()),
    });
    steps
}
