// Machines that are lent now and then: a worker that is not told that its machine is for nothing else, under an
// account file, beside two that are. And what a worker is told before it has anything to do.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, setPriority } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { account, balance, finalizedNumber, reached, send } from './lib/chain.mjs';
import { RealWorker, type } from './lib/dgcs.mjs';
import { Command } from './lib/owner.mjs';
import { Site } from './lib/site.mjs';
import { noteSkip } from './lib/skipped.mjs';
import { echoes } from './lib/wasm.mjs';

const DGC = 10n ** 12n;
const TEXT = Array.from({ length: 60 }, (_, i) => `line ${i}\n`).join('');
/**
 * One slot, as large as those of the others. What is seen at the start counts at once, and what else is done beside
 * this for long enough not to.
 * @param {number} limit the percentage of the processors above which the machine is in use
 */
const lent = (limit) => `nice = 5
slot_memory_mib = 704
[idle]
cores = 1
memory = 704
[use]
busy_above = ${limit}
busy_after = 300
idle_below = ${limit}
keep_free_mib = 0
[when]
on_battery = true
`;

describe('lending', () => {
	/** @type {Site} */
	let site;
	let api, log, url;
	/** Flags of the one worker's account, and its address. */
	let flags, address;
	/** @type {RealWorker} */
	let lender;
	/** @type {import('node:child_process').ChildProcess[]} */
	let spinning = [];
	process.on('exit', () => spinning.forEach((child) => child.kill('SIGKILL')));

	before(async () => {
		site = await Site.start('lending', { alone: true });
		({ api, log } = site);
		({ url } = site.network.node('alice'));
		await site.hire(2);
		writeFileSync(site.path('echo.wasm'), echoes());
		writeFileSync(site.path('text'), TEXT);
		writeFileSync(site.path('password'), 'correct horse battery staple\n');
		writeFileSync(site.path('wrong'), 'incorrect\n');
		const made = await site.owner('home', ['account', 'new', 'lender', '--password-file', site.path('password')]);
		assert.equal(made.code, 0, JSON.stringify(made.said));
		const [{ file }] = made.said;
		({ address } = made.said[0]);
		flags = ['--account', file];
		await send(api, api.tx.balances.transferKeepAlive(address, 100n * DGC), account('//Alice'));
		const config = site.path('lender.toml');
		const own = { dedicated: false, account: [...flags, '--password-file', site.path('password')] };
		lender = new RealWorker(site.network, 'lender', '', config, undefined, url, own);
	});

	after(async () => {
		rest();
		await lender?.kill();
		await site?.stop();
	});

	it('refuses a wrong password', async () => {
		const { code, err } = await work([...flags, '--password-file', site.path('wrong')]);
		assert.equal(code, 1, err);
		assert.match(err, /the password is wrong, or the account file was changed/);
	});

	it('registers nothing when its store is not there', async () => {
		const { code, err } = await work(['--uri', '//Charlie', '--kubo', 'http://127.0.0.1:1']);
		assert.equal(code, 1, err);
		assert.match(err, /Kubo daemon at http:\/\/127\.0\.0\.1:1.*check that `ipfs daemon` runs there/);
		const charlie = account('//Charlie').address;
		assert.ok((await api.query.workers.workers(charlie)).isNone);
		assert.equal((await balance(api, charlie)).reserved, 0n);
	});

	it('takes nothing at other hours, nor while somebody uses its machine, and works otherwise', async () => {
		// In two hours, for an hour, by the clock of this machine.
		const later = (hours) => `${String((new Date().getHours() + hours) % 24).padStart(2, '0')}:00`;
		lend(70, `hours = ["${later(2)}-${later(3)}"]\n`);
		lender.start();
		const off = await lender.says('status', ({ lent, idle }) => lent === 'offHours' && idle?.why === 'nothingLent');
		assert.equal(off.slots, 0);
		assert.match(off.message, /this machine lends nothing now: it is not the time \(when\.days, when\.hours\)/);
		assert.ok((await api.query.workers.workers(address)).isSome, 'it is registered nevertheless');

		// Three have to compute it, and there are two others.
		const out = site.path('out');
		const input = ['--input', site.path('text'), '--split', 'lines:30', '--range', '2'];
		const task = ['task', 'run', site.path('echo.wasm'), ...input, '--memory', '64', '--out', out, '--yes'];
		const run = new Command(task, { chain: url, data: site.path('bob'), account: '//Bob' });
		const { task: number } = await run.says('submitted');
		await Promise.all(site.workers.map(({ uri }) => {
			return log.wait('verdicts.Committed', { task: number, worker: account(uri).address });
		}));
		tookNothing('offHours');

		await lender.kill();
		lend(70);
		// Beside a part of a machine there is no telling what the whole of it does.
		const whole = availableParallelism() === cpus().length;
		if (whole) {
			await spin();
			lender.start();
			const busy = await lender.says('status', ({ lent, idle }) => lent === 'inUse' && idle?.why === 'nothingLent');
			assert.equal(busy.slots, 0);
			assert.match(busy.message, /this machine lends nothing now: somebody else uses the machine/);
			// As long as it would take to ask and be served.
			await reached(api, (await finalizedNumber(api)) + 4);
			tookNothing('inUse');
			rest();
			await lender.kill();
		} else {
			noteSkip(`lending: a machine in use, since this is ${availableParallelism()} of ${cpus().length} processors`);
		}

		// Whatever else this machine does is no use of it.
		lend(100);
		lender.start();
		await lender.says('started', (note) => note.task === number);
		await lender.says('revealed', (note) => note.task === number);
		const { code } = await run.end();
		assert.equal(code, 0, `${run}`);
		assert.equal(readFileSync(path.join(out, 'result'), 'utf8'), TEXT);
		await log.wait('escrow.Paid', { task: number, payee: address });
		assert.deepEqual(log.all('workers.Slashed'), []);
	});

	/** Types the command of a worker that can't work. */
	function work(args) {
		const own = ['--register', '--dedicated', '--chain', url, '--data', site.path('no-worker')];
		return type(['worker', ...args, ...own]);
	}

	/** What the machine lends from the next start on. @param {string} [when] the rest of its file */
	function lend(limit, when = '') {
		writeFileSync(site.path('lender.toml'), lent(limit) + when);
	}

	/** The lender has neither asked for work nor begun any, for this reason. */
	function tookNothing(reason) {
		assert.deepEqual(log.all('tasks.Asked', { worker: address }), []);
		assert.deepEqual(lender.said.filter(({ event }) => event === 'started'), []);
		const { lent, idle } = lender.said.findLast(({ event }) => event === 'status');
		assert.deepEqual([lent, idle?.why], [reason, 'nothingLent']);
	}

	/** Uses all processors, for nothing, and as much as nobody else wants of them. */
	async function spin() {
		spinning = cpus().map(() => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }));
		await Promise.all(spinning.map((child) => new Promise((resolve, reject) => {
			child.once('spawn', resolve).once('error', reject);
		})));
		spinning.forEach((child) => setPriority(child.pid, 19));
	}

	function rest() {
		spinning.forEach((child) => child.kill('SIGKILL'));
		spinning = [];
	}
});
