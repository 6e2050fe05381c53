//! The contract of the shared table holds for a plain one, and each way to break it is noticed.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tidewatch_tests::plain_table::{Fault, PlainTable};
use tidewatch_tests::table_contract::{agree, contract};

#[tokio::test]
async fn a_plain_table_keeps_the_contract() {
    contract(&PlainTable::default()).await;
    for seed in 0..100 {
        agree(&PlainTable::default(), &PlainTable::default(), seed).await;
    }
}

/// Each fault, and whether random writes from one writer show it too.
const FAULTS: [(Fault, bool); 12] = [
    (Fault::AnyVersion, true),
    (Fault::AbsenceIgnored, true),
    (Fault::FirstConditionOnly, true),
    (Fault::RefusalShowsNothing, true),
    (Fault::RefusedIndexes, true),
    (Fault::KeepClears, true),
    (Fault::DueUnordered, true),
    (Fault::DueUnlimited, true),
    (Fault::QueryByPrefix, false),
    (Fault::RemovesNothing, true),
    (Fault::VersionStays, true),
    (Fault::LostUpdates, false),
];

#[tokio::test]
async fn the_contract_notices_every_fault() {
    for (fault, by_chance) in FAULTS {
        let table = PlainTable::faulty(fault);
        let noticed = AssertUnwindSafe(contract(&table)).catch_unwind().await.is_err();
        assert!(noticed, "the contract does not notice {fault:?}");
        let mut differs = false;
        for seed in 0..5 {
            let (table, plain) = (PlainTable::faulty(fault), PlainTable::default());
            let run = AssertUnwindSafe(agree(&table, &plain, seed)).catch_unwind();
            differs |= run.await.is_err();
        }
        assert_eq!(differs, by_chance, "two tables, one of them with {fault:?}");
    }
}
