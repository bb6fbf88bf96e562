//! Shamir's scheme over GF(256), byte by byte: the key of every scope is split among the
//! masternodes, so that more than half of them are needed to rebuild it and fewer learn nothing.

use std::{fmt, io::Write};

use codec::{Decode, Encode};
use dgcs_primitives::EncryptionKey;
use getrandom::SysRng;
use hpke::rand_core::UnwrapErr;
use sp_core::H256;
use vsss_rs::Gf256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{
	derive::{Scope, ScopeKey, TaskNonce, TAG_SIZE},
	seal::{EncryptionSecret, Opener, Sealer, ENCAPSULATED_SIZE},
};
use crate::{
	error::{Error, Result},
	merkle,
};

const SHARE_DOMAIN: &[u8; 16] = b"dgcs/share/v1\0\0\0";
const SHARES_DOMAIN: &[u8; 16] = b"dgcs/shares/v1\0\0";
const SHARE_SIZE: usize = 32;
/// Shares in one sealed message: as many as leave it a little below one block.
const SHARES_A_MESSAGE: usize = 8000;

/// One masternode's share of the key of one scope.
#[derive(Clone, PartialEq, Eq, Encode, Decode, Zeroize, ZeroizeOnDrop)]
pub struct Share(pub(super) [u8; SHARE_SIZE]);

impl Share {
	/// From bytes that were kept.
	pub fn from_bytes(bytes: [u8; SHARE_SIZE]) -> Self {
		Share(bytes)
	}

	/// What the manifest commits to, as a leaf of its holder's tree: the share and its place.
	pub fn commitment(&self, position: u32) -> H256 {
		merkle::leaf_hash(&(SHARE_DOMAIN, position, &self.0).encode())
	}
}

impl fmt::Debug for Share {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("Share(…)")
	}
}

/// Among how many masternodes a key is shared, and how many of them rebuild it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
	holders: u8,
	threshold: u8,
}

impl Sharing {
	/// Among so many masternodes, over half of which are needed.
	pub fn over_half_of(holders: usize) -> Result<Self> {
		match u8::try_from(holders) {
			Ok(holders @ 1..) => Ok(Sharing { holders, threshold: holders / 2 + 1 }),
			_ => Err(Error::Holders(holders)),
		}
	}

	/// How many are needed.
	pub fn threshold(&self) -> u8 {
		self.threshold
	}

	/// Splits `key` with new randomness, into one share for each masternode in their order.
	pub fn split(&self, key: &ScopeKey) -> Vec<Share> {
		if self.threshold == 1 {
			// A line through one point is a constant: a single masternode holds the key itself.
			return vec![Share(key.0)];
		}
		let (threshold, holders) = (self.threshold.into(), self.holders.into());
		let shares = Gf256::split_bytes(threshold, holders, key.0, UnwrapErr(SysRng))
			.expect("1 < threshold <= holders <= 255 and the secret is not empty; qed");
		let share = |mut bytes: Vec<u8>| {
			let mut share = Share([0; SHARE_SIZE]);
			share.0.copy_from_slice(&bytes[1..]);
			bytes.zeroize();
			share
		};
		shares.into_iter().map(share).collect()
	}

	/// Rebuilds the key of `scope` from shares with the numbers of their holders. Each share must
	/// have been checked against its commitment: a wrong one gives a wrong key, and no error.
	pub fn combine(&self, scope: Scope, shares: &[(u8, Share)]) -> Result<ScopeKey> {
		let mut chosen: Vec<&(u8, Share)> = Vec::with_capacity(self.threshold.into());
		for share in shares {
			if share.0 < self.holders && chosen.iter().all(|other| other.0 != share.0) {
				chosen.push(share);
			}
		}
		chosen.truncate(self.threshold.into());
		if chosen.len() < usize::from(self.threshold) {
			return Err(Error::TooFewShares { scope, have: chosen.len(), need: self.threshold });
		}
		if self.threshold == 1 {
			return Ok(ScopeKey(chosen[0].1 .0));
		}
		// A holder's number counts from 0, its point on the curve from 1: at 0 is the key.
		let points: Vec<Vec<u8>> =
			chosen.iter().map(|(holder, share)| [&[holder + 1][..], &share.0].concat()).collect();
		let mut bytes = Gf256::combine_bytes(points)
			.expect("the points differ, are above 0 and equally long; qed");
		let mut key = ScopeKey([0; SHARE_SIZE]);
		key.0.copy_from_slice(&bytes);
		bytes.zeroize();
		Ok(key)
	}
}

