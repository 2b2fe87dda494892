//! RFC 6962 as its text reads, without tiles, sharing no code with the crate.

pub(crate) type Hash = [u8; 32];

fn sha256(parts: &[&[u8]]) -> Hash {
    ring::digest::digest(&ring::digest::SHA256, &parts.concat())
        .as_ref()
        .try_into()
        .unwrap()
}

pub(crate) fn leaf(entry: &[u8]) -> Hash {
    sha256(&[&[0], entry])
}

fn node(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// The largest power of two smaller than `n`.
fn split(n: usize) -> usize {
    n.next_power_of_two() / 2
}

/// Section 2.1: MTH.
pub(crate) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha256(&[]),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(&root(left), &root(right))
        }
    }
}

/// Section 2.1.1: PATH.
pub(crate) fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut path, sibling) = if index < left.len() {
        (path(index, left), root(right))
    } else {
        (path(index - left.len(), right), root(left))
    };
    path.push(sibling);
    path
}

/// Section 2.1.2: PROOF.
pub(crate) fn consistency(from_size: usize, leaves: &[Hash]) -> Vec<Hash> {
    fn subproof(from_size: usize, leaves: &[Hash], is_whole: bool) -> Vec<Hash> {
        if from_size == leaves.len() {
            return if is_whole {
                Vec::new()
            } else {
                vec![root(leaves)]
            };
        }
        let (left, right) = leaves.split_at(split(leaves.len()));
        let (mut proof, other) = if from_size <= left.len() {
            (subproof(from_size, left, is_whole), root(right))
        } else {
            (subproof(from_size - left.len(), right, false), root(left))
        };
        proof.push(other);
        proof
    }
    subproof(from_size, leaves, true)
}
