//! The rules over made-up histories, and against a second implementation that looks at the whole history each time.

#![expect(clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use weir_audit::{Actor, DatasetRef, Digest, Entry, Event, Timestamp};
use weir_watch::{REPEAT_HOURS, Raised, Rule, Rules, Signal, Watcher, What, evaluate};

fn at(minutes: i64) -> DateTime<Utc> {
    // A Monday, 09:00 in China.
    DateTime::parse_from_rfc3339("2026-02-02T01:00:00Z")
        .unwrap()
        .with_timezone(&Utc)
        + TimeDelta::minutes(minutes)
}

fn signal(minutes: i64, organisation: &str, what: What) -> Signal {
    Signal {
        at: at(minutes),
        organisation: organisation.to_owned(),
        log_index: None,
        what,
    }
}

fn refused(minutes: i64, organisation: &str) -> Signal {
    signal(minutes, organisation, What::RunRefused)
}

fn released(minutes: i64, request: &str, cells: (u64, u64)) -> Signal {
    let what = What::Released {
        request: Digest::of(request.as_bytes()),
        datasets: vec!["flights".to_owned()],
        cells_released: cells.0,
        cells_withheld_at_least: cells.1,
    };
    signal(minutes, "acme", what)
}

fn names(raised: &[Raised]) -> Vec<(Rule, &str, i64)> {
    let raised = raised.iter();
    raised
        .map(|one| {
            (
                one.rule,
                one.subject.as_str(),
                (one.at - at(0)).num_minutes(),
            )
        })
        .collect()
}

#[test]
fn one_burst_is_one_alert() {
    let rules = Rules::default();
    let burst = |from: i64| (0..60).map(move |_| refused(from, "acme"));
    let others = (0..19).map(|n| refused(n / 4, "other"));
    let mut signals: Vec<_> = burst(0)
        .chain(others)
        .chain(burst(30))
        .chain(burst(89))
        .chain(burst(149))
        .collect();
    signals.sort_by_key(|signal| signal.at);
    let raised = evaluate(&rules, &signals);
    // 30 and 89 are within an hour of what went before; 149 is an hour after 89.
    assert_eq!(
        names(&raised),
        [
            (Rule::RefusalBurst, "acme", 0),
            (Rule::RefusalBurst, "acme", 149)
        ]
    );
    assert_eq!((raised[0].measured, raised[0].limit), (20, 20));
}

#[test]
fn what_goes_on_is_said_again_after_a_day() {
    let rules = Rules::default();
    let signals: Vec<_> = (0..=3 * REPEAT_HOURS * 60)
        .step_by(1)
        .flat_map(|n| [refused(n, "acme"), refused(n, "acme")])
        .collect();
    let raised = evaluate(&rules, &signals);
    let first = raised[0].at;
    let hours: Vec<_> = raised
        .iter()
        .map(|one| (one.at - first).num_hours())
        .collect();
    assert_eq!(hours, [0, 24, 48]);
}

#[test]
fn slow_refusals_are_no_burst() {
    let signals: Vec<_> = (0..400).map(|n| refused(n, "acme")).collect();
    assert_eq!(evaluate(&Rules::default(), &signals), []);
}

#[test]
fn probing_takes_different_requests_for_small_tables() {
    let rules = Rules::default();
    let same: Vec<_> = (0..100)
        .map(|n| released(n / 4, "the same", (2, 0)))
        .collect();
    assert_eq!(evaluate(&rules, &same), []);
    let large: Vec<_> = (0..100)
        .map(|n| released(n / 4, &n.to_string(), (6, 0)))
        .collect();
    assert_eq!(evaluate(&rules, &large), []);
    let probing: Vec<_> = (0..100)
        .map(|n| released(n / 4, &n.to_string(), (5, 0)))
        .collect();
    assert_eq!(
        names(&evaluate(&rules, &probing)),
        [(Rule::NearThreshold, "acme on flights", 7)]
    );
    let slow: Vec<_> = (0..100)
        .map(|n| released(n * 3, &n.to_string(), (5, 0)))
        .collect();
    assert_eq!(evaluate(&rules, &slow), []);
}

#[test]
fn a_spike_is_a_multiple_of_what_is_usual() {
    let mut rules = Rules::default();
    rules.withheld_share.enabled = false;
    let usual = |cells| (0..24).map(move |hour| released(hour * 60, "usual", (cells, 0)));
    let spike = released(24 * 60 + 5, "much", (20_000, 0));
    let raised = evaluate(
        &rules,
        &usual(3_000).chain([spike.clone()]).collect::<Vec<_>>(),
    );
    assert_eq!(names(&raised), [(Rule::QuotaSpike, "acme", 24 * 60 + 5)]);
    assert_eq!((raised[0].measured, raised[0].limit), (20_000, 15_000));
    // Against more usual use the same is none.
    let raised = evaluate(&rules, &usual(4_100).chain([spike]).collect::<Vec<_>>());
    assert_eq!(raised, []);
    // Little is none, whatever was usual.
    assert_eq!(evaluate(&rules, &[released(0, "first", (4_999, 0))]), []);
    assert_eq!(
        evaluate(&rules, &[released(0, "first", (5_000, 0))]).len(),
        1
    );
}

