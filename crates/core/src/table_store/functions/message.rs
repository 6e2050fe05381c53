//! A message about a function as bytes, from which the very same message is made again: it is written with the
//! chronicle it follows from, and published after that. What the detector's file says of it is taken from the file.
//!
//! Encoding, version 1: version · detector's id · activity and severity · made, start, first seen and last, the three
//! from the first (signed) · quiet · peak · what findings tell of a pane, see [`write_some`] · whether something
//! decided · place · other findings: number; each: detector's id, severity, uid · number and rule by name · its
//! numbers, see [`write_some`] · basis · panes that were as far, and of how many, or nothing · parts · version and
//! minute of a deployment, or nothing.
//!
//! Version 2, of what is said of a budget: that, and behind it the budget · spent · year and month · its numbers, see
//! [`write_some`]: projected, since when is counted, when it is used up · pace and how many of it.
//!
//! Version 3, where callers are named or told of: a bit for each of the following that there is: the budget · drivers: number; each:
//! kind, name, share, error · of what is about a caller: the caller · since when · functions: number; each: account, name,
//! dollars · 0, or 1 and a function and when it was first used.
//!
//! Version 4, of what is said of the budget of all functions together: that, and behind it, by one more bit, those with
//! most of what is spent: number; each: account, name, dollars.

use crate::detector::Severity;
use crate::finding::{Accuracy, Activity, Also, Finding, Measured, Value};
use crate::limits::DETECTORS_MAX;
use crate::meter::book::FINE;
use crate::meter::breakdown::PARTS;
use crate::meter::ledger::Function;
use crate::series::ahead::Pace;
use crate::series::season::Basis;
use crate::spend::budget::{Burn, Month};
use crate::spend::burning;
use crate::spend::detector::{Number, Rule, SpendDetector};
use crate::spend::drivers::{Driver, WHO};
use crate::spend::judged::{MEASURES, decided, key};
use crate::spend::spending::{Ride, Spending};
use crate::table_store::bytes::{Reader, Unreadable, Writer};
use crate::table_store::functions::callers::{read_name, write_name};
use crate::table_store::functions::numbers::{
    read_f64, read_place, read_text, write_f64, write_place,
};
use crate::table_store::functions::rider_bytes::{
    read_caller, read_function, write_caller, write_function,
};
use crate::time::{Span, Time};

/// The newest version of the encoding.
pub const VERSION: u8 = 4;

/// The version of a message that says nothing of all functions together, of one that says nothing of callers, and of one
/// that says nothing of a budget either.
const WITHOUT_ALL: u8 = 3;
const WITHOUT_CALLERS: u8 = 2;
const WITHOUT_BUDGET: u8 = 1;

const HAS_BUDGET: u8 = 1;
const HAS_DRIVERS: u8 = 2;
const HAS_RIDE: u8 = 4;
const HAS_MOST: u8 = 8;

/// More drivers, and functions of a caller, than any message names.
const DRIVERS_NAMED_MAX: usize = 64;

/// As bytes.
pub(super) fn encode(finding: &Finding, spending: &Spending) -> Vec<u8> {
    let mut out = Writer::default();
    out.byte(version(spending));
    out.counted(finding.detector.as_bytes());
    let activity = ACTIVITIES.iter().position(|activity| *activity == finding.activity);
    out.byte((activity.unwrap_or(0) as u8) << 4 | finding.severity as u8);
    out.signed(finding.time.0);
    for time in [finding.start, finding.first_seen, finding.last] {
        out.signed(time.0 - finding.time.0);
    }
    out.number(finding.quiet.0.unsigned_abs());
    write_f64(&mut out, finding.peak);
    let measure = |name: &str| {
        let measured = finding.measures.iter().find(|measured| measured.name == name);
        measured.map(|measured| measured.value.amount)
    };
    write_some(&mut out, MEASURES.map(measure));
    out.byte(u8::from(!finding.decided.is_empty()));
    write_place(&mut out, finding.samples.first());
    out.number(finding.also.len() as u64);
    for also in &finding.also {
        out.counted(also.detector.as_bytes());
        out.byte(also.severity as u8);
        out.counted(also.uid.as_deref().unwrap_or_default().as_bytes());
    }
    write_spending(&mut out, spending);
    out.bytes
}

