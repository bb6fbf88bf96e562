//! `dgcs account`, and the same under `dgcs key`.

use dgcs_client::{user, Account, AccountFile};
use serde_json::json;

use super::{
	args::{AccountCommand, AccountListArgs, AccountShowArgs, ExportArgs, ImportArgs, NewArgs},
	context::{connect, new_password, password, secret, Folders},
	exit::{CommandError, Result},
	output::Output,
};
use crate::money::show;

pub(super) async fn run(command: &AccountCommand, output: &Output) -> Result<()> {
	match command {
		AccountCommand::New(args) => new(args, output),
		AccountCommand::Import(args) => import(args, output),
		AccountCommand::List(args) => list(args, output),
		AccountCommand::Show(args) => show_account(args, output).await,
		AccountCommand::Export(args) => export(args, output),
	}
}

fn new(args: &NewArgs, output: &Output) -> Result<()> {
	let keystore = Folders::of(&args.common)?.keystore();
	let password = new_password(args.password_file.as_deref())?;
	let (account, phrase) = Account::generate();
	let path = keystore.add(&args.name, &account, &password)?;
	output.result(
		|| {
			format!(
				"{}\n\n  {}\n\nThese words are all that is needed to get the account and everything that it \
				 ever had computed. They are shown once: write them down, and keep them where nobody else \
				 finds them. The account is in {}, under its password.",
				account.address(),
				phrase.words(),
				path.display()
			)
		},
		|| {
			json!({
				"name": args.name, "address": account.address(), "phrase": phrase.words(), "file": path,
			})
		},
	);
	Ok(())
}

fn import(args: &ImportArgs, output: &Output) -> Result<()> {
	let keystore = Folders::of(&args.common)?.keystore();
	let (path, address) = match &args.file {
		Some(file) => {
			let file = AccountFile::read(file)?;
			(keystore.import(&args.name, &file)?, file.account()?.to_string())
		},
		None => {
			let account = Account::from_uri(&secret("The account's words: ")?)?;
			let from_pipe = args.password_file.is_none() && user::password_set().is_none();
			let password = if from_pipe {
				new_password(None)?
			} else {
				password(args.password_file.as_deref(), "New password: ")?
			};
			(keystore.add(&args.name, &account, &password)?, account.address())
		},
	};
	output.result(
		|| format!("{address} is in {}", path.display()),
		|| json!({"name": args.name, "address": address, "file": path}),
	);
	Ok(())
}

fn list(args: &AccountListArgs, output: &Output) -> Result<()> {
	let keystore = Folders::of(&args.common)?.keystore();
	let all = keystore.list()?;
	let rows: Vec<_> = all
		.iter()
		.filter_map(|(name, file)| Some((name, file.account().ok()?.to_string())))
		.collect();
	output.result(
		|| match rows.as_slice() {
			[] => "There is no account on this machine: see `dgcs account new --help`".into(),
			rows => rows
				.iter()
				.map(|(name, address)| format!("{address}  {name}"))
				.collect::<Vec<_>>()
				.join("\n"),
		},
		|| {
			let row =
				|(name, address): &(&String, String)| json!({"name": name, "address": address});
			json!({"accounts": rows.iter().map(row).collect::<Vec<_>>()})
		},
	);
	Ok(())
}

async fn show_account(args: &AccountShowArgs, output: &Output) -> Result<()> {
	let id = Folders::of(&args.common)?.keystore().get(&args.name)?.account()?;
	let funds = match args.money {
		true => Some(connect(&args.chain, output).await?.at_best().await?.funds(&id).await?),
		false => None,
	};
	let key = format!("0x{}", hex::encode(id.as_ref() as &[u8]));
	output.result(
		|| {
			let money = funds.map_or(String::new(), |funds| {
				format!(
					"\nspendable   {}\nfree        {}\non hold     {}",
					show(funds.spendable),
					show(funds.free),
					show(funds.held)
				)
			});
			format!("address     {id}\npublic key  {key}{money}")
		},
		|| {
			json!({
				"address": id.to_string(), "publicKey": key,
				"free": funds.map(|funds| funds.free.to_string()),
				"held": funds.map(|funds| funds.held.to_string()),
				"spendable": funds.map(|funds| funds.spendable.to_string()),
			})
		},
	);
	Ok(())
}

fn export(args: &ExportArgs, output: &Output) -> Result<()> {
	let file = Folders::of(&args.common)?.keystore().get(&args.name)?;
	let Some(path) = &args.file else {
		let text = file.to_json();
		let object = || serde_json::from_str(&text).unwrap_or_default();
		output.result(|| text.clone(), object);
		return Ok(());
	};
	file.create(path).map_err(CommandError::from)?;
	output.result(
		|| {
			format!(
				"The account is in {}, under its password. Its words alone can replace that password",
				path.display()
			)
		},
		|| json!({"file": path}),
	);
	Ok(())
}
