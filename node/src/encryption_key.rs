//! What `dgcs key` does with a masternode's encryption keys: makes, shows, backs up and restores them.
//! Keys go to standard output, what is to be known about them to standard error.

use std::path::{Path, PathBuf};

use dgcs_content::EncryptionSecret;
use dgcs_custody::Secrets;
use dgcs_primitives::EncryptionKey;
use sc_cli::{Error, KeystoreParams, Result, SubstrateCli};
use sc_service::{config::KeystoreConfig, BasePath};

use crate::cli::{BackupEncryption, Cli, NodeKeystore};

/// Makes a key, and prints its public half.
pub fn generate(cli: &Cli, at: &NodeKeystore) -> Result<()> {
	let key = dgcs_custody::generate(&folder(cli, at)?).map_err(failed)?;
	println!("{:?}", key.0);
	Ok(())
}

/// Prints the public halves of all keys, one a line.
pub fn show(cli: &Cli, at: &NodeKeystore) -> Result<()> {
	let folder = folder(cli, at)?;
	for key in keys(&Secrets::read(&folder).map_err(failed)?, &folder)? {
		println!("{:?}", key.0);
	}
	Ok(())
}

/// Prints a key's secret, as words.
pub fn back_up(cli: &Cli, command: &BackupEncryption) -> Result<()> {
	let folder = folder(cli, &command.at)?;
	let secrets = Secrets::read(&folder).map_err(failed)?;
	let secret = chosen(&secrets, command.key.map(EncryptionKey), &folder)?;
	eprintln!(
		"These words are the secret of the key {:?}. Write them down, and keep them where nobody else finds \
		 them: whoever has them opens every key share that is sealed to it. `dgcs key restore-encryption` \
		 makes the key from them again.",
		secret.public().0
	);
	println!("{}", *dgcs_custody::to_words(secret));
	Ok(())
}

/// Reads a key's words, puts it into the keystore, and prints its public half.
pub fn restore(cli: &Cli, at: &NodeKeystore) -> Result<()> {
	let folder = folder(cli, at)?;
	let words = dgcs_owner::cli::secret("The key's words: ").map_err(failed)?;
	let secret = dgcs_custody::from_words(&words).map_err(failed)?;
	let key = dgcs_custody::restore(&folder, &secret).map_err(failed)?;
	eprintln!("The key is in {}. A node that runs reads it at its next start.", folder.display());
	println!("{:?}", key.0);
	Ok(())
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
	Error::Application(error.into())
}

/// The keystore folder of the chain's node.
fn folder(cli: &Cli, at: &NodeKeystore) -> Result<PathBuf> {
	let chain = cli.load_spec(&at.shared.chain_id(at.shared.is_dev()))?;
	let base = at
		.shared
		.base_path()?
		.unwrap_or_else(|| BasePath::from_project("", "", &Cli::executable_name()));
	// Its default is where the node looks.
	let keystore = KeystoreParams {
		keystore_path: at.keystore_path.clone(),
		password_interactive: false,
		password: None,
		password_filename: None,
	};
	match keystore.keystore_config(&base.config_dir(chain.id()))? {
		KeystoreConfig::Path { path, .. } => Ok(path),
		KeystoreConfig::InMemory => {
			Err(Error::Input("an encryption key in memory would be lost at once".into()))
		},
	}
}

/// The public halves of all keys, in order. There is at least one.
fn keys(secrets: &Secrets, folder: &Path) -> Result<Vec<EncryptionKey>> {
	let mut keys: Vec<_> = secrets.keys().collect();
	keys.sort_unstable_by_key(|key| key.0);
	if keys.is_empty() {
		return Err(Error::Input(format!(
			"there is no encryption key in {}: give the `--chain` and `--base-path` of the node that has one, \
			 make one by `dgcs key generate-encryption`, or restore one from its words by `dgcs key \
			 restore-encryption`",
			folder.display()
		)));
	}
	Ok(keys)
}

/// The secret of the key that was asked for, or of the only one.
fn chosen<'a>(
	secrets: &'a Secrets,
	asked: Option<EncryptionKey>,
	folder: &Path,
) -> Result<&'a EncryptionSecret> {
	let keys = keys(secrets, folder)?;
	let listed = || keys.iter().map(|key| format!("{:?}", key.0)).collect::<Vec<_>>().join(", ");
	let key = match (asked, keys.as_slice()) {
		(Some(key), _) => key,
		(None, [key]) => *key,
		(None, _) => {
			let which = format!("which encryption key? Name one of: {}", listed());
			return Err(Error::Input(which));
		},
	};
	secrets.of(&key).ok_or_else(|| {
		let (key, folder) = (key.0, folder.display());
		Error::Input(format!(
			"there is no encryption key {key:?} in {folder}. There are: {}",
			listed()
		))
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	fn secrets(seeds: &[u8]) -> Secrets {
		let mut secrets = Secrets::default();
		for seed in seeds {
			secrets.add(EncryptionSecret::from_bytes(&[*seed; 32]));
		}
		secrets
	}

	fn key(seed: u8) -> EncryptionKey {
		EncryptionSecret::from_bytes(&[seed; 32]).public()
	}

	#[test]
	fn no_key_is_an_error_that_says_what_to_do() {
		let folder = Path::new("/data/keystore");
		let none = secrets(&[]);
		let shown = keys(&none, folder).expect_err("there is none").to_string();
		let backed_up = chosen(&none, None, folder).expect_err("there is none").to_string();
		assert_eq!(shown, backed_up);
		for part in ["/data/keystore", "generate-encryption", "restore-encryption", "--base-path"] {
			assert!(shown.contains(part), "{part}: {shown}");
		}
	}

	#[test]
	fn all_keys_are_shown_in_the_same_order() {
		let shown = |seeds| keys(&secrets(seeds), Path::new("/data")).expect("there are some");
		let mut expected = vec![key(8), key(16), key(24)];
		expected.sort_unstable_by_key(|key| key.0);
		assert_eq!(shown(&[8, 16, 24]), expected);
		assert_eq!(shown(&[24, 8, 16]), expected);
	}

	#[test]
	fn the_only_key_need_not_be_named() {
		let folder = Path::new("/data/keystore");
		let (one, two) = (secrets(&[8]), secrets(&[8, 16]));
		let found = |secrets, asked| {
			let found = chosen(secrets, asked, folder).map(EncryptionSecret::public);
			found.map_err(|error| error.to_string())
		};
		assert_eq!(found(&one, None), Ok(key(8)));
		assert_eq!(found(&two, Some(key(16))), Ok(key(16)));
		let which = found(&two, None).expect_err("there are two");
		let unknown = found(&two, Some(key(24))).expect_err("it is not there");
		for known in [key(8), key(16)] {
			let known = format!("{:?}", known.0);
			assert!(which.contains(&known) && unknown.contains(&known), "{which}; {unknown}");
		}
		assert!(unknown.contains(&format!("{:?}", key(24).0)), "{unknown}");
	}
}
