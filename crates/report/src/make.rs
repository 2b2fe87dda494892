//! The two reports.

use weir_audit::LogReport;

use crate::report::{Cell, Report, Section};
use crate::words::{Language, Words};
use crate::year::{LISTED_MAX, Runs, Year};

const MONTH: Words = ("Month", "月份");
const BEGUN: Words = ("Runs begun", "开始的运行");
const RELEASED: Words = ("Releases", "出域");
const REFUSED: Words = ("Refused", "拒绝");
const CELLS: Words = ("Cells released", "出域的单元格");
const WITHHELD: Words = ("Cells withheld, at most", "未出域的单元格（至多）");
const WHAT: Words = ("What", "事项");
const COUNT: Words = ("Count", "数量");
const OPERATOR: Words = ("Operator", "运营机构");

/// What the operators did with the domain in a year.
#[must_use]
pub fn operation(year: &Year, log: &LogReport, language: Language) -> Report {
    let make = Make { year, language };
    let mut sections = vec![
        make.figures(
            ("Summary", "概况"),
            &[
                (BEGUN, year.all.begun),
                (RELEASED, year.all.released),
                (REFUSED, year.all.refused),
                (CELLS, year.all.cells),
                (WITHHELD, year.all.withheld_at_most),
                (
                    ("Datasets read", "被读取的数据集"),
                    year.datasets.len() as u64,
                ),
                (("Models run", "被运行的模型"), year.models.len() as u64),
            ],
        ),
        make.months(),
    ];
    if year.scope.operator.is_none() {
        sections.push(make.runs(("By operator", "按运营机构"), OPERATOR, &year.operators));
    }
    sections.push(make.runs(
        ("By dataset", "按数据集"),
        ("Dataset", "数据集"),
        &year.datasets,
    ));
    sections.push(make.counts(
        ("By model", "按模型"),
        (("Model", "模型"), RELEASED),
        year.models.iter(),
    ));
    sections.push(make.facts(
        ("Data, models and applications", "数据、模型与申请"),
        &[
            (("Snapshots registered", "登记的快照"), "dataset_registered"),
            (("Snapshots destroyed", "销毁的快照"), "snapshot_destroyed"),
            (("Linkage risk assessed", "关联风险评估"), "risk_assessed"),
            (("Models submitted", "提交的模型"), "model_submitted"),
            (("Models approved", "批准的模型"), "model_approved"),
            (("Applications", "申请"), "application_submitted"),
            (("Grants issued", "签发的授权"), "grant_issued"),
            (("Grants delegated", "转授的授权"), "grant_delegated"),
            (("Feedback filed", "提出的反馈"), "feedback_filed"),
            (("Feedback answered", "答复的反馈"), "feedback_answered"),
        ],
    ));
    make.report(("Annual operation report", "年度运营报告"), log, sections)
}

/// What was refused, watched for and taken back in a year.
#[must_use]
pub fn security(year: &Year, log: &LogReport, language: Language) -> Report {
    let make = Make { year, language };
    let (raised, acknowledged) = year
        .alerts_by_rule
        .values()
        .fold((0, 0), |(all, seen), rule| (all + rule.0, seen + rule.1));
    let mut sections = vec![
        make.figures(
            ("Summary", "概况"),
            &[
                (("Runs refused", "被拒绝的运行"), year.all.refused),
                (("Alerts raised", "发出的告警"), raised),
                (("Alerts acknowledged", "已确认的告警"), acknowledged),
                (
                    ("Alerts nobody acknowledged", "无人确认的告警"),
                    raised - acknowledged,
                ),
                (
                    ("Certificates revoked", "吊销的证书"),
                    year.count("identity_revoked"),
                ),
                (
                    ("Models refused by vetting", "审查拒绝的模型"),
                    year.count("model_refused"),
                ),
                (
                    ("Snapshots destroyed", "销毁的快照"),
                    year.count("snapshot_destroyed"),
                ),
            ],
        ),
        make.security_months(),
        make.counts(
            ("Refusals by code", "按代码的拒绝"),
            (("Code", "代码"), COUNT),
            year.codes.iter(),
        ),
    ];
    if year.scope.operator.is_none() {
        let refused = year.operators.iter().filter(|(_, runs)| runs.refused > 0);
        sections.push(make.counts(
            ("Refusals by operator", "按运营机构的拒绝"),
            (OPERATOR, REFUSED),
            refused.map(|(name, runs)| (name, &runs.refused)),
        ));
    }
    sections.push(make.rules());
    sections.push(make.alerts());
    sections.push(make.facts(
        ("Identities and policies", "身份与策略"),
        &[
            (("Certificates issued", "签发的证书"), "identity_issued"),
            (("Certificates renewed", "续期的证书"), "identity_renewed"),
            (("Certificates revoked", "吊销的证书"), "identity_revoked"),
            (
                ("Policies that came into force", "生效的策略"),
                "policy_in_force",
            ),
            (("Loosenings proposed", "提出的放宽"), "policy_proposed"),
            (("Loosenings approved", "批准的放宽"), "policy_approved"),
            (("Loosenings withdrawn", "撤回的放宽"), "policy_withdrawn"),
        ],
    ));
    sections.push(make.counts(
        ("Changes of grants", "授权变更"),
        (("Act", "动作"), COUNT),
        year.grant_acts.iter(),
    ));
    sections.push(make.listed());
    make.report(("Annual security report", "年度安全报告"), log, sections)
}

