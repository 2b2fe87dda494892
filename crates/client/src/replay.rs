//! Replays of releases.

use weir_api::v1::replay_service_client::ReplayServiceClient;
use weir_api::v1::{self, replay_release_response};
use weir_audit::{Event, Receipt};

use crate::client::{Client, ended};
use crate::error::ClientError;

impl Client {
    /// Has a release made again, and holds what the server says of it against the log's key: that the entry is in the log,
    /// and has the digest that was compared with. `progress` hears each step. Auditor only.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Untrusted`] where the server compared with something else than the log's entry.
    pub async fn replay_release(
        &self,
        request: v1::ReplayReleaseRequest,
        mut progress: impl FnMut(&v1::Progress),
    ) -> Result<v1::ReleaseReplay, ClientError> {
        let mut service = ReplayServiceClient::new(self.channel());
        let answer = service.replay_release(request).await;
        let mut steps = self.answered(answer)?;
        while let Some(message) = self.next(&mut steps).await? {
            match message.step {
                Some(replay_release_response::Step::Progress(step)) => progress(&step),
                Some(replay_release_response::Step::Replay(replay)) => {
                    self.check_replay(&replay)?;
                    return Ok(replay);
                }
                None => {}
            }
        }
        Err(ended())
    }

    fn check_replay(&self, replay: &v1::ReleaseReplay) -> Result<(), ClientError> {
        let untrusted = |problem: &str| ClientError::Untrusted(problem.to_owned());
        let entry = Receipt::from_json(replay.receipt_json.as_bytes())
            .and_then(|receipt| receipt.verify(&self.log_key))
            .map_err(|error| ClientError::Untrusted(error.to_string()))?;
        match &entry.entry().event {
            Event::ReleaseDecided {
                run, table_digest, ..
            } if *run == replay.run_id
                && entry.index() == replay.log_index
                && table_digest.to_string() == replay.table_digest => {}
            _ => {
                return Err(untrusted(
                    "the receipt is not of the release that was replayed",
                ));
            }
        }
        match replay.same == (replay.table_digest == replay.replayed_digest) {
            true => Ok(()),
            false => Err(untrusted(
                "the server contradicts itself about what came of the replay",
            )),
        }
    }
}
