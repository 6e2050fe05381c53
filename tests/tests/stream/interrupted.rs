//! A thousand interruptions: feeds and followers that are dropped at any await and gone on with from what
//! they had written down, over a stream that fails and is resharded all the while.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex};

use flate2::read::GzDecoder;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tidewatch_aws::stream::Record;
use tidewatch_aws::stream::checkpoint::Checkpoint;
use tidewatch_aws::stream::feed::{FeedCheckpoint, Feeder};
use tidewatch_aws::stream::follow::Follower;
use tidewatch_aws::stream::pack::{Blocks, Cut, Feed, LogLine};
use tidewatch_core::time::Time;
use tidewatch_tests::simulated_stream::{SimulatedPace, SimulatedStream, Weather};
use tidewatch_tests::simulator::executor::{Clock, Executor, Stopped, TaskId};

const BEGUN_MS: i64 = 1_700_000_000_000;

/// More polls and timers than any sound run takes.
const STEPS_MAX: u64 = 3_000_000;

/// How often a feed and a follower are ended in a run.
const INTERRUPTIONS: u32 = 5;

/// When nothing new is done to them any more, and the last ones are left to finish.
const QUIET_AT_MS: i64 = BEGUN_MS + 120_000;

const END_MS: i64 = BEGUN_MS + 600_000;

/// What outlives whoever is ended.
#[derive(Default)]
struct Disk {
    feed: Option<FeedCheckpoint>,
    follow: Option<String>,
    /// What the followers took in and wrote down with their checkpoints.
    records: Vec<Record>,
    fed: bool,
    interrupted: u32,
    copies: u64,
    lost: Vec<String>,
}

struct Run {
    clock: Clock,
    stream: SimulatedStream,
    disk: Mutex<Disk>,
    rng: Mutex<ChaCha8Rng>,
    lines: Vec<LogLine>,
}

impl Run {
    fn draw(&self, range: std::ops::Range<i64>) -> i64 {
        self.rng.lock().expect("unpoisoned").random_range(range)
    }

    fn disk(&self) -> std::sync::MutexGuard<'_, Disk> {
        self.disk.lock().expect("unpoisoned")
    }

    fn pace(&self) -> SimulatedPace {
        SimulatedPace::new(self.clock.clone(), self.draw(0..i64::MAX) as u64)
    }

    /// One feed from what is on disk to its end.
    async fn feed(self: Arc<Run>) {
        let begin = || FeedCheckpoint::begin(7, "all".to_owned());
        let mut checkpoint = self.disk().feed.clone().unwrap_or_else(begin);
        let mut feeder = Feeder::new(self.stream.clone(), self.pace());
        let feed = Feed { owner: "123456789012".to_owned(), run: checkpoint.run, input: 0 };
        let blocks = Blocks::new(self.lines.iter().cloned(), Cut { lines_max: 13, span: None });
        for block in blocks.skip(checkpoint.done("log") as usize) {
            let packed = feed.pack(&block);
            assert!(packed.too_long.is_empty());
            feeder.put(&packed.entries).await.expect("all of it passes");
            checkpoint.blocks.insert("log".to_owned(), block.number);
            // A file is written: it takes a moment, and then it is there.
            self.clock.sleep(self.draw(0..5)).await;
            self.disk().feed = Some(checkpoint.clone());
        }
        self.disk().fed = true;
    }

    /// One follower from what is on disk on.
    async fn follow(self: Arc<Run>) {
        self.stream.new_reader();
        let json = self.disk().follow.clone();
        let checkpoint = match json {
            Some(json) => Checkpoint::read(&json, "logs").expect("its own"),
            None => Checkpoint::begin("logs", Time(BEGUN_MS)),
        };
        let mut follower = Follower::new(self.stream.clone(), self.pace(), checkpoint);
        let mut taken = Vec::new();
        // A follower never ends by itself.
        while self.clock.now_ms() < END_MS {
            let delivery = follower.next().await.expect("all of it passes");
            taken.extend(delivery.records);
            self.disk().copies += delivery.copies;
            self.disk().lost.extend(delivery.lost);
            if self.draw(0..3) == 0 {
                let json = follower.checkpoint().to_json();
                self.clock.sleep(self.draw(0..5)).await;
                let mut disk = self.disk();
                disk.records.append(&mut taken);
                disk.follow = Some(json);
            }
        }
    }
}

