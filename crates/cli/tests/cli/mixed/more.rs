//! Models, products, and tables that people have to look at.

use weir_client::v1::{
    AirlockDecision, DecideAirlockRequest, DecideProductRequest, ModelState, ProductDecision,
    RegisterProductRequest, RunProductRequest,
};

use super::calls::{At, SQL, key};

/// Whose sums are negative for somebody.
const REVIEWED: &str = "SELECT place, SUM(delay) AS late, COUNT(*) AS n FROM trips GROUP BY place";

/// A model, built before.
fn component() -> Vec<u8> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/flights");
    std::fs::read(root.join("models/pace/pace.wasm")).unwrap()
}

impl At<'_> {
    pub(super) async fn submit(&mut self, call: u64) {
        let name = format!("model_{}_{call}", self.player.index);
        let (game, identity) = (self.game, &self.player.identity);
        let submitted = game.insist(identity, &mut self.client, |client| {
            let name = name.clone();
            async move { client.submit_model(&name, component()).await }
        });
        let submitted = submitted.await.unwrap();
        assert_eq!(submitted.state(), ModelState::Submitted);
        let mut board = game.board.lock().await;
        let twice = board.models_are.insert(name.clone(), "submitted");
        assert_eq!(twice, None);
        board.models_to_vet.push_back((name, submitted.digest));
    }

    /// Approves or rejects a model, and now and then takes an approval back.
    pub(super) async fn vet(&mut self) {
        let (game, identity) = (self.game, &self.player.identity);
        let Some((name, digest)) = game.board.lock().await.models_to_vet.pop_front() else {
            return self.audit().await;
        };
        let approved = game.board.lock().await.models_are[&name] == "approved";
        let rejects = self.dice.below(3) == 0;
        let decided = game.insist(identity, &mut self.client, |client| {
            let (name, digest) = (name.clone(), digest.clone());
            async move {
                match (approved, rejects) {
                    (true, _) => client.withdraw_model(&name, &digest, "a test").await,
                    (false, true) => client.reject_model(&name, &digest, "a test").await,
                    (false, false) => client.approve_model(&name, &digest).await,
                }
            }
        });
        let (is, told) = match decided.await.unwrap().state() {
            ModelState::Approved => (ModelState::Approved, "approved"),
            ModelState::Rejected => (ModelState::Rejected, "rejected"),
            other => (other, "withdrawn"),
        };
        let must = match (approved, rejects) {
            (true, _) => ModelState::Withdrawn,
            (false, true) => ModelState::Rejected,
            (false, false) => ModelState::Approved,
        };
        assert_eq!(is, must, "{name}");
        let mut board = game.board.lock().await;
        if must == ModelState::Approved {
            board.models_to_vet.push_back((name.clone(), digest));
        }
        board.models_are.insert(name, told);
    }

    /// Registers a product, or runs one of the organisation's.
    pub(super) async fn product(&mut self, call: u64) {
        let (game, identity) = (self.game, &self.player.identity);
        let own = {
            let board = game.board.lock().await;
            let mut products = board.products.iter();
            let own = products.find(|(_, player)| *player == self.player.index);
            own.map(|(name, _)| name.clone())
        };
        if let Some(name) = own.filter(|_| self.dice.below(4) > 0) {
            return self.run_product(name).await;
        }
        let name = format!("product_{}_{call}", self.player.index);
        let request = RegisterProductRequest {
            name: name.clone(),
            title: "By place".to_owned(),
            purpose: "a test".to_owned(),
            sql: SQL.to_owned(),
            grant: self.player.grant.clone(),
            ..Default::default()
        };
        let registered = game.insist(identity, &mut self.client, |client| {
            let request = request.clone();
            async move { client.register_product(request).await }
        });
        let registered = registered.await.unwrap();
        let mut board = game.board.lock().await;
        let twice = board.products_are.insert(name.clone(), registered.state);
        assert_eq!(twice, None);
        board.products_to_judge.push_back((name, registered.digest));
    }

    async fn run_product(&mut self, name: String) {
        let request = RunProductRequest {
            name,
            run_id: key(&mut self.dice),
            ..Default::default()
        };
        let (game, identity) = (self.game, &self.player.identity);
        let answer = game.insist(identity, &mut self.client, |client| {
            let request = request.clone();
            async move { client.run_product(request, |_| {}).await }
        });
        match answer.await {
            Ok(answer) => self.answered(SQL, answer).await,
            // Somebody retired it meanwhile.
            Err(error) => assert_eq!(error.code(), "PRODUCT_NOT_APPROVED"),
        }
    }

    /// Approves or rejects a product, or retires one.
    pub(super) async fn judge(&mut self) {
        let (game, identity) = (self.game, &self.player.identity);
        let next = game.board.lock().await.products_to_judge.pop_front();
        let Some((name, digest)) = next else {
            return self.retire().await;
        };
        let approves = self.dice.below(4) > 0;
        let decision = match approves {
            true => ProductDecision::Approve,
            false => ProductDecision::Reject,
        };
        let request = DecideProductRequest {
            name: name.clone(),
            digest,
            decision: decision.into(),
            reason: "a test".to_owned(),
        };
        let decided = game.insist(identity, &mut self.client, |client| {
            let request = request.clone();
            async move { client.decide_product(request).await }
        });
        let state = decided.await.unwrap().state;
        assert_eq!(state, if approves { "approved" } else { "rejected" });
        let mut board = game.board.lock().await;
        if approves {
            // `product_PLAYER_CALL`: whose it is.
            let player = name.split('_').nth(1).unwrap().parse().unwrap();
            board.products.push_back((name.clone(), player));
        }
        board.products_are.insert(name, state);
    }

    async fn retire(&mut self) {
        let (game, identity) = (self.game, &self.player.identity);
        let mut board = game.board.lock().await;
        // Some stay.
        let next = match board.products.len() > 20 {
            true => board.products.pop_front(),
            false => None,
        };
        drop(board);
        let Some((name, _)) = next else {
            return self.audit().await;
        };
        let retired = game.insist(identity, &mut self.client, |client| {
            let name = name.clone();
            async move { client.retire_product(&name, "a test").await }
        });
        let state = retired.await.unwrap().state;
        assert_eq!(state, "retired");
        game.board.lock().await.products_are.insert(name, state);
    }

    /// Asks for a table that people have to look at.
    pub(super) async fn reviewed(&mut self) {
        let id = key(&mut self.dice);
        let refused = self.ask(&id, REVIEWED).await.unwrap_err();
        if refused.code() == "AIRLOCK_FULL" {
            return;
        }
        assert_eq!(refused.code(), "RUN_IN_REVIEW");
        let mut board = self.game.board.lock().await;
        let waits = (self.player.index, "waiting".to_owned());
        board.tables_are.insert(id.clone(), waits);
        board.to_look.push_back((id, self.player.index));
    }

    /// Looks at a table that waits and decides on it.
    pub(super) async fn look(&mut self) {
        let (game, identity) = (self.game, &self.player.identity);
        let Some((id, player)) = game.board.lock().await.to_look.pop_front() else {
            return self.audit().await;
        };
        let seen = game.insist(identity, &mut self.client, |client| {
            let id = id.clone();
            async move { client.airlock_table(&id).await }
        });
        let seen = seen.await.unwrap();
        let rejects = self.dice.below(5) == 0;
        let decision = match rejects {
            true => AirlockDecision::Reject,
            false => AirlockDecision::Approve,
        };
        let request = DecideAirlockRequest {
            run_id: id.clone(),
            table_digest: seen.table.table_digest,
            decision: decision.into(),
            reason: "a test".to_owned(),
        };
        let decided = game.insist(identity, &mut self.client, |client| {
            let request = request.clone();
            async move { client.decide_airlock(request).await }
        });
        let state = decided.await.unwrap().state;
        if rejects {
            assert_eq!(state, "rejected");
        }
        let mut board = game.board.lock().await;
        match state.as_str() {
            // Another person of another organisation has to look too.
            "waiting" => board.to_look.push_back((id.clone(), player)),
            "approved" => board.to_fetch.push_back((id.clone(), player)),
            _ => {}
        }
        board.tables_are.insert(id, (player, state));
    }

    /// Fetches a table that two people let go.
    pub(super) async fn fetch(&mut self) {
        let own = {
            let mut board = self.game.board.lock().await;
            let mut waiting = board.to_fetch.iter();
            let at = waiting.position(|(_, player)| *player == self.player.index);
            at.and_then(|at| board.to_fetch.remove(at))
        };
        let Some((id, player)) = own else {
            let id = key(&mut self.dice);
            return self.run(id, SQL).await;
        };
        self.ask(&id, REVIEWED).await.unwrap();
        let mut board = self.game.board.lock().await;
        board.tables_are.insert(id, (player, "released".to_owned()));
    }
}
