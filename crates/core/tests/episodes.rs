//! One attack is one episode with one uid, whoever publishes it and whatever fails meanwhile.

mod world;

use std::future::Future;
use std::sync::Mutex;

use smallvec::smallvec;
use tidewatch_core::admission::Admission;
use tidewatch_core::contribution::Contribution;
use tidewatch_core::detector::{Comparison, Condition, Detector, Raise, Severity};
use tidewatch_core::engine::Engine;
use tidewatch_core::episode::Episode;
use tidewatch_core::fault::Fault;
use tidewatch_core::finding::{
    Activity::{self, Close, Create, Update},
    Finding,
};
use tidewatch_core::key::KeyField;
use tidewatch_core::key_ring::Generation;
use tidewatch_core::memory::MemoryStore;
use tidewatch_core::plan::DetectorId;
use tidewatch_core::sink::{AlertSink, SinkError};
use tidewatch_core::slack::Slack;
use tidewatch_core::store::{Claimant, DueNow, Latched, Merged, Place, StoreError, WindowStore};
use tidewatch_core::time::{Span, Time};
use tidewatch_core::window::Window;
use world::*;

/// Three unknown users of one source, one a second from `s` on.
fn attack(s: i64, source: u8) -> Vec<Try> {
    (0..3).map(|user| unknown((s + user) * 1_000, source, (s + user) as u64)).collect()
}

/// "3 unknown users within 10 s", quiet after 30 s.
fn rule() -> Detector {
    scan(10, 30, 3)
}

/// (activity, number of its episode in order of appearance, last raise in seconds).
fn story(findings: &[Finding]) -> Vec<(Activity, usize, i64)> {
    let mut uids: Vec<&str> = Vec::new();
    let mut number = |uid| {
        uids.iter().position(|known| *known == uid).unwrap_or_else(|| {
            uids.push(uid);
            uids.len() - 1
        })
    };
    let times = told(findings).into_iter().map(|(_, _, last)| last);
    findings.iter().zip(times).map(|(f, last)| (f.activity, number(&f.uid), last)).collect()
}

/// What is told about `tries`, `then_s` seconds after which time stops.
fn check(tries: &[Try], then_s: i64, expected: &[(Activity, usize, i64)]) {
    assert_eq!(story(&findings(vec![rule()], tries, Span::seconds(then_s))), expected);
}

#[test]
fn an_episode_opens_closes_once_quiet_and_a_later_one_is_another() {
    check(&attack(0, 1), 29, &[(Create, 0, 2)]);
    check(&attack(0, 1), 30, &[(Create, 0, 2), (Close, 0, 2)]);
    // Still going on: what extends it is no news, twice the number is.
    let going_on: Vec<Try> = (0..20).map(|s| unknown(s * 1_000, 1, s as u64)).collect();
    check(&going_on, 30, &[(Create, 0, 2), (Update, 0, 5), (Close, 0, 19)]);
    // Going on without growing tells nothing, however long.
    let steady: Vec<Try> = (0..600).map(|s| unknown(s * 4_000, 1, s as u64)).collect();
    check(&steady, 30, &[(Create, 0, 8), (Close, 0, 2_396)]);
    // The last raise counts even if it came too soon after another one for a message.
    let [a, b, c, d] = [0, 1_000, 2_900, 3_100].map(|ms| unknown(ms, 1, ms as u64));
    check(&[a, b, c, d], 30, &[(Create, 0, 2), (Close, 0, 3)]);
    // A pause shorter than quiet is one episode, quiet itself is two.
    let twice = |s| [attack(0, 1), attack(s, 1)].concat();
    check(&twice(29), 30, &[(Create, 0, 2), (Close, 0, 31)]);
    check(&twice(30), 30, &[(Create, 0, 2), (Close, 0, 2), (Create, 1, 32), (Close, 1, 32)]);
    check(&twice(400), 30, &[(Create, 0, 2), (Close, 0, 2), (Create, 1, 402), (Close, 1, 402)]);
}

#[test]
fn a_closing_tells_the_worst_although_the_end_was_mild() {
    // Ten names a second, then one in four seconds: at the end only three lie in the window.
    let storm = (0..100).map(|n| unknown(n * 100, 1, n as u64));
    let tail = (0..20).map(|n| unknown(10_000 + n * 4_000, 1, 100 + n as u64));
    let tries: Vec<Try> = storm.chain(tail).collect();
    let told = findings(vec![rule()], &tries, Span::seconds(30));
    let close = told.last().expect("a closing");
    assert_eq!((close.activity, close.decided[0].amount), (Close, 3.0));
    // It is looked at once a pane, a third of a second here.
    assert!((96.0..=100.0).contains(&close.peak), "{}", close.peak);
}

