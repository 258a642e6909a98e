// A fake of Azure AI Speech (text to speech): WebSocket with word events, REST, list of voices.
// It complains about what the real service would refuse or silently spoil.
import { createServer } from 'node:http';
import { Peer, acceptUpgrade, refuseUpgrade } from './azure_ws.mjs';
import { eventsOf, say, speechOf } from './azure_voice.mjs';

const wsPaths = ['/tts/cognitiveservices/websocket/v1', '/cognitiveservices/websocket/v1'];
const voiceName = /^[a-z]{2,3}-[A-Z][A-Za-z]+-\w+Neural$/;
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));

export function createWorld({ key = 'examplekey0123456789', delay = 0 } = {}) {
  return { key, delay, voices: null, faults: [], complaints: [], upgrades: 0, open: 0, turns: [], rest: [], lists: 0, newPath: true, peers: new Set() };
}

export const control = {
  // where: upgrade, turn, rest, list; kind: see the places that ask for it
  fault: (world, q) => { world.faults.push({ times: 1, skip: 0, ...q }); return true; },
  set: (world, q) => { Object.assign(world, q); return true; },
  hangup: (world) => { for (const p of world.peers) p.cut(); return true; },
  state: (world) => ({ ...world, peers: undefined, faults: world.faults.length }),
};

function takeFault(world, where) {
  const i = world.faults.findIndex((f) => f.where === where);
  if (i < 0) return {};
  const f = world.faults[i];
  if (f.skip > 0) { f.skip--; return {}; }
  if (--f.times <= 0) world.faults.splice(i, 1);
  return f;
}

function parseFrame(text) {
  const end = text.indexOf('\r\n\r\n');
  const headers = {};
  for (const line of text.slice(0, Math.max(end, 0)).split('\r\n')) headers[line.slice(0, line.indexOf(':')).trim().toLowerCase()] = line.slice(line.indexOf(':') + 1).trim();
  return { headers, body: text.slice(end + 4), whole: end > 0 };
}

