//! Our files in the hands of others: the Merkle tree of `ct-merkle`, written from RFC 6962 by people who never saw this
//! crate and sharing no code with the one that this crate hashes with. (That our signatures, and witnesses', are accepted
//! by `sigsum` is tested beside the log's writer, which can write what a Sigsum log holds.)

use std::fs;

use base64::prelude::{BASE64_STANDARD, Engine};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use sha2::Sha256;

use crate::place::{Place, entries};

/// What a stranger has: the public files, and the documents of C2SP. Entry bundles, read as tlog-tiles says.
fn entries_of_bundles(place: &Place, size: u64) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    for first in (0..size).step_by(256) {
        let (index, width) = (first / 256, (size - first).min(256));
        let name = match width {
            256 => format!("tile/entries/{index:03}"),
            width => format!("tile/entries/{index:03}.p/{width}"),
        };
        let bytes = fs::read(place.dir().join(name)).unwrap();
        let mut rest = bytes.as_slice();
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let (entry, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
            entries.push(entry.to_vec());
            rest = after;
        }
    }
    entries
}

/// Size and root of the published checkpoint, read as tlog-checkpoint says.
fn published(place: &Place) -> RootHash<Sha256> {
    let note = fs::read_to_string(place.dir().join("checkpoint")).unwrap();
    let lines: Vec<_> = note.lines().collect();
    let root: [u8; 32] = BASE64_STANDARD
        .decode(lines[2])
        .unwrap()
        .try_into()
        .unwrap();
    RootHash::new(root.into(), lines[1].parse().unwrap())
}

fn hashes(base64: &[String]) -> Vec<u8> {
    base64
        .iter()
        .flat_map(|hash| BASE64_STANDARD.decode(hash).unwrap())
        .collect()
}

#[test]
fn another_implementation_accepts_checkpoints_tiles_and_proofs() {
    let place = Place::new();
    let mut log = place.create();
    let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let mut roots = Vec::new();
    let mut checked = 0;
    for size in [1, 2, 3, 255, 256, 257, 700] {
        let from = log.size();
        log.append_all(&entries(from..size)).unwrap();
        // The tree they build from our bundles has the root that we signed.
        let leaves = entries_of_bundles(&place, size);
        assert_eq!(leaves.len() as u64, size);
        for leaf in &leaves[usize::try_from(from).unwrap()..] {
            theirs.push(leaf.clone());
        }
        let root = published(&place);
        assert_eq!(root, theirs.root());

        // They accept our proofs, which are theirs byte for byte.
        for index in [0, size / 3, size / 2, size - 1] {
            let json = log.receipt(index).unwrap().to_json().unwrap();
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            let proof: Vec<String> = serde_json::from_value(json["proof"].clone()).unwrap();
            let proof = InclusionProof::<Sha256>::try_from_bytes(hashes(&proof)).unwrap();
            let at = usize::try_from(index).unwrap();
            assert_eq!(proof.as_bytes(), theirs.prove_inclusion(at).as_bytes());
            root.verify_inclusion(&leaves[at], index, &proof).unwrap();
            assert!(root.verify_inclusion(b"another", index, &proof).is_err());
            checked += 1;
        }
        for before in &roots {
            let before: &RootHash<Sha256> = before;
            let proof = log.consistency(before.num_leaves()).unwrap();
            let proof =
                ConsistencyProof::<Sha256>::try_from_bytes(hashes(&proof.to_base64())).unwrap();
            root.verify_consistency(before, &proof).unwrap();
            let other = RootHash::new(*root.as_bytes(), before.num_leaves());
            assert!(root.verify_consistency(&other, &proof).is_err());
            checked += 1;
        }
        roots.push(root);
    }
    assert!(checked > 40, "{checked}");

    // Our leaf tile holds the hashes of their leaves: the root over it alone is that of the first 256.
    let tile = fs::read(place.dir().join("tile/0/000")).unwrap();
    let first = fs::read(place.dir().join("tile/1/000.p/2")).unwrap();
    let mut level: Vec<[u8; 32]> = tile.as_chunks::<32>().0.to_vec();
    while level.len() > 1 {
        level = level
            .as_chunks::<2>()
            .0
            .iter()
            .map(|[left, right]| node(left, right))
            .collect();
    }
    assert_eq!(first[..32], level[0]);
    let at_256 = roots.iter().find(|root| root.num_leaves() == 256).unwrap();
    assert_eq!(first[..32], at_256.as_bytes()[..]);
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    use sha2::Digest;
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}
