// Real programs on real files, computed by real workers: the owner's commands, the masternodes'
// custody and `dgcs worker`, on a network of four masternodes, one of which goes down meanwhile.
// The tests run at the same time: each of them mostly waits for blocks.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { blake2AsU8a } from '@polkadot/util-crypto';

import { account, is, rpc, SOON, until } from './lib/chain.mjs';
import { includes, killedMidRange, robbedOfVote } from './lib/crash.mjs';
import { MASTERNODES } from './lib/network.mjs';
import { realText, Site } from './lib/site.mjs';
import { startWorkers, Worker } from './lib/worker.mjs';

const FRAMES = 16;
/** How many of them are leased together. All of them have more seats than all workers have slots. */
const SCENE = 2;
/** Width, height, and samples for a pixel. */
const SIZE = ['320', '180', '24'];
/** Memory of the film's subtasks, in MiB. No other task is content with so little. */
const LITTLE = 128;
/** How many pieces of the text are leased together. */
const RANGE = 4;
/** Where scripts/build-foreign.sh has put somebody else's program. */
const { DGCS_FOREIGN } = process.env;

describe('work', { concurrency: true }, () => {
	/** @type {Site} */
	let site;
	let api, log;
	/** When one masternode is down, and the first task's owner gone. */
	const down = later();
	/** When that task's solution is there. */
	const counted = later();
	/** The task that stays live, once all masternodes hold its content. */
	let kept;
	/**
	 * Strangers of another kind, who get work like anybody else when they ask: one takes a range of the text, and
	 * neither fetches nor votes, and one does so with the film, on which another one lies. The film is all that they
	 * have the memory for.
	 */
	let absent, liar, idler;

	before(async () => {
		site = await Site.start('work');
		({ api, log } = site);
		await site.hire(5, { slots: 2 });
		// One goes as soon as it has its folders, and comes back as a cheat.
		const cheat = site.workers.at(-1);
		await cheat.says('status');
		await cheat.kill();
		const stranger = (name, conduct, memoryMib) => new Worker(api, log, `//work//${name}`, { conduct, memoryMib });
		absent = stranger('absent', 'neverCommits');
		[liar, idler] = [stranger('liar', 'liar', LITTLE), stranger('idler', 'neverCommits', LITTLE)];
		await startWorkers(api, log, account('//Bob'), [absent, liar, idler]);
		kept = keepTask();
		kept.catch(() => {}); // Whoever waits for it sees why.
	});

	after(() => site?.stop());

	/** Submits a task for which no worker has the memory, so that it ends when it is cancelled. */
	async function keepTask() {
		const run = await site.owner('alice', [
			'task', 'run', site.program('pi.wasm'), '--count', '1', '--memory', '4096', '--out', site.path('kept'),
			'--account', '//Alice', '--yes', '--detach',
		]);
		assert.equal(run.code, 0, JSON.stringify(run.said.at(-1)));
		const { task } = run.event('submitted');
		await until(site.network.api('dave'), 'dave holds all of a task', (dave) => isComplete(dave, task));
		return task;
	}

	it('counts the words of a large text, though a worker lies, one is killed, one loses its disk, one never fetches, the owner leaves and a masternode fails', async () => {
		await countWords().catch((error) => {
			[down, counted].forEach((each) => each.reject(error));
			throw error;
		});
		counted.resolve();
	});

	async function countWords() {
		const text = site.path('text');
		writeFileSync(text, realText(128 << 20));
		const cheat = site.workers.at(-1);
		const out = site.path('words');
		// A short time limit, since it is how long a range is waited for that nobody computes.
		const running = site.owner('eve', [
			'task', 'run', site.program('wordcount.wasm'), '--input', text, '--split', 'lines:50000',
			'--join', 'merge', '--merge-time', '2m', '--memory', '512', '--time', '5s', '--range', String(RANGE), '--out', out,
			'--account', '//Eve', '--yes', '--detach',
		]);
		// While there is work for everybody.
		const submitted = log.wait('tasks.Submitted', { owner: account('//Eve').address });
		const { task } = (await Promise.race([submitted, failed(running)])).data;
		const killed = killedMidRange(site.workers, task, RANGE);
		killed.catch(() => {}); // It is waited for later.
		assert.equal((await absent.take(1)).leased, 1);
		const { worker: victim, place } = await killed;
		corrupt(victim, cheat);
		cheat.start();
		// Another one commits, and loses all but its account.
		const honest = site.workers.filter((worker) => worker !== cheat);
		const robbed = await robbedOfVote(honest.filter((worker) => worker !== victim), task);
		const run = await running;
		assert.equal(run.code, 0, JSON.stringify(run.said.at(-1)));
		assert.ok(run.event('held'), 'its owner is gone, and its store with it');
		const holds = await Promise.all(MASTERNODES.map((name) => isComplete(site.network.api(name), task)));
		assert.ok(holds.filter(Boolean).length >= 3, `enough of ${MASTERNODES} say so: ${holds}`);
		await kept;
		await site.network.node('dave').stop();
		down.resolve();
		const decided = log.all('verdicts.Decided', { task }).length;
		const { data } = await log.wait('tasks.Settled', { task }, { timeout: 2 * SOON });
		assert.equal(data.settlement.end, 'Completed');
		assert.equal(data.settlement.chain.failed, 0);
		// That on the range of which one did nothing, and more.
		const since = log.all('verdicts.Decided', { task }).length - decided;
		assert.ok(since > 1, `${since} verdicts with a masternode down`);

		const fetch = ['task', 'fetch', String(task), '--account', '//Eve', '--out', out, '--yes'];
		const fetched = await site.owner('eve', fetch);
		assert.equal(fetched.code, 0, JSON.stringify(fetched.said.at(-1)));
		const whole = site.native('wordcount', [], readFileSync(text));
		assert.ok(readFileSync(path.join(out, 'result')).equals(whole), 'as counted at home, in one piece');
		// Who lied got nothing, and who worked was paid.
		const address = ({ uri }) => account(uri).address;
		const payees = new Set(log.all('escrow.Paid', { task }).map(({ data }) => data.payee));
		assert.ok(!payees.has(address(cheat)) && !payees.has(absent.operator.address));
		punished(task, address(cheat), absent);
		// Who was killed has taken its range up again, voted, and was paid for it.
		const revealed = (said, place) => said.some((note) => includes(note, { event: 'revealed', ...place }));
		assert.ok(revealed(victim.said, place), `${victim.log}: ${JSON.stringify(place)}`);
		assert.ok(payees.has(address(victim)));
		// Who had committed and lost all has computed the same again, from what the chain knows.
		const { worker: loser, since: lost, place: its } = robbed;
		const again = loser.said.slice(lost);
		assert.ok(again.some((note) => includes(note, { event: 'started', ...its })), `${loser.log}: ${JSON.stringify(its)}`);
		assert.ok(revealed(again, its), `${loser.log}: ${JSON.stringify(its)}`);
		const own = receipts({ task, range: its.range }).filter(({ worker }) => worker === address(loser));
		assert.ok(own.some(({ agreed, paid }) => agreed > 0 && paid > 0n), JSON.stringify(own, words));
		assert.ok(own.every(({ dissented }) => dissented === 0), JSON.stringify(own, words));
	}

	/** Who had a part in verdicts, and what it was paid for that. @param {{ task: number, range?: number }} place */
	function receipts(place) {
		return log.all('verdicts.Decided', place).flatMap(({ data }) => data.receipts);
	}

	/**
	 * Of those with a part in a task, a liar has lost bond for its lies, and one who did nothing at all for that, if
	 * others had shown by then that its range can be computed. Nobody else has.
	 */
	function punished(task, lied, idle) {
		const dissenters = receipts({ task }).filter(({ dissented }) => dissented > 0).map(({ worker }) => worker);
		assert.deepEqual(new Set(dissenters), new Set([lied]));
		const slashes = log.all('workers.Slashed').map(({ data }) => data);
		const faults = (who) => slashes.filter(({ worker }) => worker === who).map(({ fault }) => fault);
		assert.ok(faults(lied).includes('Dissented'), `${faults(lied)}`);
		const lapse = log.events.findIndex((event) => is(event, 'verdicts.Lapsed', { task, worker: idle.address }));
		assert.ok(lapse >= 0, 'its lease is over');
		const { range } = log.events[lapse].data;
		const before = log.events.slice(0, lapse);
		const shown = before.some((event) => is(event, 'verdicts.Committed', { task, range }));
		assert.deepEqual([faults(idle.address), idle.actions], [shown ? ['Offline'] : [], []]);
		assert.deepEqual(slashedForTime(task).filter((worker) => worker !== lied), shown ? [idle.address] : []);
	}

	/**
	 * Who lost a part of its bond because it came too late in a task. The chain tells the task right after it;
	 * on a machine under load, another task may have such a worker that is honest.
	 */
	function slashedForTime(task) {
		const late = ({ pallet, name }) => pallet === 'verdicts' && ['Lapsed', 'Withheld'].includes(name);
		return log.events.flatMap((event, i) => {
			const { worker, fault } = event.data;
			if (event.pallet !== 'workers' || event.name !== 'Slashed' || fault === 'Dissented') return [];
			const told = log.events.slice(i).find((next) => late(next) && next.data.worker === worker);
			return told?.data.task === task ? [worker] : [];
		});
	}

	it('renders a film and joins it, submitted while a masternode is down, though its owner leaves, a worker lies, one is killed and one never fetches', async () => {
		await down.promise;
		const out = site.path('film');
		const running = site.owner('dave', [
			'task', 'run', site.program('pathtracer.wasm'), '--count', String(FRAMES), '--range', String(SCENE),
			'--join', 'merge', '--merge-arg', 'join', '--merge-time', '2m', '--memory', String(LITTLE), '--time', '20s',
			'--out', out, '--account', '//Dave', '--yes', '--detach', '--', ...SIZE,
		]);
		const submitted = log.wait('tasks.Submitted', { owner: account('//Dave').address });
		const { task } = (await Promise.race([submitted, failed(running)])).data;
		const killed = killedMidRange(site.workers, task, SCENE);
		killed.catch(() => {}); // It is waited for later.
		const served = await Promise.all([liar, idler].map((worker) => worker.take(1)));
		assert.deepEqual(served.map(({ leased }) => leased), [1, 1]);
		const { worker: victim, place } = await killed;
		assert.equal((await running).code, 0);
		const { data } = await log.wait('tasks.Settled', { task }, { timeout: 2 * SOON });
		assert.deepEqual([data.settlement.end, data.settlement.chain.failed], ['Completed', 0]);
		const fetch = ['task', 'fetch', String(task), '--account', '//Dave', '--out', out, '--yes'];
		const fetched = await site.owner('dave', fetch);
		assert.equal(fetched.code, 0, JSON.stringify(fetched.said.at(-1)));
		const frames = Array.from({ length: FRAMES }, (_, frame) => {
			return site.native('pathtracer', [String(frame), String(FRAMES), ...SIZE]);
		});
		const film = site.native('pathtracer', ['join'], Buffer.concat(frames));
		assert.ok(readFileSync(path.join(out, 'result')).equals(film), 'as rendered at home');
		punished(task, liar.address, idler);
		const payees = new Set(log.all('escrow.Paid', { task }).map(({ data }) => data.payee));
		assert.ok(!payees.has(liar.operator.address) && !payees.has(idler.operator.address));
		const revealed = { event: 'revealed', ...place };
		assert.ok(victim.said.some((note) => includes(note, revealed)), `${victim.log}: ${JSON.stringify(place)}`);

		// The masternode that was away comes back, and answers for what it held.
		await counted.promise;
		const dave = site.network.node('dave');
		const back = await dave.start(site.network.peers(dave));
		const held = await kept;
		await until(back, 'dave answers for what it holds', () => isComplete(back, held));
		const cancelled = await site.owner('alice', ['task', 'cancel', String(held), '--account', '//Alice', '--yes']);
		assert.equal(cancelled.code, 0, JSON.stringify(cancelled.said.at(-1)));
	});

	it('throws points at a square, with random numbers on which all agree', async () => {
		// Bob's money is on its way to others until then.
		await down.promise;
		const out = site.path('pi');
		const run = await site.owner('bob', [
			'task', 'run', site.program('pi.wasm'), '--count', '3', '--join', 'merge', '--time', '2m', '--out', out,
			'--account', '//Bob', '--yes',
		]);
		assert.equal(run.code, 0, JSON.stringify(run.said.at(-1)));
		const [found] = /3\.14\d+/.exec(readFileSync(path.join(out, 'result'), 'utf8')) ?? [];
		assert.ok(Math.abs(Number(found) - Math.PI) < 0.001, `${found}`);
	});

	const foreign = DGCS_FOREIGN ? {} : { skip: 'DGCS_FOREIGN is not set: scripts/build-foreign.sh says why' };
	it("runs somebody else's program, unchanged, on a folder of files", foreign, async () => {
		// Not before: those who lie or do nothing are for the first task.
		await down.promise;
		const [frames, out] = [site.path('frames'), site.path('pictures')];
		const names = ['opening.ppm', 'scene 2/first.ppm', 'scene 2/second.ppm', 'ende/größer.ppm'];
		for (const [i, name] of names.entries()) {
			const file = path.join(frames, name);
			mkdirSync(path.dirname(file), { recursive: true });
			const size = [64 + 16 * i, 48 + 3 * i, 4].map(String);
			writeFileSync(file, site.native('pathtracer', [String(i), String(names.length), ...size]));
		}
		const flags = ['-quality', '85', '-optimize', '-progressive'];
		const run = await site.owner('charlie', [
			'task', 'run', path.join(DGCS_FOREIGN, 'cjpeg.wasm'), '--input', frames, '--split', 'files',
			'--join', 'files', '--out', out, '--account', '//Charlie', '--yes', '--', ...flags,
		]);
		assert.equal(run.code, 0, JSON.stringify(run.said.at(-1)));
		const found = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
		assert.equal(found.length, names.length);
		// Debian's own, with the instructions of this very processor.
		const env = { LD_LIBRARY_PATH: path.join(DGCS_FOREIGN, 'debian') };
		for (const name of names) {
			const input = readFileSync(path.join(frames, name));
			const picture = execFileSync(path.join(DGCS_FOREIGN, 'debian/cjpeg'), flags, { input, env });
			assert.ok(existsSync(path.join(out, name)), name);
			assert.ok(readFileSync(path.join(out, name)).equals(picture), `${name} as Debian's cjpeg makes it`);
		}
	});
});