#[test]
fn one_attackers_open_finding_hides_neither_another_attacker_nor_another_detector() {
    let other = Detector { id: "other".to_owned(), ..scan(20, 30, 4) };
    let tries = [attack(0, 1), attack(1, 2), attack(3, 1)].concat();
    let mut found: Vec<(String, String)> = findings(vec![rule(), other], &tries, Span(0))
        .iter()
        .filter(|f| f.activity == Create)
        .map(|f| (f.detector.clone(), f.key.to_string()))
        .collect();
    found.sort();
    let of = |detector: &str, n: u8| (detector.to_owned(), v4(n).to_string());
    assert_eq!(found, [of("other", 1), of("scan", 1), of("scan", 2)]);
}

#[test]
fn an_uid_depends_on_neither_the_tagging_key_nor_the_run() {
    let uids = |passphrase: &str| {
        let keys = [KeyField::SourceIp, KeyField::SourceSubnet, KeyField::Global];
        let of = |field: KeyField| Detector {
            id: field.name().to_owned(),
            key: smallvec![field],
            ..rule()
        };
        let mut engine = engine_with(keys.map(of).to_vec(), ROOMY, Vec::new(), passphrase);
        let v6_too = attack(5, 0).into_iter().map(|t| Try { source: v6(1, t.ms as u16), ..t });
        let tries = attack(0, 1).into_iter().chain(v6_too);
        let key = tag_key(passphrase);
        let signals: Vec<_> = tries.enumerate().map(|(i, t)| t.signal(&key, i as u64)).collect();
        run(async {
            for signal in &signals {
                engine.observe(signal).await?;
            }
            Ok(())
        })
        .unwrap();
        engine.sink().iter().map(|f| (f.key, f.uid.clone())).collect::<Vec<_>>()
    };
    let first = uids("one");
    assert_eq!(first, uids("two"));
    assert!(first.len() >= 5);
    for (i, (key, uid)) in first.iter().enumerate() {
        assert!(uid.len() == 32 && uid.chars().all(|c| c.is_ascii_hexdigit()), "{uid}");
        assert!(!first[..i].iter().any(|(k, other)| k != key && other == uid), "{uid} twice");
    }
}

#[test]
fn a_late_raise_takes_a_closed_episode_up_again_under_its_uid() {
    // Another source moves time on to 40 s, which closes the episode of 2 s.
    let mut tries = attack(0, 1);
    tries.push(unknown(40_000, 9, 0));
    let closed = [(Create, 0, 2), (Close, 0, 2)];
    check(&tries, 0, &closed);
    // Late, but within quiet of its end: the same episode. And it closes again.
    let late = [tries.clone(), attack(20, 1)].concat();
    check(&late, 30, &[&closed[..], &[(Update, 0, 22), (Close, 0, 22)]].concat());
    // Late, and quiet had passed: another one.
    let later = [tries.clone(), attack(31, 1)].concat();
    check(&later, 30, &[&closed[..], &[(Create, 1, 33), (Close, 1, 33)]].concat());
}

#[test]
fn what_is_older_than_an_episode_and_not_part_of_it_is_one_of_its_own() {
    // Kept time is much longer than quiet here: both attacks are in it, the later one comes first.
    let tries = [attack(100, 1), attack(60, 1), attack(104, 1)].concat();
    let found = findings(vec![scan(60, 10, 3)], &tries, Span::seconds(10));
    let late = [(Create, 1, 62), (Close, 1, 62)];
    let expected = [&[(Create, 0, 102)], &late[..], &[(Update, 0, 104), (Close, 0, 106)]].concat();
    assert_eq!(story(&found), expected);
}

#[test]
fn an_episode_that_another_follows_is_closed_first_even_when_both_are_late() {
    // Time stands at 1,000 s throughout, so nothing but the second attack tells that the first is over.
    let mut tries = vec![unknown(1_000_000, 9, 0)];
    tries.extend([attack(0, 1), attack(100, 1)].concat());
    let both = [(Create, 0, 2), (Close, 0, 2), (Create, 1, 102)];
    check(&tries, 0, &both);
    check(&tries, 1, &[&both[..], &[(Close, 1, 102)]].concat());
}

