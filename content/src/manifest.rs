//! The manifest: what the chain names and workers read. In clear is what they need to find their
//! data and to check it; what only they may know is sealed to their scope, what only the owner may
//! know is in the private part.

use codec::{Decode, DecodeAll, Encode};
use dgcs_primitives::{
	leaf_hash, ContentCodec, ContentId, EncryptionKey, TaskSpec, MAX_RANGE_SIZE, MAX_SUBTASKS,
};
use sp_core::H256;

use crate::{
	block::{BlockSink, BlockSource, BLOCK_SIZE},
	error::{Error, ManifestError, Result},
	index,
	keys::{Place, Scope, ScopeKey, Sharing, TaskNonce, Use, TAG_SIZE},
	merkle,
	tree::{get_blob, put_blob, Blob},
};

/// How every manifest starts.
pub const MANIFEST_MARK: &[u8; 16] = b"dgcs/manifest/1\0";
/// The most bytes of a manifest: half a million shards.
pub const MAX_MANIFEST: u64 = 32 << 20;
/// The most bytes of arguments and environment, encoded.
pub const MAX_JOB: usize = 64 << 10;
/// The most keys of one task that masternodes open shares of, which is a blob of 32 MiB for each of them.
/// A task with more subtasks than that puts them into larger ranges.
pub const MAX_SHARED_KEYS: u32 = 1 << 20;
/// The default shard size (§4.3: 8 to 32 MB).
pub const DEFAULT_SHARD_SIZE: u32 = 8 << 20;
/// The largest shard size.
pub const MAX_SHARD_SIZE: u32 = 32 << 20;

/// Whether shards may have so many bytes.
pub fn is_shard_size(size: u32) -> bool {
	(DEFAULT_SHARD_SIZE..=MAX_SHARD_SIZE).contains(&size) && size.is_multiple_of(BLOCK_SIZE as u32)
}

/// One shard: its name and the commitment that audits go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Shard {
	/// Digest of its CID, whose codec is dag-pb.
	pub digest: H256,
	/// Merkle root over its 1 KiB leaves.
	pub root: H256,
}

impl Shard {
	/// Its name.
	pub fn id(&self) -> ContentId {
		ContentId { codec: ContentCodec::DagPb, digest: self.digest }
	}
}

/// A masternode that holds shares of the task's keys.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Holder {
	/// Its account.
	pub account: H256,
	/// The key that its shares are sealed to.
	pub key: EncryptionKey,
	/// Its sealed shares.
	pub shares: Blob,
	/// Merkle root over the commitments to its shares.
	pub shares_root: H256,
}

/// How a program is run, sealed to the task's workers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Job {
	/// Arguments, without the program's name.
	pub arguments: Vec<String>,
	/// Environment.
	pub environment: Vec<(String, String)>,
	/// The length of the input, if every subtask sees all of it; `None` if each has its own piece.
	pub shared_input: Option<u64>,
}

/// The manifest of a task.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Manifest {
	/// Makes the task's keys its own.
	pub nonce: TaskNonce,
	/// The program, in clear.
	pub program: Blob,
	/// A [`Job`], sealed.
	pub job: Vec<u8>,
	/// How many subtasks.
	pub subtasks: u32,
	/// How many of them are leased together.
	pub range_size: u32,
	/// Bytes in every shard.
	pub shard_size: u32,
	/// The shards in order.
	pub shards: Vec<Shard>,
	/// Where the pieces of each range are: one sealed record a range. `None` for a shared input.
	pub index: Option<Blob>,
	/// The masternodes that hold shares, over half of which are needed for a key. None for a task
	/// whose data nobody but its owner reads.
	pub holders: Vec<Holder>,
	/// The owner's own part, sealed.
	pub private: Blob,
}

impl Manifest {
	/// The bytes, as they are stored.
	pub fn to_bytes(&self) -> Vec<u8> {
		(MANIFEST_MARK, self).encode()
	}

