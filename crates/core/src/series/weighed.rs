//! What is known about the newest pane, as numbers that sentences can be made of: "$41/h; the nearest in five
//! weeks was $22/h, and 3 of 9,800 panes were ever as far from anything before; usual at this hour $3.4/h".

use super::creep::Creep;
use super::episode;
use super::history::History;
use super::rank::Rank;
use super::season::{Season, Usual};
use super::settings::Settings;
use super::steps::Step;
use super::{Series, novelty};

/// How much less a rank counts by shape than by value.
pub const SHAPE_LESS: f64 = 0.15;

/// How much less a rank counts by two hours than by value.
pub const HOURS_LESS: f64 = 0.6;

/// In what way a pane is unlike the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// By its number.
    Value,
    /// By the course of the last hour.
    Shape,
    /// By the mean of the last two hours.
    Hours,
}

/// How rare a pane is in each of three ways; nothing where there is too little to compare with.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Novelty {
    /// By its number.
    pub value: Option<Rank>,
    /// By the course of the last hour.
    pub shape: Option<Rank>,
    /// By the mean of the last two hours.
    pub hours: Option<Rank>,
}

/// Why a pane is raised.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Raised {
    /// It is novel, most so in this way.
    pub novel: Option<Channel>,
    /// It is excessive at its hour.
    pub excessive: bool,
    /// The days before it creep.
    pub creeps: bool,
}

/// A stretch of panes with nothing in them that ends with the newest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Silence {
    /// How many panes.
    pub panes: usize,
    /// The longest such stretch before it.
    pub longest_before: usize,
    /// What usually comes in these panes.
    pub usual: f64,
}

/// What a pane must come to: novel enough and enough to matter, or excessive.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    /// The novelty score from which on it is novel.
    pub threshold: f64,
    /// From which number on what is novel matters.
    pub matters: f64,
    /// From which number on it is excessive at its hour; nothing where that says nothing.
    pub excessive: Option<f64>,
}

/// The newest pane, and what it is weighed by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighed {
    /// Which pane.
    pub pane: i64,
    /// Its number.
    pub number: f64,
    /// What is usual at its hour.
    pub usual: Option<Usual>,
    /// The nearest number of the five weeks before, of a pane that is raised.
    pub nearest: Option<f64>,
    /// The largest number of the five weeks before, likewise.
    pub largest: Option<f64>,
    /// How rare it is.
    pub novelty: Novelty,
    /// The last seven days against the week before.
    pub creep: Option<Creep>,
    /// That it is silent, and how long.
    pub silence: Option<Silence>,
    /// What it must come to, to be raised.
    pub bounds: Bounds,
    /// Why it is raised.
    pub raised: Raised,
}

/// What the next pane may be and go unalerted: no more than the smaller of the two, or either where the other is
/// not known yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuietMax {
    /// By novelty: the largest number of five weeks and D*, the largest distance that does not reach the
    /// threshold.
    pub novelty: Option<f64>,
    /// By what is excessive at its hour.
    pub excessive: Option<f64>,
}

impl Channel {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Channel::Value => "number",
            Channel::Shape => "course of an hour",
            Channel::Hours => "mean of two hours",
        }
    }
}

impl QuietMax {
    /// The bound; nothing in the first half hour of a series.
    pub fn bound(&self) -> Option<f64> {
        match (self.novelty, self.excessive) {
            (Some(novelty), Some(excessive)) => Some(novelty.min(excessive)),
            (novelty, excessive) => novelty.or(excessive),
        }
    }
}

impl Novelty {
    /// The most telling channel and its score.
    pub fn most(&self) -> Option<(Channel, f64)> {
        let scored = |channel, rank: Option<Rank>, less: f64| Some((channel, rank?.rank - less));
        let all = [
            scored(Channel::Value, self.value, 0.0),
            scored(Channel::Shape, self.shape, SHAPE_LESS),
            scored(Channel::Hours, self.hours, HOURS_LESS),
        ];
        all.into_iter().flatten().max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The score; 0 where nothing can be said.
    pub fn score(&self) -> f64 {
        self.most().map_or(0.0, |(_, score)| score.max(0.0))
    }

    /// The rank by a channel.
    pub fn by(&self, channel: Channel) -> Option<Rank> {
        match channel {
            Channel::Value => self.value,
            Channel::Shape => self.shape,
            Channel::Hours => self.hours,
        }
    }
}

impl Raised {
    /// Whether the pane itself is raised, and not only the days before it.
    pub fn at_once(&self) -> bool {
        self.novel.is_some() || self.excessive
    }

