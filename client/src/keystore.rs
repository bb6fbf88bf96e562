//! Accounts in files, in the JSON format of polkadot.js (version 3): what its apps and its extension
//! export opens here, and the other way round.
//!
//! ```text
//! encoded  = base64(salt (32 bytes) ‖ N (u32) ‖ p (u32) ‖ r (u32) ‖ nonce (24 bytes) ‖ box)
//! box      = XSalsa20-Poly1305(scrypt(password, salt, N, r, p), nonce, pkcs8), tag first
//! pkcs8    = header (16 bytes) ‖ expanded secret (64 bytes) ‖ divider (5 bytes) ‖ public key
//! ```

use std::{
	fmt, fs,
	io::{self, Read, Write},
	path::{Path, PathBuf},
	time::{SystemTime, UNIX_EPOCH},
};

use base64::{engine::general_purpose::STANDARD as BASE64, Engine};
use crypto_secretbox::{aead::Aead, Key, KeyInit, Nonce, XSalsa20Poly1305};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
	account::{parse_address, SECRET_SIZE},
	Account, AccountId,
};

/// The largest file that is read: an account takes less than one kilobyte.
const MAX_FILE: u64 = 64 * 1024;
/// The longest name of an account.
pub const MAX_NAME: usize = 64;

const PKCS8_HEADER: [u8; 16] = [48, 83, 2, 1, 1, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];
const PKCS8_DIVIDER: [u8; 5] = [161, 35, 3, 33, 0];
const PKCS8_SIZE: usize = 16 + SECRET_SIZE + 5 + 32;

const SALT_SIZE: usize = 32;
const NONCE_SIZE: usize = 24;
/// What comes before the box.
const PREFIX_SIZE: usize = SALT_SIZE + 12 + NONCE_SIZE;

/// What scrypt costs: `(log2 N, p, r)`.
type Cost = (u8, u32, u32);

/// The costs that polkadot.js accepts (`scrypt/defaults` of util-crypto 14). Any other could be an
/// attempt to exhaust the machine.
const COSTS: [Cost; 6] = [(13, 10, 8), (14, 5, 8), (15, 3, 8), (15, 1, 8), (16, 2, 8), (17, 1, 8)];
/// That which polkadot.js writes. 128 MiB for the moment of opening.
const COST: Cost = (17, 1, 8);

/// Why an account can't be read from a file, or not be written to one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeystoreError {
	/// There is no such file.
	#[error("there is no account file {}", .path.display())]
	Missing {
		/// Where it was looked for.
		path: PathBuf,
	},
	/// There is one already.
	#[error("{} exists already, and is not overwritten: choose another name", .path.display())]
	Exists {
		/// Where it is.
		path: PathBuf,
	},
	/// The file system refused.
	#[error("{} can't be read or written: {source}", .path.display())]
	Io {
		/// The file or folder.
		path: PathBuf,
		/// Why.
		source: io::Error,
	},
	/// The file is no account file, or not one that can be used here.
	#[error("this is no account file of polkadot.js that can be used here: {reason}")]
	Foreign {
		/// What it is, and what to do.
		reason: String,
	},
	/// The file was one, and is damaged.
	#[error("the account file is damaged: {reason}. Restore it from a backup, or from its words")]
	Damaged {
		/// What is wrong.
		reason: &'static str,
	},
	/// The password is another.
	#[error("the password is wrong, or the account file was changed")]
	Password,
	/// No password at all.
	#[error("an account file needs a password: give one of at least one character")]
	NoPassword,
	/// The name of an account can't be that of a file.
	#[error("`{name}` is no name for an account: use 1 to 64 letters, digits, `-`, `_` and `.`, the first a letter or digit")]
	Name {
		/// What was given.
		name: String,
	},
	/// No account has that name or address.
	#[error("there is no account `{name}` in {}. There are: {known}", .folder.display())]
	Unknown {
		/// What was asked for.
		name: String,
		/// Where it was looked for.
		folder: PathBuf,
		/// The names that there are.
		known: String,
	},
}

type Result<T> = std::result::Result<T, KeystoreError>;