fn write_spending(out: &mut Writer, spending: &Spending) {
    out.byte(spending.number.code());
    out.counted(spending.rule.name().as_bytes());
    let Spending { amount, dollars, dollars_above, .. } = *spending;
    let numbers =
        [Some(amount), Some(dollars), Some(dollars_above), spending.usual, spending.nearest];
    write_some(out, numbers);
    let basis = spending.basis.and_then(|basis| BASES.iter().position(|of| *of == basis));
    out.byte(basis.map_or(0, |at| at as u8 + 1));
    let (as_far, of) =
        spending.as_far.map_or((0, 0), |(as_far, of)| (as_far as u64, of as u64 + 1));
    out.number(as_far);
    out.number(of);
    let part = |name| spending.parts.iter().find(|(part, _)| *part == name).map(|(_, part)| *part);
    write_some(out, PARTS.map(part));
    match &spending.deployment {
        None => out.byte(0),
        Some((version, minute)) => {
            out.byte(1);
            out.counted(version.as_bytes());
            out.signed(minute.0);
        }
    }
    let flag = |is_there: bool, flag: u8| if is_there { flag } else { 0 };
    if version(spending) >= WITHOUT_ALL {
        let budget = flag(spending.budget.is_some(), HAS_BUDGET);
        let drivers = flag(!spending.drivers.is_empty(), HAS_DRIVERS);
        let most = flag(spending.is_of_all(), HAS_MOST);
        out.byte(budget | drivers | flag(spending.ride.is_some(), HAS_RIDE) | most);
    }
    if let Some(burn) = &spending.budget {
        write_budget(out, burn);
    }
    if !spending.drivers.is_empty() {
        write_drivers(out, &spending.drivers);
    }
    if let Some(ride) = &spending.ride {
        write_ride(out, ride);
    }
    if let Some(burn) = spending.budget.as_ref().filter(|burn| burn.of_all) {
        write_dollars(out, &burn.most);
    }
}

/// The least version that can say it: what says nothing new is as it always was.
fn version(spending: &Spending) -> u8 {
    match (names_callers(spending), &spending.budget) {
        (_, Some(burn)) if burn.of_all => VERSION,
        (true, _) => WITHOUT_ALL,
        (false, Some(_)) => WITHOUT_CALLERS,
        (false, None) => WITHOUT_BUDGET,
    }
}

fn names_callers(spending: &Spending) -> bool {
    !spending.drivers.is_empty() || spending.ride.is_some()
}

fn write_ride(out: &mut Writer, ride: &Ride) {
    write_caller(out, &ride.caller);
    out.signed(ride.since.0);
    write_dollars(out, &ride.functions);
    match &ride.new {
        None => out.byte(0),
        Some((function, first)) => {
            out.byte(1);
            write_function(out, function);
            out.signed(first.0);
        }
    }
}

/// Functions, each with dollars.
fn write_dollars(out: &mut Writer, all: &[(Function, f64)]) {
    out.number(all.len() as u64);
    for (function, dollars) in all {
        write_function(out, function);
        write_f64(out, *dollars);
    }
}

fn read_dollars(
    from: &mut Reader<'_>,
    what: &'static str,
) -> Result<Vec<(Function, f64)>, Unreadable> {
    let count = from.count(DRIVERS_NAMED_MAX, what)?;
    (0..count).map(|_| Ok((read_function(from)?, read_f64(from, what)?))).collect()
}

fn read_ride(from: &mut Reader<'_>) -> Result<Ride, Unreadable> {
    const WHAT: &str = "caller";
    let (caller, since) = (read_caller(from)?, Time(from.signed(WHAT)?));
    let functions = read_dollars(from, WHAT)?;
    let new = match from.byte(WHAT)? {
        0 => None,
        _ => Some((read_function(from)?, Time(from.signed(WHAT)?))),
    };
    Ok(Ride { caller, functions, new, since })
}

fn write_drivers(out: &mut Writer, drivers: &[Driver]) {
    out.number(drivers.len() as u64);
    for driver in drivers {
        let kind = WHO.iter().position(|kind| *kind == driver.kind);
        out.byte(kind.unwrap_or_default() as u8);
        write_name(out, &driver.name);
        write_f64(out, driver.share);
        write_f64(out, driver.error);
    }
}

fn read_drivers(from: &mut Reader<'_>) -> Result<Vec<Driver>, Unreadable> {
    const WHAT: &str = "drivers";
    let mut drivers = Vec::new();
    for _ in 0..from.count(DRIVERS_NAMED_MAX, WHAT)? {
        let at = usize::from(from.byte(WHAT)?);
        let kind = *WHO.get(at).ok_or(Unreadable::Damaged(WHAT))?;
        let name = read_name(from, at)?;
        let (share, error) = (read_f64(from, WHAT)?, read_f64(from, WHAT)?);
        drivers.push(Driver { kind, name, share, error });
    }
    Ok(drivers)
}

