//! What a grant covers, held at the moment of reading; and what stops a run that reads.

use std::time::{Duration, Instant};

use weir_audit::{Event, Receipt};
use weir_client::v1::{
    ChangeGrantRequest, DelegateGrantRequest, FreezeRequest, Grant, GrantAct, GrantedDataset,
    IssueGrantRequest, Quotas, RevokeIdentityRequest, Role, RunRequest,
};
use weir_client::{Client, ClientError, IdentityFolder, NewKey, RunAnswer};
use weir_tests::{OPERATOR, TestDomain, application};

use crate::grants::{columns, issue, text, with_people};

const SQL: &str = "SELECT town, COUNT(*) AS n FROM people GROUP BY town";
const INCOME: &str = "SELECT town, AVG(income) AS mean FROM people GROUP BY town";

/// Takes minutes: flights of one aircraft, in threes.
pub(crate) const LONG: &str = "SELECT COUNT(*) AS n FROM flights AS a JOIN flights AS b ON a.tailnum = b.tailnum \
                    JOIN flights AS c ON b.tailnum = c.tailnum";

async fn run(client: &Client, sql: &str, grant: &str) -> Result<RunAnswer, ClientError> {
    let request = RunRequest {
        sql: sql.to_owned(),
        grant: grant.to_owned(),
        ..Default::default()
    };
    client.run(request, |_| {}).await
}