    /// Whether it is raised at all.
    pub fn is_raised(&self) -> bool {
        self.at_once() || self.creeps
    }
}

impl Weighed {
    /// How much it is above usual, or above nothing where that is not known.
    pub fn excess(&self) -> f64 {
        self.number - self.usual.map_or(0.0, |usual| usual.median)
    }
}

/// Weighs the newest pane of a series; nothing if it was not measured.
pub fn weigh(series: &Series, settings: &Settings) -> Option<Weighed> {
    let pane = series.history.newest()?;
    let step = series.history.at(pane);
    let number = f64::from(step.number()?);
    let closed = series.closed_days(pane);
    let usual = closed.season.usual(&series.history, pane, series.width);
    let mut weighed = Weighed {
        pane,
        number,
        usual,
        nearest: None,
        largest: None,
        novelty: series.novelty(),
        creep: closed.creep,
        silence: silence(series, &closed.season, pane, step),
        bounds: Bounds {
            threshold: settings.threshold,
            matters: settings.matters(usual.as_ref()),
            excessive: usual.and_then(|usual| settings.excessive(&usual)),
        },
        raised: Raised::default(),
    };
    weighed.raised = raised(&weighed, settings);
    if weighed.raised.is_raised() {
        // It takes a look at five weeks.
        let before = Before::of(series, pane, step);
        (weighed.nearest, weighed.largest) = (before.nearest(number), before.largest());
    }
    Some(weighed)
}

fn raised(weighed: &Weighed, settings: &Settings) -> Raised {
    let Bounds { threshold, matters, excessive } = weighed.bounds;
    let most = weighed.novelty.most().filter(|(_, score)| *score >= threshold);
    let matters = weighed.number >= matters;
    Raised {
        novel: most.filter(|_| !settings.upward || matters).map(|(channel, _)| channel),
        excessive: excessive.is_some_and(|excessive| weighed.number >= excessive),
        creeps: settings.upward && weighed.creep.is_some_and(|c| c.creeps(settings.creep_floor)),
    }
}

impl Settings {
    /// From which number on a novel pane matters.
    fn matters(&self, usual: Option<&Usual>) -> f64 {
        let median = usual.map_or(0.0, |usual| usual.median);
        let excess = usual.map_or(0.0, |usual| usual.excessive() - median);
        median + (self.excess_share * excess).max(self.floor)
    }

    /// From which number on a pane is excessive; nothing where that says nothing: after nothing but zeros any
    /// number is, and only a floor can tell whether it matters.
    fn excessive(&self, usual: &Usual) -> Option<f64> {
        let says = self.upward && (usual.most > 0.0 || self.floor > 0.0);
        says.then(|| usual.excessive().max(usual.median + self.floor))
    }
}

/// What the next pane may be and go unalerted.
pub fn quiet_max(series: &Series, settings: &Settings) -> Option<QuietMax> {
    let next = series.history.newest()? + 1;
    let usual = series.closed_days(next).season.usual(&series.history, next, series.width);
    let before = Before::of(series, next, Step::ABSENT);
    let enough = before.measured >= novelty::VALUES_MIN;
    let distance = series.value.quiet_max(settings.threshold).filter(|_| enough);
    let novelty = distance.zip(before.largest()).map(|(distance, largest)| {
        (largest + f64::from(distance)).max(settings.matters(usual.as_ref()))
    });
    let excessive = usual.and_then(|usual| settings.excessive(&usual));
    Some(QuietMax { novelty, excessive })
}

/// What the panes that one is compared with are, next to it and at most.
struct Before {
    below: Step,
    above: Option<Step>,
    largest: Step,
    measured: usize,
}

impl Before {
    fn of(series: &Series, pane: i64, step: Step) -> Before {
        let absent = Step::ABSENT;
        let mut before = Before { below: absent, above: None, largest: absent, measured: 0 };
        let oldest = pane - series.horizon as i64;
        for other in series.history.between(oldest, pane).filter(|other| *other != absent) {
            before.measured += 1;
            before.largest = before.largest.max(other);
            if other <= step {
                before.below = before.below.max(other);
            } else if before.above.is_none_or(|above| other < above) {
                before.above = Some(other);
            }
        }
        before
    }

    fn nearest(&self, number: f64) -> Option<f64> {
        let both = [Some(self.below), self.above];
        let numbers = both.into_iter().flatten().filter_map(Step::number).map(f64::from);
        numbers.min_by(|a, b| (a - number).abs().total_cmp(&(b - number).abs()))
    }

    fn largest(&self) -> Option<f64> {
        self.largest.number().map(f64::from)
    }
}

/// The silence that the newest pane is in, if it is.
fn silence(series: &Series, season: &Season, pane: i64, step: Step) -> Option<Silence> {
    if step != Step(0) {
        return None;
    }
    let history: &History = &series.history;
    let panes = history.iter().rev().take_while(|(_, step)| *step == Step(0)).count();
    let (mut longest, mut run) = (0, 0);
    for (_, step) in history.iter().take(history.panes() - panes) {
        run = if step == Step(0) { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let within = (panes as i64).min(episode::panes(series.width));
    let usual = season.sum(history, pane + 1 - within..pane + 1, series.width);
    Some(Silence { panes, longest_before: longest, usual })
}
