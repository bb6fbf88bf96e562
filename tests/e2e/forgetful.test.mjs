// Owners who come back when nodes have forgotten what happened: the blocks are there, and no state of
// theirs. A full node that keeps few states forgets after a minute what others forget after a quarter of
// an hour.

import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';

import { account, rpc, until } from './lib/chain.mjs';
import { Command } from './lib/owner.mjs';
import { realText, Site } from './lib/site.mjs';

/** Of how many blocks the node keeps the state. */
const STATES = 16;

describe('forgetful nodes', { concurrency: true }, () => {
	/** @type {Site} */
	let site;
	let api, log;
	/** The full node that forgets. */
	let node;

	before(async () => {
		site = await Site.start('forgetful', { alone: true });
		({ api, log } = site);
		node = await site.network.addFull('forgetful', ['--state-pruning', String(STATES)]);
		await node.start(site.network.peers(node));
		// The workers have a full node of their own as well.
		await site.hire(3, { slots: 2, chain: node.url });
	});

	after(() => site?.stop());

	/** Types an owner's command at that node. */
	function dgcs(who, args) {
		return site.owner(who, args, { env: { DGCS_CHAIN: node.url } });
	}

	/** Waits until the node has forgotten the state after a block. */
	async function forgotten(block) {
		const hash = await rpc(api, 'chain_getBlockHash', block);
		await until(node.api, `the state of block #${block} is forgotten`, () => {
			return rpc(node.api, 'state_getRuntimeVersion', hash).then(() => false, ({ message }) => {
				return /discarded/.test(message);
			});
		});
	}

	it('brings a solution to its owner, with the secret alone', async () => {
		const input = site.path('text');
		writeFileSync(input, realText(1 << 20));
		const as = ['--account', '//Eve'];
		const run = await dgcs('desk', [
			'task', 'run', site.program('wordcount.wasm'), '--input', input, '--split', 'lines:5000',
			'--out', site.path('there'), ...as, '--yes', '--detach',
		]);
		assert.equal(run.code, 0, JSON.stringify(run.said.at(-1)));
		const { task } = run.event('submitted');
		const { block } = await log.wait('tasks.Settled', { task });
		await forgotten(block);
		const expected = site.native('wordcount', [], readFileSync(input));
		for (const [who, out] of [['desk', 'there'], ['elsewhere', 'here']]) {
			const fetched = await dgcs(who, ['task', 'fetch', String(task), '--out', site.path(out), ...as]);
			assert.equal(fetched.code, 0, `${who}: ${JSON.stringify(fetched.said.at(-1))}`);
			const counted = readFileSync(path.join(site.path(out), 'result'));
			assert.ok(site.native('wordcount', ['merge'], counted).equals(expected), who);
		}
		// Who computed what is in events, which are gone: masternodes keep it. The last one has fetched nothing.
		const shown = [];
		for (const who of ['desk', 'elsewhere', 'nowhere']) {
			const { code, said } = await dgcs(who, ['task', 'show', String(task)]);
			assert.equal(code, 0, `${who}: ${JSON.stringify(said.at(-1))}`);
			const { verdicts, workers, agreed } = said.at(-1);
			shown.push({ verdicts, workers, agreed });
			assert.ok(verdicts.length > 0, who);
			for (const { range, receipts } of verdicts) {
				const names = new Set(receipts?.map(({ worker }) => worker));
				assert.deepEqual([receipts?.length, names.size], [3, 3], `range ${range}, as ${who} shows it`);
			}
			assert.equal(workers.length, 3, who);
		}
		assert.deepEqual(shown[1], shown[0]);
		assert.deepEqual(shown[2], shown[0]);
		const theirs = await dgcs('stranger', ['task', 'fetch', String(task), '--out', site.path('none'), '--account', '//Dave']);
		assert.deepEqual([theirs.code, theirs.event('error').message.includes(account('//Eve').address)], [1, true]);
	});

	it('lets nobody pay twice', async () => {
		// No worker has the memory for it, so that it ends when it is cancelled.
		const task = [
			'task', 'run', site.program('pi.wasm'), '--count', '1', '--memory', '4096', '--out', site.path('pi'),
			'--yes', '--detach',
		];
		const from = { chain: node.url, data: site.path('cut'), account: '//Dave' };
		const owner = account('//Dave').address;
		const next = () => rpc(node.api, 'system_accountNextIndex', owner);
		const first = await next();
		const cut = new Command(task, from);
		assert.ok(await cut.says('sent'), `${cut}`);
		// It says so before it does. From then on the node has the transaction, and no block perhaps.
		while (cut.child.exitCode === null && (await next()) === first) await setTimeout(20);
		cut.child.kill('SIGKILL');
		await cut.closed;
		cpSync(site.path('cut'), site.path('copy'), { recursive: true });
		const submitted = await log.wait('tasks.Submitted', { owner });
		await forgotten(submitted.block);
		const again = await new Command(task, from).end();
		assert.equal(again.code, 0, JSON.stringify(again.said));
		assert.ok(again.said.some(({ event, task }) => event === 'submitted' && task === submitted.data.task));

		const cancelled = await new Command(['task', 'cancel', String(submitted.data.task), '--yes'], from).end();
		assert.equal(cancelled.code, 0, JSON.stringify(cancelled.said));
		await log.wait('tasks.Settled', { task: submitted.data.task });
		// Nobody knows any more which task it was, so nothing is sent.
		const copy = { ...from, data: site.path('copy') };
		const unclear = await new Command(task, copy).end();
		assert.equal(unclear.code, 1, JSON.stringify(unclear.said));
		assert.match(unclear.last.message, new RegExp(`block #${submitted.block},.*forgotten.*task cancel`));
		assert.equal(log.all('tasks.Submitted', { owner }).length, 1);
		const { tasks } = (await new Command(['task', 'list'], copy).end()).last;
		const forgot = await new Command(['task', 'cancel', tasks[0].name, '--yes'], copy).end();
		assert.deepEqual([forgot.code, forgot.last.event], [0, 'forgotten']);
	});
});
