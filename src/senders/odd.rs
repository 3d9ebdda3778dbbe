//! What is odd about a sender, with what shows it.

use serde::Serialize;

use super::looks::{LOOKS, Looks};
use super::record::Record;
use super::traits::{Form, Traits};

/// Something odd about a sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Odd {
    /// What it is, stable, for programs.
    pub kind: Kind,
    /// What shows it.
    pub evidence: String,
}

/// What can be odd about a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Its clock is ahead of ours.
    ClockAhead,
    /// Its clock is behind ours, or what it sends is under way for long.
    ClockBehind,
    /// Its times are off by a zone.
    Zone,
    /// It says itself that its clock was not set.
    ClockUnsynced,
    /// Its messages have no time.
    NoTime,
    /// Its times name no year and no zone.
    OldTime,
    /// Something on the way leaves structured data out.
    StructuredDataLost,
    /// Its messages name no host.
    NoHost,
    /// Its messages name no program.
    NoProgram,
    /// Lines without a header: no syslog, or messages of several lines that were cut apart.
    NoHeader,
    /// Its messages are not framed as they should be.
    Framing,
    /// Its messages are framed now in one way, now in another.
    MixedFraming,
    /// Its messages are too long.
    Truncated,
    /// Its messages are no UTF-8.
    NotUtf8,
    /// Its messages do not parse whole.
    NotParsed,
    /// Numbers of its messages are missing.
    Missing,
    /// Its key can be read on the way.
    KeyInClear,
}

/// All that is odd about one.
pub(super) fn odd(record: &Record) -> Vec<Odd> {
    let traits = &record.traits;
    let mut odd: Vec<_> = clock(traits).into_iter().collect();
    for (kind, looks) in [
        (Kind::ClockUnsynced, traits.unsynced),
        (Kind::NoTime, traits.timeless),
        (Kind::OldTime, traits.zoneless),
        (Kind::NoHost, traits.hostless),
        (Kind::NoProgram, traits.appless),
        (Kind::NoHeader, traits.textual),
        (Kind::Framing, traits.misframed),
        (Kind::MixedFraming, traits.mixed),
        (Kind::Truncated, traits.truncated),
        (Kind::NotUtf8, traits.not_utf8),
        (Kind::NotParsed, traits.not_parsed),
    ] {
        if looks.is_recent() {
            odd.push(Odd { kind, evidence: seen(looks, traits) });
        }
    }
    odd.extend(lost_data(traits));
    if let Some(counts) = record.numbers.as_ref().map(|numbers| numbers.counts)
        && counts.missing > 0
    {
        let evidence = format!(
            "{} of {} messages are missing, in {} places",
            counts.missing,
            counts.missing + counts.numbered,
            counts.gaps
        );
        odd.push(Odd { kind: Kind::Missing, evidence });
    }
    odd.extend(key_in_clear(record));
    odd
}

/// What is wrong with a clock: where it is off by quarters of an hour, its zone.
fn clock(traits: &Traits) -> Option<Odd> {
    let (delay, apart) = traits.delay()?;
    if delay.abs() < LEAST_DELAY || apart > MOST_APART {
        return None; // what is kept and sent later comes at any time
    }
    let way = if delay < 0 { "ahead of" } else { "behind" };
    let quarters = (delay.abs() + QUARTER / 2) / QUARTER;
    let is_zone =
        (1..=MAX_QUARTERS).contains(&quarters) && (delay.abs() - quarters * QUARTER).abs() < SLACK;
    if is_zone {
        let (hours, minutes) = (quarters / 4, quarters % 4 * 15);
        let evidence = format!("its times are {hours} h {minutes:02} min {way} ours");
        return Some(Odd { kind: Kind::Zone, evidence });
    }
    let kind = if delay < 0 { Kind::ClockAhead } else { Kind::ClockBehind };
    let evidence = format!("its times are {} s {way} ours", delay.abs() / 1000);
    Some(Odd { kind, evidence })
}

/// Structured data that was there once, or a form in which relays write what had some.
fn lost_data(traits: &Traits) -> Option<Odd> {
    let kind = Kind::StructuredDataLost;
    if traits.colonless.is_recent() {
        let evidence = "its tags end without a colon, as the default template of rsyslog writes \
                        them, which leaves structured data out";
        return Some(Odd {
            kind,
            evidence: format!("{evidence} ({})", seen(traits.colonless, traits)),
        });
    }
    let is_lost = traits.had_data && !traits.has_data.is_recent() && traits.form != Form::Rfc5424;
    is_lost.then(|| {
        let evidence = "its messages had structured data, and have none any longer".to_owned();
        Odd { kind, evidence }
    })
}

/// A key in messages that nothing hides, but on this machine.
fn key_in_clear(record: &Record) -> Option<Odd> {
    let auth = record.traits.auth.as_deref()?;
    let is_within = ["structured_data", "prefix", "json_field", "hello", "http"].contains(&auth);
    let is_here = record.peer.is_none_or(|peer| peer.to_canonical().is_loopback());
    let is_clear = !record.protocol.ends_with("/tls") && !is_here && is_within;
    let evidence = || format!("its key comes over {} ({auth})", record.protocol);
    is_clear.then(|| Odd { kind: Kind::KeyInClear, evidence: evidence() })
}

/// How often something was seen.
fn seen(looks: Looks, traits: &Traits) -> String {
    let of = traits.looks.min(LOOKS.into());
    format!("at {} of the last {of} looks", looks.count())
}

/// A delay that is not worth a word, in milliseconds.
const LEAST_DELAY: i64 = 30_000;

/// How far apart delays may lie of a clock that is off.
const MOST_APART: i64 = 60_000;

/// Zones differ by quarters of an hour.
const QUARTER: i64 = 15 * 60_000;

/// The most that a zone can be off: 26 hours.
const MAX_QUARTERS: i64 = 26 * 4;

/// How near to a quarter of an hour it is.
const SLACK: i64 = 90_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_told_from_a_clock() {
        let hour = 3_600_000;
        // Delays in milliseconds; what is said.
        let table: [(&[i64], Option<_>); 8] = [
            (&[0, 5, 100, 20, 7], None),
            (&[hour; 4], None),
            (
                &[hour, hour + 900, hour + 1000, hour, hour],
                Some((Kind::Zone, "its times are 1 h 00 min behind ours")),
            ),
            (&[-2 * hour; 5], Some((Kind::Zone, "its times are 2 h 00 min ahead of ours"))),
            (
                &[-5 * hour - hour / 2; 6],
                Some((Kind::Zone, "its times are 5 h 30 min ahead of ours")),
            ),
            (&[-200_000; 5], Some((Kind::ClockAhead, "its times are 200 s ahead of ours"))),
            (&[47_000; 5], Some((Kind::ClockBehind, "its times are 47 s behind ours"))),
            (&[1000, hour, 2 * hour, 3 * hour, 7], None),
        ];
        for (delays, want) in table {
            let traits = Traits { delays: delays.to_vec(), ..Traits::default() };
            let found = clock(&traits);
            let found = found.as_ref().map(|odd| (odd.kind, odd.evidence.as_str()));
            assert_eq!(found, want, "{delays:?}");
        }
    }
}
