//! The secrets to which a masternode's key shares are sealed, one file each in the node's keystore
//! folder. A masternode that registers a new key keeps the old secret: shares of older tasks are
//! sealed to it.

use std::{
	collections::HashMap,
	fs,
	io::{self, Write},
	path::{Path, PathBuf},
};

use dgcs_content::EncryptionSecret;
use dgcs_primitives::EncryptionKey;
use sp_core::bytes::{from_hex, to_hex};
use zeroize::Zeroizing;

/// How the names of the files start. The rest is the public key in hex. Not hex as a whole, so that
/// the keystore of session keys in the same folder leaves them alone.
const PREFIX: &str = "x25519-";
/// No masternode changes its key so often; a folder with more is not ours.
const MOST: usize = 1024;

/// Why a secret cannot be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretsError {
	/// The folder or a file cannot be read.
	#[error("cannot read {path}: {source}; check that it exists and that the node may read it")]
	Read {
		/// Which one.
		path: PathBuf,
		/// What the system says.
		source: io::Error,
	},
	/// The folder or a file cannot be written.
	#[error("cannot write {path}: {source}; check free space and permissions")]
	Write {
		/// Which one.
		path: PathBuf,
		/// What the system says.
		source: io::Error,
	},
	/// Others on the machine can read a secret.
	#[error("{path} can be read by others (mode {mode:o}); make a new key, or `chmod 600` the file if the machine is yours alone")]
	Exposed {
		/// The file.
		path: PathBuf,
		/// Its permissions.
		mode: u32,
	},
	/// A file is not what its name says.
	#[error("{path} does not hold the secret of the key in its name; restore it from a backup, or remove it and make a new key")]
	Damaged {
		/// The file.
		path: PathBuf,
	},
	/// What is in a secret's place is not that secret.
	#[error("{path} is in the place of the key to restore, and is not the secret of it; it stays as it is: move it away and restore the key again")]
	Taken {
		/// The file.
		path: PathBuf,
	},
	/// The folder is none of secrets.
	#[error("{path} has more than {MOST} encryption keys; name the node's own keystore folder")]
	TooMany {
		/// The folder.
		path: PathBuf,
	},
}

/// Makes a new secret in `folder` (made if it does not exist), readable by its owner alone, and
/// gives its public half: what the operator registers by `masternodes.join` or `.update`.
pub fn generate(folder: &Path) -> Result<EncryptionKey, SecretsError> {
	let secret = EncryptionSecret::random();
	write_one(folder, &secret)?;
	Ok(secret.public())
}

/// Puts a secret from a backup into `folder`, beside the others, and gives its public half. What is
/// there stays: the same secret is fine, and anything else in its place is an error.
pub fn restore(folder: &Path, secret: &EncryptionSecret) -> Result<EncryptionKey, SecretsError> {
	let key = secret.public();
	let path = folder.join(file_name(&key));
	match read_one(&path) {
		Ok(_) => {},
		Err(SecretsError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
			write_one(folder, secret)?;
		},
		Err(SecretsError::Damaged { .. }) => return Err(SecretsError::Taken { path }),
		Err(error) => return Err(error),
	}
	Ok(key)
}

/// Writes a secret's file, which must not exist, in a folder that is made if it does not exist.
fn write_one(folder: &Path, secret: &EncryptionSecret) -> Result<(), SecretsError> {
	let path = folder.join(file_name(&secret.public()));
	let failed = |source| SecretsError::Write { path: path.clone(), source };
	fs::create_dir_all(folder)
		.map_err(|source| SecretsError::Write { path: folder.into(), source })?;
	let bytes = Zeroizing::new(secret.to_bytes());
	let text = Zeroizing::new(to_hex(&*bytes, false));
	// A temporary file has mode 0600, and appears under its name when it is whole.
	let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
	file.write_all(text.as_bytes()).map_err(failed)?;
	file.as_file().sync_all().map_err(failed)?;
	file.persist_noclobber(&path).map_err(|error| failed(error.error))?;
	Ok(())
}

/// What the file of a key's secret is called.
pub(crate) fn file_name(key: &EncryptionKey) -> String {
	format!("{PREFIX}{}", &to_hex(key.0.as_bytes(), false)[2..])
}

/// All secrets of one masternode.
#[derive(Debug, Default)]
pub struct Secrets(HashMap<[u8; 32], EncryptionSecret>);

impl Secrets {
	/// Reads those in `folder`. None: the folder does not exist, or holds no encryption key.
	pub fn read(folder: &Path) -> Result<Self, SecretsError> {
		let failed = |source| SecretsError::Read { path: folder.into(), source };
		let entries = match fs::read_dir(folder) {
			Ok(entries) => entries,
			Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
			Err(error) => return Err(failed(error)),
		};
		let mut secrets = Secrets::default();
		for entry in entries {
			let entry = entry.map_err(failed)?;
			if entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)) {
				secrets.add(read_one(&entry.path())?);
			}
			if secrets.0.len() > MOST {
				return Err(SecretsError::TooMany { path: folder.into() });
			}
		}
		Ok(secrets)
	}

	/// Adds one that is kept elsewhere.
	pub fn add(&mut self, secret: EncryptionSecret) {
		self.0.insert(secret.public().0 .0, secret);
	}

	/// The secret half of `key`.
	pub fn of(&self, key: &EncryptionKey) -> Option<&EncryptionSecret> {
		self.0.get(&key.0 .0)
	}

	/// All of them.
	pub fn all(&self) -> impl Iterator<Item = &EncryptionSecret> {
		self.0.values()
	}

	/// The public halves.
	pub fn keys(&self) -> impl Iterator<Item = EncryptionKey> + '_ {
		self.0.values().map(EncryptionSecret::public)
	}
}