/// Ends task `id` at a drawn time, and starts the next one in its place a while later.
fn interrupt<F>(run: &Arc<Run>, id: TaskId, left: u32, start: fn(Arc<Run>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    if left == 0 {
        return;
    }
    let (ends_in, pause) = (run.draw(1..9_000), run.draw(0..3_000));
    let run = Arc::clone(run);
    let clock = run.clock.clone();
    clock.call_in(ends_in, move || {
        run.clock.cancel(id);
        let mut disk = run.disk();
        disk.interrupted += u32::from(!disk.fed);
        drop(disk);
        let again = Arc::clone(&run);
        run.clock.call_in(pause, move || {
            let id = again.clock.spawn(start(Arc::clone(&again)));
            interrupt(&again, id, left - 1, start);
        });
    });
}

/// Lines of four log streams, some milliseconds apart.
fn lines(count: usize) -> Vec<LogLine> {
    let line = |n: usize| LogLine {
        time: Time(BEGUN_MS + n as i64 * 3),
        group: "/aws/lambda/login".to_owned(),
        stream: format!("stream-{}", n % 4),
        message: format!("line {n}"),
    };
    (0..count).map(line).collect()
}

/// Plays a run to its end; what was taken in of each log stream.
fn play(seed: u64, weather: Weather) -> (Arc<Run>, BTreeMap<String, Vec<String>>) {
    let mut executor = Executor::new(BEGUN_MS);
    let clock = executor.clock();
    let stream = SimulatedStream::new(clock.clone(), seed, 2, weather);
    let run = Arc::new(Run {
        clock: clock.clone(),
        stream,
        disk: Mutex::default(),
        rng: Mutex::new(ChaCha8Rng::seed_from_u64(!seed)),
        lines: lines(2_000),
    });
    let feed = clock.spawn(Run::feed(Arc::clone(&run)));
    interrupt(&run, feed, INTERRUPTIONS, Run::feed);
    let follow = clock.spawn(Run::follow(Arc::clone(&run)));
    interrupt(&run, follow, INTERRUPTIONS, Run::follow);
    let mut at = 0;
    while at < QUIET_AT_MS - BEGUN_MS {
        at += run.draw(2_000..40_000);
        let stream = run.stream.clone();
        clock.call_in(at, move || stream.reshard());
    }
    let stopped = executor.run(STEPS_MAX);
    assert_eq!(stopped, Stopped::Idle, "seed {seed}");
    let taken = by_stream(&run.disk().records);
    (run, taken)
}

fn by_stream(records: &[Record]) -> BTreeMap<String, Vec<String>> {
    let mut taken: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in records {
        let mut text = String::new();
        GzDecoder::new(&record.data[..]).read_to_string(&mut text).expect("gzip of text");
        let envelope: Value = serde_json::from_str(&text).expect("an envelope");
        let stream = envelope["logStream"].as_str().expect("a name").to_owned();
        for event in envelope["logEvents"].as_array().expect("events") {
            let message = event["message"].as_str().expect("a message").to_owned();
            taken.entry(stream.clone()).or_default().push(message);
        }
    }
    taken
}

fn expected() -> BTreeMap<String, Vec<String>> {
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in lines(2_000) {
        expected.entry(line.stream).or_default().push(line.message);
    }
    expected
}

/// What is wrong with a run.
fn wrong(seed: u64, run: &Run, taken: &BTreeMap<String, Vec<String>>) -> Option<String> {
    let disk = run.disk();
    let (expected, busiest) = (expected(), run.stream.busiest_second());
    let differing = expected.iter().find(|(stream, lines)| taken.get(*stream) != Some(lines));
    if let Some((stream, lines)) = differing {
        let found = taken.get(stream).map_or(&[][..], Vec::as_slice);
        let at = lines.iter().zip(found).position(|(line, found)| line != found);
        let at = at.unwrap_or(lines.len().min(found.len()));
        let (one, other) = (lines.get(at), found.get(at));
        return Some(format!(
            "seed {seed}: {stream}: {} of {} lines; at {at}: {other:?} for {one:?}",
            found.len(),
            lines.len()
        ));
    }
    if !disk.lost.is_empty() {
        return Some(format!("seed {seed}: lost {:?}", disk.lost));
    }
    (busiest > 5).then(|| format!("seed {seed}: {busiest} requests of a shard in a second"))
}

/// The property: each line of each log stream is taken in once, and in order.
#[test]
fn feed_then_follow_loses_and_doubles_nothing_over_a_thousand_interruptions() {
    let (mut interruptions, mut copies, mut shards, mut seed) = (0, 0, 0, 0);
    while interruptions < 1_000 {
        let (run, taken) = play(seed, Weather::ROUGH);
        assert_eq!(wrong(seed, &run, &taken), None);
        interruptions += run.disk().interrupted;
        copies += run.disk().copies;
        shards += run.stream.size().0;
        seed += 1;
    }
    // Otherwise it would prove little.
    assert!(copies > seed && shards > seed as usize * 4, "{copies} copies, {shards} shards");
    println!(
        "{interruptions} interruptions in {seed} runs, {copies} copies left out, {shards} shards"
    );
}

/// What keeps copies apart is needed: without the names of records they are taken in again.
#[test]
fn without_the_names_of_records_copies_are_taken_in_twice() {
    let weather = Weather { nameless: true, ..Weather::ROUGH };
    let doubled = (0..5).filter(|seed| {
        let (run, taken) = play(*seed, weather);
        wrong(*seed, &run, &taken).is_some()
    });
    assert_eq!(doubled.count(), 5);
}
