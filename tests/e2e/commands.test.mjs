// What an owner types, as whole runs: `dgcs account` and `dgcs task`, in words and as JSON, on a chain
// with one masternode. What is signed elsewhere is signed by polkadot.js.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { Keyring } from '@polkadot/api';
import { mnemonicValidate } from '@polkadot/util-crypto';

import { account, balance, send, only } from './lib/chain.mjs';
import { answer, type } from './lib/dgcs.mjs';
import { Site } from './lib/site.mjs';
import { echoes, hoards } from './lib/wasm.mjs';

const DGC = 10n ** 12n;
const keyring = new Keyring({ type: 'sr25519' });
const owner = (words) => keyring.addFromUri(words);
/** What somebody at a terminal is asked before money is spent. */
const QUESTION = /\? \[y\/N\] /;
const PASSWORD = 'correct horse battery staple';

describe('commands', () => {
	/** @type {Site} */
	let site;
	let api, chain, password;
	/** The account of these tests: what `dgcs account new` said. */
	let me;

	before(async () => {
		site = await Site.start('commands', { alone: true });
		api = site.api;
		chain = ['--chain', site.network.node('alice').url];
		password = ['--password-file', site.path('password')];
		writeFileSync(site.path('password'), `${PASSWORD}\n`);
	});

	after(() => site?.stop());

	/** Types a command for people, and expects that it ends well. */
	async function say(data, args, options) {
		const typed = await type([...args, '--data', site.path(data)], options);
		assert.equal(typed.code, 0, `dgcs ${args.join(' ')}\n${typed.out}${typed.err}`);
		return typed;
	}

	/** Types a command for JSON, and expects that it ends well. */
	async function json(data, args, options) {
		const typed = await site.owner(data, args, options);
		assert.equal(typed.code, 0, `dgcs ${args.join(' ')}: ${JSON.stringify(typed.said)}`);
		return typed;
	}

	/** Types a command that fails with a code, and gives what it said to people. */
	async function fails(code, data, args, options) {
		const typed = await type([...args, '--data', site.path(data)], options);
		assert.equal(typed.code, code, `dgcs ${args.join(' ')}\n${typed.out}${typed.err}`);
		assert.equal(typed.out, '', 'errors are no results');
		return typed.err;
	}

	/** A text of so many lines in a file. */
	function text(name, lines) {
		const all = Array.from({ length: lines }, (_, i) => `the ${i % 7} words of line ${'x'.repeat(i % 11)}\n`);
		writeFileSync(site.path(name), all.join(''));
		return site.path(name);
	}

	it('makes accounts that polkadot.js opens, and takes in its own', async () => {
		[me] = (await json('home', ['account', 'new', 'me', ...password])).said;
		assert.ok(mnemonicValidate(me.phrase));
		assert.equal(owner(me.phrase).address, me.address);
		assert.equal(statSync(me.file).mode & 0o077, 0, 'nobody else reads its file');
		assert.ok(!readFileSync(me.file, 'utf8').includes(me.phrase));
		const made = await say('home', ['account', 'new', 'other', ...password]);
		const words = made.out.split('\n').map((line) => line.trim()).find((line) => mnemonicValidate(line));
		const other = owner(words).address;
		assert.ok(made.out.startsWith(other) && made.out.includes('write them down'), made.out);
		const taken = await fails(1, 'home', ['account', 'new', 'me', ...password]);
		assert.match(taken, /me/);

		// What it is called, and what it has.
		const { out: list } = await say('home', ['account', 'list']);
		assert.deepEqual(list.trim().split('\n'), [`${me.address}  me`, `${other}  other`]);
		const [{ accounts }] = (await json('home', ['account', 'list'])).said;
		assert.deepEqual(accounts, [{ name: 'me', address: me.address }, { name: 'other', address: other }]);
		assert.equal((await say('home', ['key', 'list'])).out, list, '`dgcs key` has the same commands');
		const gift = api.tx.balances.transferKeepAlive(me.address, 50n * DGC);
		await send(api, gift, account('//Bob'));
		const shown = (await say('home', ['account', 'show', 'me', '--money', ...chain])).out;
		assert.match(shown, new RegExp(`^address +${me.address}$`, 'm'));
		assert.match(shown, /^spendable +\S+ DGC$/m);
		const [object] = (await json('home', ['account', 'show', me.address, '--money'])).said;
		assert.equal(object.publicKey, `0x${Buffer.from(owner(me.phrase).publicKey).toString('hex')}`);
		assert.deepEqual([object.free, object.held], [String(50n * DGC), '0']);
		assert.ok(!(await say('home', ['account', 'show', 'me'])).out.includes('DGC'), 'no chain is asked');

		// Out, into polkadot.js, and back under its file.
		const file = site.path('exported.json');
		await say('home', ['account', 'export', 'me', '--file', file]);
		assert.match(await fails(1, 'home', ['account', 'export', 'me', '--file', file]), /exported\.json/);
		const exported = JSON.parse(readFileSync(file, 'utf8'));
		const { out: printed } = await say('home', ['account', 'export', 'me']);
		assert.deepEqual(JSON.parse(printed), exported);
		assert.deepEqual((await json('home', ['key', 'backup', 'me'])).said[0], exported);
		const pair = new Keyring().addFromJson(exported);
		pair.decodePkcs8(PASSWORD);
		assert.equal(pair.address, me.address);
		assert.deepEqual(pair.sign('this'.repeat(9)).length, 64);

		const theirs = keyring.addFromUri(`${me.phrase}//theirs`, { name: 'theirs' });
		writeFileSync(site.path('theirs.json'), JSON.stringify(theirs.toJson(PASSWORD)));
		await say('away', ['account', 'import', 'theirs', '--file', site.path('theirs.json')]);
		const [again] = (await json('away', ['account', 'show', 'theirs'])).said;
		assert.equal(again.address, theirs.address);
		assert.match(await fails(1, 'away', ['account', 'import', 'theirs', '--file', file]), /theirs/);

		// The words alone, on a machine that has never seen the account.
		const imported = await json('away', ['account', 'import', 'me', ...password], { input: `${me.phrase}\n` });
		assert.equal(imported.said[0].address, me.address);
		const derived = await say('away', ['account', 'import', 'more', ...password], { input: `${me.phrase}//theirs` });
		assert.ok(derived.out.startsWith(theirs.address), derived.out);
		const wrong = me.phrase.replace(/\w+$/, 'xyzzy');
		await fails(1, 'away', ['account', 'import', 'wrong', ...password], { input: wrong });
	});

	it('tries a task at home', async () => {
		const input = text('tried', 1000);
		const wish = [site.program('wordcount.wasm'), '--input', input, '--split', 'lines:250'];
		const tried = await json('home', ['task', 'try', ...wish, '--out', site.path('tried-out')]);
		assert.equal(tried.said.filter(({ event }) => event === 'computed').length, 4);
		assert.deepEqual([tried.event('tried').subtasks, tried.event('tried').gaps], [4, []]);
		solved('tried-out', input);
		const said = await say('home', ['task', 'try', ...wish, '--subtask', '2']);
		assert.match(said.out, /^1 subtasks? in /);
	});

	it('says what a task costs, and leaves no trace of it', async () => {
		const wish = [site.program('wordcount.wasm'), '--input', text('priced', 1000), '--split', 'lines:250'];
		const args = ['task', 'estimate', ...wish, '--join', 'merge', '--account', 'me', ...password];
		const [estimate, ...rest] = (await json('home', args)).said;
		assert.deepEqual(rest, [], 'there is money enough');
		assert.equal(estimate.event, 'estimate');
		assert.deepEqual([estimate.subtasks, estimate.rangeSize], [4, 1]);
		assert.equal(estimate.rewards, String(4n * 3n * DGC / 1000n));
		assert.equal(estimate.reserve, String(4n * 2n * DGC / 1000n));
		const parts = ['rewards', 'reserve', 'masternodes', 'fee', 'merge'].map((part) => BigInt(estimate[part]));
		assert.equal(BigInt(estimate.total), parts.reduce((sum, part) => sum + part));
		const held = parts.slice(0, 3).reduce((sum, part) => sum + part);
		assert.equal(BigInt(estimate.held), held, 'the fee is not held, and the merge step not yet');
		assert.equal(BigInt(estimate.mergeHeld) + BigInt(estimate.mergeFee), BigInt(estimate.merge));
		assert.match(estimate.warnings.join(), /worker/, 'nobody is there to compute it');
		const { out, err } = await say('home', [...args, ...chain]);
		assert.match(out, /4 subtasks × 3 replicas × 0\.001 DGC +0\.012/);
		assert.match(out, /^ *held now.* \d/m);
		assert.match(out, /^ *held later, for the merge step.* \d/m);
		assert.match(err, /^warning: /m);
		for (const trace of ['tasks', 'blocks']) assert.ok(!existsSync(site.path('home', trace)), trace);

		const rich = await say('home', [...args, '--reward', '1000000', ...chain]);
		assert.match(rich.err, /enough|needs/, 'an estimate may be above what there is');
		const dear = ['task', 'run', ...wish, '--reward', '1000000', '--out', site.path('dear'), '--account', 'me', ...password, '--yes'];
		assert.equal((await site.owner('home', dear)).code, 4);
		const unasked = await site.owner('home', dear.filter((word) => word !== '--yes' && word !== '--reward' && word !== '1000000'));
		assert.equal(unasked.code, 2, 'nobody is there to say yes');
		assert.match(unasked.event('error').message, /--yes/);
		// Nothing is signed for a price, so that no password is asked for; what is encrypted needs the right one.
		const wrong = ['--account', 'me', '--password-file', text('wrong', 1), ...chain];
		assert.match((await say('home', ['task', 'estimate', ...wish, ...wrong])).out, /held now/);
		await fails(1, 'home', ['task', 'prepare', ...wish, ...wrong]);
	});

	it('prepares, submits, lists, shows and cancels', async () => {
		const wish = [site.program('wordcount.wasm'), '--input', text('cancelled', 1000), '--split', 'lines:500'];
		const as = ['--account', 'me', ...password];
		assert.match((await say('desk', ['task', 'list'])).out, /no task on this machine/);
		assert.deepEqual((await json('desk', ['task', 'list'])).said, [{ tasks: [] }]);
		await say('desk', ['account', 'import', 'me', ...password], { input: me.phrase });

		// In JSON, then in words.
		const prepared = await json('desk', ['task', 'prepare', ...wish, ...as]);
		const { name, manifest, state } = prepared.event('call');
		assert.equal(state, 'prepared');
		const words = await say('desk', ['task', 'prepare', ...wish, '--memory', '128', ...as, ...chain]);
		const [, second] = /Task ([0-9a-f]{8}), manifest/.exec(words.out);
		assert.notEqual(second, name);
		const listed = (await say('desk', ['task', 'list'])).out;
		for (const each of [name, second]) assert.match(listed, new RegExp(`${each} +wordcount\\.wasm +2 +prepared`));
		assert.match((await say('desk', ['task', 'show', name, ...chain])).out, /prepared[^]*No verdict yet/);
		const foreign = await fails(2, 'desk', ['task', 'submit', name, '--yes', '--account', '//Bob', ...chain]);
		assert.match(foreign, /encrypted with the secret of/);

		const submitted = await json('desk', ['task', 'submit', name, '--yes', ...as]);
		const { task, price } = submitted.event('submitted');
		assert.ok(submitted.event('held'), 'the owner may go offline');
		const onChain = await api.query.tasks.tasks(task);
		assert.ok(onChain.isSome);
		const { reserved } = await balance(api, me.address);
		assert.equal(reserved, BigInt(price));
		assert.equal(reserved, BigInt(submitted.event('estimate').held));
		const said = await say('desk', ['task', 'submit', second, '--yes', ...as, ...chain]);
		assert.match(said.err, /may go offline[^]*Follow it by `dgcs task watch \d+ --data .*--account me --password-file .*`/);
		await fails(1, 'desk', ['task', 'submit', second, '--yes', ...as, ...chain]);

		const [{ tasks }] = (await json('desk', ['task', 'list'])).said;
		assert.deepEqual(tasks.map((each) => [each.name, each.held]).sort(), [[name, true], [second, true]].sort());
		const mine = tasks.find((each) => each.name === name);
		assert.deepEqual([mine.task, mine.manifest, mine.owner], [task, manifest, me.address]);
		const later = tasks.find((each) => each.name === second).task;
		for (const [data, args] of [['desk', [name]], ['stranger', [String(task)]]]) {
			const [live] = (await json(data, ['task', 'show', ...args])).said;
			assert.deepEqual([live.task, live.live.openSubtasks, live.workers], [task, 2, []]);
			const shown = (await say(data, ['task', 'show', ...args, ...chain])).out;
			assert.match(shown, new RegExp(`^Task #?${task} of ${me.address}\nWaits for its first worker`));
		}
		assert.ok(!existsSync(site.path('stranger')), 'who looks at a stranger\'s task takes up nothing');

		assert.match(await fails(2, 'desk', ['task', 'cancel', String(task), ...as, ...chain]), /--yes/);
		const other = ['--account', '//Bob', '--yes', ...chain];
		assert.match(await fails(1, 'desk', ['task', 'cancel', String(task), ...other]), /NotOwner|not the owner/i);
		const cancelled = await json('desk', ['task', 'cancel', String(task), '--yes', ...as]);
		assert.deepEqual(cancelled.event('cancelled'), { event: 'cancelled', task, withdrawn: 2 });
		const told = await say('desk', ['task', 'cancel', second, '--yes', ...as, ...chain]);
		assert.match(told.out, new RegExp(`Task #?${later} is cancelled: 2 subtasks`));

		// Followed to its end, which has no results.
		await site.log.wait('tasks.Settled', { task });
		const watched = await site.owner('desk', ['task', 'watch', String(task)]);
		assert.deepEqual([watched.code, watched.event('ended').end], [3, 'cancelled']);
		assert.match((await say('desk', ['task', 'show', name, ...chain])).out, /cancelled: 0 agreed/);
		const shown = await json('desk', ['task', 'show', name]);
		assert.deepEqual([shown.said[0].settlement.end, shown.said[0].settlement.paid], ['cancelled', '0']);
		await site.log.wait('tasks.Settled', { task: later });
		assert.equal((await balance(api, me.address)).reserved, 0n, 'all came back');
	});

	describe('with workers', { concurrency: true }, () => {
		before(() => site.hire(3, { slots: 2 }));

		it('computes what polkadot.js has signed', async () => {
			const input = text('signed', 1200);
			const as = ['--account', 'me', ...password];
			await say('signed-desk', ['account', 'import', 'me', ...password], { input: me.phrase });
			const wish = [site.program('wordcount.wasm'), '--input', input, '--split', 'lines:400', '--range', '2'];
			const { out } = await say('signed-desk', ['task', 'prepare', ...wish, ...as, ...chain]);
			const hex = out.trim().split('\n').at(-1);
			const call = api.registry.createType('Call', hex);
			assert.equal(`${call.section}.${call.method}`, 'tasks.submit');
			const included = await send(api, api.tx(call), owner(me.phrase));
			const { task } = only(included.events, 'tasks.Submitted');

			// This serves its content as well, until the masternode has it.
			const watched = await say('signed-desk', ['task', 'watch', String(task), ...as, ...chain]);
			assert.match(watched.err, /you may go offline/);
			assert.match(watched.out, /Ended in block #\d+, completed: 3 agreed, 0 failed/);
			assert.match(watched.out, /^ *A +5\w+ +2 +3 +0 +0\.003 DGC/m);
			assert.match(watched.err, new RegExp(`dgcs task fetch #?${task} --out`));
			const fetched = await say('signed-desk', ['task', 'fetch', String(task), '--out', site.path('signed-out'), ...as, ...chain]);
			assert.match(fetched.out, /^\d+ bytes in .*signed-out\nComputed by 3 workers/);
			solved('signed-out', input);
		});

		it('goes on where it was submitted, and where it was not', async () => {
			const input = text('later', 900);
			const as = ['--account', 'me', ...password];
			await say('later-desk', ['account', 'import', 'me', '--file', site.path('exported.json')]);
			const wish = [site.program('wordcount.wasm'), '--input', input, '--split', 'lines:300', '--join', 'merge'];
			const out = site.path('later-out');
			const run = await say('later-desk', ['task', 'run', ...wish, '--out', out, ...as, '--yes', '--detach', ...chain]);
			const [, number] = /Fetch the solution later by `dgcs task fetch #?(\d+) --data .* --account me /.exec(run.err);
			const watched = await json('later-desk', ['task', 'watch', number]);
			assert.equal(watched.said.at(-1).agreed, 3);
			const early = await site.owner('later-desk', ['task', 'fetch', number, ...as]);
			assert.equal(early.code, 2, 'the merge step costs money, so somebody has to say yes');
			const fetched = await json('later-desk', ['task', 'fetch', number, ...as, '--yes']);
			assert.equal(fetched.event('done').exit, 0);
			assert.ok(readFileSync(path.join(out, 'result')).equals(site.native('wordcount', [], readFileSync(input))));
			const [{ tasks }] = (await json('later-desk', ['task', 'list'])).said;
			assert.equal(tasks.filter(({ state }) => state.startsWith('fetched')).length, 2);
		});

		it('merges on a machine that has nothing but the words and the number', async () => {
			const input = text('moved', 900);
			await say('old-desk', ['account', 'import', 'me', ...password], { input: me.phrase });
			const wish = [site.program('wordcount.wasm'), '--input', input, '--split', 'lines:300'];
			const merge = ['--join', 'merge', '--merge-memory', '200'];
			const line = ['task', 'run', ...wish, ...merge, '--out', site.path('never'), ...password, '--yes', '--detach'];
			const run = await json('old-desk', line);
			const number = String(run.event('submitted').task);
			await json('old-desk', ['task', 'watch', number]);

			await say('new-desk', ['account', 'import', 'back', ...password], { input: me.phrase });
			const args = ['task', 'fetch', number, '--out', site.path('moved-out'), ...password];
			const early = await site.owner('new-desk', args);
			assert.equal(early.code, 2, 'the merge step costs money, so somebody has to say yes');
			assert.ok(early.said.some(({ message }) => /no step that merges the results of/.test(message)));
			const fetched = await json('new-desk', [...args, '--yes']);
			assert.equal(fetched.event('done').exit, 0);
			const step = fetched.event('submitted').task;
			assert.notEqual(String(step), number);
			assert.deepEqual(readdirSync(site.path('moved-out')), ['result']);
			const merged = readFileSync(site.path('moved-out', 'result'));
			assert.ok(merged.equals(site.native('wordcount', [], readFileSync(input))));
			const [{ tasks }] = (await json('new-desk', ['task', 'list'])).said;
			assert.deepEqual(tasks.map(({ task }) => task).sort(), [Number(number), step].sort());

			// The step is a task as well, for whoever knows its number.
			await json('new-desk', args);
			await say('third-desk', ['account', 'import', 'back', ...password], { input: me.phrase });
			await json('third-desk', ['task', 'fetch', String(step), '--out', site.path('step-out'), ...password]);
			assert.ok(readFileSync(site.path('step-out', 'result')).equals(merged));
		});

		it('merges again with more memory, pays for that step alone, and not without being told to', async () => {
			const input = text('hoarded', 90);
			writeFileSync(site.path('hoards.wasm'), hoards());
			const as = ['--account', '//Dave', '--yes'];
			const out = site.path('hoarded-out');
			const wish = [site.path('hoards.wasm'), '--input', input, '--split', 'lines:30', '--memory', '32'];
			const line = ['task', 'run', ...wish, '--join', 'merge', '--out', out, ...as];
			const run = await site.owner('hoard-desk', line);
			assert.equal(run.code, 3, JSON.stringify(run.said.at(-1)));
			assert.deepEqual(run.event('done').gaps, [{ subtask: 0, reason: 'out of memory' }]);
			const [number] = run.said.filter(({ event }) => event === 'submitted').map(({ task }) => String(task));
			const { message } = run.event('warning');
			assert.match(message, new RegExp(`dgcs task fetch ${number} --out .*--merge-memory SIZE`));
			const [, results] = /are paid, and are in (.*?)\. It had 32 MiB/.exec(message);
			assert.ok(readFileSync(results).equals(readFileSync(input)), 'what is paid is there');

			for (const again of [line, ['task', 'fetch', number, ...as]]) {
				const same = await site.owner('hoard-desk', again);
				assert.equal(same.code, 3, JSON.stringify(same.said.at(-1)));
				assert.ok(!same.event('submitted'), 'it would end as before');
			}
			const fetched = await json('hoard-desk', ['task', 'fetch', number, ...as, '--merge-memory', '128']);
			assert.deepEqual([fetched.event('estimate').subtasks, fetched.event('done').gaps], [1, []]);
			assert.ok(readFileSync(path.join(out, 'result')).equals(readFileSync(input)));
			const dave = site.log.all('tasks.Submitted', { owner: account('//Dave').address });
			assert.equal(dave.length, 3, 'the subtasks, and two merge steps');
		});

		it('asks at a terminal whether the price is right, and shows there how far it is', async () => {
			// So much that reading it and fetching the results of it are seen.
			const input = text('large', 2_000_000);
			writeFileSync(site.path('echo.wasm'), echoes());
			const out = site.path('asked-out');
			const wish = [site.path('echo.wasm'), '--input', input, '--split', 'lines:500000', '--out', out];
			const line = ['task', 'run', ...wish, '--account', '//Eve', '--data', site.path('asked'), ...chain];
			const { address } = account('//Eve');
			const before = await api.query.system.account(address);

			const no = await answer(line, QUESTION, 'n');
			assert.equal(no.code, 1, no.shown);
			assert.match(no.shown, /held now[^]*\[y\/N\] [^]*error: nothing was signed/);
			assert.doesNotMatch(no.shown, /Encrypting/);
			assert.deepEqual((await api.query.system.account(address)).toJSON(), before.toJSON());
			for (const trace of [out, site.path('asked')]) assert.ok(!existsSync(trace), trace);

			const yes = await answer(line, QUESTION, 'y');
			assert.equal(yes.code, 0, yes.shown);
			for (const bar of ['Encrypting', 'Computing', 'Fetching']) {
				assert.match(yes.shown, new RegExp(`${bar} \\[[=> ]{40}\\] `), bar);
			}
			assert.match(yes.shown, /Prepared \w+: 4 subtasks[^]*submitted in block[^]*you may go offline[^]*Computed by 3 workers/);
			assert.ok(readFileSync(path.join(out, 'result')).equals(readFileSync(input)));
			assert.equal(site.log.all('tasks.Submitted', { owner: address }).length, 1);
		});

		it('runs in one command, and is fetched elsewhere with the words alone', async () => {
			const input = text('whole', 1000);
			const out = site.path('whole-out');
			const line = [
				'task', 'run', site.program('wordcount.wasm'), '--input', input, '--split', 'lines:200',
				'--out', out, '--account', 'me', ...password, '--yes',
			];
			const run = await json('away', line);
			for (const event of ['estimate', 'prepared', 'submitted', 'held', 'ended', 'done']) {
				assert.ok(run.event(event), event);
			}
			solved('whole-out', input);
			const task = String(run.event('submitted').task);
			// The same line is the same task, and pays nothing.
			const same = await json('away', line);
			assert.ok(same.event('done') && !same.event('estimate') && !same.event('submitted'));
			solved('whole-out', input);
			const [{ workers, settlement }] = (await json('away', ['task', 'show', task])).said;
			assert.equal(settlement.end, 'completed');
			assert.equal(workers.length, 3);
			for (const { agreed, dissented, paid } of workers) {
				assert.deepEqual([agreed, dissented, paid], [5, 0, String(5n * DGC / 1000n)]);
			}

			// The machine is lost.
			await say('third', ['account', 'import', 'back', ...password], { input: me.phrase });
			await json('third', ['task', 'fetch', task, '--out', site.path('again'), ...password]);
			solved('again', input);
			const full = await site.owner('third', ['task', 'fetch', task, '--out', site.path('again'), ...password]);
			assert.equal(full.code, 0, 'it is fetched already');
			// And nobody else's account.
			const theirs = await site.owner('fourth', ['task', 'fetch', task, '--out', site.path('none'), '--account', '//Eve']);
			assert.equal(theirs.code, 1);
			assert.match(theirs.event('error').message, new RegExp(me.address));
			assert.ok(!existsSync(site.path('none')));
		});
	});

	/** Compares a solution with what the program makes of the whole input at home. */
	function solved(folder, input) {
		assert.deepEqual(readdirSync(site.path(folder)), ['result']);
		const counted = site.native('wordcount', ['merge'], readFileSync(site.path(folder, 'result')));
		assert.ok(counted.equals(site.native('wordcount', [], readFileSync(input))));
	}
});
