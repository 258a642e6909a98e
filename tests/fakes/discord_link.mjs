// One gateway connection of the fake Discord: WebSocket frames by hand, zlib-stream, sessions that can be resumed.
import { createHash, randomBytes } from 'node:crypto';
import { createDeflate, constants } from 'node:zlib';

export function frame(op, payload, fin = true) {
  const n = payload.length;
  const head = n < 126 ? Buffer.from([0, n]) : n < 65536 ? Buffer.from([0, 126, n >> 8, n & 255]) : Buffer.alloc(10);
  if (n >= 65536) { head[1] = 127; head.writeBigUInt64BE(BigInt(n), 2); }
  head[0] = op | (fin ? 0x80 : 0);
  return Buffer.concat([head, payload]);
}

class Session {
  constructor(world, shard) {
    this.world = world; this.shard = shard; this.id = randomBytes(8).toString('hex'); this.seq = 0; this.events = []; this.link = null;
    world.sessions.set(this.id, this);
  }
  dispatch(t, d) {
    const event = { t, s: ++this.seq, op: 0, d };
    this.events.push(event);
    this.link?.send(event);
  }
}

// Counts what passes between the bot and us; true where the wire has to be cut.
export function cutHere(world, what) {
  if (!world.cutAt) return false;
  world.steps = (world.steps ?? 0) + 1;
  if (world.steps !== world.cutAt) return false;
  world.cutWas = what;
  return true;
}

