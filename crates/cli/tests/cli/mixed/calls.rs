//! What players do: calls of every kind, each until it is answered.

use std::sync::Arc;

use uuid::Uuid;
use weir_audit::Digest;
use weir_client::v1::{
    ApplyRequest, ChangeGrantRequest, FreezeRequest, GetUsageRequest, GrantAct, IssueGrantRequest,
    Opinion, ReviewApplicationRequest, Role, RunRequest, WithdrawApplicationRequest,
};
use weir_client::{Client, ClientError, RunAnswer};

use super::cast::{Player, application};
use super::{Answered, Dice, Game, connect};

pub(super) const SQL: &str = "SELECT place, COUNT(*) AS n FROM trips GROUP BY place";

/// Somebody at work: their connection and their dice.
pub(super) struct At<'a> {
    pub(super) game: &'a Game,
    pub(super) player: &'a Player,
    pub(super) client: Client,
    pub(super) dice: Dice,
}

/// Calls until there are enough.
pub(super) async fn play(game: Arc<Game>, player: Arc<Player>) {
    let mut at = At {
        client: connect(&player.identity).await,
        dice: Dice(game.seed.wrapping_mul(1_000_003) ^ player.index as u64),
        game: &game,
        player: &player,
    };
    for _ in 0..game.calls_each {
        let call = game.next();
        match player.role {
            Role::Operator => at.operate(call).await,
            Role::Bureau => at.decide().await,
            Role::Provider => at.review().await,
            _ => at.audit().await,
        }
    }
}

/// A key by which a call is known when it is repeated.
pub(super) fn key(dice: &mut Dice) -> String {
    let halves = [dice.below(u64::MAX), dice.below(u64::MAX)];
    Uuid::from_u64_pair(halves[0], halves[1]).to_string()
}