/// An account file. Only its holder's password opens it.
#[derive(Clone, Serialize, Deserialize)]
pub struct AccountFile {
	encoded: String,
	encoding: Encoding,
	address: String,
	#[serde(default)]
	meta: Meta,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Encoding {
	content: Vec<String>,
	#[serde(rename = "type")]
	kind: Vec<String>,
	version: String,
}

/// What polkadot.js keeps beside an account. Everything else in it is kept as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
	#[serde(default, skip_serializing_if = "Option::is_none")]
	name: Option<String>,
	#[serde(flatten)]
	rest: serde_json::Map<String, serde_json::Value>,
}

impl fmt::Debug for AccountFile {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "AccountFile({})", self.address)
	}
}

impl AccountFile {
	/// Encrypts an account under a password. `name` is what polkadot.js shows. Takes about half a
	/// second and 128 MiB.
	pub fn seal(account: &Account, name: &str, password: &str) -> Result<Self> {
		Self::seal_at(COST, account, name, password)
	}

	fn seal_at(cost: Cost, account: &Account, name: &str, password: &str) -> Result<Self> {
		if password.is_empty() {
			return Err(KeystoreError::NoPassword);
		}
		let mut prefix = [0; PREFIX_SIZE];
		getrandom::fill(&mut prefix)
			.expect("the system has randomness, or nothing here is safe; qed");
		let (log_n, p, r) = cost;
		for (place, number) in [1 << log_n, p, r].into_iter().enumerate() {
			let start = SALT_SIZE + 4 * place;
			prefix[start..start + 4].copy_from_slice(&u32::to_le_bytes(number));
		}
		let mut pkcs8 = Zeroizing::new(Vec::with_capacity(PKCS8_SIZE));
		pkcs8.extend_from_slice(&PKCS8_HEADER);
		pkcs8.extend_from_slice(&*account.secret());
		pkcs8.extend_from_slice(&PKCS8_DIVIDER);
		pkcs8.extend_from_slice(account.id().as_ref());
		let cipher = cipher(password, &prefix[..SALT_SIZE], cost);
		let sealed = cipher
			.encrypt(Nonce::from_slice(&prefix[SALT_SIZE + 12..]), pkcs8.as_slice())
			.expect("117 bytes are below the cipher's limit; qed");
		let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
		let rest = [("whenCreated".to_string(), (now.as_millis() as u64).into())];
		Ok(AccountFile {
			encoded: BASE64.encode([&prefix[..], &sealed].concat()),
			encoding: Encoding {
				content: vec!["pkcs8".into(), "sr25519".into()],
				kind: vec!["scrypt".into(), "xsalsa20-poly1305".into()],
				version: "3".into(),
			},
			address: account.address(),
			meta: Meta { name: Some(name.into()), rest: rest.into_iter().collect() },
		})
	}

	/// Decrypts the account. Takes about half a second and 128 MiB.
	pub fn open(&self, password: &str) -> Result<Account> {
		let damaged = |reason| KeystoreError::Damaged { reason };
		let expected = self.check()?;
		let bytes =
			BASE64.decode(&self.encoded).map_err(|_| damaged("`encoded` is not in base64"))?;
		let (prefix, sealed) =
			bytes.split_at_checked(PREFIX_SIZE).ok_or(damaged("`encoded` is too short"))?;
		let cost = cost(prefix)?;
		let cipher = cipher(password, &prefix[..SALT_SIZE], cost);
		let nonce = Nonce::from_slice(&prefix[SALT_SIZE + 12..]);
		let pkcs8 = cipher.decrypt(nonce, sealed).map_err(|_| KeystoreError::Password)?;
		let pkcs8 = Zeroizing::new(pkcs8);

		let wrong = || damaged("what is encrypted in it is no sr25519 account");
		let rest = pkcs8.strip_prefix(&PKCS8_HEADER[..]).ok_or_else(wrong)?;
		let (secret, rest) = rest.split_first_chunk::<SECRET_SIZE>().ok_or_else(wrong)?;
		let public = rest.strip_prefix(&PKCS8_DIVIDER[..]).ok_or_else(wrong)?;
		let account = Account::from_secret(secret).ok_or_else(wrong)?;
		let id = account.id();
		if AsRef::<[u8]>::as_ref(&id) != public {
			return Err(wrong());
		}
		if id != expected {
			return Err(damaged("its address is not that of the account in it"));
		}
		Ok(account)
	}