	/// Understands and checks `bytes`.
	pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
		let body = bytes.strip_prefix(&MANIFEST_MARK[..]).ok_or(ManifestError::Mark)?;
		let manifest = Manifest::decode_all(&mut &*body)
			.map_err(|error| ManifestError::Encoding(error.to_string()))?;
		manifest.validate()?;
		Ok(manifest)
	}

	/// Stores it.
	pub fn put(&self, sink: &dyn BlockSink) -> Result<ContentId> {
		self.validate()?;
		let bytes = self.to_bytes();
		let blob = put_blob(sink, &bytes)?;
		if blob.len > MAX_MANIFEST {
			return Err(Error::TooLarge { id: blob.id, found: blob.len, limit: MAX_MANIFEST });
		}
		Ok(blob.id)
	}

	/// Gets the manifest `id`.
	pub fn get(source: &dyn BlockSource, id: &ContentId) -> Result<Self> {
		Manifest::from_bytes(&get_blob(source, id, MAX_MANIFEST)?)
	}

	/// Every rule that needs nothing but the manifest.
	fn validate(&self) -> std::result::Result<(), ManifestError> {
		let rule = |kept: bool, error| if kept { Ok(()) } else { Err(error) };
		let Manifest { subtasks, range_size, shard_size, .. } = *self;
		rule(is_shard_size(shard_size), ManifestError::ShardSize(shard_size))?;
		rule(
			(1..=MAX_SUBTASKS).contains(&subtasks) && (1..=MAX_RANGE_SIZE).contains(&range_size),
			ManifestError::Subtasks { subtasks, range_size },
		)?;
		rule(self.job.len() <= MAX_JOB + TAG_SIZE, ManifestError::Job(self.job.len()))?;
		if let Some(Blob { len: found, .. }) = self.index {
			let expected = u64::from(self.ranges()) * index::record_size(range_size) as u64;
			rule(found == expected, ManifestError::IndexSize { expected, found })?;
		}
		rule(self.holders.len() <= 255, ManifestError::Holders(self.holders.len()))?;
		let mut accounts: Vec<H256> = self.holders.iter().map(|holder| holder.account).collect();
		accounts.sort();
		match accounts.windows(2).find(|pair| pair[0] == pair[1]) {
			Some(pair) => Err(ManifestError::HolderTwice(pair[0])),
			None => Ok(()),
		}
	}

	/// Checks that this is the manifest of the task with `spec`: a field that both have is equal.
	pub fn check<Balance>(&self, spec: &TaskSpec<Balance>) -> Result<()> {
		let rule = |field, found: String, expected: String| {
			if found == expected {
				Ok(())
			} else {
				Err(Error::Manifest(ManifestError::OtherTask { field, expected, found }))
			}
		};
		rule("number of subtasks", self.subtasks.to_string(), spec.subtasks.to_string())?;
		rule("range size", self.range_size.to_string(), spec.range_size.to_string())?;
		let (found, expected) = (self.input_root(), spec.input_root);
		rule("Merkle root over the shards", format!("{found:?}"), format!("{expected:?}"))
	}

	/// The Merkle root over the shards' roots: `input_root` of the task's specification.
	pub fn input_root(&self) -> H256 {
		merkle::root(self.shards.iter().map(|shard| leaf_hash(shard.root)))
	}

	/// The proof that shard `index` is part of [`Self::input_root`], where its leaf is the
	/// [`leaf_hash`] of its root.
	pub fn shard_proof(&self, index: u32) -> Result<Vec<H256>> {
		let leaves = self.shards.iter().map(|shard| leaf_hash(shard.root));
		merkle::Tree::new(leaves.collect()).prove(index).ok_or(Error::OutOfRange {
			what: "shard",
			number: index.into(),
			count: self.shards.len() as u64,
		})
	}

	/// How many ranges.
	pub fn ranges(&self) -> u32 {
		self.subtasks.div_ceil(self.range_size)
	}

	/// How many keys are shared: one for every range, and the task's.
	pub fn shared_keys(&self) -> u32 {
		self.ranges() + 1
	}

	/// How many bytes all shards have.
	pub fn stream_len(&self) -> u64 {
		self.shards.len() as u64 * u64::from(self.shard_size)
	}

	/// How its keys are shared.
	pub fn sharing(&self) -> Result<Sharing> {
		Sharing::over_half_of(self.holders.len())
	}

	/// Holder `number`.
	pub fn holder(&self, number: u8) -> Result<&Holder> {
		self.holders.get(usize::from(number)).ok_or(Error::OutOfRange {
			what: "masternode",
			number: number.into(),
			count: self.holders.len() as u64,
		})
	}

	/// Gets the program, which must have the length that the manifest says and at most `limit`
	/// bytes.
	pub fn get_program(&self, source: &dyn BlockSource, limit: u64) -> Result<Vec<u8>> {
		let Blob { id, len } = self.program;
		let program = get_blob(source, &id, len.min(limit))?;
		if program.len() as u64 != len {
			return Err(Error::Tree { id, what: "a program of another length than promised" });
		}
		Ok(program)
	}

	/// Opens the job with the key of [`Scope::Task`].
	pub fn open_job(&self, task: &ScopeKey) -> Result<Job> {
		let mut sealed = self.job.clone();
		let job = task
			.cipher(Use::Job)
			.open(Place::only(0), &mut sealed)
			.ok_or_else(|| Error::Sealed { what: "the job".into(), scope: Scope::Task })?;
		Job::decode_all(&mut &*job).map_err(|_| Error::Decode { what: "the job" })
	}
}