#[test]
fn a_late_event_that_raises_twice_tells_the_worse_of_both_once() {
    let mut rule = scan(10, 30, 5);
    rule.raises.push(Raise {
        severity: Severity::Medium,
        confidence: None,
        when: vec![at_least(0, 3)],
    });
    // As of 2 s there are three users, as of 9 s five.
    let users = [(0, 0), (1, 1), (8, 2), (9, 3), (2, 4)];
    let tries = users.map(|(s, user)| unknown(s * 1_000, 1, user));
    // The fourth user was the first to raise.
    let severities = |found: Vec<Finding>| -> Vec<_> {
        found.iter().map(|f| (f.activity, f.severity)).collect()
    };
    let one_after_the_other = [(Create, Severity::Medium), (Update, Severity::High)];
    assert_eq!(severities(findings(vec![rule.clone()], &tries, Span(0))), one_after_the_other);
    // Here the late one alone raises: as of 2 s medium (few tries), as of 6 s high.
    let at_most =
        |measure, number| Condition { comparison: Comparison::AtMost, ..at_least(measure, number) };
    let mut rule = detector("both", (10, 30), &[UNKNOWN_USERS, TRIES], &[at_least(0, 4)]);
    let when = vec![at_least(0, 2), at_most(1, 3)];
    rule.raises.push(Raise { severity: Severity::Medium, confidence: None, when });
    let tries = [
        unknown(1_000, 1, 0),
        Try { attempts: 4, ..unknown(5_000, 1, 1) },
        unknown(6_000, 1, 2),
        unknown(2_000, 1, 3),
    ];
    let found = findings(vec![rule], &tries, Span(0));
    assert_eq!(told(&found).last().map(|(_, _, last)| *last), Some(6));
    assert_eq!(severities(found), [(Create, Severity::High)]);
}

#[test]
fn an_attacker_who_comes_back_again_and_again_is_due_once() {
    let mut engine = engine(vec![scan(60, 10, 2)], ROOMY);
    // The event that ends one episode begins the next.
    let tries: Vec<Try> = (0..50).map(|i| unknown(i * 11_000, 1, i as u64)).collect();
    feed(&mut engine, &tries, Span(0));
    let story = story(engine.sink());
    assert_eq!(story.len(), 97, "{story:?}");
    let far = engine.now().plus(Span::seconds(1_000));
    let due = run(async { Ok(engine.store().due(far, |_, _| {}).await?) }).unwrap();
    assert_eq!(due.due.len(), 1);
}

/// A sink that fails where `fails` says so, counting attempts from 0.
struct Flaky {
    attempts: usize,
    fails: fn(usize) -> bool,
    left: Vec<Finding>,
}

impl AlertSink for Flaky {
    async fn publish(&mut self, finding: &Finding) -> Result<(), SinkError> {
        self.attempts += 1;
        if (self.fails)(self.attempts - 1) {
            return Err(SinkError::Failed("a test".to_owned()));
        }
        self.left.push(finding.clone());
        Ok(())
    }
}

/// The story told through a flaky sink; a failure is passed over.
fn told_through(fails: fn(usize) -> bool, tries: &[Try]) -> Vec<(Activity, usize, i64)> {
    let sink = Flaky { attempts: 0, fails, left: Vec::new() };
    let mut engine = engine_with(vec![rule()], ROOMY, sink, "a key");
    let key = tag_key("a key");
    let mut errors = 0;
    for (i, t) in tries.iter().enumerate() {
        errors += usize::from(run(engine.observe(&t.signal(&key, i as u64))).is_err());
    }
    for _ in 0..3 {
        errors += usize::from(run(engine.tick(engine.now().plus(Span::seconds(30)))).is_err());
    }
    let sink = engine.sink();
    assert_eq!(errors, (0..sink.attempts).filter(|attempt| fails(*attempt)).count());
    story(&sink.left)
}

