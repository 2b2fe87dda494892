//! A Sigsum log is a log in the same formats, whose leaves are 128 bytes. So a log of ours that holds such leaves, under a
//! name that Sigsum derives from the key, has to convince the verifier of Sigsum's Rust library, which shares no code
//! with this crate: our checkpoint's signature and our proof of inclusion.

use ::sigsum::{Hash, Policy, PolicyBuilder, PublicKey, SigsumSignature, verify};
use base64::prelude::{BASE64_STANDARD, Engine};
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::*;
use crate::cosignature::WitnessKey;

/// A Sigsum log of ours.
struct Sigsum {
    _home: tempfile::TempDir,
    log: Log,
    log_key: [u8; 32],
    submitter: Ed25519KeyPair,
}

impl Sigsum {
    fn new(leaves: u64) -> Self {
        let home = tempfile::tempdir().unwrap();
        let seed = [7; 32];
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let log_key: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
        let origin = format!("sigsum.org/v1/tree/{:x}", Hash::new(log_key));
        let id = signed_note::key_id(&origin, &[[1].as_slice(), &log_key].concat());
        let secret = BASE64_STANDARD.encode([[1].as_slice(), &seed].concat());
        let file = home.path().join("key");
        fs::write(&file, format!("PRIVATE+KEY+{origin}+{id:08x}+{secret}\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&file, mode).unwrap();
        let mut sigsum = Self {
            log: Log::create(&home.path().join("log"), LogKey::load(&file).unwrap()).unwrap(),
            _home: home,
            log_key,
            submitter: Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap(),
        };
        let leaves: Vec<_> = (0..leaves).map(|number| sigsum.leaf(number)).collect();
        let leaves: Vec<_> = leaves.iter().map(Vec::as_slice).collect();
        sigsum.log.commit(&leaves).unwrap();
        sigsum
    }

    fn message(number: u64) -> Hash {
        Hash::new(number.to_be_bytes())
    }

    fn leaf_signature(&self, number: u64) -> Vec<u8> {
        let checksum = Hash::new(Self::message(number));
        let text = [b"sigsum.org/v1/tree-leaf\0".as_slice(), checksum.as_ref()].concat();
        self.submitter.sign(&text).as_ref().to_vec()
    }

    fn submitter_key(&self) -> PublicKey {
        let bytes: [u8; 32] = self.submitter.public_key().as_ref().try_into().unwrap();
        bytes.into()
    }

    fn leaf(&self, number: u64) -> Vec<u8> {
        let checksum = Hash::new(Self::message(number));
        let key_hash = Hash::new(self.submitter_key());
        [
            checksum.as_ref(),
            &self.leaf_signature(number),
            key_hash.as_ref(),
        ]
        .concat()
    }

    /// Leaf, tree head and proof in Sigsum's own words; all that matters is cut out of our checkpoint's text.
    fn signature(&self, number: u64, cosignatures: &str) -> String {
        let note = self.log.checkpoint().note();
        let line = note.lines().last().unwrap().rsplit_once(' ').unwrap().1;
        let signed = BASE64_STANDARD.decode(line).unwrap();
        let proof = self
            .log
            .page(number)
            .unwrap()
            .tiles
            .prove(self.log.size(), number)
            .unwrap();
        let proof: Vec<_> = proof
            .iter()
            .map(|hash| format!("node_hash={}\n", hex::encode(hash.0)))
            .collect();
        format!(
            "version=2\nlog={:x}\nleaf={:x} {}\n\nsize={}\nroot_hash={}\nsignature={}\n{cosignatures}\nleaf_index={number}\n{}",
            Hash::new(self.log_key),
            Hash::new(self.submitter_key()),
            hex::encode(self.leaf_signature(number)),
            self.log.size(),
            hex::encode(self.log.checkpoint().root().as_bytes()),
            hex::encode(&signed[4..]),
            proof.concat(),
        )
    }

    fn accepts(&self, signature: &str, number: u64, policy: &Policy) -> Result<(), String> {
        let signature = SigsumSignature::from_ascii(signature).unwrap();
        verify(
            &Self::message(number),
            &signature,
            &[self.submitter_key()],
            policy,
        )
        .map_err(|error| error.to_string())
    }
}

#[test]
fn sigsum_accepts_our_checkpoints_and_proofs() {
    let sigsum = Sigsum::new(261);
    let mut policy = PolicyBuilder::new();
    policy.add_log(sigsum.log_key.into(), None).unwrap();
    policy.add_group("none".to_owned(), 0, Vec::new()).unwrap();
    policy.set_quorum("none".to_owned()).unwrap();
    let policy = policy.build();
    for number in [0, 1, 100, 255, 256, 260] {
        let good = sigsum.signature(number, "");
        sigsum.accepts(&good, number, &policy).unwrap();
        let other = sigsum.accepts(&good, number + 1, &policy).unwrap_err();
        assert!(other.contains("bad leaf signature"), "{other}");
        let grown = good.replace("size=261", "size=262");
        assert!(
            sigsum
                .accepts(&grown, number, &policy)
                .unwrap_err()
                .contains("bad log signature")
        );
    }
}

#[test]
fn sigsum_accepts_our_witnesses_cosignatures() {
    let sigsum = Sigsum::new(3);
    let witnesses = ["w1", "w2"].map(|name| WitnessKey::generate(name).unwrap());
    let mut policy = PolicyBuilder::new();
    policy.add_log(sigsum.log_key.into(), None).unwrap();
    for witness in &witnesses {
        policy
            .add_witness(
                witness.verifier().witness().to_owned(),
                public(witness).into(),
                None,
            )
            .unwrap();
    }
    policy
        .add_group("both".to_owned(), 2, vec!["w1".to_owned(), "w2".to_owned()])
        .unwrap();
    policy.set_quorum("both".to_owned()).unwrap();
    let policy = policy.build();
    let lines = witnesses.each_ref().map(|witness| {
        let text = sigsum.log.checkpoint().text().as_bytes();
        let line = witness.cosign(text, 1_790_000_000).unwrap();
        // `— name base64(number of the key, time, signature)`
        let stamped = BASE64_STANDARD
            .decode(line.trim_end().rsplit_once(' ').unwrap().1)
            .unwrap();
        format!(
            "cosignature={:x} 1790000000 {}\n",
            Hash::new(public(witness)),
            hex::encode(&stamped[12..])
        )
    });
    let good = sigsum.signature(1, &lines.concat());
    sigsum.accepts(&good, 1, &policy).unwrap();
    let one = sigsum.accepts(&sigsum.signature(1, &lines[0]), 1, &policy);
    assert!(one.unwrap_err().contains("not enough valid cosignatures"));
    let later = good.replacen("1790000000", "1790000001", 1);
    assert!(
        sigsum
            .accepts(&later, 1, &policy)
            .unwrap_err()
            .contains("bad witness cosignature")
    );
}

fn public(witness: &WitnessKey) -> [u8; 32] {
    let text = witness.verifier().to_string();
    let encoded = BASE64_STANDARD
        .decode(text.splitn(3, '+').nth(2).unwrap())
        .unwrap();
    encoded[1..].try_into().unwrap()
}