struct Make<'a> {
    year: &'a Year,
    language: Language,
}

impl Make<'_> {
    fn say(&self, words: Words) -> String {
        self.language.say(words).to_owned()
    }

    fn report(&self, kind: Words, log: &LogReport, sections: Vec<Section>) -> Report {
        let scope = &self.year.scope;
        let whose = scope.operator.as_ref().unwrap_or(&self.year.domain);
        let notes = match self.language {
            Language::English => vec![
                format!(
                    "Made from the log alone: {} of {} verified entries of {}, root {}. Times are UTC. Whoever holds the log and \
                     its public key makes the same report.",
                    self.year.entries, log.entries, log.origin, log.root
                ),
                "The log rounds withheld cells up, to 10 at the least for each release, so their sum is a bound and no count."
                    .to_owned(),
            ],
            Language::Chinese => vec![
                format!(
                    "仅由日志生成：{} 条（共 {} 条已验证的条目），日志 {}，根 {}。时间为 UTC。持有日志及其公钥者可得到同样的报告。",
                    self.year.entries, log.entries, log.origin, log.root
                ),
                "日志把未出域的单元格数向上取整，每次出域至少记为 10，因此其总和是上界，不是计数。".to_owned(),
            ],
        };
        Report {
            title: format!("{}: {whose}, {}", self.say(kind), scope.year),
            notes,
            sections,
            language: self.language,
        }
    }

    fn section(
        &self,
        title: Words,
        columns: &[Words],
        rows: Vec<Vec<Cell>>,
        charted: &[usize],
    ) -> Section {
        Section {
            title: self.say(title),
            columns: columns.iter().map(|words| self.say(*words)).collect(),
            charted: if rows.is_empty() {
                Vec::new()
            } else {
                charted.to_vec()
            },
            rows,
        }
    }

    fn figures(&self, title: Words, figures: &[(Words, u64)]) -> Section {
        let rows = figures.iter();
        let rows = rows.map(|(what, count)| vec![self.say(*what).into(), (*count).into()]);
        self.section(title, &[WHAT, COUNT], rows.collect(), &[])
    }

    fn facts(&self, title: Words, facts: &[(Words, &str)]) -> Section {
        let figures: Vec<_> = facts
            .iter()
            .map(|(words, fact)| (*words, self.year.count(fact)))
            .collect();
        self.figures(title, &figures)
    }

    fn counts<'n>(
        &self,
        title: Words,
        (name, count): (Words, Words),
        counts: impl Iterator<Item = (&'n String, &'n u64)>,
    ) -> Section {
        let rows = counts.map(|(name, count)| vec![name.as_str().into(), (*count).into()]);
        self.section(title, &[name, count], rows.collect(), &[1])
    }

    fn months(&self) -> Section {
        let rows = self.year.months.iter().zip(1..);
        let rows = rows.map(|(runs, month)| cells(format!("{month:02}"), runs));
        let columns = [MONTH, BEGUN, RELEASED, REFUSED, CELLS, WITHHELD];
        self.section(("By month", "按月"), &columns, rows.collect(), &[2, 3])
    }

    fn security_months(&self) -> Section {
        let months = self
            .year
            .months
            .iter()
            .zip(&self.year.alerts_by_month)
            .zip(1..);
        let rows = months.map(|((runs, alerts), month)| {
            vec![
                format!("{month:02}").into(),
                runs.refused.into(),
                (*alerts).into(),
            ]
        });
        let columns = [MONTH, REFUSED, ("Alerts", "告警")];
        self.section(("By month", "按月"), &columns, rows.collect(), &[1, 2])
    }

    fn runs(
        &self,
        title: Words,
        name: Words,
        of: &std::collections::BTreeMap<String, Runs>,
    ) -> Section {
        let rows = of.iter().map(|(name, runs)| cells(name.clone(), runs));
        let columns = [name, BEGUN, RELEASED, REFUSED, CELLS, WITHHELD];
        self.section(title, &columns, rows.collect(), &[2])
    }

    fn rules(&self) -> Section {
        let rows = self.year.alerts_by_rule.iter();
        let rows = rows.map(|(rule, (raised, seen))| {
            vec![rule.as_str().into(), (*raised).into(), (*seen).into()]
        });
        let columns = [
            ("Rule", "规则"),
            ("Raised", "发出"),
            ("Acknowledged", "已确认"),
        ];
        self.section(
            ("Alerts by rule", "按规则的告警"),
            &columns,
            rows.collect(),
            &[1],
        )
    }

    fn alerts(&self) -> Section {
        let rows = self.year.alerts.iter().map(|alert| {
            vec![
                alert.raised_at.as_str().into(),
                alert.rule.as_str().into(),
                alert.subject.as_str().into(),
                alert.measured.into(),
                alert.limit.into(),
                alert.acknowledged_by.as_str().into(),
                alert.acknowledged_at.as_str().into(),
            ]
        });
        let columns = [
            ("Raised at", "时间"),
            ("Rule", "规则"),
            ("Subject", "对象"),
            ("Measured", "测得"),
            ("Limit", "阈值"),
            ("Acknowledged by", "确认人"),
            ("Acknowledged at", "确认时间"),
        ];
        let title = match self.year.alerts.len() {
            LISTED_MAX => ("The first 1,000 alerts", "前 1,000 条告警"),
            _ => ("Alerts", "告警"),
        };
        self.section(title, &columns, rows.collect(), &[])
    }

    fn listed(&self) -> Section {
        let rows = self.year.listed.iter().map(|one| {
            vec![
                one.at.as_str().into(),
                self.language.say(named(one.what)).into(),
                one.which.as_str().into(),
                one.by.as_str().into(),
                one.why.as_str().into(),
            ]
        });
        let columns = [
            ("At", "时间"),
            WHAT,
            ("Which", "对象"),
            ("By", "操作人"),
            ("Reason", "原因"),
        ];
        let title = match self.year.listed.len() {
            LISTED_MAX => ("The first 1,000 measures taken", "前 1,000 项处置"),
            _ => ("Measures taken", "处置"),
        };
        self.section(title, &columns, rows.collect(), &[])
    }
}

fn cells(name: String, runs: &Runs) -> Vec<Cell> {
    vec![
        name.into(),
        runs.begun.into(),
        runs.released.into(),
        runs.refused.into(),
        runs.cells.into(),
        runs.withheld_at_most.into(),
    ]
}

fn named(what: &str) -> Words {
    match what {
        "freeze_set" => ("frozen", "冻结"),
        "freeze_lifted" => ("let go again", "解除冻结"),
        "snapshot_destroyed" => ("snapshot destroyed", "销毁快照"),
        "identity_revoked" => ("certificate revoked", "吊销证书"),
        "grant_changed" => ("grant changed", "授权变更"),
        "model_refused" => ("model refused by vetting", "审查拒绝模型"),
        _ => ("loosening of a policy approved", "批准放宽策略"),
    }
}