#[test]
fn what_a_sink_refused_is_published_again() {
    let tries = [attack(0, 1), attack(3, 1)].concat();
    let whole = [(Create, 0, 2), (Update, 0, 5), (Close, 0, 5)];
    assert_eq!(told_through(|_| false, &tries), whole);
    // The opening: the next raise opens it.
    assert_eq!(told_through(|n| n == 0, &tries), [(Create, 0, 3), (Close, 0, 5)]);
    // It need not wait for the next message to be due.
    let [a, b, c, d, e] = [0, 1_000, 1_900, 2_100, 3_500].map(|ms| unknown(ms, 1, ms as u64));
    let soon = told_through(|n| n == 0, &[a, b, c, d, e]);
    assert_eq!(soon, [(Create, 0, 2), (Close, 0, 3)]);
    // The update: without another raise the closing tells.
    assert_eq!(told_through(|n| n == 1, &tries), [(Create, 0, 2), (Close, 0, 5)]);
    // The closing.
    assert_eq!(told_through(|n| n == 2, &tries), whole);
    // Everything until quiet: it opens before it closes even so.
    assert_eq!(told_through(|n| n < 4, &tries), [(Create, 0, 5), (Close, 0, 5)]);
}

/// A store in which somebody else always latches first.
struct Rival {
    inner: MemoryStore,
    theirs: Mutex<Vec<Episode>>,
}

impl WindowStore for Rival {
    fn merge<J>(
        &self,
        contributions: &[Contribution],
        now: Time,
        judge: J,
    ) -> impl Future<Output = Result<Merged, StoreError>> + Send
    where
        J: FnMut(usize, &Window<'_>) -> Slack + Send,
    {
        self.inner.merge(contributions, now, judge)
    }

    fn read<V>(
        &self,
        keys: &[Place],
        view: V,
    ) -> impl Future<Output = Result<(), StoreError>> + Send
    where
        V: FnMut(&Window<'_>) + Send,
    {
        self.inner.read(keys, view)
    }

    fn due<J>(&self, now: Time, judge: J) -> impl Future<Output = Result<DueNow, StoreError>> + Send
    where
        J: FnMut(Place, &Window<'_>) + Send,
    {
        self.inner.due(now, judge)
    }

    async fn dealt_with(&self, place: Place) -> Result<(), StoreError> {
        self.inner.dealt_with(place).await
    }

    fn reading(self, generation: Generation) -> Rival {
        Rival { inner: self.inner.reading(generation), ..self }
    }

    async fn latch(
        &self,
        place: Place,
        detector: DetectorId,
        expected: &[Episode],
        new: Episode,
        version: Option<u64>,
    ) -> Result<Latched, StoreError> {
        let theirs = Episode { published: new.claimed, ..new.clone() };
        self.theirs.lock().expect("nothing panics meanwhile").push(theirs.clone());
        self.inner.latch(place, detector, expected, theirs, version).await?;
        self.inner.latch(place, detector, expected, new, version).await
    }

    fn claimant(&self) -> Claimant {
        self.inner.claimant()
    }

    fn has_time(&self) -> bool {
        self.inner.has_time()
    }
}

#[test]
fn whoever_loses_the_latch_publishes_nothing() {
    let plan = plan(vec![rule()]);
    let inner = MemoryStore::new(plan.clone(), ROOMY, 7);
    let store = Rival { inner, theirs: Mutex::default() };
    let key = tag_key("a key");
    let sink: Vec<Finding> = Vec::new();
    let admission = Admission::until(at(1_000_000));
    let mut engine = Engine::new(plan, store, sink, key, admission);
    let tries = [attack(0, 1), attack(3, 1)].concat();
    run(async {
        for (i, t) in tries.iter().enumerate() {
            engine.observe(&t.signal(&key, i as u64)).await?;
        }
        engine.tick(at(100_000)).await
    })
    .unwrap();
    assert_eq!(story(engine.sink()), []);
    // They were there first each time: opened, updated, closed.
    let theirs = engine.store().theirs.lock().unwrap().clone();
    assert!(theirs.len() >= 3 && theirs.last().unwrap().closed, "{theirs:?}");
}

#[test]
fn a_closed_sink_stops_the_run() {
    struct Gone;
    impl AlertSink for Gone {
        async fn publish(&mut self, _: &Finding) -> Result<(), SinkError> {
            Err(SinkError::Closed)
        }
    }
    let mut engine = engine_with(vec![rule()], ROOMY, Gone, "a key");
    let key = tag_key("a key");
    let all = run(async {
        for (i, t) in attack(0, 1).iter().enumerate() {
            engine.observe(&t.signal(&key, i as u64)).await?;
        }
        Ok(())
    });
    assert_eq!(all, Err(Fault::Sink(SinkError::Closed)));
}
