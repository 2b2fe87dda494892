//! Past releases, judged again: which of their cells another policy would withhold, and which it would let go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_api::v1::replay_policy_response::Step;
use weir_api::v1::{
    Progress, ReplayPolicyRequest, ReplayPolicyResponse, ReplaySummary, ReplayedCell,
    ReplayedRelease,
};
use weir_audit::Event;
use weir_gate::{EvidenceKey, GateError, Rejudged};
use weir_policy::Policy;
use weir_registry::EvidenceRecord;

use super::{InForce, Scope, moment, settled};
use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::{Fault, panicked, stopping};
use crate::services::Sender;

/// Most releases judged again in one call.
const RELEASES_MAX: u32 = 10_000;

/// Most cells of one release that are named, of each kind; the numbers are of all.
const CELLS_NAMED_MAX: usize = 1_000;

/// What the key that seals the evidence of releases is derived for.
const EVIDENCE_KEY: &str = "weir release evidence v1";

/// The key for the evidence of a run that reads these snapshots: with any one of them it is gone. Blocks.
pub(crate) fn evidence_key(domain: &Domain, snapshots: &[String]) -> Result<EvidenceKey, Fault> {
    let key = domain.vault.derive_key_of(snapshots, EVIDENCE_KEY)?;
    Ok(EvidenceKey::new(*key))
}

/// What is kept of what a release was judged on. Evidence that is larger than is kept is recorded as such.
pub(crate) fn evidence(
    domain: &Domain,
    run: &str,
    policy: &Policy,
    (datasets, snapshots): (&str, &[String]),
    sealed: Result<Vec<u8>, GateError>,
) -> Result<EvidenceRecord, Fault> {
    let sealed = match sealed {
        Ok(sealed) => Some(sealed),
        Err(GateError::EvidenceNotKept { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(EvidenceRecord {
        run: run.to_owned(),
        policy: policy.canonical(),
        datasets: datasets.to_owned(),
        snapshots: snapshots.join(", "),
        kept_at: moment(domain.clock.now()),
        sealed,
    })
}

/// What a table would be, or was, under a policy.
#[derive(Default)]
struct Verdict {
    /// The keys of each cell that leaves; of none where the table is refused.
    released: BTreeSet<String>,
    /// The keys of each cell that does not, and the rules it breaks.
    withheld: BTreeMap<String, Vec<String>>,
    /// Code of the refusal of the whole table; empty where it is not refused.
    refused: &'static str,
    /// Whether people look at it first.
    review: bool,
}

impl Verdict {
    fn of(rejudged: Rejudged) -> Self {
        let mut verdict = Self {
            refused: rejudged.refused.as_ref().map_or("", GateError::code),
            review: rejudged.review,
            ..Self::default()
        };
        let owned = |rules: Vec<&str>| rules.into_iter().map(str::to_owned).collect();
        for (cell, rules) in rejudged.withheld {
            verdict.withheld.insert(cell, owned(rules));
        }
        for cell in rejudged.released {
            match verdict.refused {
                "" => drop(verdict.released.insert(cell)),
                code => drop(verdict.withheld.insert(cell, owned(vec![code]))),
            }
        }
        verdict
    }
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
        // A slot for each release and not for all: runs must not wait for a long replay.
        let slot = domain.fair.slot(&caller.organisation).await;
        let slot = slot.ok_or_else(stopping)?;
        let release = one(domain, &in_force, (&scope, &policy), evidence).await?;
        drop(slot);
        add(&mut summary, &release);
        if is_told(&release) {
            tell(&steps, Step::Release(release)).await?;
        }
    }
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
    let snapshots: Vec<String> = evidence.snapshots.split(", ").map(str::to_owned).collect();
    let opened = Arc::clone(domain);
    let judged = tokio::task::spawn_blocking(move || {
        let key = evidence_key(&opened, &snapshots)?;
        let verdict = |policy: &Policy| {
            let rejudged = weir_gate::rejudge(&sealed, &key, policy)?;
            Ok::<_, Fault>(Verdict::of(rejudged))
        };
        Ok::<_, Fault>((verdict(&then?)?, verdict(&now)?))
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
fn compare(before: &Verdict, after: &Verdict, release: ReplayedRelease) -> ReplayedRelease {
    let named = |cells: Vec<&String>, withheld: &Verdict| -> Vec<ReplayedCell> {
        let one = |cell: &String| ReplayedCell {
            cell: cell.clone(),
            rules: withheld.withheld.get(cell).cloned().unwrap_or_default(),
        };
        cells.into_iter().take(CELLS_NAMED_MAX).map(one).collect()
    };
    let fail: Vec<_> = before.released.difference(&after.released).collect();
    let newly: Vec<_> = after.released.difference(&before.released).collect();
    ReplayedRelease {
        cells_before: before.released.len() as u64,
        now_withheld: fail.len() as u64,
        newly_released: newly.len() as u64,
        withheld: named(fail, after),
        released: named(newly, before),
        refused: after.refused.to_owned(),
        review: after.review && !before.review,
        ..release
    }
}

/// Whether there is anything to tell of a release.
fn is_told(release: &ReplayedRelease) -> bool {
    !release.problem.is_empty()
        || release.review
        || release.now_withheld + release.newly_released > 0
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

    fn verdict(released: &[&str], withheld: &[(&str, &str)]) -> Verdict {
        Verdict {
            released: released.iter().map(|cell| (*cell).to_owned()).collect(),
            withheld: withheld
                .iter()
                .map(|(cell, rule)| ((*cell).to_owned(), vec![(*rule).to_owned()]))
                .collect(),
            ..Verdict::default()
        }
    }

    #[test]
    fn cells_that_change_sides_are_named_with_the_rules_that_withhold_them() {
        let before = verdict(&["a", "b"], &[("c", "units"), ("d", "rows")]);
        let after = verdict(&["a", "c"], &[("b", "dominance"), ("d", "units")]);
        let release = compare(&before, &after, ReplayedRelease::default());
        assert_eq!(
            (
                release.cells_before,
                release.now_withheld,
                release.newly_released
            ),
            (2, 1, 1)
        );
        let named = |cells: &[ReplayedCell]| (cells[0].cell.clone(), cells[0].rules.join(","));
        assert_eq!(
            named(&release.withheld),
            ("b".to_owned(), "dominance".to_owned())
        );
        assert_eq!(
            named(&release.released),
            ("c".to_owned(), "units".to_owned())
        );
        assert!(is_told(&release));
        assert!(!is_told(&compare(
            &before,
            &before,
            ReplayedRelease::default()
        )));
    }

    #[test]
    fn a_table_that_would_go_to_people_is_told_once() {
        let (before, mut after) = (verdict(&["a"], &[]), verdict(&["a"], &[]));
        after.review = true;
        assert!(is_told(&compare(
            &before,
            &after,
            ReplayedRelease::default()
        )));
        assert!(!is_told(&compare(
            &after,
            &after,
            ReplayedRelease::default()
        )));
    }

    #[test]
    fn names_are_bounded_and_numbers_are_not() {
        let cells: Vec<String> = (0..5_000).map(|cell| format!("{cell:05}")).collect();
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        let all = verdict(&cells, &[]);
        let release = compare(&all, &Verdict::default(), ReplayedRelease::default());
        assert_eq!(release.now_withheld, 5_000);
        assert_eq!(release.withheld.len(), CELLS_NAMED_MAX);
    }
}
