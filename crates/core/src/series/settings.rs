//! What it takes to be told of a pane. There are two settings with names: one that scores best where every
//! oddity of either direction counts, and one for a fleet whose owners are woken.

/// What a pane must be to be raised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The novelty score from which on a pane is novel.
    pub threshold: f64,
    /// Only what is above usual counts, by the two fields below, and what is excessive at its hour counts too.
    pub upward: bool,
    /// How many times the usual number a novel pane must be.
    pub times_usual: f64,
    /// How much above the usual number a pane must be, in the unit of the series: nobody is woken for cents.
    pub floor: f64,
    /// How much a mean pane must have risen in a week to creep, in the unit of the series.
    pub creep_floor: f64,
}

/// For the Numenta Anomaly Benchmark, whose labels know drops too: the middle of the range in which neither a
/// tenth of a rank nor where a file begins matters much on its open files.
pub const NAB: Settings =
    Settings { threshold: 3.79, upward: false, times_usual: 0.0, floor: 0.0, creep_floor: 0.0 };

/// For paging: what no pane of five weeks, or of those there are, was ever as far as. A rank of 4.75 is within
/// reach after eleven days; until then, and after, what is excessive at its hour pages.
pub const PAGING: Settings =
    Settings { threshold: 4.75, upward: true, times_usual: 1.5, floor: 0.0, creep_floor: 0.0 };

impl Settings {
    /// The same with floors: for a pane above usual, and for the rise of a mean pane in a week.
    pub const fn with_floors(self, floor: f64, creep_floor: f64) -> Settings {
        Settings { floor, creep_floor, ..self }
    }
}