	/// Reads the text of an account file.
	pub fn parse(text: &str) -> Result<Self> {
		let foreign = |reason: String| KeystoreError::Foreign { reason };
		let json: serde_json::Value =
			serde_json::from_str(text).map_err(|error| foreign(format!("not JSON ({error})")))?;
		if json.get("accounts").is_some() {
			return Err(foreign("it holds several accounts. Export the one that you need".into()));
		}
		let file: AccountFile =
			serde_json::from_value(json).map_err(|error| foreign(error.to_string()))?;
		file.check()?;
		Ok(file)
	}

	/// The text of the file.
	pub fn to_json(&self) -> String {
		serde_json::to_string(self).expect("strings, and JSON that was read, are JSON; qed")
	}

	/// Reads a file.
	pub fn read(path: &Path) -> Result<Self> {
		let failed = |source: io::Error| match source.kind() {
			io::ErrorKind::NotFound => KeystoreError::Missing { path: path.into() },
			_ => KeystoreError::Io { path: path.into(), source },
		};
		let mut text = String::new();
		let file = fs::File::open(path).map_err(failed)?;
		file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(|error| match error.kind() {
			io::ErrorKind::InvalidData => KeystoreError::Foreign { reason: "it is no text".into() },
			_ => failed(error),
		})?;
		if text.len() as u64 > MAX_FILE {
			return Err(KeystoreError::Foreign { reason: "it is longer than 64 KiB".into() });
		}
		Self::parse(&text)
	}

	/// Writes a new file that its user alone can read: all of it or nothing, never over another.
	pub fn create(&self, path: &Path) -> Result<()> {
		let failed = |source: io::Error| KeystoreError::Io { path: path.into(), source };
		let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
		// tempfile's files have mode 0600 from the start.
		let mut file =
			tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
		file.write_all(self.to_json().as_bytes()).map_err(failed)?;
		file.as_file().sync_all().map_err(failed)?;
		file.persist_noclobber(path).map_err(|error| match error.error.kind() {
			io::ErrorKind::AlreadyExists => KeystoreError::Exists { path: path.into() },
			_ => failed(error.error),
		})?;
		Ok(())
	}

	/// The account that the file says it holds. Only [`AccountFile::open`] proves it.
	pub fn account(&self) -> Result<AccountId> {
		parse_address(&self.address)
			.map_err(|_| KeystoreError::Damaged { reason: "its `address` is none" })
	}

	/// The name that polkadot.js shows. May be empty.
	pub fn name(&self) -> &str {
		self.meta.name.as_deref().unwrap_or_default()
	}

	/// Whether this is a file that can be opened here.
	fn check(&self) -> Result<AccountId> {
		let foreign = |reason: String| Err(KeystoreError::Foreign { reason });
		let Encoding { content, kind, version } = &self.encoding;
		if version != "3" {
			return foreign(format!(
				"its version is {version}, not 3. Restore it in polkadot.js and export it again"
			));
		}
		if kind.iter().any(|kind| kind == "none") {
			return foreign(
				"it is not encrypted. Restore it in polkadot.js and export it with a password"
					.into(),
			);
		}
		if !content.iter().eq(["pkcs8", "sr25519"]) {
			return foreign(format!(
				"it holds {}, not an sr25519 account. Make one of that kind",
				content.join(" ")
			));
		}
		if !kind.iter().eq(["scrypt", "xsalsa20-poly1305"]) {
			return foreign(format!("it is encrypted by {}, which is not known", kind.join(" ")));
		}
		self.account()
	}
}

/// Which of the known costs of scrypt a file has.
fn cost(prefix: &[u8]) -> Result<Cost> {
	let number = |place: usize| {
		let start = SALT_SIZE + 4 * place;
		prefix[start..start + 4].iter().rev().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte))
	};
	let (n, p, r) = (number(0), number(1), number(2));
	COSTS
		.into_iter()
		.find(|(log_n, known_p, known_r)| (1 << log_n, *known_p, *known_r) == (n, p, r))
		.ok_or(KeystoreError::Damaged { reason: "its costs of scrypt are none of the usual" })
}