/// Where a blob of shares belongs: another task's, or another holder's, does not open.
fn shares_info(nonce: &TaskNonce, holder: u8) -> Vec<u8> {
	(SHARES_DOMAIN, nonce, holder).encode()
}

/// Writes all shares of one masternode, sealed to it, and keeps the root over their commitments.
pub(crate) struct SharesWriter<W> {
	out: W,
	sealer: Sealer,
	pending: Vec<u8>,
	position: u32,
	commitments: merkle::Frontier,
}

impl<W: Write> SharesWriter<W> {
	pub fn new(mut out: W, to: &EncryptionKey, nonce: &TaskNonce, holder: u8) -> Result<Self> {
		let (start, sealer) = Sealer::new(to, &shares_info(nonce, holder))?;
		out.write_all(&start).map_err(|error| Error::from_io(error, Error::Stream))?;
		let pending = Vec::with_capacity(SHARES_A_MESSAGE * SHARE_SIZE);
		Ok(SharesWriter { out, sealer, pending, position: 0, commitments: Default::default() })
	}

	pub fn push(&mut self, share: &Share) -> Result<()> {
		self.commitments.push(share.commitment(self.position));
		self.position += 1;
		self.pending.extend_from_slice(&share.0);
		if self.pending.len() == SHARES_A_MESSAGE * SHARE_SIZE {
			self.flush()?;
		}
		Ok(())
	}

	fn flush(&mut self) -> Result<()> {
		let sealed = self.sealer.seal(&self.pending);
		self.pending.zeroize();
		self.out.write_all(&sealed).map_err(|error| Error::from_io(error, Error::Stream))
	}

	/// What was written to, and the root over the commitments.
	pub fn finish(mut self) -> Result<(W, H256)> {
		if !self.pending.is_empty() {
			self.flush()?;
		}
		Ok((self.out, self.commitments.root()))
	}
}

/// All shares that one masternode holds of one task's keys.
#[derive(Debug)]
pub struct HolderShares {
	shares: Vec<Share>,
	commitments: merkle::Tree,
}

impl HolderShares {
	/// How many bytes the blob with `count` shares has.
	pub fn sealed_size(count: u32) -> u64 {
		let count = u64::from(count);
		let messages = count.div_ceil(SHARES_A_MESSAGE as u64);
		ENCAPSULATED_SIZE as u64 + count * SHARE_SIZE as u64 + messages * TAG_SIZE as u64
	}

	/// Opens the blob of holder number `holder` with its secret, and checks every share against
	/// `root`, the commitment in the manifest. A masternode that does so when it gets the blob
	/// will never be blamed for what the owner did wrong.
	pub fn open(
		blob: &[u8],
		secret: &EncryptionSecret,
		nonce: &TaskNonce,
		holder: u8,
		count: u32,
		root: &H256,
	) -> Result<Self> {
		const WHAT: &str = "the blob of key shares";
		if blob.len() as u64 != Self::sealed_size(count) {
			return Err(Error::Unsealable { what: WHAT });
		}
		let (start, messages) = blob.split_at(ENCAPSULATED_SIZE);
		let mut opener = Opener::new(secret, start, &shares_info(nonce, holder), WHAT)?;
		let mut shares = Vec::with_capacity(count as usize);
		for sealed in messages.chunks(SHARES_A_MESSAGE * SHARE_SIZE + TAG_SIZE) {
			let mut message = opener.open(sealed)?;
			shares.extend(message.chunks_exact(SHARE_SIZE).map(|bytes| {
				let mut share = Share([0; SHARE_SIZE]);
				share.0.copy_from_slice(bytes);
				share
			}));
			message.zeroize();
		}
		let leaves = (0..).zip(&shares).map(|(position, share)| share.commitment(position));
		let commitments = merkle::Tree::new(leaves.collect());
		if commitments.root() != *root {
			return Err(Error::SharesRoot { holder });
		}
		Ok(HolderShares { shares, commitments })
	}

	/// The share of the key of `scope`, and the proof that the manifest commits to it.
	pub fn share(&self, scope: Scope) -> Option<(Share, Vec<H256>)> {
		let position = scope.position()?;
		let share = self.shares.get(position as usize)?.clone();
		Some((share, self.commitments.prove(position)?))
	}