export class Link {
  constructor(world, req, socket, head) {
    if (cutHere(world, 'upgrade')) { socket.on('error', () => {}); socket.destroy(); world = { ...world, mute: true, hello: false, sessions: new Map(), links: new Set() }; }
    Object.assign(this, { world, socket, buffer: head, session: null, sent: Promise.resolve(), closed: false });
    const accept = createHash('sha1').update(`${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    const url = new URL(req.url, 'http://x');
    if (url.searchParams.get('v') !== '10' || url.searchParams.get('encoding') !== 'json') world.complaints.push(`gateway url ${req.url}`);
    if (url.searchParams.get('compress') === 'zlib-stream') this.deflate = createDeflate();
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    socket.on('data', (b) => this.read(b));
    socket.on('error', () => {});
    socket.on('close', () => this.gone());
    if (world.hello) this.send({ op: 10, s: null, t: null, d: { heartbeat_interval: world.heartbeat } });
    if (head.length) this.read(Buffer.alloc(0));
  }
  gone() {
    this.closed = true;
    this.world.links.delete(this);
    if (this.session?.link === this) this.session.link = null;
  }
  // Frames keep their order although deflate is asynchronous.
  sendText(text) {
    this.sent = this.sent.then(() => new Promise((done) => {
      if (this.closed) return done();
      if (cutHere(this.world, `to the bot: ${text.slice(0, 60)}`)) { this.socket.destroy(); return done(); }
      if (!this.deflate) { this.socket.write(frame(1, Buffer.from(text))); return done(); }
      const parts = [];
      const take = (b) => parts.push(b);
      this.deflate.on('data', take);
      this.deflate.write(text);
      this.deflate.flush(constants.Z_SYNC_FLUSH, () => {
        this.deflate.off('data', take);
        this.write(Buffer.concat(parts));
        done();
      });
    }));
  }
  // Now and then in fragments, or as several messages of one zlib frame: both are allowed.
  write(bytes) {
    const third = Math.floor(bytes.length / 3);
    if (this.world.split === 'fragments' && third > 0) {
      this.socket.write(frame(2, bytes.subarray(0, third), false));
      this.socket.write(frame(9, Buffer.from('p')));
      this.socket.write(frame(0, bytes.subarray(third)));
    } else if (this.world.split === 'messages' && third > 0) {
      this.socket.write(frame(2, bytes.subarray(0, third)));
      this.socket.write(frame(2, bytes.subarray(third)));
    } else this.socket.write(frame(2, bytes));
  }
  send(value) { this.sendText(JSON.stringify(value)); }
  close(code, reason = '') {
    this.sent = this.sent.then(() => {
      const b = Buffer.alloc(2);
      b.writeUInt16BE(code);
      this.socket.write(frame(8, Buffer.concat([b, Buffer.from(reason)])));
      this.socket.end();
    });
  }
  read(bytes) {
    this.buffer = Buffer.concat([this.buffer, bytes]);
    for (;;) {
      const b = this.buffer;
      if (b.length < 2) return;
      let n = b[1] & 127;
      let at = 2;
      if (n === 126) { if (b.length < 4) return; n = b.readUInt16BE(2); at = 4; }
      else if (n === 127) { if (b.length < 10) return; n = Number(b.readBigUInt64BE(2)); at = 10; }
      if (b.length < at + 4 + n) return;
      const mask = b.subarray(at, at + 4);
      const payload = Buffer.from(b.subarray(at + 4, at + 4 + n)).map((x, i) => x ^ mask[i % 4]);
      this.buffer = b.subarray(at + 4 + n);
      this.take(b[0] & 15, payload);
    }
  }
  take(op, payload) {
    if (op === 8) {
      const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      this.world.ops.push(`close ${code}`);
      if ((code === 1000 || code === 1001) && this.session) this.world.sessions.delete(this.session.id);
      this.socket.write(frame(8, payload));
      this.socket.end();
    } else if (op === 9) this.socket.write(frame(10, payload));
    else if (op === 1) this.message(payload);
  }
  message(payload) {
    if (payload.length > 4096) return this.close(4002, 'too long');
    const m = JSON.parse(payload.toString());
    if (cutHere(this.world, `from the bot: op ${m.op}`)) { this.socket.destroy(); return; }
    this.world.ops.push(`op ${m.op}`);
    if (m.op === 1) { if (!this.world.mute) this.send({ op: 11, s: null, t: null, d: null }); return; }
    if (m.op === 2) this.identify(m.d);
    else if (m.op === 6) this.resume(m.d);
    else this.close(4001, 'Unknown opcode');
  }
  identify(d) {
    const w = this.world;
    w.identifies++;
    if (w.closeOnIdentify) { const code = w.closeOnIdentify; w.closeOnIdentify = 0; return this.close(code, 'as asked'); }
    if (d.token !== w.token) return this.close(4004, 'Authentication failed.');
    if (this.session) return this.close(4005, 'Already authenticated.');
    if (d.shard?.[1] !== w.shards) return this.close(4010, 'Invalid shard.');
    if (w.invalidSession) { w.invalidSession = false; return this.send({ op: 9, s: null, t: null, d: false }); }
    if (d.intents !== 0) w.complaints.push(`intents ${d.intents}`);
    this.session = new Session(w, d.shard);
    this.session.link = this;
    this.session.dispatch('READY', { v: 10, user: { id: '1180000000000000001', username: 'makebot', bot: true },
      guilds: Array.from({ length: w.guilds ?? 1 }, (_, i) => ({ id: String(1090000000000000007n + BigInt(i)), unavailable: true })),
      session_id: this.session.id, resume_gateway_url: w.resumeUrl || w.gatewayUrl, shard: d.shard,
      application: { id: '1180000000000000001', flags: 0 } });
    for (const [t, x] of w.early ?? []) this.session.dispatch(t, x);
    w.early = [];
  }
  resume(d) {
    const w = this.world;
    w.resumes++;
    const s = w.sessions.get(d.session_id);
    if (d.token !== w.token) return this.close(4004, 'Authentication failed.');
    if (!s || w.invalidSession) { w.invalidSession = false; return this.send({ op: 9, s: null, t: null, d: false }); }
    if (d.seq > s.seq) return this.close(4007, 'Invalid seq.');
    this.session = s;
    s.link = this;
    for (const e of s.events) if (e.s > d.seq) this.send(e);
    s.dispatch('RESUMED', {});
  }
  misbehave(c) {
    const w = this.world;
    if (c.do === 'op7') this.send({ op: 7, s: null, t: null, d: null });
    else if (c.do === 'op9') { if (!c.d && this.session) w.sessions.delete(this.session.id); this.send({ op: 9, s: null, t: null, d: !!c.d }); }
    else if (c.do === 'op1') this.send({ op: 1, s: null, t: null, d: null });
    else if (c.do === 'cut') this.socket.destroy();
    else if (c.do === 'close') this.close(c.code, c.reason ?? '');
    else if (c.do === 'raw') this.sendText(c.text.repeat(c.times ?? 1));
    else if (c.do === 'garbage') this.sent = this.sent.then(() => this.socket.write(frame(2, Buffer.from(c.hex, 'hex'))));
    else if (c.do === 'dispatch') this.session?.dispatch(c.t, c.d);
  }
}
