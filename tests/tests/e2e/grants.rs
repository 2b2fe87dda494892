//! From application to grant, each person with a certificate of their own.

use uuid::Uuid;
use weir_client::v1::{
    Application, ApplyRequest, DecideApplicationRequest, Decision, IssueGrantRequest, Opinion,
    Quotas, ReviewApplicationRequest, Role, WithdrawApplicationRequest,
};
use weir_client::{Client, ClientError};
use weir_tests::{OPERATOR, TestDomain, application, refusal};

pub(crate) const MANIFEST: &str = r#"
name = "people"
population = "persons"
unit = "id"
description = "People of a country"
source = "made up"
licence = "CC0-1.0"
provider = "Civil Registry"
[[column]]
name = "id"
type = "string"
role = "identifier"
description = "Who"
[[column]]
name = "town"
type = "string"
role = "quasi-identifier"
description = "Where"
[[column]]
name = "income"
type = "float64"
role = "sensitive"
description = "How much"
[[column]]
name = "faith"
type = "string"
role = "sensitive"
description = "What they believe"
not_shared = "article 28 of the law on personal information"
"#;

pub(crate) async fn with_people() -> TestDomain {
    with_people_where(|settings| settings).await
}

pub(crate) async fn with_people_where(settings: impl Fn(String) -> String) -> TestDomain {
    let domain = TestDomain::start_with(|folder| {
        let text = std::fs::read_to_string(folder.config()).unwrap();
        std::fs::write(folder.config(), settings(text)).unwrap();
    })
    .await;
    let mut csv = "id,town,income,faith\n".to_owned();
    for person in 0..400 {
        let town = ["North", "South"][person % 2];
        csv += &format!("p{person},{town},{},none\n", 1_000 + person);
    }
    let registered = domain.register_bytes("people.csv", csv.as_bytes(), MANIFEST);
    registered.await.unwrap();
    domain
}

pub(crate) fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub(crate) fn text(scenario: &str, names: &[&str], more: &str) -> String {
    application(scenario, &[("people", columns(names))], more)
}

pub(crate) fn apply(text: &str) -> ApplyRequest {
    ApplyRequest {
        text: text.to_owned(),
        source_name: "a.toml".to_owned(),
        ..Default::default()
    }
}

pub(crate) fn opinion(of: &Application, opinion: Opinion) -> ReviewApplicationRequest {
    ReviewApplicationRequest {
        id: of.id.clone(),
        digest: of.digest.clone(),
        opinion: opinion.into(),
        text: "so it is".to_owned(),
        request_key: String::new(),
    }
}

pub(crate) fn issue(of: &Application) -> IssueGrantRequest {
    IssueGrantRequest {
        id: of.id.clone(),
        digest: of.digest.clone(),
        ..Default::default()
    }
}

fn decision(of: &Application, decision: Decision) -> DecideApplicationRequest {
    DecideApplicationRequest {
        id: of.id.clone(),
        digest: of.digest.clone(),
        decision: decision.into(),
        reason: "so it is".to_owned(),
        request_key: String::new(),
    }
}