fn write_budget(out: &mut Writer, burn: &Burn) {
    write_f64(out, burn.budget);
    write_f64(out, burn.spent);
    out.signed(i64::from(burn.month.year));
    out.byte(burn.month.month);
    let time = |time: Option<Time>| time.map(|time| time.0 as f64);
    write_some(out, [burn.projected, time(burn.since), time(burn.used_up)]);
    let (pace, count) = match burn.pace {
        None => (0, 0),
        Some(Pace::Weekdays) => (1, 0),
        Some(Pace::Days(days)) => (2, days),
        Some(Pace::Hours(hours)) => (3, hours),
    };
    out.byte(pace);
    out.byte(count);
}

fn read_budget(from: &mut Reader<'_>) -> Result<Burn, Unreadable> {
    const WHAT: &str = "budget";
    let damaged = || Unreadable::Damaged(WHAT);
    let (budget, spent) = (read_f64(from, WHAT)?, read_f64(from, WHAT)?);
    let year = i32::try_from(from.signed(WHAT)?).map_err(|_| damaged())?;
    let month = Some(from.byte(WHAT)?).filter(|month| (1..=12).contains(month));
    let month = Month { year, month: month.ok_or_else(damaged)? };
    let [projected, since, used_up] = read_some::<3>(from)?;
    let time = |time: Option<f64>| time.map(|ms| Time(ms as i64));
    let pace = match (from.byte(WHAT)?, from.byte(WHAT)?) {
        (0, _) => None,
        (1, _) => Some(Pace::Weekdays),
        (2, days) => Some(Pace::Days(days)),
        (3, hours) => Some(Pace::Hours(hours)),
        _ => return Err(damaged()),
    };
    Ok(Burn {
        budget,
        of_all: false,
        month,
        since: time(since),
        spent,
        projected,
        pace,
        used_up: time(used_up),
        most: Vec::new(),
    })
}

/// The message again.
///
/// # Errors
/// If a later version wrote it, or nobody did.
pub(super) fn decode(
    function: &Function,
    detectors: &[SpendDetector],
    bytes: &[u8],
) -> Result<Finding, Unreadable> {
    const WHAT: &str = "message";
    let damaged = || Unreadable::Damaged(WHAT);
    let mut from = Reader::new(bytes);
    let version = from.version(VERSION)?;
    let id = read_text(&mut from, WHAT)?;
    let flags = from.byte(WHAT)?;
    let activity = *ACTIVITIES.get(usize::from(flags >> 4)).ok_or_else(damaged)?;
    let severity = severity(flags & 0xf)?;
    let time = Time(from.signed(WHAT)?);
    let mut read_time = || {
        let since = from.signed(WHAT)?;
        time.0.checked_add(since).map(Time).ok_or_else(damaged)
    };
    let (start, first_seen, last) = (read_time()?, read_time()?, read_time()?);
    let quiet = Span(from.number(WHAT)? as i64 & i64::MAX);
    let peak = read_f64(&mut from, WHAT)?;
    let measures = read_some::<{ MEASURES.len() }>(&mut from)?;
    let measures = MEASURES.into_iter().zip(measures).filter_map(|(name, amount)| {
        let value = Value { amount: amount?, error: Accuracy::Exact };
        Some(Measured { name: name.to_owned(), value })
    });
    let has_decided = from.byte(WHAT)? != 0;
    let samples = read_place(&mut from, function)?.into_iter().collect();
    let mut also = Vec::new();
    for _ in 0..from.count(DETECTORS_MAX, WHAT)? {
        let detector = read_text(&mut from, WHAT)?.into();
        let severity = self::severity(from.byte(WHAT)?)?;
        let uid = Some(read_text(&mut from, WHAT)?.into());
        also.push(Also { detector, severity, uid });
    }
    let mut spending = read_spending(&mut from, function)?;
    let has = match version {
        WITHOUT_BUDGET => 0,
        WITHOUT_CALLERS => HAS_BUDGET,
        _ => from.byte(WHAT)?,
    };
    if has & HAS_BUDGET != 0 {
        spending.budget = Some(read_budget(&mut from)?);
    }
    if has & HAS_DRIVERS != 0 {
        spending.drivers = read_drivers(&mut from)?;
    }
    if has & HAS_RIDE != 0 {
        spending.ride = Some(read_ride(&mut from)?);
    }
    if let Some(burn) = spending.budget.as_mut().filter(|_| has & HAS_MOST != 0) {
        (burn.of_all, burn.most) = (true, read_dollars(&mut from, WHAT)?);
    }
    from.end()?;
    let key = key(&spending);
    // A detector that is not loaded any more has its name left.
    let known = detectors.iter().find(|detector| *detector.id == *id);
    let text =
        |of: fn(&SpendDetector) -> &String| known.map_or(String::new(), |of_it| of(of_it).clone());
    let usual = spending.usual.unwrap_or(0.0);
    let decided =
        known.filter(|_| has_decided).map_or_else(Vec::new, |rule| match &spending.budget {
            Some(burn) => burning::decided(rule, burn),
            None => vec![decided(rule, spending.amount, usual)],
        });
    Ok(Finding {
        uid: crate::episode::uid(&id, &key, start),
        activity,
        severity,
        title: known.map_or_else(|| id.to_string(), |rule| rule.title.clone()),
        description: text(|rule| &rule.description),
        advice: text(|rule| &rule.advice),
        attacks: known.map_or_else(Vec::new, |rule| rule.attacks.clone()),
        detector: id.into(),
        key,
        agent: None,
        time,
        start,
        first_seen,
        last,
        window: FINE,
        quiet,
        measures: measures.collect(),
        decided,
        peak,
        sources: Vec::new(),
        sources_total: 0,
        samples,
        accounts: Vec::new(),
        confidence: None,
        since: Vec::new(),
        listed: Vec::new(),
        also,
        members: Vec::new(),
        spending: Some(Box::new(spending)),
    })
}

