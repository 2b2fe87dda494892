//! What may not be submitted, and what a hostile model cannot do through the whole path.

use datafusion::prelude::{ParquetReadOptions, SessionContext};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use weir_tests::{TestDomain, example, refusal};

use crate::expected::{assert_same, cells};

/// A component from a world and a core module in text.
pub(crate) fn component(wit: &str, wat: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve
        .push_str("model.wit", &format!("package test:model;\n{wit}"))
        .unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = wat::parse_str(wat).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default()
        .module(&module)
        .unwrap()
        .encode()
        .unwrap()
}

const WORLD: &str = "world model { export row: func(distance: s32) -> s32; }";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_model_is_refused_at_submission_with_the_reason() {
    let domain = TestDomain::start().await;
    let good = std::fs::read(example("models/disruption/disruption.wasm")).unwrap();
    let importing = component(
        "world model { import now: func() -> s32; export row: func(distance: s32) -> s32; }",
        "(module (import \"$root\" \"now\" (func $now (result i32)))
           (func (export \"row\") (param i32) (result i32) call $now))",
    );
    let other_export = component(
        "world model { export score: func(distance: s32) -> s32; }",
        "(module (func (export \"score\") (param i32) (result i32) local.get 0))",
    );
    let nested = component(
        "world model { record p { x: s32 } export row: func(p: p) -> s32; }",
        "(module (func (export \"row\") (param i32) (result i32) local.get 0))",
    );
    let spinning = component(
        WORLD,
        "(module (func $s (loop (br 0))) (start $s) (func (export \"row\") (param i32) (result i32) local.get 0))",
    );
    let core = wat::parse_str("(module (func (export \"row\")))").unwrap();
    let cases: [(&str, Vec<u8>); 10] = [
        ("imports a function", importing),
        ("another signature", other_export),
        ("a record parameter", nested),
        ("a start function that never ends", spinning),
        ("a core module", core),
        ("not WASM", b"#!/bin/sh\necho hello\n".to_vec()),
        ("nothing", Vec::new()),
        ("half of it", good[..good.len() / 2].to_vec()),
        ("all but a byte", good[..good.len() - 1].to_vec()),
        ("100 MB", vec![0; 100 << 20]),
    ];
    let mut seen = String::new();
    for (what, bytes) in cases {
        let error = domain.operator.submit_model("m", bytes).await.unwrap_err();
        seen += &format!("{what}\n    {}\n", refusal(&error));
    }
    insta::assert_snapshot!("models", seen);
    assert!(
        domain.operator.list_models().await.unwrap().is_empty(),
        "nothing stays of a refused model"
    );
    for name in ["", "Big", "1st", "weir_x", "select * from", &"x".repeat(64)] {
        let error = domain
            .operator
            .submit_model(name, good.clone())
            .await
            .unwrap_err();
        assert_eq!(error.code(), "NAME_INVALID", "{name}");
    }
}

/// Who submits hears what vetting is doing, and vetting knows what the manifests of the domain declare.
#[tokio::test(flavor = "multi_thread")]
async fn vetting_tells_its_stages_and_reads_manifests() {
    let domain = TestDomain::with_flights().await;
    let early = component(
        "world model { export row: func(month: s32) -> s32; }",
        "(module (func (export \"row\") (param i32) (result i32) local.get 0))",
    );
    let mut stages = Vec::new();
    let submitted = domain
        .operator
        .submit_model_with("early", early.clone(), |step| {
            assert_eq!((step.percent, step.rows), (None, None));
            stages.push(step.stage.clone());
        })
        .await
        .unwrap();
    for stage in ["waiting for its turn", "compiling", "rows in another order"] {
        assert!(stages.iter().any(|told| told == stage), "{stages:?}");
    }
    let report = domain.bureau.model_report("early", "", false).await;
    let report = report.unwrap().report_json;
    assert!(report.contains(r#""declared_by":["flights"]"#), "{report}");
    // Bytes that are known already are not vetted again.
    let mut stages = 0;
    let again = domain
        .operator
        .submit_model_with("early", early, |_| stages += 1);
    assert_eq!(again.await.unwrap(), submitted);
    assert_eq!(stages, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_runs_only_once_approved_and_only_where_it_fits() {
    let domain = TestDomain::with_flights().await;
    let sql = "SELECT value, COUNT(*) AS n FROM echo(flights) GROUP BY value";
    let echo = component(
        WORLD,
        "(module (func (export \"row\") (param i32) (result i32) i32.const 7))",
    );
    let model = domain.operator.submit_model("echo", echo).await.unwrap();
    assert!(domain.refusal(sql).await.starts_with("MODEL_NOT_APPROVED"));
    domain
        .bureau
        .approve_model("echo", &model.digest)
        .await
        .unwrap();
    assert_eq!(domain.run(sql).await.unwrap().cells_released, 1);

    // New bytes under the same name do not inherit the approval: the approved ones go on running.
    let other = component(
        WORLD,
        "(module (func (export \"row\") (param i32) (result i32) i32.const 8))",
    );
    domain.operator.submit_model("echo", other).await.unwrap();
    let answer = domain.run(sql).await.unwrap();
    assert_eq!(
        crate::expected::cells(&answer.table, 1)
            .keys()
            .next()
            .unwrap()[0],
        "7"
    );

    let missing = component(
        "world model { export row: func(altitude: s32) -> s32; }",
        "(module (func (export \"row\") (param i32) (result i32) local.get 0))",
    );
    domain.approved_model("missing", missing).await;
    let narrowing = component(
        "world model { export row: func(dep-delay: s32) -> s32; }",
        "(module (func (export \"row\") (param i32) (result i32) local.get 0))",
    );
    domain.approved_model("narrowing", narrowing).await;
    let mut seen = String::new();
    for model in ["missing", "narrowing"] {
        seen += &format!(
            "{}\n",
            domain
                .refusal(&format!("SELECT COUNT(value) AS n FROM {model}(flights)"))
                .await
        );
    }
    insta::assert_snapshot!(seen, @r#"
MODEL_DOES_NOT_FIT: model `missing` does not fit dataset `flights`: the model reads column `altitude`, which the dataset does not have: nearest by name are `air_time`, `arr_time`, `minute`
MODEL_DOES_NOT_FIT: model `narrowing` does not fit dataset `flights`: column `dep_delay` is Float64, but the model takes `s32`: without loss it takes signed integers of up to 32 bits, unsigned ones of up to 16, and dates; change the parameter's type, or cast the column
"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_traps_or_spins_on_some_rows_gives_null_there_and_nothing_else() {
    let domain = TestDomain::with_flights().await;
    // Fails, in one way or the other, on flights of 1,000 miles and more.
    let failing = |failure: &str| {
        component(
            WORLD,
            &format!(
                "(module (func (export \"row\") (param i32) (result i32)
                   local.get 0 i32.const 1000 i32.ge_s if {failure} end
                   i32.const 1))"
            ),
        )
    };
    domain
        .approved_model("trapping", failing("unreachable"))
        .await;
    domain
        .approved_model("spinning", failing("(loop (br 0))"))
        .await;
    let count = |model: &str| {
        format!(
            "SELECT origin, COUNT(value) AS n FROM {model}(flights) WHERE month = 1 AND day = 1 GROUP BY origin"
        )
    };
    let plain = "SELECT origin, COUNT(*) AS n FROM flights WHERE month = 1 AND day = 1 AND distance < 1000 GROUP BY origin";
    let plain = domain.run(plain).await.unwrap();
    for model in ["trapping", "spinning"] {
        let answer = domain.run(&count(model)).await.unwrap();
        assert_eq!(answer.table, plain.table, "{model}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_remembers_rows_remembers_nothing() {
    let domain = TestDomain::with_flights().await;
    // Answers how many rows it has seen, if it could count them.
    let counting = component(
        WORLD,
        "(module (global $n (mut i32) (i32.const 0)) (memory 1)
           (func (export \"row\") (param i32) (result i32)
             global.get $n i32.const 1 i32.add global.set $n
             i32.const 0 i32.const 0 i32.load i32.const 1 i32.add i32.store
             global.get $n i32.const 0 i32.load i32.mul))",
    );
    domain.approved_model("counting", counting).await;
    let answer = domain
        .run("SELECT value, COUNT(*) AS n FROM counting(flights) GROUP BY value")
        .await
        .unwrap();
    let cells = cells(&answer.table, 1);
    assert_eq!(
        cells.keys().map(|key| key[0].as_str()).collect::<Vec<_>>(),
        ["1"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_over_units_sees_all_rows_of_an_aircraft_and_answers_once() {
    let domain = TestDomain::with_flights().await;
    // Flights and miles of one aircraft; the list's records are four bytes each.
    let yearly = component(
        "world model { record flight { distance: s32 } record out { flown: u32, miles: s64 }
         export unit: func(flights: list<flight>) -> out; }",
        r#"(module (memory (export "memory") 4)
            (global $heap (mut i32) (i32.const 1024))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.get $heap)
                (global.set $heap (i32.add (global.get $heap) (local.get 3))))
            (func (export "unit") (param $at i32) (param $count i32) (result i32)
                (local $end i32) (local $miles i64)
                (i32.store (i32.const 16) (local.get $count))
                (local.set $end (i32.add (local.get $at) (i32.shl (local.get $count) (i32.const 2))))
                (block $done (loop $next
                    (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
                    (local.set $miles (i64.add (local.get $miles) (i64.load32_s (local.get $at))))
                    (local.set $at (i32.add (local.get $at) (i32.const 4)))
                    (br $next)))
                (i64.store (i32.const 24) (local.get $miles))
                (i32.const 16)))"#,
    );
    domain.approved_model("yearly", yearly).await;
    let plain = SessionContext::new();
    let path = example("flights.parquet");
    plain
        .register_parquet("raw", path.to_str().unwrap(), ParquetReadOptions::default())
        .await
        .unwrap();
    let expected = plain
        .sql(
            "SELECT flown / 100 AS hundreds, COUNT(*) AS aircraft, SUM(miles) AS miles FROM \
             (SELECT COUNT(*) AS flown, SUM(distance) AS miles FROM raw WHERE tailnum IS NOT NULL GROUP BY tailnum) \
             GROUP BY 1 HAVING COUNT(*) >= 10",
        )
        .await
        .unwrap();
    let expected = cells(&expected.collect().await.unwrap(), 1);
    let answer = domain
        .run(
            "SELECT flown / 100 AS hundreds, COUNT(*) AS aircraft, SUM(miles) AS miles FROM yearly(flights) \
             GROUP BY 1",
        )
        .await
        .unwrap();
    assert_same(&cells(&answer.table, 1), &expected);
    // Joined with the register of aircraft, one row each.
    let manifest = std::fs::read_to_string(example("planes.toml")).unwrap();
    domain
        .register_file(&example("planes.parquet"), &manifest)
        .await
        .unwrap();
    let joined = domain
        .run(
            "SELECT engines, COUNT(*) AS aircraft, AVG(miles) AS miles FROM yearly(flights) y \
             JOIN planes p ON y.tailnum = p.tailnum WHERE flown > 10 GROUP BY engines",
        )
        .await
        .unwrap();
    assert!(joined.cells_released >= 2);
    let refusal = domain
        .refusal("SELECT carrier, COUNT(*) FROM yearly(flights) GROUP BY carrier")
        .await;
    assert!(refusal.starts_with("COLUMN_UNKNOWN"), "{refusal}");
}

/// What a toolchain emits before packaging is taken as it is, vetted, and approved with the report that was read.
#[tokio::test(flavor = "multi_thread")]
async fn a_core_module_is_packaged_vetted_and_approved_with_its_report() {
    let domain = TestDomain::with_flights().await;
    let mut resolve = Resolve::default();
    let package = resolve
        .push_str("model.wit", &format!("package test:model;\n{WORLD}"))
        .unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = wat::parse_str(
        "(module (func (export \"row\") (param i32) (result i32) local.get 0 i32.const 1000 i32.gt_s))",
    )
    .unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let model = domain
        .operator
        .submit_model("far", module.clone())
        .await
        .unwrap();
    assert_ne!(model.digest, model.submitted_digest);
    assert_eq!(model.verdict, "ok");
    let again = domain.operator.submit_model("far", module).await.unwrap();
    assert_eq!(
        again.digest, model.digest,
        "submitting again changes nothing"
    );

    let report = domain.bureau.model_report("far", "", true).await.unwrap();
    assert_eq!(report.report_digest, model.report_digest);
    assert!(report.report_json.contains("VET_SAME_ANSWERS"));
    assert!(
        report
            .report_json
            .contains("\"name\":\"flights\",\"obstacle\":null")
    );
    assert!(report.wat.starts_with("(component"));

    let other = domain
        .bureau
        .approve_reviewed_model("far", &model.digest, "sha256:00")
        .await
        .unwrap_err();
    assert_eq!(other.code(), "REPORT_OTHER");
    domain
        .bureau
        .approve_reviewed_model("far", &model.digest, &report.report_digest)
        .await
        .unwrap();
    let sql = "SELECT value, COUNT(*) AS n FROM far(flights) GROUP BY value";
    assert_eq!(domain.run(sql).await.unwrap().cells_released, 2);
}