async fn code(client: &Client, sql: &str, grant: &str) -> String {
    match run(client, sql, grant).await {
        Ok(_) => "answered".to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

async fn granted(domain: &TestDomain, client: &Client, of: &str, text: &str) -> Grant {
    domain.grant(client, of, text).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_reads_what_its_grant_covers() {
    let domain = with_people().await;
    let beta = domain.client(Role::Operator, "Beta").await;
    assert_eq!(code(&beta, SQL, "").await, "GRANT_MISSING");
    assert_eq!(
        code(&beta, SQL, &domain.operators_grant()).await,
        "GRANT_UNKNOWN"
    );
    let towns = granted(&domain, &beta, "Beta", &text("towns", &["town"], "")).await;
    let answer = run(&beta, SQL, "").await.unwrap();
    assert_eq!(code(&beta, INCOME, "").await, "GRANT_COLUMN");
    let hidden = "SELECT town, COUNT(income) AS n FROM people GROUP BY town";
    assert_eq!(code(&beta, hidden, "").await, "GRANT_COLUMN");
    let summed = "SELECT COUNT(*) AS n FROM people HAVING SUM(income) > 0";
    assert_eq!(code(&beta, summed, "").await, "GRANT_COLUMN");

    // The log says under which grant it read, before what it was made from and what was released.
    let receipt = domain
        .bureau
        .receipt(answer.entry.index() - 2)
        .await
        .unwrap();
    let entry = Receipt::from_json(receipt.as_bytes()).unwrap();
    let entry = entry.verify(domain.bureau.log_key()).unwrap();
    match &entry.entry().event {
        Event::RunAuthorised {
            run,
            grant,
            grant_digest,
            ..
        } => {
            assert_eq!((run, grant), (&answer.run_id, &towns.id));
            assert_eq!(grant_digest.to_string(), towns.digest);
        }
        other => panic!("{other:?}"),
    }

    // With a second one that covers it, the run has to say under which it reads.
    let both = granted(
        &domain,
        &beta,
        "Beta",
        &text("incomes", &["town", "income"], ""),
    )
    .await;
    assert_eq!(code(&beta, SQL, "").await, "GRANT_AMBIGUOUS");
    assert_eq!(code(&beta, INCOME, &towns.id).await, "GRANT_COLUMN");
    assert_eq!(code(&beta, INCOME, &both.id).await, "answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_names_models_by_digest_and_tightens_the_policy() {
    let domain = TestDomain::with_flights().await;
    let pace = domain.bureau.model("pace", "").await.unwrap();
    let beta = domain.client(Role::Operator, "Beta").await;
    let of = |models: &str, more: &str| {
        let read = columns(&[
            "carrier",
            "air_time",
            "distance",
            "dep_delay",
            "arr_delay",
            "hour",
            "origin",
        ]);
        application("models", &[("flights", read)], more).replace("\"any-vetted\"", models)
    };
    let more = "policy.cell.units_min = 2000\n";
    let digests = format!("[\"{}\"]", pace.digest);
    granted(&domain, &beta, "Beta", &of(&digests, more)).await;
    let paced = "SELECT COUNT(*) AS n, AVG(pace) AS p FROM pace(flights)";
    let disrupted = "SELECT band, COUNT(*) AS n FROM disruption(flights) GROUP BY band";
    assert_ne!(code(&beta, paced, "").await, "GRANT_MODEL");
    assert_eq!(code(&beta, disrupted, "").await, "GRANT_MODEL");

    let by_carrier = "SELECT carrier, COUNT(*) AS n FROM flights GROUP BY carrier";
    let strict = run(&beta, by_carrier, "").await.unwrap();
    let usual = domain.run(by_carrier).await.unwrap();
    assert!(
        strict.cells_released < usual.cells_released,
        "no carrier has 2,000 aircraft"
    );
    // A model's inputs are columns that the query reads, but for those that only unused outputs need.
    let few = domain.client(Role::Operator, "Gamma").await;
    let text = application("few", &[("flights", columns(&["carrier"]))], "");
    granted(&domain, &few, "Gamma", &text).await;
    assert_eq!(code(&few, disrupted, "").await, "GRANT_COLUMN");
    assert_eq!(code(&few, by_carrier, "").await, "answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_are_charged_and_bite() {
    let domain = with_people().await;
    let beta = domain.client(Role::Operator, "Beta").await;
    let quotas = "quotas.runs = 3\nquotas.cells = 5\n";
    let grant = granted(&domain, &beta, "Beta", &text("towns", &["town"], quotas)).await;
    for expected in ["answered", "answered", "GRANT_QUOTA", "GRANT_QUOTA"] {
        assert_eq!(code(&beta, SQL, "").await, expected);
    }
    let used = beta.grant(&grant.id).await.unwrap();
    // The third run read and would have released a fifth and a sixth cell; the fourth did not begin.
    assert_eq!((used.runs_used, used.cells_used), (3, 4));
    // What is refused before anything is read costs nothing, and a retry costs nothing more.
    assert_eq!(
        code(&domain.operator, "SELECT town FROM people", "").await,
        "SQL_NOT_AN_AGGREGATE"
    );
    let own = domain.operators_grant();
    assert_eq!(domain.operator.grant(&own).await.unwrap().runs_used, 0);
    let request = RunRequest {
        sql: SQL.to_owned(),
        run_id: uuid::Uuid::now_v7().to_string(),
        ..Default::default()
    };
    domain.operator.run(request.clone(), |_| {}).await.unwrap();
    domain.operator.run(request, |_| {}).await.unwrap();
    assert_eq!(domain.operator.grant(&own).await.unwrap().runs_used, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_a_grant_decides_whether_it_is_read_under() {
    let domain = with_people().await;
    let grant = domain.operators_grant();
    let operator = &domain.operator;
    let mut seen = Vec::new();
    for act in [
        GrantAct::Suspend,
        GrantAct::Suspend,
        GrantAct::Resume,
        GrantAct::Order,
        GrantAct::Accept,
        GrantAct::Accept,
        GrantAct::Revoke,
        GrantAct::Resume,
    ] {
        let done = domain.change_grant(&grant, act).await;
        let done = done.map_or_else(|error| error.code().to_owned(), |grant| grant.state);
        seen.push(format!(
            "{act:?}: {done}, a run: {}",
            code(operator, SQL, &grant).await
        ));
    }
    insta::assert_snapshot!(seen.join("\n"), @r"
    Suspend: suspended, a run: GRANT_SUSPENDED
    Suspend: STATE_REFUSED, a run: GRANT_SUSPENDED
    Resume: active, a run: answered
    Order: mending, a run: answered
    Accept: active, a run: answered
    Accept: STATE_REFUSED, a run: answered
    Revoke: revoked, a run: GRANT_REVOKED
    Resume: STATE_REFUSED, a run: GRANT_REVOKED
    ");
    let own = ChangeGrantRequest {
        id: grant,
        act: GrantAct::Resume.into(),
        reason: "please".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        operator.change_grant(own).await.unwrap_err().code(),
        "STATE_REFUSED"
    );
    let long = ChangeGrantRequest {
        id: granted(&domain, operator, OPERATOR, &text("x", &["town"], ""))
            .await
            .id,
        act: GrantAct::Order.into(),
        reason: "mend it".to_owned(),
        days: 31,
        ..Default::default()
    };
    assert_eq!(
        domain.bureau.change_grant(long).await.unwrap_err().code(),
        "DEADLINE_TOO_LONG"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_term_ends_by_itself_and_a_renewal_comes_late() {
    let domain = with_people().await;
    let beta = domain.client(Role::Operator, "Beta").await;
    let asked = text("towns", &["town"], "").replace("days = 30", "days = 365");
    let applied = domain.applied(&beta, "Beta", &asked).await.unwrap();
    let year = domain.bureau.issue_grant(issue(&applied)).await.unwrap();
    let renewal = format!("renews = \"{}\"\n", year.id);
    let early = text("towns", &["town"], &renewal);
    let error = domain.grant(&beta, "Beta", &early).await.unwrap_err();
    assert_eq!(error.code(), "RENEWAL_TOO_EARLY");

    let asked = text("month", &["town"], "");
    let month = granted(&domain, &beta, "Beta", &asked).await;
    let renewal = text("month", &["town"], &format!("renews = \"{}\"\n", month.id));
    let next = granted(&domain, &beta, "Beta", &renewal).await;
    assert_eq!(
        (&next.not_before, next.blocked.as_str()),
        (&month.not_after, "GRANT_NOT_YET")
    );
    assert_eq!(code(&beta, SQL, &next.id).await, "GRANT_NOT_YET");

    let applied = domain
        .applied(&beta, "Beta", &text("moment", &["town"], ""))
        .await
        .unwrap();
    let until = chrono_in(Duration::from_secs(3));
    let request = IssueGrantRequest {
        until,
        ..issue(&applied)
    };
    let short = domain.bureau.issue_grant(request).await.unwrap();
    assert_eq!(code(&beta, SQL, &short.id).await, "answered");
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(code(&beta, SQL, &short.id).await, "GRANT_EXPIRED");
    assert_eq!(
        domain.bureau.grant(&short.id).await.unwrap().state,
        "expired"
    );
}

/// A moment from now, RFC 3339.
fn chrono_in(wait: Duration) -> String {
    (chrono::Utc::now() + wait).to_rfc3339()
}

/// Begins a run that takes minutes, does something, and says how the run ended and how long after.
async fn stopped_by<F: Future<Output = ()>>(
    client: &Client,
    grant: &str,
    act: impl FnOnce() -> F,
) -> (String, Duration) {
    stopped_run_by(client, (grant, LONG), act).await
}

/// The same of another run that takes minutes.
pub(crate) async fn stopped_run_by<F: Future<Output = ()>>(
    client: &Client,
    (grant, sql): (&str, &str),
    act: impl FnOnce() -> F,
) -> (String, Duration) {
    let (begun, under_way) = tokio::sync::oneshot::channel();
    let mut begun = Some(begun);
    let (client, grant, sql) = (client.clone(), grant.to_owned(), sql.to_owned());
    let task = tokio::spawn(async move {
        let request = RunRequest {
            sql,
            grant,
            ..Default::default()
        };
        let ended = client
            .run(request, |step| {
                if step.stage.starts_with("computing") {
                    begun.take().map(|begun| begun.send(()));
                }
            })
            .await;
        let code = ended.map_or_else(|error| error.code().to_owned(), |_| "answered".to_owned());
        (code, Instant::now())
    });
    under_way.await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    act().await;
    let done = Instant::now();
    let (code, ended) = task.await.unwrap();
    (code, ended.saturating_duration_since(done))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_stops_runs_within_a_second() {
    let domain = TestDomain::with_flights().await;
    let grant = domain.operators_grant();
    let operator = &domain.operator;
    let mut told = Vec::new();

    let suspended = stopped_by(operator, &grant, || async {
        domain
            .change_grant(&grant, GrantAct::Suspend)
            .await
            .unwrap();
    });
    told.push(("suspend", suspended.await));
    domain.change_grant(&grant, GrantAct::Resume).await.unwrap();

    for (scope, name) in [
        ("dataset", "flights"),
        ("operator", OPERATOR),
        ("domain", ""),
    ] {
        let request = FreezeRequest {
            scope: scope.to_owned(),
            name: name.to_owned(),
            reason: "a test".to_owned(),
        };
        let frozen = stopped_by(operator, &grant, || async {
            domain.bureau.freeze(request.clone()).await.unwrap();
        });
        told.push((scope, frozen.await));
        let count = "SELECT COUNT(*) AS n FROM flights";
        assert_eq!(code(operator, count, "").await, "GRANT_FROZEN", "{scope}");
        assert!(domain.bureau.unfreeze(request).await.unwrap().is_empty());
        assert_eq!(code(operator, count, "").await, "answered", "{scope}");
    }

    // Slots are free again at once: as many long runs as there are processors were stopped by now.
    let revoked = stopped_by(operator, &grant, || async {
        domain.change_grant(&grant, GrantAct::Revoke).await.unwrap();
    });
    told.push(("revoke", revoked.await));

    let codes: Vec<_> = told
        .iter()
        .map(|(act, (code, _))| format!("{act}: {code}"))
        .collect();
    insta::assert_snapshot!(codes.join("\n"), @r"
    suspend: GRANT_SUSPENDED
    dataset: GRANT_FROZEN
    operator: GRANT_FROZEN
    domain: GRANT_FROZEN
    revoke: GRANT_REVOKED
    ");
    for (act, (_, after)) in told {
        println!("{act}: the run ended {} ms after", after.as_millis());
        assert!(after < Duration::from_secs(1), "{act}: {after:?}");
    }
    let none = domain.bureau.list_releases(0).await.unwrap();
    assert_eq!(none.len(), 3, "the three counts and nothing else");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_certificate_ends_on_open_connections_and_in_runs() {
    let domain = TestDomain::with_flights().await;
    let grant = domain.operators_grant();
    let who = domain.operator.who_am_i().await.unwrap();
    let request = RevokeIdentityRequest {
        organisation: who.organisation,
        person: who.person,
        reason: "left the company".to_owned(),
        ..Default::default()
    };
    let revoked = stopped_by(&domain.operator, &grant, || async {
        let ended = domain
            .bureau
            .revoke_identity(request.clone())
            .await
            .unwrap();
        assert!(ended.iter().all(|identity| !identity.revoked_at.is_empty()));
    });
    let (code, after) = revoked.await;
    assert_eq!(code, "IDENTITY_REVOKED");
    assert!(after < Duration::from_secs(1), "{after:?}");
    assert_eq!(
        domain.operator.who_am_i().await.unwrap_err().code(),
        "IDENTITY_REVOKED"
    );
    assert_eq!(
        domain.operator.list_datasets().await.unwrap_err().code(),
        "IDENTITY_REVOKED"
    );

    // The last of the bureau cannot be revoked, nor can nobody.
    let last = RevokeIdentityRequest {
        organisation: "Data Bureau".to_owned(),
        person: "wang".to_owned(),
        reason: "a mistake".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        domain
            .bureau
            .revoke_identity(last)
            .await
            .unwrap_err()
            .code(),
        "IDENTITY_LAST"
    );
    let nobody = RevokeIdentityRequest {
        fingerprint: "sha256:0".to_owned(),
        reason: "a mistake".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        domain
            .bureau
            .revoke_identity(nobody)
            .await
            .unwrap_err()
            .code(),
        "IDENTITY_NOT_FOUND"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_with_the_same_names() {
    let domain = TestDomain::start().await;
    let client = domain.client(Role::Auditor, "Audit Office").await;
    let key = NewKey::generate().unwrap();
    let request = weir_client::v1::RenewIdentityRequest {
        signing_request_pem: key.signing_request_pem,
        valid_days: 0,
    };
    let renewed = client.renew_identity(request).await.unwrap();
    let folder = IdentityFolder {
        certificate_pem: renewed.certificate_pem,
        key_pem: key.key_pem,
        ..domain.administrator.clone()
    };
    let again = Client::connect(&folder).await.unwrap();
    assert_eq!(
        again.who_am_i().await.unwrap(),
        client.who_am_i().await.unwrap()
    );
    let listed = again.list_identities(true).await.unwrap();
    let own = listed
        .iter()
        .filter(|identity| identity.organisation == "Audit Office");
    assert_eq!(own.count(), 2, "the old one stays until it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_gets_a_part_and_never_more() {
    let domain = with_people().await;
    let lead = domain.client(Role::Operator, "Lead").await;
    let partner = domain.client(Role::Operator, "Beta").await;
    let more = "partners = [\"Beta\"]\nquotas.runs = 3\n";
    let whole = granted(
        &domain,
        &lead,
        "Lead",
        &text("both", &["town", "income"], more),
    )
    .await;
    let part = |columns: &[&str], runs: u64, until: &str| DelegateGrantRequest {
        id: whole.id.clone(),
        organisation: "Beta".to_owned(),
        datasets: vec![GrantedDataset {
            name: "people".to_owned(),
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        }],
        quotas: Some(Quotas {
            runs: Some(runs),
            ..Default::default()
        }),
        until: until.to_owned(),
        ..Default::default()
    };
    let mut seen = Vec::new();
    let stranger = DelegateGrantRequest {
        organisation: "Gamma".to_owned(),
        ..part(&["town"], 1, "")
    };
    for request in [
        part(&["town", "faith"], 1, ""),
        part(&["town"], 4, ""),
        part(&["town"], 1, "2999-01-01T00:00:00Z"),
        stranger,
    ] {
        seen.push(
            lead.delegate_grant(request)
                .await
                .unwrap_err()
                .code()
                .to_owned(),
        );
    }
    assert_eq!(
        seen,
        [
            "GRANT_WIDER",
            "GRANT_WIDER",
            "GRANT_WIDER",
            "PARTNER_NOT_NAMED"
        ]
    );
    let theft = partner.delegate_grant(part(&["town"], 1, "")).await;
    assert_eq!(theft.unwrap_err().code(), "GRANT_UNKNOWN");

    let given = lead.delegate_grant(part(&["town"], 2, "")).await.unwrap();
    assert_eq!(given.above, std::slice::from_ref(&whole.id));
    assert_eq!(code(&partner, SQL, "").await, "answered");
    assert_eq!(code(&partner, INCOME, "").await, "GRANT_COLUMN");
    let seen = lead.grant(&given.id).await.unwrap();
    assert_eq!(seen.runs_used, 1, "the lead sees the part");
    // What the partner used is charged above as well: two of three are left, and one of them is the partner's.
    assert_eq!(lead.grant(&whole.id).await.unwrap().runs_used, 1);
    for expected in ["answered", "answered", "GRANT_QUOTA"] {
        assert_eq!(code(&lead, SQL, "").await, expected);
    }
    assert_eq!(
        code(&partner, SQL, "").await,
        "GRANT_QUOTA",
        "the whole is used up"
    );

    // Suspended above, nothing is read below; revoked above is revoked below.
    domain
        .change_grant(&whole.id, GrantAct::Suspend)
        .await
        .unwrap();
    assert_eq!(code(&partner, SQL, "").await, "GRANT_SUSPENDED");
    assert_eq!(
        partner.grant(&given.id).await.unwrap().blocked,
        "GRANT_SUSPENDED"
    );
    domain
        .change_grant(&whole.id, GrantAct::Revoke)
        .await
        .unwrap();
    assert_eq!(partner.grant(&given.id).await.unwrap().state, "revoked");
    assert_eq!(code(&partner, SQL, "").await, "GRANT_REVOKED");
}