fn read_spending(from: &mut Reader<'_>, function: &Function) -> Result<Spending, Unreadable> {
    const WHAT: &str = "message";
    let damaged = || Unreadable::Damaged(WHAT);
    let code = from.byte(WHAT)?;
    let number = Number::ALL.into_iter().find(|number| number.code() == code);
    let rule = read_text(from, WHAT)?;
    let rule = Rule::ALL.into_iter().find(|known| known.name() == &*rule);
    let [amount, dollars, dollars_above, usual, nearest] = read_some::<5>(from)?;
    let basis = match from.byte(WHAT)? {
        0 => None,
        at => Some(*BASES.get(usize::from(at) - 1).ok_or_else(damaged)?),
    };
    let (as_far, of) = (from.number(WHAT)? as usize, from.number(WHAT)? as usize);
    let parts = read_some::<{ PARTS.len() }>(from)?;
    let deployment = match from.byte(WHAT)? {
        0 => None,
        _ => Some((read_text(from, WHAT)?, Time(from.signed(WHAT)?))),
    };
    Ok(Spending {
        ride: None,
        function: function.clone(),
        number: number.ok_or_else(damaged)?,
        rule: rule.ok_or_else(damaged)?,
        amount: amount.ok_or_else(damaged)?,
        usual,
        basis,
        nearest,
        as_far: of.checked_sub(1).map(|of| (as_far, of)),
        dollars: dollars.ok_or_else(damaged)?,
        dollars_above: dollars_above.ok_or_else(damaged)?,
        parts: PARTS
            .into_iter()
            .zip(parts)
            .filter_map(|(name, part)| Some((name, part?)))
            .collect(),
        drivers: Vec::new(),
        deployment,
        budget: None,
    })
}

const ACTIVITIES: [Activity; 3] = [Activity::Create, Activity::Update, Activity::Close];

const BASES: [Basis; 3] = [Basis::Level, Basis::HourOfDay, Basis::HourOfWeek];

/// The severity of that number.
pub(super) fn severity(number: u8) -> Result<Severity, Unreadable> {
    use Severity::{Critical, High, Informational, Low, Medium};
    let all = [Informational, Low, Medium, High, Critical];
    let found = all.into_iter().find(|severity| *severity as u8 == number);
    found.ok_or(Unreadable::Damaged("severity"))
}

/// A bit for each number that is there, lowest first; and these, in eight bytes each.
fn write_some<const N: usize>(out: &mut Writer, numbers: [Option<f64>; N]) {
    let there = numbers.iter().enumerate().filter(|(_, number)| number.is_some());
    out.byte(there.map(|(nth, _)| 1 << nth).sum());
    numbers.into_iter().flatten().for_each(|number| write_f64(out, number));
}

fn read_some<const N: usize>(from: &mut Reader<'_>) -> Result<[Option<f64>; N], Unreadable> {
    let there = from.byte("numbers")?;
    let mut numbers = [None; N];
    for (nth, number) in numbers.iter_mut().enumerate().filter(|(nth, _)| there >> nth & 1 == 1) {
        debug_assert!(nth < N);
        *number = Some(read_f64(from, "numbers")?);
    }
    Ok(numbers)
}
