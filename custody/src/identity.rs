//! Which masternode a node is. The chain says so as long as it is bonded: it has one of the node's keys
//! registered. Who has left is on the chain no longer and may still have shares to hand over, so a file
//! remembers it over restarts.

use std::{
	fs, io,
	path::{Path, PathBuf},
};

use dgcs_primitives::{api::MasternodeView, BlockNumber, EncryptionKey};
use serde_json::{json, Value};
use sp_core::{
	bytes::{from_hex, to_hex},
	H256,
};

use crate::{
	edges::{AccountId, Block, Chain, ChainError},
	file::write_whole,
	secrets::{file_name, Secrets},
	LOG_TARGET,
};

/// The masternode that a node is, or was until it left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
	/// Its account.
	pub account: AccountId,
	/// The encryption key that it had registered, whose secret the node has.
	pub key: EncryptionKey,
	/// A finalised block in which it was bonded.
	pub seen: Block,
	/// Whether it has left, so that only the file knows it.
	pub left: bool,
}

/// Why it is not clear which masternode a node is, or can't be remembered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
	/// The chain could not be read.
	#[error(transparent)]
	Chain(#[from] ChainError),
	/// The file cannot be read.
	#[error("cannot read {path}, which says which masternode this node was: {source}; check that it is a file and that the node may read it")]
	Read {
		/// The file.
		path: PathBuf,
		/// What the system says.
		source: io::Error,
	},
	/// The file cannot be written.
	#[error("cannot write {path}, without which this node does not know after a restart that it was a masternode that has left: {source}; check free space and permissions, and restart the node")]
	Write {
		/// The file.
		path: PathBuf,
		/// What the system says.
		source: io::Error,
	},
	/// The file is not what was written.
	#[error("{path} is damaged, so that it does not say which masternode this node was: restore it from a backup if this node has left and has key shares to hand over, remove it if not")]
	Damaged {
		/// The file.
		path: PathBuf,
	},
	/// The file is another node's, or the node has lost its secret.
	#[error("{path} says that this node was masternode {account}, whose encryption key's secret is not in the keystore: restore {file} there, from a copy or by `dgcs key restore-encryption`, and restart the node, so that it hands over its key shares; remove {path} if it is another node's")]
	NoSecret {
		/// The file.
		path: PathBuf,
		/// Who it says that the node was.
		account: AccountId,
		/// The file of the secret, in the keystore.
		file: String,
	},
	/// The file is of another chain.
	#[error("{path} says that this node was masternode {account} in a block #{block} that is not in this chain: remove it if it is of another chain, restore it from a backup if not")]
	OtherChain {
		/// The file.
		path: PathBuf,
		/// Who it says that the node was.
		account: AccountId,
		/// The block's number.
		block: BlockNumber,
	},
	/// The chain does not go as far as the file: it can't be said yet whether the masternode has left.
	#[error("this node was masternode {account} in block #{block}, and answers for it again when it has caught up with the chain; if the chain never gets there, {path} is damaged: restore it from a backup")]
	Behind {
		/// The file.
		path: PathBuf,
		/// Who the node was.
		account: AccountId,
		/// The block's number.
		block: BlockNumber,
	},
}

impl Identity {
	/// Which masternode the node with these secrets is as of the last finalised block: one that is
	/// bonded, or the one that `file` remembers. `None`: it is none, and never was.
	pub fn find(
		chain: &dyn Chain,
		secrets: &Secrets,
		file: &Path,
	) -> Result<Option<Self>, IdentityError> {
		let at = chain.finalised()?;
		let mut own = chain.masternodes(at.hash)?;
		own.retain(|each| secrets.of(&each.key).is_some());
		let remembered = read(file);
		let before = remembered.as_ref().ok().and_then(Option::as_ref).map(|was| &was.account);
		// Keys are public, and anybody may register any: who it was comes before whoever else it
		// might be.
		let same = own.iter().position(|each| Some(&each.account) == before).unwrap_or(0);
		if let Some(own) = own.into_iter().nth(same) {
			if let Some(before) = before.filter(|before| **before != own.account) {
				log::warn!(
					target: LOG_TARGET,
					"This node was masternode {before} and is {} from now on: what the former has not handed over is not handed over any more",
					own.account
				);
			}
			let MasternodeView { account, key, .. } = own;
			return Ok(Some(Identity { account, key, seen: at, left: false }));
		}
		let Some(was) = remembered? else { return Ok(None) };
		let (path, account, block) = (file.to_owned(), was.account.clone(), was.seen.number);
		if secrets.of(&was.key).is_none() {
			return Err(IdentityError::NoSecret { path, account, file: file_name(&was.key) });
		}
		// Before that block it may not even have joined, and nothing may be handed over to those who
		// were masternodes then.
		let there = if block > at.number { None } else { chain.block(block)? };
		match there {
			Some(there) if there.hash == was.seen.hash => Ok(Some(was)),
			Some(_) => Err(IdentityError::OtherChain { path, account, block }),
			None => Err(IdentityError::Behind { path, account, block }),
		}
	}

