//! Account files go to polkadot.js and come back: with the real one, as installed for `tests/e2e`.

use std::{
	path::PathBuf,
	process::{Command, Stdio},
};

use dgcs_client::{Account, AccountFile};

const URI: &str =
	"bottom drive obey lake curtain smoke basket hold race lonely fit walk//to/and/fro";
const PASSWORD: &str = "correct horse ✓";

/// Opens a file as its apps do, signs, and writes the account anew under another password.
const SCRIPT: &str = r#"
	const { Keyring } = require('@polkadot/keyring');
	const { cryptoWaitReady, encodeAddress } = require('@polkadot/util-crypto');
	const { stringToU8a, u8aToHex } = require('@polkadot/util');
	const [json, password, uri] = process.argv.slice(-3);
	cryptoWaitReady().then(() => {
		const keyring = new Keyring({ type: 'sr25519', ss58Format: 42 });
		const pair = keyring.addFromJson(JSON.parse(json));
		pair.unlock(password);
		const signature = pair.sign(stringToU8a('message'));
		if (!pair.verify(stringToU8a('message'), signature, pair.publicKey)) throw new Error('signature');
		const { address } = keyring.addFromUri(uri);
		console.log(JSON.stringify({
			address, name: pair.meta.name, file: JSON.stringify(pair.toJson('other ' + password)),
		}));
	}).catch((error) => { console.error(error); process.exit(1); });
"#;

#[test]
fn accounts_move_to_polkadot_js_and_back() {
	let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/e2e");
	let folder = std::env::var_os("DGCS_POLKADOT_JS").map_or(folder, PathBuf::from);
	if !folder.join("node_modules/@polkadot/keyring").exists() {
		eprintln!(
			"SKIPPED: this test needs polkadot.js. `npm ci` in tests/e2e installs it, or \
			 DGCS_POLKADOT_JS names a folder with its node_modules"
		);
		return;
	}
	let account = Account::from_uri(URI).expect("words");
	let file = AccountFile::seal(&account, "to and fro", PASSWORD).expect("a password");
	let output = Command::new("node")
		.current_dir(&folder)
		.args(["-e", SCRIPT, "--", &file.to_json(), PASSWORD, URI])
		.stdin(Stdio::null())
		.output()
		.expect("node is there where polkadot.js is");
	let said = String::from_utf8_lossy(&output.stderr);
	assert!(output.status.success(), "polkadot.js does not open it: {said}");

	let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
	assert_eq!(answer["address"], account.address(), "the same words, the same account");
	assert_eq!(answer["name"], "to and fro");
	let text = answer["file"].as_str().expect("a text");
	let back = AccountFile::parse(text).expect("a file of polkadot.js");
	let back = back.open(&format!("other {PASSWORD}")).expect("its new password");
	assert_eq!(back.id(), account.id());
	assert_eq!(back.encryption_secret().to_bytes(), account.encryption_secret().to_bytes());
}