#[test]
fn a_share_is_of_the_window_alone() {
    let rules = Rules::default();
    let day = 24 * 60;
    let high = released(0, "a", (100, 400));
    let raised = evaluate(&rules, &[high]);
    assert_eq!(names(&raised), [(Rule::WithheldShare, "acme", 0)]);
    assert_eq!((raised[0].measured, raised[0].limit), (80, 50));
    // Enough that was released on the same day makes it usual; a day later it is not there any more.
    let even = [released(0, "b", (600, 0)), released(1, "a", (100, 400))];
    assert_eq!(evaluate(&rules, &even), []);
    let later = [
        released(0, "b", (600, 0)),
        released(day + 1, "a", (100, 400)),
    ];
    assert_eq!(evaluate(&rules, &later).len(), 1);
    assert_eq!(evaluate(&rules, &[released(0, "few", (0, 499))]), []);
}

#[test]
fn hours_are_those_of_the_domain() {
    let mut rules = Rules::default();
    let begun = |minutes| signal(minutes, "acme", What::RunBegun);
    // 09:00 on Monday; 20:00; 06:59 on Tuesday; 07:00; Saturday noon.
    let all: Vec<_> = [0, 11 * 60, 21 * 60 + 59, 22 * 60, 5 * 1_440 + 180]
        .map(begun)
        .to_vec();
    assert_eq!(
        evaluate(&rules, &all),
        [],
        "it is off unless it is turned on"
    );
    rules.off_hours.enabled = true;
    rules.off_hours.cooldown_minutes = 0;
    let minutes = |raised: Vec<Raised>| -> Vec<i64> {
        raised
            .iter()
            .map(|one| (one.at - at(0)).num_minutes())
            .collect()
    };
    assert_eq!(
        minutes(evaluate(&rules, &all)),
        [11 * 60, 21 * 60 + 59, 5 * 1_440 + 180]
    );
    rules.off_hours.weekends = false;
    assert_eq!(minutes(evaluate(&rules, &all)), [11 * 60, 21 * 60 + 59]);
}

#[test]
fn certificates_and_models_are_told_apart() {
    let rules = Rules::default();
    let turned_away = |minutes, certificate: &str| {
        signal(
            minutes,
            "",
            What::NotAuthenticated {
                certificate: certificate.to_owned(),
            },
        )
    };
    let mut signals: Vec<_> = (0..4)
        .flat_map(|n| [turned_away(n, "sha256:aa"), turned_away(n, "sha256:bb")])
        .collect();
    signals.push(turned_away(4, "sha256:bb"));
    signals.push(signal(
        5,
        "acme",
        What::ModelRefused {
            model: "thief".to_owned(),
        },
    ));
    assert_eq!(
        names(&evaluate(&rules, &signals)),
        [
            (Rule::FailedAuthentication, "sha256:bb", 4),
            (Rule::LeakTest, "thief", 5)
        ]
    );
}

#[test]
fn what_was_raised_before_a_restart_is_not_said_twice() {
    let signals: Vec<_> = (0..40).map(|_| refused(0, "acme")).collect();
    let mut watcher = Watcher::new(Rules::default());
    watcher.remember(Rule::RefusalBurst, "acme", at(0));
    let raised: Vec<_> = signals
        .iter()
        .flat_map(|signal| watcher.hear(signal))
        .collect();
    assert_eq!(raised, []);
    let again: Vec<_> = (0..40)
        .flat_map(|_| watcher.hear(&refused(61, "acme")))
        .collect();
    assert_eq!(names(&again), [(Rule::RefusalBurst, "acme", 61)]);
}

#[test]
fn a_rule_that_is_off_says_nothing() {
    let mut rules = Rules::default();
    rules.refusal_burst.enabled = false;
    let signals: Vec<_> = (0..40).map(|_| refused(0, "acme")).collect();
    assert_eq!(evaluate(&rules, &signals), []);
}

