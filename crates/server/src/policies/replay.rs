//! Past releases, judged again: which of their cells another policy would withhold, and which it would let go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_api::v1::replay_policy_response::Step;
use weir_api::v1::{
    Progress, ReplayPolicyRequest, ReplayPolicyResponse, ReplaySummary, ReplayedCell,
    ReplayedRelease,
};
use weir_audit::Event;
use weir_policy::Policy;
use weir_registry::EvidenceRecord;

use super::{InForce, Scope, settled};
use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::{Fault, panicked, stopping};
use crate::services::Sender;

/// Most releases judged again in one call.
const RELEASES_MAX: u32 = 10_000;

/// Most cells of one release that are named, of each kind; the numbers are of all.
const CELLS_NAMED_MAX: usize = 1_000;

/// What the gate says of a table's evidence under a policy.
struct Rejudged {
    /// The keys of each cell that passes, as text for people.
    released: Vec<String>,
    /// The keys of each cell that does not, and the rules it breaks.
    withheld: Vec<(String, Vec<String>)>,
}

/// Judges sealed evidence. Blocks.
fn rejudge(domain: &Domain, sealed: &[u8], policy: &Policy) -> Result<Rejudged, Fault> {
    let _ = (domain, sealed, policy);
    Err(Fault::bug(
        "BUG_REPLAY",
        "this version keeps no evidence and cannot judge it again. Please report this",
    ))
}

/// Judges past releases under a policy that may be in force one day. Tells of each that changes as it is found.
pub(crate) async fn replay(
    domain: &Arc<Domain>,
    caller: &Caller,
    request: ReplayPolicyRequest,
    steps: Sender<ReplayPolicyResponse>,
) -> Result<ReplaySummary, Fault> {
    let scope = Scope::of(domain, &request.dataset).await?;
    let policy = scope.parse(&request.text, &request.source_name)?;
    let in_force = settled(domain).await?;
    let limit = match request.limit {
        0 => RELEASES_MAX,
        limit => limit.min(RELEASES_MAX),
    };
    // Logged before anything is judged: whoever looks at what was withheld is on record.
    let event = Event::PolicyReplayed {
        dataset: scope.name().to_owned(),
        digest: policy.digest().parse()?,
    };
    domain.record.append_async(caller.actor(), event).await?;
    let slot = Arc::clone(&domain.run_slots)
        .acquire_owned()
        .await
        .map_err(|_| stopping())?;
    let runs = domain.registry.evidence_runs(limit).await?;
    let mut summary = ReplaySummary::default();
    for (done, run) in runs.iter().enumerate() {
        tell(&steps, progress(done, runs.len())).await?;
        let Some(evidence) = domain.registry.evidence(run).await? else {
            continue;
        };
        let reads = |name: &str| evidence.datasets.split(", ").any(|read| read == name);
        if matches!(&scope, Scope::Dataset(name) if !reads(name)) {
            continue;
        }
        let release = one(domain, &in_force, (&scope, &policy), evidence).await?;
        add(&mut summary, &release);
        if !release.problem.is_empty() || release.now_withheld + release.newly_released > 0 {
            tell(&steps, Step::Release(release)).await?;
        }
    }
    drop(slot);
    Ok(summary)
}

/// One past release under the policy it was judged by, and under the one in question.
async fn one(
    domain: &Arc<Domain>,
    in_force: &InForce,
    (scope, policy): (&Scope, &Policy),
    evidence: EvidenceRecord,
) -> Result<ReplayedRelease, Fault> {
    let datasets: Vec<String> = evidence.datasets.split(", ").map(str::to_owned).collect();
    let release = ReplayedRelease {
        run_id: evidence.run,
        kept_at: evidence.kept_at,
        ..ReplayedRelease::default()
    };
    let Some(sealed) = evidence.sealed else {
        return Ok(ReplayedRelease {
            datasets,
            problem: "its evidence was larger than is kept".to_owned(),
            ..release
        });
    };
    let then = Policy::from_toml(&evidence.policy, "the policy of the release");
    let now = in_force
        .layers_with(scope, policy.clone(), &datasets)
        .policy()
        .clone();
    let opened = Arc::clone(domain);
    let judged = tokio::task::spawn_blocking(move || {
        let before = rejudge(&opened, &sealed, &then?)?;
        Ok::<_, Fault>((before, rejudge(&opened, &sealed, &now)?))
    })
    .await
    .map_err(|_| panicked())?;
    Ok(match judged {
        Ok((before, after)) => compare(
            &before,
            &after,
            ReplayedRelease {
                datasets,
                ..release
            },
        ),
        Err(fault) => ReplayedRelease {
            datasets,
            problem: format!("{} [{}]", fault.message, fault.code),
            ..release
        },
    })
}