impl At<'_> {
    async fn operate(&mut self, call: u64) {
        match self.dice.below(14) {
            0..4 => {
                let id = key(&mut self.dice);
                self.run(id, SQL).await;
            }
            10 if self.dice.below(8) == 0 => self.submit(call).await,
            10 | 11 => self.product(call).await,
            12 => self.reviewed().await,
            13 => self.fetch().await,
            4 => {
                // Somebody asks again for what they have.
                let board = self.game.board.lock().await;
                let own = board
                    .runs
                    .iter()
                    .filter(|(_, run)| run.player == self.player.index);
                let own: Vec<_> = own.map(|(id, run)| (id.clone(), run.sql)).collect();
                drop(board);
                if !own.is_empty() {
                    let at = self.dice.below(own.len() as u64) as usize;
                    let (id, sql) = own[at].clone();
                    self.run(id, sql).await;
                }
            }
            5 => {
                let request = RunRequest {
                    sql: "SELECT * FROM trips".to_owned(),
                    ..Default::default()
                };
                let (game, identity) = (self.game, &self.player.identity);
                let outcome = game.insist(identity, &mut self.client, |client| {
                    let request = request.clone();
                    async move { client.run(request, |_| {}).await.map(drop) }
                });
                assert_eq!(outcome.await.unwrap_err().code(), "SQL_NOT_AN_AGGREGATE");
            }
            6 | 7 => self.apply(call).await,
            8 => {
                let (game, identity) = (self.game, &self.player.identity);
                let listed = game.insist(identity, &mut self.client, |client| async move {
                    client.list_grants(false).await
                });
                let own = &self.player.organisation;
                let listed = listed.await.unwrap();
                assert!(listed.iter().all(|grant| grant.organisation == *own));
            }
            _ => {
                let (game, identity) = (self.game, &self.player.identity);
                let used = game.insist(identity, &mut self.client, |client| async move {
                    client.usage(GetUsageRequest::default()).await
                });
                drop(used.await.unwrap());
            }
        }
    }

    /// A run is answered once, however often it is asked for.
    pub(super) async fn run(&mut self, id: String, sql: &'static str) {
        self.ask(&id, sql).await.unwrap();
    }

    /// Asks, and puts down what was answered.
    pub(super) async fn ask(&mut self, id: &str, sql: &'static str) -> Result<(), ClientError> {
        let request = RunRequest {
            sql: sql.to_owned(),
            run_id: id.to_owned(),
            grant: self.player.grant.clone(),
            ..Default::default()
        };
        let (game, identity) = (self.game, &self.player.identity);
        let answer = game.insist(identity, &mut self.client, |client| {
            let request = request.clone();
            async move { client.run(request, |_| {}).await }
        });
        let answer = answer.await?;
        self.answered(sql, answer).await;
        Ok(())
    }

    /// Puts down what a run was answered, the same as before where it was.
    pub(super) async fn answered(&self, sql: &'static str, answer: RunAnswer) {
        let answered = Answered {
            player: self.player.index,
            sql,
            cells: answer.cells_released,
            table_digest: Digest::of(format!("{:?}", answer.released).as_bytes()).to_string(),
            receipt: answer.receipt_json,
        };
        let (mut board, id) = (self.game.board.lock().await, answer.run_id);
        if let Some(before) = board.runs.get(&id) {
            assert_eq!(before.receipt, answered.receipt, "{id}");
            assert_eq!(before.table_digest, answered.table_digest, "{id}");
        }
        board.runs.insert(id, answered);
    }

    /// Applies, and now and then takes it back.
    async fn apply(&mut self, call: u64) {
        let request = ApplyRequest {
            text: application(&format!("{} {call}", self.player.index)),
            request_key: key(&mut self.dice),
            ..Default::default()
        };
        let (game, identity) = (self.game, &self.player.identity);
        let applied = game.insist(identity, &mut self.client, |client| {
            let request = request.clone();
            async move { client.apply(request).await }
        });
        let applied = match applied.await {
            Ok(applied) => applied,
            Err(error) => {
                assert_eq!(error.code(), "APPLICATIONS_TOO_MANY");
                return;
            }
        };
        let told = (applied.id.clone(), applied.digest.clone());
        {
            let mut board = game.board.lock().await;
            let twice = board.applications.insert(applied.id.clone(), applied.state);
            assert_eq!(twice, None, "an application is made once");
        }
        if self.dice.below(4) > 0 {
            game.board.lock().await.to_review.push_back(told);
            return;
        }
        let request = WithdrawApplicationRequest {
            id: applied.id.clone(),
            reason: "a mistake".to_owned(),
            request_key: key(&mut self.dice),
        };
        let withdrawn = game.insist(identity, &mut self.client, |client| {
            let request = request.clone();
            async move { client.withdraw_application(request).await }
        });
        let state = withdrawn.await.unwrap().state;
        assert_eq!(state, "withdrawn");
        game.board
            .lock()
            .await
            .applications
            .insert(applied.id, state);
    }

    async fn review(&mut self) {
        let (game, identity) = (self.game, &self.player.identity);
        let Some((id, digest)) = game.board.lock().await.to_review.pop_front() else {
            let datasets = game.insist(identity, &mut self.client, |client| async move {
                client.list_datasets().await
            });
            assert_eq!(datasets.await.unwrap().len(), 1);
            return;
        };
        let request = ReviewApplicationRequest {
            id: id.clone(),
            digest: digest.clone(),
            opinion: Opinion::Support.into(),
            text: "nothing against it".to_owned(),
            request_key: key(&mut self.dice),
        };
        let reviewed = game.insist(identity, &mut self.client, |client| {
            let request = request.clone();
            async move { client.review_application(request).await }
        });
        let reviewed = reviewed.await.unwrap();
        assert_eq!(reviewed.state, "reviewed");
        let mut board = game.board.lock().await;
        board.applications.insert(id.clone(), reviewed.state);
        board.to_issue.push_back((id, digest));
    }

    async fn decide(&mut self) {
        match self.dice.below(9) {
            5 => self.vet().await,
            6 => self.judge().await,
            7 | 8 => self.look().await,
            0 | 1 => self.issue().await,
            2 => self.change().await,
            3 => {
                // What is frozen is nobody: it stops no one.
                let request = FreezeRequest {
                    scope: "operator".to_owned(),
                    name: format!("Nobody {}", self.dice.below(3)),
                    reason: "a test".to_owned(),
                };
                let lifts = self.dice.below(2) == 0;
                let (game, identity) = (self.game, &self.player.identity);
                let frozen = game.insist(identity, &mut self.client, |client| {
                    let request = request.clone();
                    async move {
                        match lifts {
                            true => client.unfreeze(request).await,
                            false => client.freeze(request).await,
                        }
                    }
                });
                drop(frozen.await.unwrap());
            }
            _ => self.audit().await,
        }
    }

    async fn issue(&mut self) {
        let (game, identity) = (self.game, &self.player.identity);
        let Some((id, digest)) = game.board.lock().await.to_issue.pop_front() else {
            return self.audit().await;
        };
        let request = IssueGrantRequest {
            id: id.clone(),
            digest,
            request_key: key(&mut self.dice),
            ..Default::default()
        };
        let grant = game.insist(identity, &mut self.client, |client| {
            let request = request.clone();
            async move { client.issue_grant(request).await }
        });
        let grant = grant.await.unwrap();
        let mut board = game.board.lock().await;
        board.applications.insert(id.clone(), "granted".to_owned());
        board.led_to.insert(id, grant.id.clone());
        board.grants.insert(grant.id.clone(), grant.state);
        board.to_change.push_back(grant.id);
    }

    /// Suspends, resumes or ends a grant that nobody else is at.
    async fn change(&mut self) {
        let (game, identity) = (self.game, &self.player.identity);
        let Some(id) = game.board.lock().await.to_change.pop_front() else {
            return self.audit().await;
        };
        let suspended = game.board.lock().await.grants[&id] == "suspended";
        let act = match (suspended, self.dice.below(4)) {
            (_, 0) => GrantAct::Revoke,
            (true, _) => GrantAct::Resume,
            (false, _) => GrantAct::Suspend,
        };
        let request = ChangeGrantRequest {
            id: id.clone(),
            act: act.into(),
            reason: "a test".to_owned(),
            days: 0,
            request_key: key(&mut self.dice),
        };
        let changed = game.insist(identity, &mut self.client, |client| {
            let request = request.clone();
            async move { client.change_grant(request).await }
        });
        let state = changed.await.unwrap().state;
        let mut board = game.board.lock().await;
        if act != GrantAct::Revoke {
            board.to_change.push_back(id.clone());
        }
        board.grants.insert(id, state);
    }

    pub(super) async fn audit(&mut self) {
        let (game, identity) = (self.game, &self.player.identity);
        match self.dice.below(3) {
            0 => {
                let checkpoint = game.insist(identity, &mut self.client, |client| async move {
                    client.checkpoint().await
                });
                drop(checkpoint.await.unwrap());
            }
            1 => {
                let releases = game.insist(identity, &mut self.client, |client| async move {
                    client.list_releases(5).await
                });
                for release in releases.await.unwrap() {
                    let index = release.log_index;
                    let receipt = game.insist(identity, &mut self.client, |client| async move {
                        client.receipt(index).await
                    });
                    let receipt = receipt.await.unwrap();
                    let receipt = weir_audit::Receipt::from_json(receipt.as_bytes()).unwrap();
                    receipt.verify(self.client.log_key()).unwrap();
                }
            }
            _ => {
                let usage = game.insist(identity, &mut self.client, |client| async move {
                    client.usage(GetUsageRequest::default()).await
                });
                drop(usage.await.unwrap());
            }
        }
    }
}