fn code<T>(outcome: Result<T, ClientError>) -> String {
    match outcome {
        Ok(_) => "answered".to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_complete_or_names_what_is_missing() {
    let domain = with_people().await;
    let mut seen = Vec::new();
    for text in [
        "scenario = \"x\"\n".to_owned(),
        text("x", &["towns"], ""),
        text("x", &["faith"], ""),
        text("x", &["id"], ""),
        application("x", &[("nowhere", columns(&["town"]))], ""),
        text("x", &["town"], "surprise = 1"),
    ] {
        let error = domain.operator.apply(apply(&text)).await.unwrap_err();
        let said = refusal(&error);
        seen.push(said.lines().next().unwrap().to_owned());
    }
    insta::assert_snapshot!(seen.join("\n"), @r"
    APPLICATION_INCOMPLETE: `a.toml` is not complete: `purpose` is missing; `days` is missing; `security` must list 1 to 64 commitments; `datasets` is missing; `models` is missing. docs/grants.md explains each field
    APPLICATION_COLUMN: `people` has no column `towns`. `weir dataset show people` lists those there are
    APPLICATION_NOT_SHARED: `people.faith` is not shared with anybody, by article 28 of the law on personal information. Leave it out
    APPLICATION_NOT_SHARED: `people.id` identifies units and is not stored: datasets join on it without reading it. Leave it out
    DATASET_UNKNOWN: there is no dataset `nowhere`. `weir dataset list` shows those there are
    APPLICATION_INVALID: `a.toml`: TOML parse error at line 6, column 1
    ");
    assert!(
        domain.bureau.list_applications(false).await.unwrap().len() == 1,
        "the harness's alone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_an_application() {
    let domain = with_people().await;
    let (operator, bureau) = (&domain.operator, &domain.bureau);
    let provider = domain.client(Role::Provider, "Civil Registry").await;
    let stranger = domain.client(Role::Provider, "Water Works").await;

    let applied = operator
        .apply(apply(&text("report", &["town"], "")))
        .await
        .unwrap();
    assert_eq!(applied.state, "submitted");
    assert_eq!(
        applied.outstanding,
        ["the opinion of `Civil Registry`, which provides `people`"]
    );
    assert_eq!(
        code(bureau.issue_grant(issue(&applied)).await),
        "APPLICATION_UNREVIEWED"
    );
    assert_eq!(
        code(
            stranger
                .review_application(opinion(&applied, Opinion::Support))
                .await
        ),
        "OPINION_NOT_YOURS"
    );
    assert_eq!(
        code(stranger.application(&applied.id).await),
        "APPLICATION_UNKNOWN"
    );
    let rival = domain.client(Role::Operator, "Rival").await;
    assert_eq!(
        code(rival.application(&applied.id).await),
        "APPLICATION_UNKNOWN"
    );
    assert!(rival.list_applications(false).await.unwrap().is_empty());

    // A word on another text does not count, nor does one without a digest.
    let other = Application {
        digest: "sha256:0".to_owned(),
        ..applied.clone()
    };
    assert_eq!(
        code(
            provider
                .review_application(opinion(&other, Opinion::Support))
                .await
        ),
        "APPLICATION_OTHER"
    );

    // Against, then returned, mended, in favour.
    let opposed = provider
        .review_application(opinion(&applied, Opinion::Oppose))
        .await
        .unwrap();
    assert_eq!(
        opposed.outstanding,
        ["`Civil Registry` opposes it for `people`"]
    );
    let returned = bureau
        .decide_application(decision(&applied, Decision::Return))
        .await
        .unwrap();
    assert_eq!(
        (returned.state.as_str(), returned.reason.as_str()),
        ("returned", "so it is")
    );
    assert_eq!(
        code(
            provider
                .review_application(opinion(&applied, Opinion::Support))
                .await
        ),
        "STATE_REFUSED"
    );
    let again = ApplyRequest {
        application: applied.id.clone(),
        ..apply(&text("report", &["town"], "partners = [\"Beta\"]"))
    };
    let mended = operator.apply(again).await.unwrap();
    assert_eq!(
        (mended.state.as_str(), &mended.id),
        ("submitted", &applied.id)
    );
    assert!(mended.opinions.is_empty(), "what was said of the old text");
    let reviewed = provider
        .review_application(opinion(&mended, Opinion::Support))
        .await
        .unwrap();
    assert_eq!(reviewed.state, "reviewed");

    // The digest binds the grant too.
    assert_eq!(
        code(bureau.issue_grant(issue(&applied)).await),
        "APPLICATION_OTHER"
    );
    let grant = bureau.issue_grant(issue(&mended)).await.unwrap();
    assert_eq!(
        (
            grant.state.as_str(),
            grant.blocked.as_str(),
            grant.organisation.as_str()
        ),
        ("active", "", OPERATOR)
    );
    assert_eq!(grant.partners, ["Beta"]);
    assert!(grant.note.starts_with("weir statement v1: grant\n"));
    assert_eq!(
        operator.application(&applied.id).await.unwrap().grant,
        grant.id
    );
    assert_eq!(
        code(bureau.issue_grant(issue(&mended)).await),
        "STATE_REFUSED"
    );
    assert_eq!(
        code(
            bureau
                .decide_application(decision(&mended, Decision::Reject))
                .await
        ),
        "STATE_REFUSED"
    );

    // One scenario, one grant; a rejected or withdrawn application leaves its scenario free.
    let same = text("report", &["town", "income"], "");
    assert_eq!(code(operator.apply(apply(&same)).await), "SCENARIO_TAKEN");
    let second = text("second", &["town"], "");
    let one = operator.apply(apply(&second)).await.unwrap();
    assert_eq!(code(operator.apply(apply(&second)).await), "SCENARIO_TAKEN");
    let withdraw = WithdrawApplicationRequest {
        id: one.id.clone(),
        reason: "a mistake".to_owned(),
        request_key: String::new(),
    };
    assert_eq!(
        code(rival.withdraw_application(withdraw.clone()).await),
        "APPLICATION_UNKNOWN"
    );
    assert_eq!(
        operator.withdraw_application(withdraw).await.unwrap().state,
        "withdrawn"
    );
    let two = operator.apply(apply(&second)).await.unwrap();
    let rejected = bureau
        .decide_application(decision(&two, Decision::Reject))
        .await
        .unwrap();
    assert_eq!(rejected.state, "rejected");
    assert_eq!(
        operator.apply(apply(&second)).await.unwrap().state,
        "submitted"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_decides_on_what_their_own_organisation_asks_for() {
    let domain = with_people().await;
    // Of the bureau's organisation, of the provider's, and both in one.
    let insider = domain.client(Role::Operator, "Data Bureau").await;
    let applied = insider
        .apply(apply(&text("inside", &["town"], "")))
        .await
        .unwrap();
    assert_eq!(
        code(
            domain
                .bureau
                .review_application(opinion(&applied, Opinion::Support))
                .await
        ),
        "OWN_WORK"
    );
    let provider = domain.client(Role::Provider, "Civil Registry").await;
    let reviewed = provider
        .review_application(opinion(&applied, Opinion::Support))
        .await;
    assert_eq!(reviewed.unwrap().state, "reviewed");
    assert_eq!(
        code(domain.bureau.issue_grant(issue(&applied)).await),
        "OWN_WORK"
    );
    assert_eq!(
        code(
            domain
                .bureau
                .decide_application(decision(&applied, Decision::Reject))
                .await
        ),
        "OWN_WORK"
    );
    let other = domain.client(Role::Bureau, "City Hall").await;
    assert_eq!(
        other
            .issue_grant(issue(&applied))
            .await
            .unwrap()
            .organisation,
        "Data Bureau"
    );

    let own = domain.client(Role::Operator, "Civil Registry").await;
    let applied = own.apply(apply(&text("own", &["town"], ""))).await.unwrap();
    assert_eq!(
        code(
            provider
                .review_application(opinion(&applied, Opinion::Support))
                .await
        ),
        "OWN_WORK"
    );
    assert_eq!(
        code(domain.bureau.issue_grant(issue(&applied)).await),
        "APPLICATION_UNREVIEWED"
    );
    let spoken = domain
        .bureau
        .review_application(opinion(&applied, Opinion::Support))
        .await;
    assert_eq!(
        spoken.unwrap().state,
        "reviewed",
        "the bureau speaks for the dataset"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_organisations_where_the_domain_says_so() {
    let domain = with_people_where(|settings| format!("grant_reviewers = 3\n{settings}")).await;
    let provider = domain.client(Role::Provider, "Civil Registry").await;
    let applied = domain
        .operator
        .apply(apply(&text("report", &["town"], "")))
        .await
        .unwrap();
    provider
        .review_application(opinion(&applied, Opinion::Support))
        .await
        .unwrap();
    assert_eq!(
        code(domain.bureau.issue_grant(issue(&applied)).await),
        "APPLICATION_REVIEWERS"
    );
    let third = domain.client(Role::Bureau, "City Hall").await;
    third
        .review_application(opinion(&applied, Opinion::Support))
        .await
        .unwrap();
    domain.bureau.issue_grant(issue(&applied)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_gives_what_was_asked_for_or_less() {
    let domain = with_people().await;
    let more = "quotas.runs = 10\n";
    let asked = text("report", &["town"], more);
    let applied = domain
        .applied(&domain.operator, OPERATOR, &asked)
        .await
        .unwrap();
    let with = |until: &str, runs: Option<u64>, cells: Option<u64>| IssueGrantRequest {
        until: until.to_owned(),
        quotas: Some(Quotas {
            runs,
            cells,
            ..Default::default()
        }),
        ..issue(&applied)
    };
    let mut seen = Vec::new();
    for request in [
        with("2999-01-01T00:00:00Z", None, None),
        with("2020-01-01T00:00:00Z", None, None),
        with("tomorrow", None, None),
        with("", Some(11), None),
    ] {
        seen.push(code(domain.bureau.issue_grant(request).await));
    }
    assert_eq!(
        seen,
        [
            "GRANT_WIDER",
            "MOMENT_INVALID",
            "MOMENT_INVALID",
            "GRANT_WIDER"
        ]
    );
    let granted = domain
        .bureau
        .issue_grant(with("", Some(5), Some(7)))
        .await
        .unwrap();
    let quotas = granted.quotas.unwrap();
    assert_eq!(
        (quotas.runs, quotas.cells, quotas.fuel),
        (Some(5), Some(7), None)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_does_nothing_twice() {
    let domain = with_people().await;
    let request = ApplyRequest {
        request_key: Uuid::now_v7().to_string(),
        ..apply(&text("report", &["town"], ""))
    };
    let first = domain.operator.apply(request.clone()).await.unwrap();
    let again = domain.operator.apply(request.clone()).await.unwrap();
    assert_eq!(first.id, again.id);
    let other = ApplyRequest {
        text: text("another", &["town"], ""),
        ..request.clone()
    };
    assert_eq!(
        code(domain.operator.apply(other).await),
        "REQUEST_KEY_TAKEN"
    );
    let rival = domain.client(Role::Operator, "Rival").await;
    assert_eq!(
        code(rival.apply(request.clone()).await),
        "REQUEST_KEY_TAKEN"
    );
    let wrong = ApplyRequest {
        request_key: "1".to_owned(),
        ..request
    };
    assert_eq!(
        code(domain.operator.apply(wrong).await),
        "REQUEST_KEY_INVALID"
    );

    let provider = domain.client(Role::Provider, "Civil Registry").await;
    provider
        .review_application(opinion(&first, Opinion::Support))
        .await
        .unwrap();
    let request = IssueGrantRequest {
        request_key: Uuid::now_v7().to_string(),
        ..issue(&first)
    };
    let [one, two] = [
        issued(&domain.bureau, &request).await,
        issued(&domain.bureau, &request).await,
    ];
    assert_eq!(one, two, "one grant");
}

async fn issued(bureau: &Client, request: &IssueGrantRequest) -> String {
    bureau.issue_grant(request.clone()).await.unwrap().id
}