/// The cells that change sides, with the rules that withhold them.
fn compare(before: &Rejudged, after: &Rejudged, release: ReplayedRelease) -> ReplayedRelease {
    let passes =
        |judged: &Rejudged| -> BTreeSet<String> { judged.released.iter().cloned().collect() };
    let (passed, pass) = (passes(before), passes(after));
    let named = |cells: Vec<&String>, rules: &Rejudged| -> Vec<ReplayedCell> {
        let rules: BTreeMap<&String, &Vec<String>> = rules
            .withheld
            .iter()
            .map(|(cell, rules)| (cell, rules))
            .collect();
        let one = |cell: &String| ReplayedCell {
            cell: cell.clone(),
            rules: rules
                .get(cell)
                .map(|rules| (*rules).clone())
                .unwrap_or_default(),
        };
        cells.into_iter().take(CELLS_NAMED_MAX).map(one).collect()
    };
    let fail: Vec<_> = passed.difference(&pass).collect();
    let newly: Vec<_> = pass.difference(&passed).collect();
    ReplayedRelease {
        cells_before: before.released.len() as u64,
        now_withheld: fail.len() as u64,
        newly_released: newly.len() as u64,
        withheld: named(fail, after),
        released: named(newly, before),
        ..release
    }
}

fn add(summary: &mut ReplaySummary, release: &ReplayedRelease) {
    if release.problem.is_empty() {
        summary.releases += 1;
    } else {
        summary.without_evidence += 1;
    }
    summary.cells_before += release.cells_before;
    summary.now_withheld += release.now_withheld;
    summary.newly_released += release.newly_released;
}

fn progress(done: usize, all: usize) -> Step {
    Step::Progress(Progress {
        stage: "judging past releases again".to_owned(),
        percent: u32::try_from(done * 100 / all.max(1)).ok(),
        rows: None,
    })
}

/// Nobody listens any more: the work ends.
async fn tell(steps: &Sender<ReplayPolicyResponse>, step: Step) -> Result<(), Fault> {
    let message = ReplayPolicyResponse { step: Some(step) };
    steps.send(Ok(message)).await.map_err(|_| stopping())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(released: &[&str], withheld: &[(&str, &str)]) -> Rejudged {
        Rejudged {
            released: released.iter().map(|cell| (*cell).to_owned()).collect(),
            withheld: withheld
                .iter()
                .map(|(cell, rule)| ((*cell).to_owned(), vec![(*rule).to_owned()]))
                .collect(),
        }
    }

    #[test]
    fn cells_that_change_sides_are_named_with_the_rules_that_withhold_them() {
        let before = judged(&["a", "b"], &[("c", "units"), ("d", "rows")]);
        let after = judged(&["a", "c"], &[("b", "dominance"), ("d", "units")]);
        let release = compare(&before, &after, ReplayedRelease::default());
        assert_eq!(
            (
                release.cells_before,
                release.now_withheld,
                release.newly_released
            ),
            (2, 1, 1)
        );
        assert_eq!(
            (
                release.withheld[0].cell.as_str(),
                &release.withheld[0].rules[..]
            ),
            ("b", &["dominance".to_owned()][..])
        );
        assert_eq!(
            (
                release.released[0].cell.as_str(),
                &release.released[0].rules[..]
            ),
            ("c", &["units".to_owned()][..])
        );
    }

    #[test]
    fn names_are_bounded_and_numbers_are_not() {
        let cells: Vec<String> = (0..5_000).map(|cell| format!("{cell:05}")).collect();
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        let release = compare(
            &judged(&cells, &[]),
            &judged(&[], &[]),
            ReplayedRelease::default(),
        );
        assert_eq!(release.now_withheld, 5_000);
        assert_eq!(release.withheld.len(), CELLS_NAMED_MAX);
    }
}
