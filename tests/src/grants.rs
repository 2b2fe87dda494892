//! Grants for tests, each in one call.

use std::collections::BTreeMap;

use weir_catalogue::Manifest;
use weir_client::{Client, ClientError, v1};

use crate::{OPERATOR, TestDomain};

/// What is registered, and the grant that the operator has of all of it.
#[derive(Default)]
pub(crate) struct Granted {
    /// Columns and provider of each dataset.
    datasets: BTreeMap<String, (Vec<String>, Option<String>)>,
    /// Applications so far: each is another scenario.
    applications: usize,
    operator: Option<String>,
}

impl TestDomain {
    /// Takes note of a dataset that was registered: grants of this harness cover its readable columns.
    pub fn note_registered(&self, manifest: &str) {
        let manifest = Manifest::from_toml(manifest, "manifest.toml").unwrap();
        let readable = manifest
            .columns()
            .iter()
            .filter(|column| column.is_readable());
        let columns = readable.map(|column| column.name.clone()).collect();
        let provider = manifest.terms().provider.clone();
        let name = manifest.name().to_owned();
        let mut granted = self.granted.lock().unwrap();
        granted.datasets.insert(name, (columns, provider));
    }

    /// Gives the operator a grant of all that is registered, in place of the one before.
    pub async fn grant_operator(&self) {
        let before = self.granted.lock().unwrap().operator.take();
        if let Some(id) = before {
            let ended = self.change_grant(&id, v1::GrantAct::Terminate).await;
            ended.unwrap();
        }
        let Some(text) = self.whole_application() else {
            return;
        };
        match self.grant(&self.operator, OPERATOR, &text).await {
            Ok(grant) => self.granted.lock().unwrap().operator = Some(grant.id),
            // A domain that asks for more people than this harness has: the test grants what it needs.
            Err(error) if error.code() == "APPLICATION_REVIEWERS" => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// The grant that [`TestDomain::operator`] has of all that is registered.
    pub fn operators_grant(&self) -> String {
        self.granted.lock().unwrap().operator.clone().unwrap()
    }

    /// A client of another operator, with a grant of all that is registered.
    pub async fn granted_client(&self, organisation: &str) -> Client {
        let client = self.client(v1::Role::Operator, organisation).await;
        if let Some(text) = self.whole_application() {
            self.grant(&client, organisation, &text).await.unwrap();
        }
        client
    }

    /// An application for all that is registered; none where nothing can be read.
    pub fn whole_application(&self) -> Option<String> {
        let mut granted = self.granted.lock().unwrap();
        granted.applications += 1;
        let datasets = granted
            .datasets
            .iter()
            .filter(|(_, (columns, _))| !columns.is_empty());
        let datasets: Vec<_> = datasets
            .map(|(name, (columns, _))| (name.as_str(), columns.clone()))
            .collect();
        let scenario = format!("test {}", granted.applications);
        (!datasets.is_empty()).then(|| application(&scenario, &datasets, ""))
    }

    /// Application, opinions and grant.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn grant(
        &self,
        client: &Client,
        organisation: &str,
        text: &str,
    ) -> Result<v1::Grant, ClientError> {
        let applied = self.applied(client, organisation, text).await?;
        let request = v1::IssueGrantRequest {
            id: applied.id,
            digest: applied.digest,
            ..Default::default()
        };
        self.bureau.issue_grant(request).await
    }

    /// Application and opinions.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn applied(
        &self,
        client: &Client,
        organisation: &str,
        text: &str,
    ) -> Result<v1::Application, ClientError> {
        let request = v1::ApplyRequest {
            text: text.to_owned(),
            source_name: "application.toml".to_owned(),
            ..Default::default()
        };
        let applied = client.apply(request).await?;
        let mut providers: Vec<String> = {
            let granted = self.granted.lock().unwrap();
            let asked = applied.datasets.iter();
            let asked = asked.filter_map(|asked| granted.datasets.get(&asked.name));
            asked.filter_map(|(_, provider)| provider.clone()).collect()
        };
        providers.sort();
        providers.dedup();
        for provider in providers
            .iter()
            .filter(|provider| *provider != organisation)
        {
            let reviewer = self.client(v1::Role::Provider, provider).await;
            reviewer
                .review_application(v1::ReviewApplicationRequest {
                    id: applied.id.clone(),
                    digest: applied.digest.clone(),
                    opinion: v1::Opinion::Support.into(),
                    text: "nothing against it".to_owned(),
                    request_key: String::new(),
                })
                .await?;
        }
        Ok(applied)
    }

    /// Does something to a grant as the bureau.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn change_grant(
        &self,
        id: &str,
        act: v1::GrantAct,
    ) -> Result<v1::Grant, ClientError> {
        let request = v1::ChangeGrantRequest {
            id: id.to_owned(),
            act: act.into(),
            reason: "a test".to_owned(),
            ..Default::default()
        };
        self.bureau.change_grant(request).await
    }
}

/// An application as an operator writes it. `more` stands before its tables.
pub fn application(scenario: &str, datasets: &[(&str, Vec<String>)], more: &str) -> String {
    let mut text = format!(
        "scenario = \"{scenario}\"\npurpose = \"a test\"\ndays = 30\nsecurity = [\"a test\"]\n\
         models = \"any-vetted\"\n{more}\n[datasets]\n"
    );
    for (name, columns) in datasets {
        text += &format!("{name} = {columns:?}\n");
    }
    text
}