	/// Writes it to `file`, in a folder that is made if it does not exist: whole, or not at all.
	pub fn remember(&self, file: &Path) -> Result<(), IdentityError> {
		write_whole(file, self.to_text().as_bytes())
			.map_err(|source| IdentityError::Write { path: file.into(), source })
	}

	/// JSON, since it is the operator who has to look when something is wrong with it. An address has
	/// a checksum, the key a secret in the keystore, and the block its hash in the chain.
	fn to_text(&self) -> String {
		let fields = json!({
			"account": self.account.to_string(),
			"key": to_hex(self.key.0.as_bytes(), false),
			"block": self.seen.number,
			"hash": to_hex(self.seen.hash.as_bytes(), false),
		});
		format!("{fields:#}\n")
	}

	fn from_text(bytes: &[u8]) -> Option<Self> {
		let fields: Value = serde_json::from_slice(bytes).ok()?;
		let text = |name: &str| fields.get(name)?.as_str();
		let hash = |name: &str| {
			let bytes: [u8; 32] = from_hex(text(name)?).ok()?.try_into().ok()?;
			Some(H256(bytes))
		};
		Some(Identity {
			account: text("account")?.parse().ok()?,
			key: EncryptionKey(hash("key")?),
			seen: Block {
				hash: hash("hash")?,
				number: fields.get("block")?.as_u64()?.try_into().ok()?,
			},
			left: true,
		})
	}
}

/// Who the node was by `file`. `None`: there is no such file.
fn read(file: &Path) -> Result<Option<Identity>, IdentityError> {
	let bytes = match fs::read(file) {
		Ok(bytes) => bytes,
		Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
		Err(source) => return Err(IdentityError::Read { path: file.into(), source }),
	};
	let damaged = || IdentityError::Damaged { path: file.into() };
	Identity::from_text(&bytes).map(Some).ok_or_else(damaged)
}

#[cfg(test)]
mod tests {
	use super::*;

	fn identity() -> Identity {
		Identity {
			account: AccountId::new([7; 32]),
			key: EncryptionKey(H256::repeat_byte(8)),
			seen: Block { hash: H256::repeat_byte(9), number: 10 },
			left: true,
		}
	}

	#[test]
	fn what_was_remembered_comes_back() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let file = folder.path().join("new").join("masternode");
		assert_eq!(read(&file).expect("not there is nothing"), None);
		let other = Identity { account: AccountId::new([1; 32]), ..identity() };
		for identity in [other, identity()] {
			identity.remember(&file).expect("room");
			assert_eq!(read(&file).expect("just written"), Some(identity));
		}
		let left = fs::read_dir(folder.path().join("new")).expect("made").count();
		assert_eq!(left, 1, "nothing beside it");
	}

	#[test]
	fn read_fails_when_the_file_is_damaged() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let file = folder.path().join("masternode");
		let whole = identity().to_text();
		let damaged = |text: &[u8]| {
			fs::write(&file, text).expect("room");
			let error = read(&file).expect_err("damaged");
			assert!(matches!(error, IdentityError::Damaged { .. }), "{error}");
			assert!(error.to_string().contains("restore it from a backup"), "{error}");
		};
		for len in 0..whole.trim_end().len() {
			damaged(&whole.as_bytes()[..len]);
		}
		let address = identity().account.to_string();
		let hash = to_hex(identity().seen.hash.as_bytes(), false);
		for (from, to) in [
			// An address has a checksum.
			(&address[..6], "5DAAnr"),
			(&hash[..], &hash[..64]),
			(&hash[..], "no hex"),
			("10", "-1"),
			("10", "4294967296"),
			("10", "\"10\""),
			("\"block\"", "\"number\""),
			("account", "konto"),
		] {
			assert!(whole.contains(from), "{from}");
			damaged(whole.replacen(from, to, 1).as_bytes());
		}
		damaged(b"\xff\xfe");
		damaged(b"[]");
	}

	#[test]
	fn files_that_cannot_be_used_say_which() {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let name = folder.path().display().to_string();
		// A folder is no file.
		let error = read(folder.path()).expect_err("a folder");
		assert!(matches!(error, IdentityError::Read { .. }), "{error}");
		assert!(error.to_string().contains(&name), "{error}");
		let file = folder.path().join("file");
		fs::write(&file, "in the way").expect("room");
		let error = identity().remember(&file.join("masternode")).expect_err("no folder");
		assert!(matches!(error, IdentityError::Write { .. }), "{error}");
		assert!(error.to_string().contains(&name), "{error}");
	}
}
