//! What is charged to grants and budgets.

use super::*;

/// A grant, and above it one that allows so many runs and bytes.
async fn granted(registry: &Registry, runs: i64, bytes: i64) -> Vec<Allowance> {
    let application = ApplicationRecord {
        id: "a".to_owned(),
        organisation: "acme".to_owned(),
        person: "li".to_owned(),
        scenario: "s".to_owned(),
        text: String::new(),
        digest: "sha256:00".to_owned(),
        state: ApplicationState::Granted,
        submitted_at: "2026-11-22T00:00:00.000Z".to_owned(),
        decided_by: None,
        decided_at: None,
        reason: None,
        grant_id: None,
    };
    registry.put_application(&application, None).await.unwrap();
    for id in ["part", "whole"] {
        let grant = GrantRecord {
            id: id.to_owned(),
            parent: None,
            application: "a".to_owned(),
            organisation: "acme".to_owned(),
            scenario: "s".to_owned(),
            note: String::new(),
            digest: String::new(),
            not_before: String::new(),
            not_after: String::new(),
            state: GrantState::Active,
            deadline: None,
            reason: None,
            changed_by: String::new(),
            changed_at: String::new(),
        };
        registry.add_grant(&grant, None, None).await.unwrap();
    }
    let part = Allowance {
        grant: "part".to_owned(),
        ..Allowance::default()
    };
    let whole = Allowance {
        grant: "whole".to_owned(),
        runs: Some(runs),
        amounts: [None, None, None, None, Some(bytes)],
    };
    vec![part, whole]
}

async fn charged(
    registry: &Registry,
    allowances: &[Allowance],
    run: &str,
    charge: Charge,
) -> Option<&'static str> {
    let of = ChargedRun {
        run,
        request_digest: "sha256:00",
        at: "2026-11-22T00:00:00.000Z",
    };
    let up = registry.charge_grants(allowances, of, &charge);
    up.await.unwrap().map(|up| up.quota)
}