#[test]
fn entries_become_signals() {
    let actor = Actor {
        person: "li".to_owned(),
        organisation: "acme".to_owned(),
        role: "operator".to_owned(),
    };
    let digest = Digest::of(b"");
    let entry = |event| Entry::new(Timestamp::from(at(0)), actor.clone(), event);
    let event = Event::ReleaseDecided {
        run: "r".to_owned(),
        request_digest: digest,
        datasets: vec![DatasetRef {
            name: "flights".to_owned(),
            snapshot: "s".to_owned(),
        }],
        models: Vec::new(),
        policy_digest: digest,
        cells_released: 7,
        cells_withheld_at_most: 50,
        table_digest: digest,
        ledger: None,
        bits_out: None,
    };
    let heard = Signal::of(3, &entry(event)).unwrap();
    assert_eq!(heard.log_index, Some(3));
    assert_eq!(heard.organisation, "acme");
    let What::Released {
        cells_released,
        cells_withheld_at_least,
        ..
    } = heard.what
    else {
        panic!("another kind")
    };
    assert_eq!((cells_released, cells_withheld_at_least), (7, 21));
    let vetted = |verdict: &str| Event::ModelVetted {
        model: "m".to_owned(),
        digest,
        submitted_digest: digest,
        report_digest: digest,
        verdict: verdict.to_owned(),
    };
    assert!(Signal::of(0, &entry(vetted("look"))).is_none());
    assert!(Signal::of(0, &entry(vetted("refuse"))).is_some());
    // What alerts write is not heard: an alert raises none.
    let acknowledged = Event::AlertAcknowledged {
        alert: "a".to_owned(),
        text_digest: digest,
    };
    assert!(Signal::of(0, &entry(acknowledged)).is_none());
}

#[test]
fn settings_have_limits_and_defaults() {
    let rules: Rules = toml::from_str("[refusal_burst]\ncount = 3\n").unwrap();
    assert_eq!(
        (
            rules.refusal_burst.count,
            rules.refusal_burst.window_minutes
        ),
        (3, 10)
    );
    assert_eq!(
        rules.failed_authentication,
        Rules::default().failed_authentication
    );
    assert!(rules.check().is_ok());
    for (text, key) in [
        ("[refusal_burst]\ncount = 0\n", "count"),
        ("[near_threshold]\ncount = 10001\n", "count"),
        ("[quota_spike]\nbaseline_windows = 0\n", "baseline_windows"),
        ("[off_hours]\nfrom_hour = 9\nto_hour = 9\n", "to_hour"),
        ("[withheld_share]\nshare_percent = 101\n", "share_percent"),
        ("[leak_test]\nwindow_minutes = 0\n", "window_minutes"),
    ] {
        let rules: Rules = toml::from_str(text).unwrap();
        let wrong = rules.check().unwrap_err();
        assert!(wrong.contains(&format!("`{key}`")), "{wrong}");
    }
    assert!(toml::from_str::<Rules>("[refusal_burst]\ncounts = 3\n").is_err());
}

/// Looks at the whole history for each signal, and keeps nothing.
fn naive(rules: &Rules, signals: &[Signal]) -> Vec<(usize, Rule)> {
    let (mut raised, mut episode) = (Vec::new(), None::<(DateTime<Utc>, DateTime<Utc>)>);
    let rule = &rules.refusal_burst;
    for (index, now) in signals.iter().enumerate() {
        let window = TimeDelta::minutes(i64::from(rule.window_minutes));
        let within = signals[..=index]
            .iter()
            .filter(|one| now.at - one.at <= window)
            .count();
        if (within as u64) < rule.count {
            continue;
        }
        let cooldown = TimeDelta::minutes(i64::from(rule.cooldown_minutes));
        let is_news = episode.is_none_or(|(first, last)| {
            now.at - last >= cooldown || now.at - first >= TimeDelta::hours(REPEAT_HOURS)
        });
        let first = episode.map_or(now.at, |(first, _)| first);
        episode = Some((if is_news { now.at } else { first }, now.at));
        if is_news {
            raised.push((index, Rule::RefusalBurst));
        }
    }
    raised
}

proptest! {
    #[test]
    fn a_second_implementation_agrees(
        gaps in prop::collection::vec(0_i64..40, 1..200),
        count in 1_u64..6,
        window in 1_u32..30,
        cooldown in 0_u32..90,
    ) {
        let mut rules = Rules::default();
        rules.refusal_burst.count = count;
        rules.refusal_burst.window_minutes = window;
        rules.refusal_burst.cooldown_minutes = cooldown;
        let mut minutes = 0;
        let signals: Vec<_> = gaps.iter().map(|gap| { minutes += gap; refused(minutes, "acme") }).collect();
        let mut watcher = Watcher::new(rules.clone());
        let mut raised = Vec::new();
        for (index, signal) in signals.iter().enumerate() {
            raised.extend(watcher.hear(signal).into_iter().map(|one| (index, one.rule)));
        }
        prop_assert_eq!(raised, naive(&rules, &signals));
    }

    #[test]
    fn nothing_is_said_below_the_count(n in 0_usize..20, spread in 0_i64..10) {
        let signals: Vec<_> = (0..n.min(19)).map(|n| refused(n as i64 * spread, "acme")).collect();
        prop_assert_eq!(evaluate(&Rules::default(), &signals), []);
    }
}
