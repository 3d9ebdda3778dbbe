//! What passes of a read, and what it costs.

use std::time::Duration;

use bytesize::ByteSize;
use proptest::prelude::*;

use crate::gate::allowance::{Offer, Tally};
use crate::gate::charge::{Charge, Levels, Named, Payer, Payers, Rates, Rules, grant, settle};
use crate::gate::limits::{Limits, Policy};

const AT: Duration = Duration::from_secs(50);

fn limits(events: Option<u64>, bytes: Option<u64>) -> Limits {
    let bytes_per_second = bytes.map(ByteSize::b);
    Limits { events_per_second: events, bytes_per_second, ..Limits::default() }
}

fn rates(events: Option<u64>, bytes: Option<u64>) -> Rates {
    Rates::new(&limits(events, bytes))
}

fn payer(rates: Rates, levels: &Levels) -> Payer<'_> {
    Payer { rates, levels, rules: &Rules::KEY, subject: Named::Key("key_1") }
}

/// Offers so many events of so many bytes each, of which every `severe`th is severe.
fn run(
    payers: &Payers<'_>,
    policy: Policy,
    [events, bytes, severe]: [u64; 3],
    at: Duration,
) -> (Tally, Charge) {
    let mut allowance = grant(payers, policy, at);
    for n in 1..=events {
        allowance.offer(bytes, || severe > 0 && n % severe == 0);
    }
    let charge = settle(payers, &allowance, at);
    (allowance.tally, charge)
}