#[tokio::test]
async fn a_charge_counts_once_and_is_made_whole_or_not_at_all() {
    let (_guard, registry) = registry().await;
    let allowances = granted(&registry, 2, 100).await;
    let bytes = |bytes| Charge {
        bytes,
        fuel: 1,
        ..Charge::default()
    };
    for _ in 0..3 {
        assert_eq!(
            charged(&registry, &allowances, "one", bytes(40)).await,
            None
        );
    }
    let cells = Charge {
        cells: 7,
        ..Charge::default()
    };
    assert_eq!(charged(&registry, &allowances, "one", cells).await, None);
    let over = charged(&registry, &allowances, "two", bytes(61)).await;
    assert_eq!(over, Some("bytes"));
    let once = GrantUse {
        runs: 1,
        charged: Charge {
            cells: 7,
            fuel: 1,
            bytes: 40,
            ..Charge::default()
        },
    };
    // Nothing stays of what was refused above, on what is below it either.
    for grant in ["part", "whole"] {
        assert_eq!(registry.grant_use(grant).await.unwrap(), once, "{grant}");
    }
    let fuel = registry.fuel_since("acme", "2026-11-22").await.unwrap();
    assert_eq!(fuel, 1, "a run on two grants of one organisation");
    let later = registry.fuel_since("acme", "2026-11-23").await.unwrap();
    assert_eq!(later, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn charges_at_once_do_not_go_over_a_quota() {
    let (_guard, registry) = registry().await;
    let allowances = granted(&registry, 5, 1_000).await;
    let mut tasks = tokio::task::JoinSet::new();
    for run in 0..20 {
        let (registry, allowances) = (registry.clone(), allowances.clone());
        tasks.spawn(async move {
            charged(&registry, &allowances, &run.to_string(), Charge::default()).await
        });
    }
    let refused = tasks.join_all().await.into_iter().flatten().count();
    assert_eq!(refused, 15);
    assert_eq!(registry.grant_use("part").await.unwrap().runs, 5);
}

#[tokio::test]
async fn usage_is_read_on_from_where_it_stopped_and_again_from_the_beginning() {
    let (_guard, registry) = registry().await;
    let run = UsageRun {
        operator: "acme".to_owned(),
        run: "one".to_owned(),
        request_digest: "sha256:00".to_owned(),
    };
    let charged = UsageFact::Charged {
        run: run.clone(),
        product: String::new(),
        grant: "g".to_owned(),
        month: "2026-11".to_owned(),
        reads: vec![UsageRead {
            dataset: "flights".to_owned(),
            provider: String::new(),
            rows: 10,
            bytes: 40,
            fuel: 1,
        }],
    };
    let released = |cells| UsageFact::Released {
        run: run.clone(),
        cells,
    };
    // Charged twice and recorded twice, as after a crash: it counts once.
    let facts = [charged.clone(), released(3), charged, released(3)];
    for again in [false, true] {
        assert!(registry.add_usage((0, 2), &facts[..2]).await.unwrap());
        assert!(!registry.add_usage((0, 2), &facts[..2]).await.unwrap());
        assert!(registry.add_usage((2, 4), &facts[2..]).await.unwrap());
        let lines = registry.usage("2026-11", "2026-11").await.unwrap();
        let told: Vec<_> = lines
            .iter()
            .map(|line| (line.runs, line.rows, line.cells, line.releases))
            .collect();
        assert_eq!(told, [(1, 10, 3, 1)], "{again}");
        assert_eq!(registry.usage("2026-12", "2027-01").await.unwrap(), []);
        assert_eq!(registry.usage_read_to().await.unwrap(), 4);
        registry.forget_usage().await.unwrap();
        assert_eq!(registry.usage_read_to().await.unwrap(), 0);
    }
}

async fn reserved(
    registry: &Registry,
    allowances: &[Allowance],
    (run, question): (&str, &str),
    (least, most): (i64, i64),
    allows: i64,
) -> Reserved {
    let of = ChargedRun {
        run,
        request_digest: "sha256:00",
        at: "2026-11-22T00:00:00.000Z",
    };
    let charge = Charge {
        bits_out: least,
        epsilon_millionths: 5,
        ..Charge::default()
    };
    let asked = Reservation {
        charge: &charge,
        bits_most: most,
        question,
    };
    let budget = |kind, allows| Budget {
        kind,
        of: "people".to_owned(),
        allows,
    };
    let budgets = [
        budget(BudgetKind::Bits, allows),
        budget(BudgetKind::Epsilon, 17),
    ];
    let reserved = registry.reserve(allowances, &budgets, of, asked);
    reserved.await.unwrap()
}

async fn settled(registry: &Registry, run: &str, bits: i64, answered: bool) {
    let of = ChargedRun {
        run,
        request_digest: "sha256:00",
        at: "",
    };
    registry
        .settle(&["part", "whole"], of, bits, answered)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_was_reserved_and_not_said_is_given_back_once() {
    let (_guard, registry) = registry().await;
    let allowances = granted(&registry, 9, 100).await;
    let bits = async || {
        registry
            .budget_use(BudgetKind::Bits, "people")
            .await
            .unwrap()
    };
    let one = reserved(&registry, &allowances, ("one", "q1"), (10, 40), 100).await;
    assert_eq!((one, bits().await), (Reserved::Bits(40), 40));
    let two = reserved(&registry, &allowances, ("two", "q2"), (10, 70), 100).await;
    assert_eq!(
        (two, bits().await),
        (Reserved::Bits(35), 75),
        "10, and half of 50"
    );
    let three = reserved(&registry, &allowances, ("three", "q3"), (30, 70), 100).await;
    assert!(matches!(three, Reserved::Budget(of) if of.kind == BudgetKind::Bits));
    assert!(!registry.was_answered("q1").await.unwrap());
    settled(&registry, "one", 12, true).await;
    assert!(registry.was_answered("q1").await.unwrap());
    assert_eq!(bits().await, 47);
    for grant in ["part", "whole"] {
        let used = registry.grant_use(grant).await.unwrap();
        assert_eq!((used.runs, used.charged.bits_out), (2, 47), "{grant}");
    }
    // One that began twice may have said something each time.
    let again = reserved(&registry, &allowances, ("two", "q2"), (10, 20), 100).await;
    assert_eq!(
        (again, bits().await),
        (Reserved::Bits(20), 47),
        "it counts once"
    );
    settled(&registry, "two", 1, true).await;
    assert_eq!(bits().await, 47);
    // One whose table waited said what the table says, once.
    for answered in [false, true] {
        let six = reserved(&registry, &allowances, ("six", "q6"), (10, 20), 100).await;
        assert_eq!((six, bits().await), (Reserved::Bits(20), 67));
        assert!(!registry.was_answered("q6").await.unwrap());
        settled(&registry, "six", 11, answered).await;
        assert_eq!(bits().await, 58);
    }
    // Privacy loss is never given back, and counts once a run.
    let epsilon = registry.budget_use(BudgetKind::Epsilon, "people").await;
    assert_eq!(epsilon.unwrap(), 15);
    let five = reserved(&registry, &allowances, ("five", "q5"), (0, 0), 100).await;
    assert!(matches!(five, Reserved::Budget(of) if of.kind == BudgetKind::Epsilon));
    assert_eq!(registry.grant_use("whole").await.unwrap().runs, 3);
}

#[tokio::test]
async fn runs_side_by_side_never_reserve_more_than_there_is() {
    let (_guard, registry) = registry().await;
    let allowances = granted(&registry, 100, 100).await;
    let mut all = tokio::task::JoinSet::new();
    for run in 0..20 {
        let (registry, allowances) = (registry.clone(), allowances.clone());
        all.spawn(async move {
            let run = run.to_string();
            reserved(&registry, &allowances, (&run, &run), (0, 9), 100).await
        });
    }
    let mut sum = 0;
    while let Some(one) = all.join_next().await {
        if let Reserved::Bits(bits) = one.unwrap() {
            sum += bits;
        }
    }
    assert!(sum <= 100, "{sum}");
    assert_eq!(
        registry
            .budget_use(BudgetKind::Bits, "people")
            .await
            .unwrap(),
        sum
    );
}

/// What is kept as charges change is what they add up to.
#[tokio::test]
async fn totals_are_the_sums() {
    let (_folder, registry) = registry().await;
    let allowances = granted(&registry, 1_000, 1_000_000).await;
    let grants = ["part", "whole"];
    let mut dice: u64 = 7;
    let mut below = move |bound: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((dice >> 33) % bound).cast_signed()
    };
    for _ in 0..200 {
        let (run, digest) = (below(20).to_string(), below(2).to_string());
        let of = ChargedRun {
            run: &run,
            request_digest: &digest,
            at: "2026-11-22T00:00:00Z",
        };
        let charge = Charge {
            cells: below(9),
            bits_out: below(90),
            epsilon_millionths: below(5),
            fuel: below(7),
            bytes: below(9_000),
        };
        let budget = |kind, name: &str| Budget {
            kind,
            of: name.to_owned(),
            allows: 20_000,
        };
        let budgets = [
            budget(BudgetKind::Bits, "flights"),
            budget(BudgetKind::Epsilon, "aircraft"),
        ];
        match below(3) {
            0 => {
                let charged = registry.charge_grants(&allowances, of, &charge);
                charged.await.unwrap();
            }
            1 => {
                let asked = Reservation {
                    charge: &charge,
                    bits_most: charge.bits_out + below(500),
                    question: &digest,
                };
                let reserved = registry.reserve(&allowances, &budgets, of, asked);
                reserved.await.unwrap();
            }
            _ => {
                let settled = registry.settle(&grants, of, below(100), below(2) == 1);
                settled.await.unwrap();
            }
        }
        for grant in grants {
            let sums = "SELECT COUNT(*) AS runs, COALESCE(SUM(cells), 0) AS cells, COALESCE(SUM(bits_out), 0) AS bits_out, \
                        COALESCE(SUM(epsilon_millionths), 0) AS epsilon_millionths, COALESCE(SUM(fuel), 0) AS fuel, \
                        COALESCE(SUM(bytes), 0) AS bytes FROM grant_uses WHERE grant_id = ?";
            let sums = sqlx::query_as(sums).bind(grant);
            let sums: GrantUse = sums.fetch_one(registry.pool()).await.unwrap();
            assert_eq!(registry.grant_use(grant).await.unwrap(), sums);
        }
        for budget in &budgets {
            let sum: i64 =
                sqlx::query_scalar("SELECT COALESCE(SUM(amount), 0) FROM budget_uses WHERE of = ?")
                    .bind(&budget.of)
                    .fetch_one(registry.pool())
                    .await
                    .unwrap();
            let used = registry.budget_use(budget.kind, &budget.of);
            assert_eq!(used.await.unwrap(), sum);
        }
    }
    registry.check().await.unwrap();
}