impl Job {
	/// Seals it with the key of [`Scope::Task`].
	pub(crate) fn seal(&self, task: &ScopeKey) -> Vec<u8> {
		task.cipher(Use::Job).seal_vec(Place::only(0), self.encode())
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::testing::Memory;
	use dgcs_primitives::doubles::task_spec;

	fn blob(byte: u8, len: u64) -> Blob {
		Blob { id: ContentId { codec: ContentCodec::Raw, digest: H256::repeat_byte(byte) }, len }
	}

	fn holder(account: u8) -> Holder {
		Holder {
			account: H256::repeat_byte(account),
			key: EncryptionKey(H256::repeat_byte(account + 100)),
			shares: blob(account, 1),
			shares_root: H256::zero(),
		}
	}

	fn manifest() -> Manifest {
		Manifest {
			nonce: TaskNonce([1; 32]),
			program: blob(2, 3),
			job: vec![4; 20],
			subtasks: 10,
			range_size: 4,
			shard_size: DEFAULT_SHARD_SIZE,
			shards: (0..3)
				.map(|i| Shard { digest: H256::repeat_byte(i), root: H256::repeat_byte(i + 9) })
				.collect(),
			index: Some(blob(5, 3 * index::record_size(4) as u64)),
			holders: (0..4).map(holder).collect(),
			private: blob(6, 7),
		}
	}

	fn spec(manifest: &Manifest) -> TaskSpec<u128> {
		let Manifest { subtasks, range_size, .. } = *manifest;
		task_spec(manifest.program.id, manifest.input_root(), subtasks, range_size)
	}

	#[test]
	fn it_comes_back_from_a_store() {
		let store = Memory::default();
		let id = manifest().put(&store).expect("valid");
		assert_eq!(Manifest::get(&store, &id).expect("just put"), manifest());
	}

	#[test]
	fn from_bytes_fails_when_cut_or_padded() {
		let bytes = manifest().to_bytes();
		for len in 0..bytes.len() {
			let error = Manifest::from_bytes(&bytes[..len]).expect_err("cut");
			assert!(matches!(error, Error::Manifest(_)), "{len}: {error}");
		}
		let longer = [&bytes[..], &[0]].concat();
		assert!(matches!(
			Manifest::from_bytes(&longer),
			Err(Error::Manifest(ManifestError::Encoding(_)))
		));
		assert!(matches!(
			Manifest::from_bytes(b"something else altogether"),
			Err(Error::Manifest(ManifestError::Mark))
		));
	}

	#[test]
	fn rules_of_every_field() {
		use ManifestError::*;
		type Change = fn(&mut Manifest);
		let cases: &[(Change, ManifestError)] = &[
			(|m| m.shard_size = 4096, ShardSize(4096)),
			(|m| m.shard_size = 64 << 20, ShardSize(64 << 20)),
			(|m| m.shard_size += 1024, ShardSize(DEFAULT_SHARD_SIZE + 1024)),
			(|m| m.subtasks = 0, Subtasks { subtasks: 0, range_size: 4 }),
			(|m| m.range_size = 65, Subtasks { subtasks: 10, range_size: 65 }),
			(|m| m.subtasks = 13, IndexSize { expected: 4 * 56, found: 3 * 56 }),
			(|m| m.job = vec![0; MAX_JOB + 17], Job(MAX_JOB + 17)),
			(|m| m.holders = vec![holder(1); 256], Holders(256)),
			(|m| m.holders[3] = holder(1), HolderTwice(H256::repeat_byte(1))),
		];
		for (change, expected) in cases {
			let mut wrong = manifest();
			change(&mut wrong);
			let Err(Error::Manifest(found)) = Manifest::from_bytes(&wrong.to_bytes()) else {
				panic!("{expected} is not seen");
			};
			assert_eq!(found, *expected);
			assert!(wrong.put(&Memory::default()).is_err(), "nobody writes such a one either");
		}
	}

	#[test]
	fn get_fails_when_ten_times_too_large() {
		let store = Memory::default();
		let large = put_blob(&store, &vec![7; 10 * MAX_MANIFEST as usize]).expect("into memory");
		let Err(Error::TooLarge { found, limit, .. }) = Manifest::get(&store, &large.id) else {
			panic!("not refused");
		};
		assert_eq!((found, limit), (10 * MAX_MANIFEST, MAX_MANIFEST));
	}

	#[test]
	fn check_fails_when_of_another_task() {
		let manifest = manifest();
		manifest.check(&spec(&manifest)).expect("its own");
		for change in [
			|spec: &mut TaskSpec<u128>| spec.subtasks += 1,
			|spec: &mut TaskSpec<u128>| spec.range_size += 1,
			|spec: &mut TaskSpec<u128>| spec.input_root = H256::zero(),
		] {
			let mut other = spec(&manifest);
			change(&mut other);
			let error = manifest.check(&other).expect_err("another task's");
			assert!(matches!(error, Error::Manifest(ManifestError::OtherTask { .. })), "{error}");
		}
	}

	#[test]
	fn shards_are_proven_against_the_input_root() {
		let manifest = manifest();
		let root = manifest.input_root();
		for (index, shard) in (0..).zip(&manifest.shards) {
			let proof = manifest.shard_proof(index).expect("exists");
			assert!(merkle::verify(&root, &proof, 3, index, leaf_hash(shard.root)));
		}
		assert!(manifest.shard_proof(3).is_err());
	}
}