fn cipher(password: &str, salt: &[u8], (log_n, p, r): Cost) -> XSalsa20Poly1305 {
	let mut key = Zeroizing::new([0; 32]);
	let params = scrypt::Params::new(log_n, r, p, key.len())
		.expect("the costs are among the six known ones, which are valid; qed");
	scrypt::scrypt(password.as_bytes(), salt, &params, &mut *key)
		.expect("scrypt gives 32 bytes; qed");
	XSalsa20Poly1305::new(Key::from_slice(&*key))
}

/// A folder of account files, `NAME.json` each.
#[derive(Clone, Debug)]
pub struct Keystore {
	folder: PathBuf,
}

impl Keystore {
	/// The keystore in `folder`, which need not exist yet.
	pub fn new(folder: impl Into<PathBuf>) -> Self {
		Keystore { folder: folder.into() }
	}

	/// Where it is.
	pub fn folder(&self) -> &Path {
		&self.folder
	}

	/// Encrypts an account and writes it as a new file, whose path is returned.
	pub fn add(&self, name: &str, account: &Account, password: &str) -> Result<PathBuf> {
		let path = self.path(name)?;
		if path.exists() {
			return Err(KeystoreError::Exists { path });
		}
		self.store(&path, &AccountFile::seal(account, name, password)?)?;
		Ok(path)
	}

	/// Takes in an account file from elsewhere as it is, under its own password.
	pub fn import(&self, name: &str, file: &AccountFile) -> Result<PathBuf> {
		let path = self.path(name)?;
		self.store(&path, file)?;
		Ok(path)
	}

	fn store(&self, path: &Path, file: &AccountFile) -> Result<()> {
		create_private(&self.folder)
			.map_err(|source| KeystoreError::Io { path: self.folder.clone(), source })?;
		file.create(path)
	}

	/// The file of the account with this name or address.
	pub fn get(&self, name: &str) -> Result<AccountFile> {
		if let Ok(path) = self.path(name) {
			match AccountFile::read(&path) {
				Err(KeystoreError::Missing { .. }) => {},
				result => return result,
			}
		}
		let all = self.list()?;
		if let Ok(wanted) = parse_address(name) {
			for (_, file) in &all {
				if file.account().is_ok_and(|account| account == wanted) {
					return Ok(file.clone());
				}
			}
		}
		let known: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
		let known = if known.is_empty() { "none".into() } else { known.join(", ") };
		Err(KeystoreError::Unknown { name: name.into(), folder: self.folder.clone(), known })
	}

	/// All account files with their names, in alphabetical order. Other files are passed over.
	pub fn list(&self) -> Result<Vec<(String, AccountFile)>> {
		let failed = |source| KeystoreError::Io { path: self.folder.clone(), source };
		let entries = match fs::read_dir(&self.folder) {
			Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
			entries => entries.map_err(failed)?,
		};
		let mut found = Vec::new();
		for entry in entries {
			let path = entry.map_err(failed)?.path();
			let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
			if path.extension().is_some_and(|extension| extension == "json") && is_name(name) {
				match AccountFile::read(&path) {
					Ok(file) => found.push((name.to_string(), file)),
					Err(error) => log::debug!(target: "client", "{}: {error}", path.display()),
				}
			}
		}
		found.sort_by(|(a, _), (b, _)| a.cmp(b));
		Ok(found)
	}

	fn path(&self, name: &str) -> Result<PathBuf> {
		if !is_name(name) {
			return Err(KeystoreError::Name { name: name.chars().take(80).collect() });
		}
		Ok(self.folder.join(format!("{name}.json")))
	}
}

