// A line between a program and a node, on which what goes wrong on lines can be made to go wrong.

import { createServer } from 'node:http';

import { WebSocket, WebSocketServer } from 'ws';

export class Line {
	/**
	 * A line to a node.
	 * @param {string} target its URL
	 */
	static async to(target) {
		const line = new Line(target);
		await new Promise((resolve) => line.server.listen(0, '127.0.0.1', resolve));
		line.url = `ws://127.0.0.1:${line.server.address().port}`;
		return line;
	}

	constructor(target) {
		this.target = target;
		/** Called with the method of each request, which goes on when what it returns has settled. */
		this.before = (_method) => {};
		/** Called with each answer's method, result and parameters: returns the result that comes instead. */
		this.change = (_method, result, _params) => result;
		this.isCut = false;
		this.sockets = new Set();
		this.waiting = [];
		this.server = createServer();
		this.server.on('connection', (socket) => {
			if (this.isCut) {
				socket.destroy();
				this.waiting.forEach((tried) => tried());
				return;
			}
			this.sockets.add(socket);
			socket.once('close', () => this.sockets.delete(socket));
		});
		new WebSocketServer({ server: this.server }).on('connection', (near) => this.#join(near));
	}

	#join(near) {
		const far = new WebSocket(this.target);
		const asked = new Map();
		const open = new Promise((resolve) => far.once('open', resolve));
		// In order, however long one is held up.
		let order = open;
		near.on('message', (data) => {
			const request = JSON.parse(data);
			asked.set(request.id, request);
			order = order.then(() => this.before(request.method)).then(() => {
				if (far.readyState === WebSocket.OPEN) far.send(String(data));
			});
		});
		far.on('message', (data) => {
			const answer = JSON.parse(data);
			const request = asked.get(answer.id);
			asked.delete(answer.id);
			const plain = request === undefined || !('result' in answer);
			const result = plain ? undefined : this.change(request.method, answer.result, request.params);
			if (near.readyState === WebSocket.OPEN) {
				near.send(plain ? String(data) : JSON.stringify({ ...answer, result }));
			}
		});
		for (const [one, other] of [[near, far], [far, near]]) {
			one.once('close', () => other.terminate());
			one.on('error', () => other.terminate());
		}
	}

	/** Drops all connections, and every new one. */
	cut() {
		this.isCut = true;
		this.sockets.forEach((socket) => socket.destroy());
	}

	/** Waits until somebody has tried in vain so many times from now on. @param {number} times */
	tried(times) {
		return new Promise((resolve) => {
			this.waiting.push(() => --times === 0 && resolve());
		});
	}

	/** Lets connections through again. */
	mend() {
		this.isCut = false;
	}

	close() {
		this.cut();
		this.server.close();
	}
}
