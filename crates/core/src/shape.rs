//! What a signal is like, as far as measures ask, and the classes that lists of tags fall into by it.

use crate::detector::Filter;
use crate::signal::{Auth, Outcome, Role};

/// A class as bits. A list belongs to a measure if they have a bit in common. In memory bit i of a
/// list's class says that it counts for the i-th of [`distinct`](crate::plan::KeyPlan::distinct); in the shared home a list
/// has the bit of its [`Shape::kind`], plus [`KINDS`] in an odd [generation](crate::key_ring::Generation).
pub type Class = u64;

/// Kinds of signal: outcome × whether the user is known.
pub const KINDS: usize = 6;

/// Everything a filter can ask of a signal, in one small number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape(pub(crate) u8);

impl Shape {
    /// How many shapes there are.
    pub(crate) const COUNT: u8 = 12;

    /// The shape of an authentication signal.
    pub fn of(auth: &Auth) -> Shape {
        let known = match auth.user_known {
            None => 0,
            Some(false) => 1,
            Some(true) => 2,
        };
        let outcome = u8::from(auth.outcome == Outcome::Success);
        let role = u8::from(auth.role == Role::Mention);
        Shape(known + 3 * outcome + 6 * role)
    }

    /// The shape without its role: 0 to 2 for a failure whose user may exist, does not, does; 3 to 5
    /// for a success.
    pub fn kind(self) -> usize {
        usize::from(self.0 % 6)
    }

    pub(crate) fn role(self) -> Role {
        if self.0 < 6 { Role::Attempt } else { Role::Mention }
    }

    pub(crate) fn outcome(self) -> Outcome {
        if self.0 / 3 % 2 == 1 { Outcome::Success } else { Outcome::Failure }
    }

    pub(crate) fn known(self) -> Option<bool> {
        [None, Some(false), Some(true)][usize::from(self.0 % 3)]
    }

    pub(crate) fn passes(self, filter: Filter) -> bool {
        let (outcome, known) = (self.outcome(), self.known());
        filter.outcome.is_none_or(|wanted| wanted == outcome)
            && filter.user_known.is_none_or(|wanted| known == Some(wanted))
    }
}