/// Whether a name can be that of a file, everywhere, and of none outside of its folder.
fn is_name(name: &str) -> bool {
	let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
	name.len() <= MAX_NAME
		&& name.chars().all(plain)
		&& name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Makes a folder, and those above it, that its user alone can look into.
fn create_private(folder: &Path) -> io::Result<()> {
	let mut builder = fs::DirBuilder::new();
	builder.recursive(true);
	#[cfg(unix)]
	std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
	builder.create(folder)
}

#[cfg(test)]
mod tests {
	use super::*;

	/// The cheapest that polkadot.js accepts: unoptimised scrypt is slow.
	const CHEAP: Cost = (15, 1, 8);
	const PASSWORD: &str = "correct horse";

	/// Written by polkadot.js (`@polkadot/keyring` 14, `KeyringPair.toJson`).
	const FROM_POLKADOT_JS: &str = include_str!("../tests/fixtures/polkadot-js.json");
	const URI: &str =
		"bottom drive obey lake curtain smoke basket hold race lonely fit walk//dgcs/fixture";

	fn alice() -> Account {
		Account::from_uri("//Alice").expect("a development account")
	}

	fn sealed(account: &Account) -> AccountFile {
		AccountFile::seal_at(CHEAP, account, "alice", PASSWORD).expect("it has a password")
	}

	#[test]
	fn a_file_of_polkadot_js_opens_and_keeps_what_it_has() {
		let file = AccountFile::parse(FROM_POLKADOT_JS).expect("it is one");
		assert_eq!(file.name(), "fixture");
		let account = file.open(PASSWORD).expect("that was its password");
		let from_words = Account::from_uri(URI).expect("these are its words");
		assert_eq!(account.id(), from_words.id());
		// The last derivation is soft: the halves of the secrets that are random differ.
		assert_eq!(
			account.encryption_secret().to_bytes(),
			from_words.encryption_secret().to_bytes(),
		);
		let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
		assert_eq!(json(&file.to_json()), json(FROM_POLKADOT_JS));
	}

	#[test]
	fn what_is_sealed_opens_with_its_password_alone() {
		let file = sealed(&alice());
		assert_eq!(file.account().expect("its address"), alice().id());
		let back = AccountFile::parse(&file.to_json()).expect("its own text");
		assert_eq!(back.open(PASSWORD).expect("its password").secret(), alice().secret());
		assert!(matches!(file.open("correct Horse"), Err(KeystoreError::Password)));
		assert!(matches!(file.open(""), Err(KeystoreError::Password)));
		assert!(matches!(AccountFile::seal(&alice(), "alice", ""), Err(KeystoreError::NoPassword)));
		assert_ne!(sealed(&alice()).encoded, file.encoded, "salt and nonce are new each time");
	}

	#[test]
	fn damage_is_told_from_a_wrong_password() {
		let file = sealed(&alice());
		let with = |change: &dyn Fn(&mut Vec<u8>)| {
			let mut bytes = BASE64.decode(&file.encoded).expect("its own");
			change(&mut bytes);
			AccountFile { encoded: BASE64.encode(bytes), ..file.clone() }.open(PASSWORD)
		};
		let damaged = |result| matches!(result, Err(KeystoreError::Damaged { .. }));
		assert!(damaged(with(&|bytes| bytes.truncate(60))));
		assert!(damaged(with(&|bytes| bytes.clear())));
		// N of 2^30 would take 1 TiB.
		assert!(damaged(with(&|bytes| bytes[32..36].copy_from_slice(&(1u32 << 30).to_le_bytes()))));
		assert!(damaged(with(&|bytes| bytes[36..40].copy_from_slice(&u32::MAX.to_le_bytes()))));
		// Nobody can tell these from a wrong password.
		assert!(matches!(with(&|bytes| bytes[100] ^= 1), Err(KeystoreError::Password)));
		assert!(matches!(with(&|bytes| bytes[50] ^= 1), Err(KeystoreError::Password)));
		assert!(matches!(with(&|bytes| bytes.truncate(90)), Err(KeystoreError::Password)));
		let no_base64 = AccountFile { encoded: "*".into(), ..file.clone() };
		assert!(damaged(no_base64.open(PASSWORD)));
		let bob = Account::from_uri("//Bob").expect("a development account").address();
		let other_address = AccountFile { address: bob, ..file.clone() };
		assert!(damaged(other_address.open(PASSWORD)));
		let no_address = AccountFile { address: "5".into(), ..file.clone() };
		assert!(damaged(no_address.open(PASSWORD)));
	}

	#[test]
	fn foreign_files_are_refused_with_the_reason() {
		let file = sealed(&alice());
		let with = |from: &str, to: &str| {
			let text = file.to_json();
			assert!(text.contains(from), "{from}");
			AccountFile::parse(&text.replace(from, to))
		};
		let cases = [
			(with("\"3\"", "\"2\""), "version is 2"),
			(with("sr25519", "ed25519"), "ed25519"),
			(with("\"scrypt\",\"xsalsa20-poly1305\"", "\"none\""), "not encrypted"),
			(with("scrypt", "argon2"), "argon2"),
			(with("encoding", "encodung"), "encoding"),
			(AccountFile::parse("{\"accounts\": []}"), "several accounts"),
			(AccountFile::parse("-----BEGIN KEY-----"), "not JSON"),
			(AccountFile::parse(""), "not JSON"),
		];
		for (result, expected) in cases {
			let Err(error @ KeystoreError::Foreign { .. }) = result else {
				panic!("{expected}: {result:?}");
			};
			assert!(error.to_string().contains(expected), "{error}");
		}
	}

	#[test]
	fn files_are_private_and_never_overwritten() {
		let folder = tempfile::tempdir().expect("a folder");
		let store = Keystore::new(folder.path().join("new/keys"));
		assert!(store.list().expect("nothing there yet").is_empty());
		let file = sealed(&alice());
		let path = store.import("alice", &file).expect("a new name");
		assert!(matches!(store.import("alice", &file), Err(KeystoreError::Exists { .. })));
		assert!(matches!(
			store.add("alice", &alice(), PASSWORD),
			Err(KeystoreError::Exists { .. })
		));
		#[cfg(unix)]
		{
			use std::os::unix::fs::PermissionsExt;
			let mode = |path: &Path| fs::metadata(path).expect("it exists").permissions().mode();
			assert_eq!(mode(&path) & 0o777, 0o600);
			assert_eq!(mode(store.folder()) & 0o777, 0o700);
		}
		let files = fs::read_dir(store.folder()).expect("it exists").count();
		assert_eq!(files, 1, "nothing is left of what was refused");
	}

	#[test]
	fn accounts_are_found_by_name_and_address() {
		let folder = tempfile::tempdir().expect("a folder");
		let store = Keystore::new(folder.path());
		let file = sealed(&alice());
		store.import("my.key-1", &file).expect("a new name");
		fs::write(folder.path().join("notes.json"), "{}").expect("writable");
		fs::write(folder.path().join("notes.txt"), "words").expect("writable");
		let names: Vec<String> =
			store.list().expect("readable").into_iter().map(|(name, _)| name).collect();
		assert_eq!(names, ["my.key-1"]);
		for name in ["my.key-1", &alice().address()] {
			assert_eq!(store.get(name).expect(name).account().expect("an address"), alice().id());
		}
		let error = store.get("mykey").expect_err("not there").to_string();
		assert!(error.contains("mykey") && error.contains("my.key-1"), "{error}");
		for name in ["", "../alice", "a/b", ".hidden", "a b", "ä", &"x".repeat(65)] {
			let refused = store.import(name, &file);
			assert!(matches!(refused, Err(KeystoreError::Name { .. })), "{name}");
		}
		let long = folder.path().join("long.json");
		fs::write(&long, "x".repeat(MAX_FILE as usize + 1)).expect("writable");
		assert!(matches!(AccountFile::read(&long), Err(KeystoreError::Foreign { .. })));
		let missing = AccountFile::read(&folder.path().join("missing.json"));
		assert!(matches!(missing, Err(KeystoreError::Missing { .. })));
		fs::write(&long, [0xff, 0xfe]).expect("writable");
		assert!(matches!(AccountFile::read(&long), Err(KeystoreError::Foreign { .. })));
	}

	proptest::proptest! {
		#![proptest_config(proptest::prelude::ProptestConfig {
			cases: 64,
			failure_persistence: None,
			..Default::default()
		})]

		#[test]
		fn any_text_is_a_file_or_an_error(text in ".{0,200}") {
			let _ = AccountFile::parse(&text);
		}
	}
}
