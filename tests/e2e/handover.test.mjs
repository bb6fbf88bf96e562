// A masternode that leaves and crashes before its heir has its key shares: it still knows whose they are
// when it is back, and hands them over. Of five, since four are the fewest that must stay.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';

import { u8aToHex } from '@polkadot/util';

import { account, EventLog, rpc, send, SOON, until } from './lib/chain.mjs';
import { dgcs, type } from './lib/dgcs.mjs';
import { Line } from './lib/line.mjs';
import { MASTERNODES, Network } from './lib/network.mjs';
import { echoes } from './lib/wasm.mjs';
import { startWorkers, Worker } from './lib/worker.mjs';

/** Those that stay. */
const HEIRS = ['alice', 'bob', 'charlie', 'eve'];
const who = (name) => account(`//${name[0].toUpperCase()}${name.slice(1)}`);

describe('a masternode that leaves', () => {
	/** @type {Network} */
	let network;
	let api, log;
	/** Between a masternode and all who look for it at its registered address. @type {Map<string, Line>} */
	const lines = new Map();
	/** Takes a range, and does nothing with it: whose keys it may ask for. */
	let worker;
	/** The task whose keys are shared, which lives as long as this test. */
	let task;

	before(async () => {
		network = new Network('handover');
		await network.specify('local');
		await Promise.all(MASTERNODES.map((name) => network.add(name, [`--${name}`])));
		const { folder } = await network.add('eve', ['--name', 'eve']);
		const key = await restored(folder);
		await network.start();
		api = network.api('alice');
		log = await EventLog.follow(api);
		await Promise.all(HEIRS.map(async (name) => lines.set(name, await Line.to(network.node(name).url))));
		worker = new Worker(api, log, '//handover//worker', { conduct: 'neverCommits' });
		const registered = startWorkers(api, log, account('//Alice//stash'), [worker]);
		await Promise.all([registered, join('eve', key), register().then(submit)]);
	});

	after(async () => {
		log?.stop();
		lines.forEach((line) => line.close());
		await network?.stop();
	});

	/** Makes an encryption key in a node's folder, loses its file, and has it again from its words. */
	async function restored(folder) {
		const key = (what, options) =>
			type(['key', `${what}-encryption`, '--chain', network.spec, '--base-path', folder], options);
		const prints = async (...args) => {
			const { code, out, err } = await key(...args);
			assert.equal(code, 0, err);
			return out.trim();
		};
		const made = await prints('generate');
		const words = await prints('backup');
		assert.equal(words.split(' ').length, 24);
		const file = readdirSync(folder, { recursive: true }).find((name) => name.endsWith(`x25519-${made.slice(2)}`));
		rmSync(path.join(folder, file));
		const lost = await key('show');
		assert.deepEqual([lost.code, lost.out], [1, '']);
		assert.match(lost.err, /no encryption key in .*restore-encryption/);
		assert.equal(await prints('restore', { input: `${words}\n` }), made);
		assert.equal(await prints('show'), made);
		return made;
	}

	/** Where others reach a masternode. */
	const address = (name) => lines.get(name)?.url ?? network.node(name).url;

	/** Makes the addresses known of those that the chain's first state knows by others. */
	async function register() {
		const known = await rpc(api, 'dgcs_masternodes');
		await Promise.all(MASTERNODES.map((name) => {
			const { key } = known.find((each) => each.account === who(name).address);
			return send(api, api.tx.masternodes.update(key, address(name)), who(name));
		}));
	}

	/** Makes session keys on a node, registers them, bonds. */
	async function join(name, key) {
		const keys = await rpc(network.api(name), 'author_rotateKeysWithOwner', u8aToHex(who(name).publicKey));
		const bond = BigInt(api.consts.masternodes.minBond.toString());
		const calls = [
			api.tx.session.setKeys(keys.keys, keys.proof),
			api.tx.masternodes.join(bond, key, address(name)),
		];
		await send(api, api.tx.utility.batchAll(calls), who(name));
	}

	/** Submits a task that nobody computes, and waits until dave has all of it. */
	async function submit() {
		const program = path.join(network.folder, 'echo.wasm');
		writeFileSync(program, echoes());
		const run = await dgcs(network.node('bob').url, path.join(network.folder, 'owner'), [
			'task', 'run', program, '--count', '1', '--out', path.join(network.folder, 'out'),
			'--account', '//Ferdie', '--yes', '--detach',
		]);
		assert.equal(run.code, 0, JSON.stringify(run.said.at(-1)));
		({ task } = run.event('submitted'));
		await until(network.api('dave'), 'dave holds all of the task', async (dave) => {
			// Before it knows the task, it says that.
			return (await rpc(dave, 'dgcs_held', task).catch(() => ({}))).complete;
		});
	}

	/** Whether a node's log says something. */
	const says = (node, what) => readFileSync(node.log, 'utf8').includes(what);

	/** The numbers of the holders whose shares a masternode gives the worker. */
	async function holders(name) {
		// One that has no share, or does not know the lease yet, says that.
		const shares = await rpc(network.api(name), 'dgcs_keyShare', task, 1, worker.address).catch(() => []);
		return shares.map(({ holder }) => holder);
	}

	it('hands its key shares over, though it was killed before it could', async () => {
		const dave = network.node('dave');
		const { keyShares } = await rpc(dave.api, 'dgcs_held', task);
		assert.ok(keyShares >= 4);

		// It finds nobody who takes them.
		lines.forEach((line) => line.cut());
		await send(api, api.tx.masternodes.leave(), who('dave'));
		await until(api, 'dave has tried in vain', () => says(dave, 'left: 0 of 1 blobs of key shares are handed over'));
		await dave.kill();
		assert.ok(!says(dave, 'has the shares of task'), dave.log);
		lines.forEach((line) => line.mend());

		const [taken] = await Promise.all([worker.take(1), dave.start(network.peers(dave))]);
		assert.equal(taken.leased, 1);
		const done = () => says(dave, 'all key shares are handed over');
		await until(api, 'dave has handed over', done, 2 * SOON);
		assert.ok(says(dave, `${who('dave').address}, which has left`), dave.log);

		// Nobody needs it any more.
		await dave.stop();
		await until(api, 'those who stay answer for all who held a share', async () => {
			const answers = await Promise.all(HEIRS.map(holders));
			return new Set(answers.flat()).size === keyShares;
		});
	});
});
