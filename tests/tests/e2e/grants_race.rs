//! Runs against a revocation that comes while they are on their way.

use weir_audit::{Checkpoint, Event, Receipt};
use weir_client::v1::{GrantAct, RunRequest};
use weir_client::{Client, ClientError};
use weir_tests::TestDomain;

use crate::grants::MANIFEST;

/// Runs at once; no more than an operator may have.
const RUNS: usize = 12;

async fn release(client: Client, grant: String) -> Result<u64, ClientError> {
    let request = RunRequest {
        sql: "SELECT town, COUNT(*) AS n FROM people GROUP BY town".to_owned(),
        grant,
        ..Default::default()
    };
    let answer = client.run(request, |_| {}).await?;
    Ok(answer.entry.index())
}

async fn size(domain: &TestDomain) -> u64 {
    let note = domain.bureau.checkpoint().await.unwrap();
    let checkpoint = Checkpoint::verify(note.as_bytes(), domain.bureau.log_key());
    checkpoint.unwrap().size()
}

#[tokio::test(flavor = "multi_thread")]
async fn once_a_revocation_is_answered_nothing_is_released() {
    // What runs reserve that are cut off is not given back: here there is enough for all of them.
    let domain = TestDomain::start().await;
    let csv = (0..400).map(|person| format!("p{person},town {},1,none\n", person % 2));
    let csv = format!("id,town,income,faith\n{}", csv.collect::<String>());
    let towns = "description = \"Where\"\n";
    let declared = format!("{towns}domain = [\"town 0\", \"town 1\"]\n");
    let manifest = MANIFEST.replace(towns, &declared);
    let registered = domain.register_bytes("people.csv", csv.as_bytes(), &manifest);
    registered.await.unwrap();
    let mut released = 0;
    for wait_ms in [0, 10, 20, 40, 80, 160] {
        let grant = domain.operators_grant();
        let runs = (0..RUNS).map(|_| release(domain.operator.clone(), grant.clone()));
        let runs: Vec<_> = runs.map(tokio::spawn).collect();
        tokio::time::sleep(std::time::Duration::from_millis(wait_ms)).await;
        domain.change_grant(&grant, GrantAct::Revoke).await.unwrap();
        let answered = size(&domain).await;
        for run in runs {
            match run.await.unwrap() {
                Ok(index) => {
                    assert!(
                        index < answered,
                        "released after the revocation was answered"
                    );
                    released += 1;
                }
                Err(error) => assert_eq!(error.code(), "GRANT_REVOKED"),
            }
        }
        // Nor does the log hold a release that nobody was told of.
        for index in answered..size(&domain).await {
            let receipt = domain.bureau.receipt(index).await.unwrap();
            let entry = Receipt::from_json(receipt.as_bytes()).unwrap();
            let entry = entry.verify(domain.bureau.log_key()).unwrap();
            let event = &entry.entry().event;
            assert!(!matches!(event, Event::ReleaseDecided { .. }), "{event:?}");
        }
        domain.forget_grant();
        domain.grant_operator().await;
    }
    assert!(
        released > 0,
        "the last revocation comes after some of the runs"
    );
}
