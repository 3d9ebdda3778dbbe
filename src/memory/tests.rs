//! What may be had at once, who waits, and who goes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use proptest::prelude::*;
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::relief::STALL;
use super::*;

fn hold(budget: &Arc<Budget>, by: By) -> Hold {
    Hold::new(Arc::clone(budget), by)
}

#[test]
fn queries_have_a_share_and_not_the_last() {
    // In use by messages; what a query has by then; what it may have.
    let table =
        [(0, 0, 500), (0, 400, 100), (250, 0, 500), (260, 0, 490), (749, 0, 1), (750, 0, 0)];
    for (messages, before, most) in table {
        let budget = Arc::new(Budget::of(1000));
        let (mut message, mut query) = (hold(&budget, By::Messages), hold(&budget, By::Queries));
        message.set(messages);
        query.try_set(before).unwrap();
        assert_eq!(query.try_set(before + most + 1), Err(Full), "{messages} {before}");
        assert_eq!(query.bytes(), before);
        query.try_set(before + most).unwrap();
        assert_eq!(message.try_set(1001 - before - most), Err(Full), "senders have the rest");
        message.try_set(1000 - before - most).unwrap();
        drop((message, query));
        assert_eq!(budget.reserved(), 0);
    }
}

#[tokio::test]
async fn those_who_wait_have_their_turn_in_order() {
    let budget = Arc::new(Budget::of(1 << 20));
    let mut first = hold(&budget, By::Messages);
    first.set(1 << 20);
    assert!(budget.is_pressed());
    let (mut large, mut small) = (hold(&budget, By::Messages), hold(&budget, By::Bodies));
    {
        let mut waits = Box::pin(large.grow(1 << 19));
        let mut after = Box::pin(small.grow(1));
        assert!(waits.as_mut().now_or_never().is_none());
        assert!(after.as_mut().now_or_never().is_none());
        first.set((1 << 20) - 2);
        assert!(after.as_mut().now_or_never().is_none(), "others came before");
        assert_eq!(hold(&budget, By::Messages).try_set(1), Err(Full), "others came before");
        first.set(0);
        assert!(waits.as_mut().now_or_never().is_some());
        assert!(after.as_mut().now_or_never().is_some());
    }
    assert_eq!((large.bytes(), small.bytes(), budget.reserved()), (1 << 19, 1, (1 << 19) + 1));
    // Who goes away while waiting keeps nobody waiting, granted or not.
    first.set(1 << 19);
    let (mut third, mut fourth) = (hold(&budget, By::Messages), hold(&budget, By::Messages));
    let mut waits = Box::pin(third.grow(1 << 19));
    let mut after = Box::pin(fourth.grow(10));
    assert!(waits.as_mut().now_or_never().is_none());
    assert!(after.as_mut().now_or_never().is_none());
    drop(large);
    drop(waits);
    assert!(after.now_or_never().is_some());
    drop((first, small, third, fourth));
    assert_eq!(budget.reserved(), 0);
    assert!(!budget.is_pressed());
}

#[tokio::test]
async fn st_21_who_holds_most_and_does_not_get_on_goes_so_that_others_do() {
    let budget = Arc::new(Budget::of(1000));
    let mut stalled: Vec<Hold> = [300, 500, 200]
        .map(|bytes| {
            let mut hold = hold(&budget, By::Messages);
            hold.set(bytes);
            hold
        })
        .into();
    let mut good = hold(&budget, By::Messages);
    let told = stalled[1].told();
    let ends = async {
        told.await;
        drop(stalled.remove(1));
    };
    let both = async { tokio::join!(good.grow(400), ends) };
    timeout(20 * STALL, both).await.expect("one goes");
    assert_eq!((good.bytes(), budget.reserved()), (400, 900));
    assert!(stalled.iter().all(|hold| hold.told().now_or_never().is_none()), "one is enough");
}

#[tokio::test]
async fn st_21_of_those_who_wait_for_each_other_one_goes() {
    let budget = Arc::new(Budget::of(1000));
    let mut waiting = Vec::new();
    for bytes in [250, 260, 240, 250] {
        let mut hold = hold(&budget, By::Messages);
        hold.set(bytes);
        waiting.push(async move {
            let told = hold.told();
            tokio::select! {
                biased;
                () = hold.grow(100) => true,
                () = told => false,
            }
        });
    }
    let done = timeout(Duration::from_secs(120), futures_util::future::join_all(waiting)).await;
    assert_eq!(done.expect("all get out"), [true, false, true, true]);
    assert_eq!(budget.reserved(), 0);
}

proptest! {
    #[test]
    fn holds_are_never_more_than_there_is_and_all_is_given_back(
        steps in prop::collection::vec((0..6_usize, 0..3_usize, 0..1500_usize), 1..60),
    ) {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let _clock = runtime.enter();
        let budget = Arc::new(Budget::of(1000));
        let mut holds: Vec<Hold> = (0..6).map(|n| hold(&budget, By::ALL[n % 3])).collect();
        for (which, how, bytes) in steps {
            let hold = &mut holds[which];
            let before = hold.bytes();
            match how {
                0 => {
                    let done = hold.try_set(bytes);
                    prop_assert_eq!(hold.bytes(), if done.is_ok() { bytes } else { before });
                }
                1 => {
                    let grown = hold.grow(bytes).now_or_never();
                    prop_assert_eq!(hold.bytes(), before + grown.map_or(0, |()| bytes));
                }
                _ => hold.set(bytes.min(before)),
            }
            let sum: usize = holds.iter().map(Hold::bytes).sum();
            prop_assert_eq!(sum, budget.reserved());
            prop_assert!(sum <= 1000);
            let queries = holds[2].bytes() + holds[5].bytes();
            prop_assert!(queries <= 500);
        }
        drop(holds);
        prop_assert_eq!(budget.reserved(), 0);
    }
}
