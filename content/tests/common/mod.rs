//! What the tests of this folder share: a task with real masternodes' and workers' keys.

#![allow(dead_code, missing_docs)]

use std::{fs, io::Write, path::Path};

use dgcs_content::{
	keys::{seal_release, HolderShares, KeyRing},
	put_blob, BlockSource, Cut, Directory, EncryptionSecret, Input, Join, Manifest, Masternode,
	OwnerSecret, Plan, Prepared, Result, Scope, ScopeKey, TaskNonce, DEFAULT_SHARD_SIZE,
};
use sp_core::H256;

/// Bytes that repeat nowhere nearby.
pub fn pattern(len: usize) -> Vec<u8> {
	let mut state = 0x9e37_79b9_7f4a_7c15u64;
	let mut bytes = Vec::with_capacity(len + 8);
	while bytes.len() < len {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		bytes.extend_from_slice(&state.to_le_bytes());
	}
	bytes.truncate(len);
	bytes
}

/// An owner, its masternodes, and a store that everybody reads.
pub struct World {
	pub folder: tempfile::TempDir,
	pub store: Directory,
	pub owner: OwnerSecret,
	pub nonce: TaskNonce,
	pub masternodes: Vec<EncryptionSecret>,
}

impl World {
	pub fn new() -> Self {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let store = Directory::open(folder.path().join("blocks")).expect("can be made");
		World {
			store,
			folder,
			owner: OwnerSecret::from_bytes([1; 32]),
			nonce: TaskNonce([2; 32]),
			masternodes: (3..7).map(|i| EncryptionSecret::from_bytes(&[i; 32])).collect(),
		}
	}

	pub fn file(&self, name: &str, content: &[u8]) -> Input {
		let path = self.folder.path().join(name);
		fs::create_dir_all(path.parent().expect("in the folder")).expect("possible");
		fs::File::create(&path).expect("possible").write_all(content).expect("possible");
		Input::at(path).expect("just written")
	}

	pub fn plan(&self, cut: Cut, range_size: u32) -> Plan {
		let masternodes = (0u8..).zip(&self.masternodes).map(|(number, secret)| Masternode {
			account: H256::repeat_byte(number),
			key: secret.public(),
		});
		Plan {
			cut,
			join: Join::Concatenate,
			merge: None,
			range_size,
			shard_size: DEFAULT_SHARD_SIZE,
			program: put_blob(&self.store, b"\0asm").expect("there is room"),
			arguments: vec!["--secret-argument".into()],
			environment: vec![("SECRET".into(), "environment".into())],
			masternodes: masternodes.collect(),
		}
	}

	pub fn prepare(&self, input: &Input, cut: Cut, range_size: u32) -> Result<Prepared> {
		self.prepare_plan(input, &self.plan(cut, range_size))
	}

	pub fn prepare_plan(&self, input: &Input, plan: &Plan) -> Result<Prepared> {
		let mut read = 0;
		let prepared = dgcs_content::prepare(
			input,
			plan,
			&self.owner,
			self.nonce,
			&self.store,
			&mut |bytes| read += bytes,
		)?;
		assert_eq!(read, prepared.input_len, "progress adds up");
		assert_eq!(Manifest::get(&self.store, &prepared.id)?, prepared.manifest);
		Ok(prepared)
	}

	/// The shares that masternode `holder` opens.
	pub fn shares(&self, manifest: &Manifest, holder: u8) -> Result<HolderShares> {
		let entry = manifest.holder(holder)?;
		let count = manifest.shared_keys();
		let limit = HolderShares::sealed_size(count);
		let blob = dgcs_content::get_blob(&self.store, &entry.shares.id, limit)?;
		let secret = &self.masternodes[usize::from(holder)];
		HolderShares::open(&blob, secret, &manifest.nonce, holder, count, &entry.shares_root)
	}

	/// The key of `scope`, as a worker gets it from masternodes 1 to 3: number 0 is down.
	pub fn key(&self, manifest: &Manifest, scope: Scope) -> Result<ScopeKey> {
		let worker = EncryptionSecret::random();
		let mut ring = KeyRing::new(manifest, scope);
		for holder in 1..4 {
			let shares = self.shares(manifest, holder)?;
			let sealed = seal_release(&shares, &manifest.nonce, holder, scope, &worker.public())?;
			ring.add(holder, &sealed, &worker)?;
		}
		ring.key()
	}
}

/// Every file below `folder`, by path and content.
pub fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
	let mut found: Vec<_> = walkdir::WalkDir::new(folder)
		.into_iter()
		.map(|entry| entry.expect("readable"))
		.filter(|entry| entry.file_type().is_file())
		.map(|entry| {
			let name = entry.path().strip_prefix(folder).expect("below").display().to_string();
			(name, fs::read(entry.path()).expect("readable"))
		})
		.collect();
	found.sort();
	found
}

/// A source that nothing comes from.
pub struct Nothing;

impl BlockSource for Nothing {
	fn get(&self, _: &dgcs_primitives::ContentId, _: usize) -> std::io::Result<Option<Vec<u8>>> {
		Ok(None)
	}
}
