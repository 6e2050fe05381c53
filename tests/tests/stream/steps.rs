//! A follower and a feeder, step by step, over a simulated stream on which only happens what a test asks
//! for.

use std::sync::{Arc, Mutex};

use tidewatch_aws::failure::Failure;
use tidewatch_aws::stream::checkpoint::Checkpoint;
use tidewatch_aws::stream::feed::{Feeder, GIVEN_UP_AFTER, Told};
use tidewatch_aws::stream::follow::{Delivery, Follower};
use tidewatch_aws::stream::{Entry, Stream};
use tidewatch_core::time::{Span, Time};
use tidewatch_tests::simulated_stream::{SimulatedPace, SimulatedStream, Weather};
use tidewatch_tests::simulator::executor::{Clock, Executor, Stopped};

const BEGUN_MS: i64 = 1_700_000_000_000;

type Follows = Follower<SimulatedStream, SimulatedPace>;

/// Runs `story` in virtual time and gives back what it says.
fn told<T, F>(weather: Weather, story: impl FnOnce(Clock, SimulatedStream) -> F) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut executor = Executor::new(BEGUN_MS);
    let clock = executor.clock();
    let stream = SimulatedStream::new(clock.clone(), 3, 1, weather);
    let told = Arc::new(Mutex::new(None));
    let (story, into) = (story(clock.clone(), stream), Arc::clone(&told));
    clock.spawn(async move {
        let says = story.await;
        *into.lock().expect("unpoisoned") = Some(says);
    });
    assert_eq!(executor.run(100_000), Stopped::Idle);
    told.lock().expect("unpoisoned").take().expect("the story ends")
}

fn entry(text: &str) -> Entry {
    Entry { partition_key: "somebody".to_owned(), hash_key: 7, data: text.as_bytes().to_vec() }
}

async fn put(clock: &Clock, stream: &SimulatedStream, text: &str) {
    let entry = entry(text);
    stream.put(&[&entry]).await.expect("calm weather").pop().expect("a word").expect("taken");
    clock.sleep(100).await;
}

fn follower(clock: &Clock, stream: &SimulatedStream, checkpoint: Checkpoint) -> Follows {
    Follower::new(stream.clone(), SimulatedPace::new(clock.clone(), 1), checkpoint)
}

fn from_start() -> Checkpoint {
    Checkpoint::begin("logs", Time(0))
}

/// Everything until `until_ms`.
async fn drain(
    clock: &Clock,
    follower: &mut Follows,
    until_ms: i64,
) -> (Vec<String>, Vec<Delivery>) {
    let (mut texts, mut deliveries) = (Vec::new(), Vec::new());
    while clock.now_ms() < until_ms {
        let delivery = follower.next().await.expect("nothing is refused");
        let text = |data: &Vec<u8>| String::from_utf8(data.clone()).expect("text");
        texts.extend(delivery.records.iter().map(|record| text(&record.data)));
        deliveries.push(delivery);
    }
    (texts, deliveries)
}

#[test]
fn parents_come_before_their_children() {
    let texts = told(Weather::CALM, |clock, stream| async move {
        for round in 0..12 {
            for n in 0..5 {
                put(&clock, &stream, &format!("{round}.{n}")).await;
            }
            stream.reshard();
        }
        let mut follower = follower(&clock, &stream, from_start());
        drain(&clock, &mut follower, BEGUN_MS + 300_000).await.0
    });
    let expected = (0..12).flat_map(|round| (0..5).map(move |n| format!("{round}.{n}")));
    assert_eq!(texts, expected.collect::<Vec<_>>());
}

#[test]
fn what_arrived_before_since_is_left_out_and_children_are_read_from_their_start() {
    let texts = told(Weather::CALM, |clock, stream| async move {
        put(&clock, &stream, "before").await;
        let since = Time(clock.now_ms());
        put(&clock, &stream, "after").await;
        let mut follower = follower(&clock, &stream, Checkpoint::begin("logs", since));
        let first = drain(&clock, &mut follower, BEGUN_MS + 10_000).await.0;
        stream.reshard();
        put(&clock, &stream, "in a child").await;
        [first, drain(&clock, &mut follower, BEGUN_MS + 100_000).await.0].concat()
    });
    assert_eq!(texts, ["after", "in a child"]);
}

