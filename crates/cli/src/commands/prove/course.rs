//! How a proof goes: scans are written, and messages waited for.
//!
//! A log group that was made for it gets scans until one has come through, which are not timed: a new
//! subscription takes its time to be in force. Then there are rounds: a scan into each log group, timed from the
//! moment at which its lines are sent until its message is received, on the clock of this machine. A log group
//! that loses one gets no more.

use anyhow::Result;
use serde_json::Value;
use tidewatch_alert::printable;
use tidewatch_aws::TokioPace;
use tidewatch_aws::failure::Failure;
use tidewatch_aws::log_groups::LogGroup;
use tidewatch_aws::proving::{GROUPS, Heard, Prover};
use tidewatch_aws::subscriptions::{AccountPolicy, Filter, Intent, Way};
use tidewatch_core::signal::LogStream;
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::{Span, Time};

use super::scan;
use crate::args::ProveArgs;
use crate::output::say;

/// Scans into a new log group, at most, until one comes through.
pub const FIRST_SCANS_MAX: usize = 6;

/// Scans of all rounds together, at most. With the first ones they come from fewer sources than the 30 from which
/// detectors of campaigns raise: a proof should not look like one.
pub const SCANS_MAX: usize = 23;

/// A log group on its way.
#[derive(Debug)]
pub struct Course {
    /// The log group.
    pub group: String,
    /// Whether it was made for the proof.
    pub is_made: bool,
    /// How it is sent to the stack.
    pub way: Way,
    /// How long it took until a scan came through a log group that was made, in milliseconds.
    pub ready_ms: Option<i64>,
    /// How long each message took, in milliseconds.
    pub took_ms: Vec<i64>,
    /// Scans of which no message came in time.
    pub lost: u64,
    /// Messages that came later than that.
    pub late: u64,
    /// Messages without the mark of a rehearsal.
    pub unmarked: u64,
    /// Which detectors told.
    pub told_by: Vec<String>,
    /// Why it was not, or not further, proved.
    pub why: Option<String>,
}

/// A scan that was written.
#[derive(Debug)]
struct Written {
    course: usize,
    network: String,
    at: Time,
    is_timed: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Heard,
    Lost,
}

/// A proof under way.
#[derive(Debug)]
pub struct Proof<'a> {
    pub args: &'a ProveArgs,
    pub prover: Prover,
    pub pace: TokioPace,
    /// Names a scan.
    pub names: usize,
    /// Tells it from all others.
    pub id: String,
    pub courses: Vec<Course>,
    written: Vec<Written>,
}