#[test]
fn rl_02_what_fits_the_burst_passes_and_the_rest_goes_by_policy() {
    // (limits, policy, events, bytes each) → (passed, wait in ms, rule)
    type Row = ((Option<u64>, Option<u64>), Policy, u64, u64, (u64, u64, Option<&'static str>));
    let (events, bytes) = (Some("limit:key:events"), Some("limit:key:bytes"));

    let table: [Row; 16] = [
        ((Some(100), None), Policy::Drop, 100, 9, (100, 0, None)),
        ((Some(100), None), Policy::Drop, 101, 9, (100, 0, events)),
        ((Some(100), None), Policy::Drop, 5000, 9, (100, 0, events)),
        ((Some(100), None), Policy::Pace, 100, 9, (100, 0, None)),
        ((Some(100), None), Policy::Pace, 101, 9, (101, 10, events)),
        ((Some(100), None), Policy::Pace, 5000, 9, (5000, 49_000, events)),
        ((Some(100), None), Policy::Queue, 5000, 9, (5000, 0, events)),
        ((Some(100), None), Policy::Queue, 60_101, 9, (60_100, 0, events)),
        ((Some(100), None), Policy::Sample, 1100, 9, (200, 0, events)),
        ((None, Some(1000)), Policy::Drop, 10, 100, (10, 0, None)),
        ((None, Some(1000)), Policy::Drop, 10, 200, (5, 0, bytes)),
        ((None, Some(1000)), Policy::Drop, 1, 300_000, (1, 0, None)),
        ((None, Some(1000)), Policy::Drop, 2, 150_000, (1, 0, bytes)),
        ((None, Some(1000)), Policy::Pace, 10, 200, (10, 1000, bytes)),
        ((None, Some(1000)), Policy::Queue, 10, 200, (10, 0, bytes)),
        ((Some(3), Some(1000)), Policy::Drop, 10, 200, (3, 0, events)),
    ];
    for (row, ((e, b), policy, events, bytes, want)) in table.into_iter().enumerate() {
        let levels = Levels::default();
        let payers = [Some(payer(rates(e, b), &levels)), None, None];
        let (tally, charge) = run(&payers, policy, [events, bytes, 0], AT);
        let wait = u64::try_from(charge.wait.as_millis()).unwrap();
        assert_eq!((tally.passed, wait, charge.rule), want, "row {row}");
        assert_eq!(tally.passed + tally.shed, events, "row {row}");
        let by = if policy == Policy::Queue { Some("limit:key:queue") } else { charge.rule };
        assert_eq!(tally.shed_by(), by.filter(|_| tally.shed > 0), "row {row}");
    }
}

#[test]
fn rl_02_what_can_never_fit_is_not_retried_for_ever() {
    let levels = Levels::default();
    let payers = [Some(payer(rates(None, Some(1000)), &levels)), None, None];
    let passed = |seconds| {
        let at = AT + Duration::from_secs(seconds);
        run(&payers, Policy::Drop, [1, 10_000, 0], at).0.passed
    };
    assert_eq!([passed(0), passed(9), passed(10)], [1, 0, 1]);
}

#[test]
fn rl_05_zero_blocks_all_whatever_the_policy() {
    for policy in [Policy::Drop, Policy::Pace, Policy::Queue, Policy::Sample] {
        for rates in [rates(Some(0), None), rates(None, Some(0))] {
            let levels = Levels::default();
            let payers = [Some(payer(rates, &levels)), None, None];
            let (tally, charge) = run(&payers, policy, [30, 10, 2], AT);
            assert_eq!((tally.passed, charge.wait), (0, Duration::ZERO), "{policy:?}");
            assert!(charge.rule.is_some());
        }
    }
}

#[test]
fn rl_05_absent_and_huge_let_all_pass() {
    for rates in [rates(None, None), rates(Some(u64::MAX), Some(u64::MAX))] {
        let levels = Levels::default();
        let payers = [Some(payer(rates, &levels)), None, None];
        let (tally, charge) = run(&payers, Policy::Drop, [100, u64::MAX / 200, 0], AT);
        assert_eq!((tally.passed, charge), (100, Charge::default()));
        assert!(rates.is_unlimited());
    }
}

#[test]
fn what_one_payer_refuses_is_not_spent_by_the_other() {
    let (key, address) = (Levels::default(), Levels::default());
    let subject = Named::Address(std::net::Ipv4Addr::LOCALHOST.into());
    let wide = rates(Some(100), None);
    let of_address =
        || Some(Payer { rates: wide, levels: &address, rules: &Rules::ADDRESS, subject });
    let payers = [Some(payer(rates(Some(10), None), &key)), None, of_address()];
    for _ in 0..50 {
        run(&payers, Policy::Drop, [40, 1, 0], AT);
    }
    let (rest, charge) = run(&[None, None, of_address()], Policy::Drop, [100, 1, 0], AT);
    assert_eq!((rest.passed, charge.rule), (90, Some("limit:address:events")));
}

#[test]
fn what_is_severe_is_the_last_to_be_shed() {
    let levels = Levels::default();
    let payers = [Some(payer(rates(Some(1000), None), &levels)), None, None];
    // A flood at ten times the limit, of which one in twenty is severe.
    let (mut severe, mut passed) = (0, 0);
    for tenth in 0..100 {
        let at = AT + Duration::from_millis(100 * tenth);
        let mut allowance = grant(&payers, Policy::Drop, at);
        for n in 0..1000 {
            let offer = allowance.offer(1, || n % 20 == 19);
            severe += u64::from(n % 20 == 19 && offer == Offer::Pass);
        }
        settle(&payers, &allowance, at);
        passed += allowance.tally.passed;
    }
    assert_eq!(severe, 100 * 50, "the reserve holds them all");
    assert!(passed <= 1100 + 990 * 10, "{passed}");
}

#[test]
fn a_sample_is_one_in_so_many_over_all_reads_and_costs_nothing() {
    let levels = Levels::default();
    let own = Limits { sample_one_in: 7, ..limits(Some(10), None) };
    let payers = [Some(payer(Rates::new(&own), &levels)), None, None];
    let mut sum = Tally::default();
    for _ in 0..100 {
        let (tally, _) = run(&payers, Policy::Sample, [13, 5, 0], AT);
        sum.sampled += tally.sampled;
        sum.shed += tally.shed;
        sum.passed += tally.passed;
    }
    assert_eq!((sum.passed - sum.sampled, sum.sampled + sum.shed), (10, 1290));
    assert_eq!(sum.sampled, 1290_u64.div_ceil(7));
}

#[test]
fn a_shadow_says_what_it_would_have_done_and_does_nothing() {
    let (real, shadow) = (Levels::default(), Levels::default());
    let own = limits(Some(100), None);
    let shadowed = Rates::new(&Limits { shadow: true, ..limits(Some(100), None) });
    let (mut shed, mut would) = (0, 0);
    for tenth in 0..50 {
        let at = AT + Duration::from_millis(100 * tenth);
        let payers = [Some(payer(Rates::new(&own), &real)), None, None];
        shed += run(&payers, Policy::Drop, [37, 1, 0], at).0.shed;
        let payers = [Some(payer(shadowed, &shadow)), None, None];
        let (tally, charge) = run(&payers, Policy::Drop, [37, 1, 0], at);
        assert_eq!((tally.passed, charge.rule, charge.wait), (37, None, Duration::ZERO));
        would += charge.shadow[0].map_or(0, |(_, over)| over);
    }
    assert!(shed > 0);
    assert_eq!(would, shed);
}

proptest! {
    #[test]
    fn nothing_is_admitted_that_did_not_come_and_pace_loses_nothing(
        events in 0..2000_u64, bytes in any::<u64>(), severe in 0..5_u64,
        e in prop::option::of(any::<u64>()), b in prop::option::of(any::<u64>()),
    ) {
        for policy in [Policy::Drop, Policy::Queue, Policy::Sample] {
            let levels = Levels::default();
            let payers = [Some(payer(rates(e, b), &levels)), None, None];
            let (tally, charge) = run(&payers, policy, [events, bytes / 4000, severe], AT);
            prop_assert_eq!(tally.passed + tally.shed, events);
            let over = tally.shed + tally.queued + tally.sampled;
            prop_assert_eq!(over > 0, charge.rule.is_some());
            prop_assert_eq!(charge.wait, Duration::ZERO);
        }
        let levels = Levels::default();
        let payers = [Some(payer(rates(e, b), &levels)), None, None];
        let (tally, _) = run(&payers, Policy::Pace, [events, bytes / 4000, severe], AT);
        prop_assert!(tally.passed == events || e == Some(0) || b == Some(0));
    }
}