	/// The same shares as a blob for another key, to hand them over when the set of masternodes
	/// changes. The holder's number stays: it is the share's place on the curve.
	pub fn reseal(&self, to: &EncryptionKey, nonce: &TaskNonce, holder: u8) -> Result<Vec<u8>> {
		let mut writer = SharesWriter::new(Vec::new(), to, nonce, holder)?;
		self.shares.iter().try_for_each(|share| writer.push(share))?;
		Ok(writer.finish()?.0)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	proptest! {
		#![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

		#[test]
		fn any_shares_over_half_give_the_key(key: [u8; 32], holders in 1usize..40, order in any::<u64>()) {
			let sharing = Sharing::over_half_of(holders).expect("1 to 255");
			let need = usize::from(sharing.threshold());
			prop_assert!(2 * need > holders && 2 * (need - 1) <= holders);
			let mut shares: Vec<(u8, Share)> = (0u8..).zip(sharing.split(&ScopeKey(key))).collect();
			shares.sort_by_key(|(holder, _)| order.rotate_left(u32::from(*holder) * 7));
			let enough = &shares[..need];
			prop_assert_eq!(sharing.combine(Scope::Task, enough).expect("enough").0, key);
			let mut too_few = shares[..need - 1].to_vec();
			too_few.extend(too_few.clone());
			let refused = matches!(
				sharing.combine(Scope::Task, &too_few),
				Err(Error::TooFewShares { have, .. }) if have == need - 1
			);
			prop_assert!(refused, "the same share twice counts once");
		}
	}

	#[test]
	fn the_most_holders_work() {
		let sharing = Sharing::over_half_of(255).expect("at most 255");
		let shares: Vec<_> = (0u8..).zip(sharing.split(&ScopeKey([9; 32]))).collect();
		assert_eq!((shares.len(), sharing.threshold()), (255, 128));
		assert_eq!(sharing.combine(Scope::Task, &shares[127..]).expect("enough").0, [9; 32]);
		for count in [0, 256] {
			assert!(matches!(Sharing::over_half_of(count), Err(Error::Holders(n)) if n == count));
		}
	}

	fn blob(secret: &EncryptionSecret, count: u32) -> (Vec<u8>, H256) {
		let mut writer = SharesWriter::new(Vec::new(), &secret.public(), &TaskNonce([1; 32]), 2)
			.expect("good key");
		for number in 0..count {
			let mut share = Share([7; 32]);
			share.0[..4].copy_from_slice(&number.to_le_bytes());
			writer.push(&share).expect("into memory");
		}
		writer.finish().expect("into memory")
	}

	#[test]
	fn blobs_open_and_are_handed_over() {
		let (secret, heir) = (EncryptionSecret::random(), EncryptionSecret::random());
		let nonce = TaskNonce([1; 32]);
		for count in [1, 3, SHARES_A_MESSAGE as u32, SHARES_A_MESSAGE as u32 + 1] {
			let (blob, root) = blob(&secret, count);
			assert_eq!(blob.len() as u64, HolderShares::sealed_size(count));
			let shares = HolderShares::open(&blob, &secret, &nonce, 2, count, &root).expect("good");
			let (share, proof) = shares.share(Scope::at(count - 1)).expect("the last");
			assert!(merkle::verify(&root, &proof, count, count - 1, share.commitment(count - 1)));
			assert!(shares.share(Scope::at(count)).is_none());
			assert!(shares.share(Scope::Owner).is_none());

			let resealed = shares.reseal(&heir.public(), &nonce, 2).expect("a good key");
			let handed =
				HolderShares::open(&resealed, &heir, &nonce, 2, count, &root).expect("good");
			assert_eq!(handed.shares, shares.shares);
		}
	}

	#[test]
	fn open_fails_when_the_blob_is_not_this_holders() {
		let secret = EncryptionSecret::random();
		let nonce = TaskNonce([1; 32]);
		let (blob, root) = blob(&secret, 5);
		let open = |blob: &[u8], secret: &EncryptionSecret, nonce, holder, count, root| {
			HolderShares::open(blob, secret, &nonce, holder, count, root).expect_err("refused")
		};
		let unsealable = |error| matches!(error, Error::Unsealable { .. });
		assert!(unsealable(open(&blob, &EncryptionSecret::random(), nonce, 2, 5, &root)));
		assert!(unsealable(open(&blob, &secret, TaskNonce([2; 32]), 2, 5, &root)), "other task");
		assert!(unsealable(open(&blob, &secret, nonce, 3, 5, &root)), "other holder");
		assert!(unsealable(open(&blob[..blob.len() - 1], &secret, nonce, 2, 5, &root)), "cut");
		assert!(unsealable(open(&blob.repeat(10), &secret, nonce, 2, 5, &root)), "ten times");
		assert!(unsealable(open(&blob, &secret, nonce, 2, 6, &root)), "other count");
		let other = H256::repeat_byte(1);
		let error = open(&blob, &secret, nonce, 2, 5, &other);
		assert!(matches!(error, Error::SharesRoot { holder: 2 }), "{error}");
	}
}