impl<'a> Proof<'a> {
    /// One that has not begun.
    pub fn new(
        args: &'a ProveArgs,
        prover: Prover,
        pace: TokioPace,
        names: usize,
        id: String,
    ) -> Proof<'a> {
        Proof { args, prover, pace, names, id, courses: Vec::new(), written: Vec::new() }
    }

    fn wait(&self) -> Span {
        Span::seconds(i64::from(self.args.wait))
    }

    /// Proves it all.
    ///
    /// # Errors
    /// If the alert topic cannot be heard; what is wrong with one log group is told of that.
    pub async fn conduct(&mut self) -> Result<()> {
        self.look_for_leftovers().await;
        let policy = self.policy().await;
        for group in &self.args.group {
            let course = self.existing(group, policy.as_ref()).await;
            self.courses.push(course);
        }
        let id = self.id.clone();
        self.prover.listen(&id).await?;
        self.begin_made(policy.as_ref()).await?;
        for nth in 0..self.courses.len() {
            let group = self.courses[nth].group.clone();
            if !self.courses[nth].is_made && self.courses[nth].why.is_none() {
                let made = self.prover.make_stream(&group, &self.stream()).await;
                self.courses[nth].why = made.err().map(|failure| failure.to_string());
            }
        }
        for round in 1..=self.args.rounds {
            self.round(round).await?;
        }
        Ok(())
    }

    /// What an earlier proof could not remove, or one that runs now needs.
    async fn look_for_leftovers(&self) {
        let prefix = format!("{GROUPS}{}-", self.args.stack);
        let Ok(groups) = self.prover.subscriptions().log_groups().list(&prefix).await else {
            return;
        };
        for LogGroup { name, .. } in groups {
            say(format_args!(
                "tidewatch: log group {} is another proof's: if none runs now, delete it (`aws logs \
                 delete-log-group`), and queues of that name",
                printable(&name)
            ));
        }
    }

    async fn policy(&self) -> Option<AccountPolicy> {
        self.prover.subscriptions().policy().await.unwrap_or_else(|failure| {
            say(format_args!(
                "tidewatch: whether the account's policy sends log groups is unknown: {}",
                printable(&failure.to_string())
            ));
            None
        })
    }

    /// The log stream that is written to in each log group.
    fn stream(&self) -> String {
        format!("{}{}", LogStream::PROVED, self.id)
    }

    fn course(group: &str, is_made: bool, way: Way) -> Course {
        Course {
            group: group.to_owned(),
            is_made,
            way,
            ready_ms: None,
            took_ms: Vec::new(),
            lost: 0,
            late: 0,
            unmarked: 0,
            told_by: Vec::new(),
            why: None,
        }
    }

    /// A log group of the user's; nothing is written to it yet.
    async fn existing(&self, name: &str, policy: Option<&AccountPolicy>) -> Course {
        let failed =
            |why: String| Course { why: Some(why), ..Proof::course(name, false, Way::None) };
        match self.found(name).await {
            Err(failure) => failed(failure.to_string()),
            Ok(None) => failed("there is no such log group in this account and Region".to_owned()),
            Ok(Some((group, filters))) => {
                let ours = self.prover.subscriptions();
                match (ours.way(name, &filters, policy), ours.intent(&group, &filters, None)) {
                    (_, Intent::Refuse(why)) if ours.is_own(name) => failed(why),
                    (Way::None, _) => failed(format!(
                        "nothing of it is sent to the stack: tidewatch subscribe --stack {} '{name}'",
                        self.args.stack
                    )),
                    (way, _) => Proof::course(name, false, way),
                }
            }
        }
    }

    async fn found(&self, name: &str) -> Result<Option<(LogGroup, Vec<Filter>)>, Failure> {
        let ours = self.prover.subscriptions();
        let groups = ours.log_groups().list(name).await?;
        let Some(group) = groups.into_iter().find(|group| group.name == name) else {
            return Ok(None);
        };
        Ok(Some((group, ours.filters(name).await?)))
    }

    /// Makes a log group, and sees that what is written there comes through.
    async fn begin_made(&mut self, policy: Option<&AccountPolicy>) -> Result<()> {
        let name = format!("{GROUPS}{}-{}", self.args.stack, self.id);
        let way = match self.prover.subscriptions().way(&name, &[], policy) {
            Way::None => Way::Filter(self.prover.subscriptions().wanted().clone()),
            way => way,
        };
        let filtered = matches!(way, Way::Filter(_));
        self.courses.insert(0, Proof::course(&name, true, way));
        let mut made = self.prover.make_group(&name, filtered).await;
        if made.is_ok() {
            made = self.prover.make_stream(&name, &self.stream()).await;
        }
        if let Err(failure) = made {
            self.courses[0].why = Some(failure.to_string());
            return Ok(());
        }
        say(format_args!("tidewatch: waiting until {} is heard", printable(&name)));
        let begun = self.pace.now();
        for nth in 1..=FIRST_SCANS_MAX {
            if !self.write(0, false).await {
                return Ok(());
            }
            let until = begun.plus(Span(self.wait().0 * nth as i64 / FIRST_SCANS_MAX as i64));
            self.listen(until, |proof| proof.courses[0].ready_ms.is_some()).await?;
            if self.courses[0].ready_ms.is_some() {
                return Ok(());
            }
        }
        self.courses[0].lost = FIRST_SCANS_MAX as u64;
        self.courses[0].why = Some(format!("nothing came through within {} s", self.args.wait));
        Ok(())
    }

    /// Writes a scan into each log group, and waits for the messages.
    async fn round(&mut self, round: u32) -> Result<()> {
        let first = self.written.len();
        for nth in 0..self.courses.len() {
            if self.courses[nth].why.is_none() {
                self.write(nth, true).await;
            }
        }
        let Some(last) = self.written.last().filter(|_| self.written.len() > first) else {
            return Ok(());
        };
        let until = last.at.plus(self.wait());
        let heard = |proof: &Proof<'_>| {
            proof.written[first..].iter().all(|scan| scan.state == State::Heard)
        };
        self.listen(until, heard).await?;
        let total = self.written[first..].len();
        let came = self.written[first..].iter().filter(|scan| scan.state == State::Heard).count();
        say(format_args!(
            "tidewatch: round {round} of {}: {came} of {total} came through",
            self.args.rounds
        ));
        for scan in &mut self.written[first..] {
            if scan.state == State::Waiting {
                scan.state = State::Lost;
                let course = &mut self.courses[scan.course];
                course.lost += 1;
                course.why = Some(format!("no message within {} s", self.args.wait));
            }
        }
        Ok(())
    }

    /// Writes a scan; whether it is written.
    async fn write(&mut self, course: usize, is_timed: bool) -> bool {
        let id = format!("{}-{}", self.id, self.written.len() + 1);
        let group = self.courses[course].group.clone();
        let source = match scan::source() {
            Ok(source) => source,
            Err(error) => {
                self.courses[course].why = Some(error.to_string());
                return false;
            }
        };
        let lines = scan::lines(self.names, source, &id);
        match self.prover.write(&group, &self.stream(), &lines).await {
            Ok(at) => {
                let network = scan::network(source);
                let state = State::Waiting;
                self.written.push(Written { course, network, at, is_timed, state });
                true
            }
            Err(failure) => {
                self.courses[course].why = Some(failure.to_string());
                false
            }
        }
    }

    /// Takes what is heard until `deadline`, or until it `is_enough`.
    async fn listen(&mut self, deadline: Time, is_enough: impl Fn(&Self) -> bool) -> Result<()> {
        while !is_enough(self) && self.pace.now() < deadline {
            for heard in self.prover.heard(deadline).await? {
                self.take(&heard);
            }
        }
        Ok(())
    }

    /// Takes a message, if it is about a scan of this proof.
    fn take(&mut self, heard: &Heard) {
        let Ok(document) = serde_json::from_str::<Value>(&heard.body) else { return };
        let key = document["unmapped"]["tidewatch"]["key"].as_str().unwrap_or_default();
        let about = |scan: &&mut Written| scan::is_about(key, &scan.network);
        let Some(scan) = self.written.iter_mut().find(about) else { return };
        let course = &mut self.courses[scan.course];
        course.unmarked += u64::from(!heard.is_marked);
        let detector = document["finding_info"]["analytic"]["uid"].as_str().unwrap_or_default();
        if !course.told_by.iter().any(|known| known == detector) {
            course.told_by.push(detector.to_owned());
        }
        let took = heard.at.0 - scan.at.0;
        match scan.state {
            State::Heard => return,
            State::Lost => course.late += 1,
            State::Waiting if scan.is_timed => course.took_ms.push(took),
            State::Waiting => course.ready_ms = course.ready_ms.or(Some(took)),
        }
        scan.state = State::Heard;
    }
}