function checkSsml(world, ssml) {
  const bad = (why) => world.complaints.push(`${why}: ${ssml.slice(0, 300)}`);
  if (!/^<speak version=(["'])1\.0\1 xmlns=(["'])http:\/\/www\.w3\.org\/2001\/10\/synthesis\2/.test(ssml)) bad('not SSML');
  if (!/ xml:lang=(["'])[a-z]{2,3}-[A-Z]{2}\1/.test(ssml)) bad('xml:lang is not a full tag');
  if (/<break|&apos;|&quot;/.test(ssml)) bad('spoils word events');
  if (/&(?!amp;|lt;|gt;|quot;|apos;)/.test(ssml)) bad('bare &');
  if (Buffer.byteLength(ssml) > 65536) bad('over 64 KB');
}

// Why the service would refuse this, as a close reason, or ''.
function refusal(ssml) {
  const { voice } = speechOf(ssml);
  return voiceName.test(voice) ? '' : `Unsupported voice ${voice}.`;
}

class Connection {
  constructor(world, socket, head) {
    Object.assign(this, { world, config: false, context: '', busy: false });
    this.peer = new Peer(socket, head, {
      onMessage: (bytes, isText) => this.take(bytes, isText),
      onEnd: () => { world.open--; world.peers.delete(this.peer); },
      onFault: (why) => world.complaints.push(why),
    });
    world.open++;
    world.peers.add(this.peer);
  }
  bad(why) { this.world.complaints.push(why); }
  take(bytes, isText) {
    const { headers, body, whole } = parseFrame(bytes.toString());
    const path = headers.path;
    const id = headers['x-requestid'] ?? '';
    if (!isText || !whole) return this.bad('a binary or headless frame');
    if (!/^[0-9A-F]{32}$/.test(id)) this.bad(`X-RequestId ${id}`);
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(headers['x-timestamp'])) this.bad(`X-Timestamp ${headers['x-timestamp']}`);
    const type = path === 'ssml' ? 'application/ssml+xml' : 'application/json';
    if (!(headers['content-type'] ?? '').startsWith(type)) this.bad(`${path}: Content-Type ${headers['content-type']}`);
    if (path === 'speech.config') {
      if (!JSON.parse(body).context?.system?.name) this.bad('speech.config has no system');
      this.config = true;
    } else if (path === 'synthesis.context') {
      this.synthesis = JSON.parse(body).synthesis;
      this.context = id;
    } else if (path === 'ssml') {
      this.start(id, body);
    } else if (path !== 'synthesis.control') {
      this.bad(`unknown path ${path}`);
    }
  }
  start(id, ssml) {
    if (!this.config) this.bad('ssml before speech.config');
    if (this.context !== id) this.bad('ssml without a synthesis.context of its own');
    if (this.busy) this.bad('two turns at once');
    if (!this.synthesis?.audio?.metadataOptions?.wordBoundaryEnabled) this.bad('no word events asked for');
    checkSsml(this.world, ssml);
    this.busy = true;
    this.turn(id, ssml).catch((e) => this.bad(`fake: ${e.stack}`)).finally(() => { this.busy = false; });
  }
  head(path, id, style, extra = '') {
    const request = style === 'spaced' ? `x-requestid:   ${id.toLowerCase()}` : `X-RequestId:${id}`;
    return style === 'spaced' ? `path :x\r\nPATH: ${path}\r\n${request}\r\n${extra}` : `${request}\r\nPath:${path}\r\n${extra}`;
  }
  text(path, id, body, style) { this.peer.text(`${this.head(path, id, style, 'Content-Type:application/json; charset=utf-8\r\n')}\r\n${JSON.stringify(body)}`); }
  audio(id, bytes, style) {
    const head = Buffer.from(this.head('audio', id, style, `X-StreamId:${'A'.repeat(32)}\r\nContent-Type:audio/x-wav\r\n`));
    const size = Buffer.alloc(2);
    size.writeUInt16BE(head.length);
    this.peer.binary(Buffer.concat([size, head, bytes]));
  }
  noise(id) {
    const other = 'B'.repeat(32);
    this.text('turn.end', other, {});
    this.audio(other, Buffer.alloc(4000, 9));
    this.text('speech.phrase', id, { odd: true });
    this.peer.text('no headers at all');
    this.peer.text(`X-RequestId:${id}\r\nPath:audio.metadata\r\n\r\n{"Metadata":[{`);
    this.peer.binary(Buffer.from([0xff, 0xff, 1, 2, 3]));
    this.peer.binary(Buffer.from([1]));
    this.peer.binary(Buffer.alloc(0));
  }
  async turn(id, ssml) {
    const { world, peer } = this;
    const f = takeFault(world, 'turn');
    const asked = speechOf(ssml);
    world.turns.push({ voice: asked.voice, text: asked.text, speed: asked.speed, fault: f.kind ?? '' });
    const why = refusal(ssml);
    if (why) return peer.close(1007, why);
    if (f.kind === 'close' && !f.after) return peer.close(f.code, f.reason);
    if (f.kind === 'cut' && !f.after) return peer.cut();
    if (f.kind === 'hang' && !f.after) return undefined;
    if (world.delay || f.ms) await sleep(f.ms ?? world.delay);
    if (f.kind === 'others') { for (let i = 0; i < 200 && !peer.over; i++) { this.noise(id); await sleep(20); } return undefined; }
    if (f.kind === 'trickle') { for (let i = 0; i < 400 && !peer.over; i++) { this.audio(id, Buffer.alloc(2)); await sleep(50); } return undefined; }
    const speech = say(asked);
    const events = eventsOf(speech, asked.text, f.events);
    const sound = f.kind === 'silence' ? Buffer.alloc(speech.audio.length) : f.kind === 'short' ? speech.audio.subarray(0, 9000) : speech.audio;
    this.text('turn.start', id, { context: { serviceTag: 'c0ffee' } }, f.style);
    this.text('response', id, { context: { serviceTag: 'c0ffee' }, audio: { type: 'inline', streamId: 'A'.repeat(32) } }, f.style);
    if (f.noise) this.noise(id);
    let pieces = 0;
    for (let at = 0; at < sound.length && f.kind !== 'empty'; at += 7001) { // odd: pieces end inside samples
      if (f.after && pieces++ === f.after) {
        if (f.kind === 'close') return peer.close(f.code, f.reason);
        if (f.kind === 'cut') return peer.cut();
        if (f.kind === 'hang') return undefined;
      }
      const upTo = ((at + 7001) / 2 / 24000) * 1e7;
      const due = events.splice(0, events.filter((e) => !(e.Data.Offset >= upTo)).length);
      if (due.length) this.text('audio.metadata', id, { Metadata: due }, f.style);
      this.audio(id, sound.subarray(at, at + 7001), f.style);
    }
    if (events.length) this.text('audio.metadata', id, { Metadata: events }, f.style);
    this.audio(id, Buffer.alloc(0), f.style);
    this.text('audio.metadata', id, { Metadata: [{ Type: 'SessionEnd', Data: { Offset: Math.round((sound.length / 2 / 24000) * 1e7) } }] }, f.style);
    if (f.kind !== 'noend') this.text('turn.end', id, {}, f.style);
    return undefined;
  }
}

function keyOf(req) {
  return req.headers['ocp-apim-subscription-key'] ?? new URL(req.url, 'http://x').searchParams.get('Ocp-Apim-Subscription-Key');
}

async function onUpgrade(world, req, socket, head) {
  socket.on('error', () => {});
  world.upgrades++;
  const f = takeFault(world, 'upgrade');
  const path = req.url.split('?')[0];
  const id = req.headers['x-connectionid'] ?? new URL(req.url, 'http://x').searchParams.get('X-ConnectionId') ?? '';
  if (f.kind === 'hang') return undefined;
  if (f.kind === 'cut') return socket.resetAndDestroy();
  if (f.kind === 'status') return refuseUpgrade(socket, f.code);
  if (!wsPaths.includes(path) || (path === wsPaths[0] && !world.newPath)) return refuseUpgrade(socket, 404);
  if (keyOf(req) !== world.key) return refuseUpgrade(socket, 401);
  if (!/^[0-9A-Fa-f]{32}$/.test(id)) world.complaints.push(`X-ConnectionId ${id}`);
  acceptUpgrade(req, socket);
  return new Connection(world, socket, head);
}

async function readBody(req) {
  const chunks = [];
  for await (const c of req) chunks.push(c);
  return Buffer.concat(chunks).toString();
}

const end = (res, code, type, body) => { res.writeHead(code, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) }); res.end(body); };

async function trickle(res) {
  res.writeHead(200, { 'Content-Type': 'audio/x-wav' });
  for (let i = 0; i < 400 && !res.destroyed; i++) { res.write(Buffer.alloc(2)); await sleep(50); }
}

async function serveRest(world, req, res) {
  const ssml = await readBody(req);
  const f = takeFault(world, 'rest');
  const asked = speechOf(ssml);
  world.rest.push({ voice: asked.voice, text: asked.text, fault: f.kind ?? '' });
  if (f.retryAfter) res.setHeader('Retry-After', f.retryAfter);
  if (f.kind === 'status') return end(res, f.code, 'text/plain', f.body ?? '');
  if (f.kind === 'empty') return end(res, 200, 'audio/x-wav', '');
  if (f.kind === 'html') return end(res, 200, 'text/html', '<html>sign in</html>');
  if (f.kind === 'hang') return undefined;
  if (f.kind === 'trickle') return trickle(res);
  if (keyOf(req) !== world.key) return end(res, 401, 'text/plain', '');
  if (!req.headers['user-agent']) world.complaints.push('REST without User-Agent');
  if (req.headers['content-type'] !== 'application/ssml+xml') return end(res, 415, 'text/plain', '');
  if (req.headers['x-microsoft-outputformat'] !== 'raw-24khz-16bit-mono-pcm') return end(res, 400, 'text/plain', '');
  checkSsml(world, ssml);
  if (refusal(ssml)) return end(res, 400, 'text/plain', '');
  if (world.delay) await sleep(world.delay);
  const { audio } = say(asked);
  return end(res, 200, 'audio/x-wav', f.kind === 'silence' ? Buffer.alloc(audio.length) : audio);
}

function serveList(world, req, res) {
  world.lists++;
  const f = takeFault(world, 'list');
  if (f.kind === 'hang') return undefined;
  if (f.kind === 'status') return end(res, f.code, 'text/plain', '');
  if (f.kind === 'html') return end(res, 200, 'text/html', '<html>');
  if (keyOf(req) !== world.key) return end(res, 401, 'text/plain', '');
  const list = (world.voices ?? []).map((v) => ({ Name: `Microsoft Server Speech Text to Speech Voice (${v})`, ShortName: v, Locale: v.split('-').slice(0, 2).join('-'), LocalName: v.split('-')[2].replace('Neural', ''), Gender: 'Female', SampleRateHertz: '24000', VoiceType: 'Neural', Status: f.deprecated === v ? 'Deprecated' : 'GA', WordsPerMinute: '152' }));
  return end(res, 200, 'application/json; charset=utf-8', JSON.stringify(list));
}

export function createFake(options) {
  const world = createWorld(options);
  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, async (req, res) => {
    try {
      const path = req.url.split('?')[0];
      const c = /^\/control\/(\w+)$/.exec(path);
      if (c) return end(res, 200, 'application/json', JSON.stringify(control[c[1]](world, JSON.parse((await readBody(req)) || '{}'))));
      if (path === '/cognitiveservices/v1' && req.method === 'POST') return await serveRest(world, req, res);
      if (path === '/cognitiveservices/voices/list') return serveList(world, req, res);
      return end(res, 404, 'text/plain', '');
    } catch (e) {
      world.complaints.push(`fake: ${e.stack}`);
      return res.headersSent ? undefined : end(res, 500, 'text/plain', e.stack);
    }
  });
  server.on('upgrade', (req, socket, head) => onUpgrade(world, req, socket, head));
  return { world, server, control };
}

function option(name) {
  const i = process.argv.indexOf(`--${name}`);
  return i > 0 ? process.argv[i + 1] : undefined;
}

if (process.argv[1] && import.meta.url.endsWith(process.argv[1].split('/').at(-1))) {
  const { server } = createFake({ key: option('key'), delay: Number(option('delay') ?? 0) });
  server.listen(Number(option('port') ?? 0), '127.0.0.1', () => {
    process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`);
  });
  process.stdin.on('end', () => process.exit(0)).resume(); // ends with whoever started it
}
