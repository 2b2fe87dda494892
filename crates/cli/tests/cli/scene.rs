//! A small domain for drills: what is registered in it, who asks, and dice that a seed repeats.

use std::path::Path;

use weir_client::v1::{
    ApplyRequest, IssueGrantRequest, IssueIdentityRequest, RegisterDatasetRequest, Role, RunRequest,
};
use weir_client::{Client, IdentityFolder, NewKey};

const MANIFEST: &str = r#"
name = "trips"
population = "drivers"
unit = "driver"
description = "Trips"
source = "made up"
licence = "CC0-1.0"

[[column]]
name = "driver"
type = "string"
role = "identifier"
description = "Who drove"

[[column]]
name = "place"
type = "string"
role = "public"
description = "Where to"
"#;

pub(crate) const SQL: &str = "SELECT place, COUNT(*) AS n FROM trips GROUP BY place";
const APPLICATION: &str = "scenario = \"crashes\"\npurpose = \"a test\"\ndays = 1\nsecurity = [\"a test\"]\n\
                           models = \"any-vetted\"\n[datasets]\ntrips = [\"place\"]\n";

/// Random numbers that a seed repeats (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// One of the numbers below a limit.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// A number of the environment's.
pub(crate) fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// A run, by its id and its SQL.
pub(crate) fn request(run_id: &str, sql: &str) -> RunRequest {
    RunRequest {
        sql: sql.to_owned(),
        run_id: run_id.to_owned(),
        snapshots: Vec::new(),
        grant: String::new(),
    }
}

/// Registers trips of so many drivers.
pub(crate) async fn register(bureau: &Client, inbox: &Path, drivers: u64, update: bool) -> bool {
    let file = inbox.join("trips.csv");
    let mut text = "driver,place\n".to_owned();
    for driver in 0..drivers {
        text.push_str(&format!(
            "d{driver},{}\n",
            ["north", "south"][driver as usize % 2]
        ));
    }
    std::fs::write(&file, text).unwrap();
    let request = RegisterDatasetRequest {
        manifest_toml: MANIFEST.to_owned(),
        manifest_name: "trips.toml".to_owned(),
        source_path: file.display().to_string(),
        update,
    };
    bureau.register_dataset(request, |_| {}).await.is_ok()
}

/// An operator who has a grant of the trips.
pub(crate) async fn operator_of(bureau: &Client, administrator: &IdentityFolder) -> IdentityFolder {
    let key = NewKey::generate().unwrap();
    let issued = bureau
        .issue_identity(IssueIdentityRequest {
            signing_request_pem: key.signing_request_pem,
            role: Role::Operator.into(),
            organisation: "Acme".to_owned(),
            person: "li".to_owned(),
            valid_days: 1,
            request_key: String::new(),
        })
        .await
        .unwrap();
    let identity = IdentityFolder {
        certificate_pem: issued.certificate_pem,
        key_pem: key.key_pem,
        ..administrator.clone()
    };
    let operator = Client::connect(&identity).await.unwrap();
    let applied = operator
        .apply(ApplyRequest {
            text: APPLICATION.to_owned(),
            ..ApplyRequest::default()
        })
        .await
        .unwrap();
    let grant = IssueGrantRequest {
        id: applied.id,
        digest: applied.digest,
        ..IssueGrantRequest::default()
    };
    bureau.issue_grant(grant).await.unwrap();
    identity
}