#[test]
fn a_follower_that_slept_for_an_hour_goes_on_where_it_was() {
    let texts = told(Weather::CALM, |clock, stream| async move {
        put(&clock, &stream, "one").await;
        let mut follower = follower(&clock, &stream, from_start());
        let mut texts = drain(&clock, &mut follower, BEGUN_MS + 10_000).await.0;
        put(&clock, &stream, "two").await;
        // Its iterator has expired meanwhile.
        clock.sleep(3_600_000).await;
        texts.extend(drain(&clock, &mut follower, clock.now_ms() + 10_000).await.0);
        texts
    });
    assert_eq!(texts, ["one", "two"]);
}

#[test]
fn a_shard_that_is_gone_before_it_was_read_is_named() {
    let (texts, lost) = told(Weather::CALM, |clock, stream| async move {
        put(&clock, &stream, "one").await;
        let mut follower = follower(&clock, &stream, from_start());
        let mut texts = drain(&clock, &mut follower, BEGUN_MS + 10_000).await.0;
        put(&clock, &stream, "never read").await;
        stream.reshard();
        stream.expire_closed();
        put(&clock, &stream, "three").await;
        let (more, deliveries) = drain(&clock, &mut follower, BEGUN_MS + 100_000).await;
        texts.extend(more);
        let lost: Vec<String> = deliveries.into_iter().flat_map(|one| one.lost).collect();
        (texts, lost)
    });
    assert_eq!(texts, ["one", "three"]);
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert!(lost[0].starts_with("shardId-000000000000, behind 0"), "{lost:?}");
}

#[test]
fn a_shard_is_not_asked_for_more_than_it_gives() {
    let (count, took_ms, busiest) = told(Weather::CALM, |clock, stream| async move {
        let large = "x".repeat(1_000_000);
        for _ in 0..40 {
            put(&clock, &stream, &large).await;
        }
        let mut follower = follower(&clock, &stream, from_start());
        let (begun, mut count) = (clock.now_ms(), 0);
        while count < 40 {
            count += follower.next().await.expect("nothing is refused").records.len();
        }
        (count, clock.now_ms() - begun, stream.busiest_second())
    });
    // 40 MB at 2 MB a second, but for the last page, of at most 7 records.
    assert!(took_ms >= (40 - 7) * 1_000 / 2, "{count} records in {took_ms} ms");
    assert!(busiest <= 5, "{busiest} requests in a second");
}

#[test]
fn trouble_that_may_pass_is_told_and_waited_out() {
    let weather = Weather { throttled: 0.5, ..Weather::CALM };
    let (texts, troubles) = told(weather, |clock, stream| async move {
        let entry = entry("one");
        let mut feeder = Feeder::new(stream.clone(), SimulatedPace::new(clock.clone(), 2));
        feeder.put(&[entry]).await.expect("in the end");
        let mut follower = follower(&clock, &stream, from_start());
        let (texts, deliveries) = drain(&clock, &mut follower, BEGUN_MS + 600_000).await;
        let troubles = deliveries.iter().filter(|one| one.trouble.is_some()).count();
        (texts, troubles)
    });
    assert_eq!(texts, ["one"]);
    assert!(troubles > 5, "{troubles}");
}

#[test]
fn a_feed_that_gets_nowhere_is_given_up_and_says_why() {
    let weather = Weather { throttled: 1.0, ..Weather::CALM };
    let (failure, feeder_told, took) = told(weather, |clock, stream| async move {
        let mut feeder = Feeder::new(stream, SimulatedPace::new(clock.clone(), 2));
        let failure = feeder.put(&[entry("one")]).await.expect_err("it cannot");
        (failure, feeder.told().clone(), Span(clock.now_ms() - BEGUN_MS))
    });
    assert_eq!(failure, Failure::Throttled("too many requests".to_owned()));
    assert!(took >= GIVEN_UP_AFTER && took < Span(GIVEN_UP_AFTER.0 * 2), "{took}");
    let Told { records, again, trouble, .. } = feeder_told;
    assert_eq!((records, trouble.as_deref()), (0, Some("too many requests")));
    assert!(again > 20, "{again}");
}

#[test]
fn only_what_was_not_taken_is_put_again() {
    let weather = Weather { partial: 1.0, ..Weather::CALM };
    let (on_stream, feeder_told) = told(weather, |clock, stream| async move {
        let entries: Vec<Entry> =
            (0..200).map(|n| Entry { hash_key: n % 50, ..entry(&n.to_string()) }).collect();
        let mut feeder = Feeder::new(stream.clone(), SimulatedPace::new(clock, 2));
        feeder.put(&entries).await.expect("in the end");
        (stream.size().1, feeder.told().clone())
    });
    assert_eq!((on_stream, feeder_told.records), (200, 200));
    assert!(feeder_told.again > 100, "{feeder_told:?}");
}