/** Fails when a command does. */
async function failed(running) {
	const { code, said } = await running;
	assert.equal(code, 0, JSON.stringify(said.at(-1)));
	return new Promise(() => {});
}

/** Whether a masternode holds all of a task's content. Before it knows the task, it says that. */
async function isComplete(masternode, task) {
	const { complete } = await rpc(masternode, 'dgcs_held', task).catch(() => ({}));
	return complete;
}

/** Something to wait for. */
function later() {
	const each = {};
	each.promise = new Promise((resolve, reject) => Object.assign(each, { resolve, reject }));
	// Perhaps nobody waits for it.
	each.promise.catch(() => {});
	return each;
}

/**
 * Gives a worker that does not run what another has compiled of the word count, with one letter changed: it
 * then writes all numbers to the base of sixteen, and votes for that. As who is dishonest would do, or a
 * disk that is broken, but for the seal, which is made anew here.
 * @param {import('./lib/dgcs.mjs').RealWorker} from
 * @param {import('./lib/dgcs.mjs').RealWorker} to
 */
function corrupt(from, to) {
	const [theirs, own] = [from, to].map(({ data }) => path.join(data, 'programs'));
	const SEAL = 32;
	const FORMAT = '%llu %s\n\0';
	const compiled = readdirSync(theirs).filter((name) => name.endsWith('.cwasm')).map((file) => {
		return { file, content: readFileSync(path.join(theirs, file)).subarray(0, -SEAL) };
	});
	const found = compiled.filter(({ content }) => content.includes(FORMAT));
	assert.equal(found.length, 1, 'the word count was compiled');
	const [{ file, content }] = found;
	content.write(FORMAT.replace('u', 'x'), content.indexOf(FORMAT), 'latin1');
	const name = path.basename(file, '.cwasm');
	const length = Buffer.alloc(8);
	length.writeBigUInt64LE(BigInt(name.length));
	const key = readFileSync(path.join(own, 'key'));
	const seal = blake2AsU8a(Buffer.concat([length, Buffer.from(name), content]), 8 * SEAL, key);
	writeFileSync(path.join(own, file), Buffer.concat([content, seal]));
}

/** Amounts in JSON. */
function words(_key, value) {
	return typeof value === 'bigint' ? String(value) : value;
}
