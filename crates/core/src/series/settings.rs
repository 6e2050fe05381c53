//! What it takes to be told of a pane. There are two settings with names: one that scores best where every
//! oddity of either direction counts, and one for a fleet whose owners are woken.

/// What a pane must be to be raised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The novelty score from which on a pane is novel.
    pub threshold: f64,
    /// Only what is above usual counts, by the two fields below, and what is excessive at its hour counts too.
    pub upward: bool,
    /// How much of the way from the usual number to an excessive one a novel pane must be.
    pub excess_share: f64,
    /// How much above the usual number a pane must be, in the unit of the series: nobody is woken for cents.
    pub floor: f64,
    /// How much a mean pane must have risen in a week to creep, in the unit of the series.
    pub creep_floor: f64,
}

/// For the Numenta Anomaly Benchmark, whose labels know drops too: the middle of the range in which neither a
/// tenth of a rank nor where a file begins matters much on its open files.
pub const NAB: Settings =
    Settings { threshold: 3.79, upward: false, excess_share: 0.0, floor: 0.0, creep_floor: 0.0 };

/// For paging: what at most two panes of five weeks were as far as, and of half a week none; before that, and after,
/// what is excessive at its hour pages too. Clean series open 0.1 to 0.2 episodes a week at this threshold, before
/// any floor.
pub const PAGING: Settings =
    Settings { threshold: 4.5, upward: true, excess_share: 0.75, floor: 0.0, creep_floor: 0.0 };

/// For dollars of a function in panes of five minutes: paging, if it is a dollar an hour above usual, or if a day
/// costs five dollars more than a week before.
pub const DOLLARS: Settings = PAGING.with_floors(1.0 / 12.0, 5.0 / 288.0);

impl Settings {
    /// The same with floors: for a pane above usual, and for the rise of a mean pane in a week.
    pub const fn with_floors(self, floor: f64, creep_floor: f64) -> Settings {
        Settings { floor, creep_floor, ..self }
    }
}
