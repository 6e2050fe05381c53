//! Lists of names: the requests a look takes, and what each answer means.

use tidewatch_aws::lists::{BYTES_MAX, Fetched, ListsError, ListsSource};
use tidewatch_aws::overrides::Fingerprint;

use crate::overrides::{page, text};
use crate::replay::Replay;
use crate::until;

async fn fetch(http: &Replay, known: Option<&Fingerprint>) -> Result<Fetched, ListsError> {
    let (pace, deadline) = until(20);
    ListsSource::new(&http.config(), "bucket".to_owned()).fetch(known, &pace, deadline).await
}

#[tokio::test(start_paused = true)]
async fn a_list_has_the_place_that_its_name_says_and_is_read_once() {
    let listed =
        page(&[("lists/6.names", "a"), ("lists/2.names", "b"), ("lists/readme", "c")], None);
    let http = Replay::of([listed.clone(), text("two"), text("six"), listed]);
    let Fetched::Lists { lists, fingerprint } = fetch(&http, None).await.unwrap() else { panic!() };
    assert_eq!(lists, [(1, b"two".to_vec()), (5, b"six".to_vec())]);
    assert_eq!(fetch(&http, Some(&fingerprint)).await.unwrap(), Fetched::Unchanged);
    assert_eq!(http.sent().len(), 4);
    // Gone, they are none; where there never were any, nothing has changed.
    let none = || page(&[], None);
    let http = Replay::of([none(), none()]);
    let found = fetch(&http, Some(&fingerprint)).await.unwrap();
    assert!(matches!(found, Fetched::Lists { lists, .. } if lists.is_empty()));
    assert_eq!(fetch(&http, None).await.unwrap(), Fetched::Unchanged);
}

#[tokio::test(start_paused = true)]
async fn what_has_no_place_or_is_too_large_is_refused() {
    for name in ["0", "7", "01", "leak", "1/2"] {
        let http = Replay::of([page(&[(&format!("lists/{name}.names"), "a")], None)]);
        let error = fetch(&http, None).await.unwrap_err();
        assert!(matches!(&error, ListsError::Name { .. }), "{error}");
        assert!(error.to_string().contains(&format!("`lists/{name}.names`")), "{error}");
        assert_eq!(http.sent().len(), 1, "none is read");
    }
    let large = "x".repeat(usize::try_from(BYTES_MAX).unwrap() + 1);
    let http = Replay::of([page(&[("lists/1.names", "a")], None), text(&large)]);
    let error = fetch(&http, None).await.unwrap_err();
    assert!(matches!(error, ListsError::TooLarge { .. }), "{error}");
}