fn read_one(path: &Path) -> Result<EncryptionSecret, SecretsError> {
	let failed = |source| SecretsError::Read { path: path.into(), source };
	#[cfg(unix)]
	{
		use std::os::unix::fs::PermissionsExt;
		let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
		if mode & 0o077 != 0 {
			return Err(SecretsError::Exposed { path: path.into(), mode });
		}
	}
	let damaged = || SecretsError::Damaged { path: path.into() };
	let text = Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
	let bytes = Zeroizing::new(from_hex(text.trim()).map_err(|_| damaged())?);
	let bytes: Zeroizing<[u8; 32]> =
		Zeroizing::new(bytes.as_slice().try_into().map_err(|_| damaged())?);
	let secret = EncryptionSecret::from_bytes(&bytes);
	if path.file_name().is_some_and(|name| name == file_name(&secret.public()).as_str()) {
		Ok(secret)
	} else {
		Err(damaged())
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn folder() -> tempfile::TempDir {
		tempfile::tempdir().expect("a temporary folder")
	}

	#[test]
	fn generated_secrets_come_back() {
		let folder = folder();
		let keystore = folder.path().join("keystore");
		assert_eq!(Secrets::read(&keystore).expect("not there is empty").keys().count(), 0);
		let (old, new) = (generate(&keystore).expect("room"), generate(&keystore).expect("room"));
		fs::write(keystore.join("6261626532"), "\"a session key\"").expect("room");
		let secrets = Secrets::read(&keystore).expect("just written");
		assert_eq!(secrets.keys().count(), 2);
		for key in [old, new] {
			assert_eq!(secrets.of(&key).expect("kept").public(), key);
		}
		assert!(secrets.of(&EncryptionSecret::random().public()).is_none());
	}

	#[test]
	fn a_restored_secret_is_the_one_that_was_made() {
		let folder = folder();
		let (key, other) =
			(generate(folder.path()).expect("room"), generate(folder.path()).expect("room"));
		let path = folder.path().join(file_name(&key));
		let made = fs::read(&path).expect("just written");
		let secret = read_one(&path).expect("just written");
		fs::remove_file(&path).expect("ours");
		// In a folder that has lost it, in one that has it, and in one that is not there.
		let new = folder.path().join("new");
		for keystore in [folder.path(), folder.path(), &new] {
			assert_eq!(restore(keystore, &secret).expect("nothing is in the way"), key);
			assert_eq!(fs::read(keystore.join(file_name(&key))).expect("it is there"), made);
		}
		let secrets = Secrets::read(folder.path()).expect("both are whole");
		assert!(secrets.of(&key).is_some() && secrets.of(&other).is_some());
	}

	#[test]
	fn restore_fails_when_something_else_is_in_the_place() {
		let folder = folder();
		let secret = EncryptionSecret::random();
		let path = folder.path().join(file_name(&secret.public()));
		let other = to_hex(&EncryptionSecret::random().to_bytes(), false);
		for text in [other.as_str(), "", "no hex"] {
			// As a file of the keystore is, so that its permissions are not what is wrong.
			let mut file = tempfile::NamedTempFile::new_in(folder.path()).expect("room");
			file.write_all(text.as_bytes()).expect("room");
			file.persist(&path).expect("ours");
			let error = restore(folder.path(), &secret).expect_err("the place is taken");
			assert!(matches!(error, SecretsError::Taken { .. }), "{error}");
			assert!(error.to_string().contains(&path.display().to_string()), "{error}");
			assert_eq!(fs::read_to_string(&path).expect("it is there"), text, "it is as it was");
		}
	}

	#[cfg(unix)]
	#[test]
	fn read_fails_when_others_can_read() {
		use std::os::unix::fs::PermissionsExt;
		let folder = folder();
		let path = folder.path().join(file_name(&generate(folder.path()).expect("room")));
		let mode = fs::metadata(&path).expect("exists").permissions().mode();
		assert_eq!(mode & 0o777, 0o600);
		fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("ours");
		let error = Secrets::read(folder.path()).expect_err("exposed");
		assert!(matches!(error, SecretsError::Exposed { mode: 0o640, .. }), "{error}");
	}

	#[test]
	fn read_fails_when_a_secret_is_damaged() {
		let folder = folder();
		let path = folder.path().join(file_name(&generate(folder.path()).expect("room")));
		let other = to_hex(&EncryptionSecret::random().to_bytes(), false);
		for text in ["", "0x12", "no hex", other.as_str()] {
			fs::write(&path, text).expect("ours");
			let error = Secrets::read(folder.path()).expect_err("damaged");
			assert!(matches!(error, SecretsError::Damaged { .. }), "{error}");
		}
	}
}
