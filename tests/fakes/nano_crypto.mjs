// Nano's cryptography in plain JavaScript, for the fake node only: BLAKE2b of any length, Ed25519 with
// BLAKE2b-512, addresses, state blocks, work. nano.test.mjs compares it with public npm packages. Not
// constant-time, not for real keys.

// --- BLAKE2b (RFC 7693); 64-bit words as pairs of 32 bits, low half first ---

const IV = new Uint32Array([
  0xf3bcc908, 0x6a09e667, 0x84caa73b, 0xbb67ae85, 0xfe94f82b, 0x3c6ef372, 0x5f1d36f1, 0xa54ff53a,
  0xade682d1, 0x510e527f, 0x2b3e6c1f, 0x9b05688c, 0xfb41bd6b, 0x1f83d9ab, 0x137e2179, 0x5be0cd19,
]);
const SIGMA = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4], [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13], [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11], [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5], [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];
const MIX = [[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15], [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]];
const v = new Uint32Array(32);
const m = new Uint32Array(32);

function add(a, lo, hi) {
  const low = v[a] + lo;
  v[a + 1] = v[a + 1] + hi + (low >= 0x100000000 ? 1 : 0);
  v[a] = low;
}

function turn(a, b, n) { // v[a] = (v[a] ^ v[b]) >>> n, rotating
  let lo = v[a] ^ v[b];
  let hi = v[a + 1] ^ v[b + 1];
  if (n >= 32) { [lo, hi] = [hi, lo]; n -= 32; }
  if (n === 0) { v[a] = lo; v[a + 1] = hi; return; }
  v[a] = (lo >>> n) | (hi << (32 - n));
  v[a + 1] = (hi >>> n) | (lo << (32 - n));
}

function compress(h, block, at, counted, last) {
  const view = new DataView(block.buffer, block.byteOffset + at, 128);
  for (let i = 0; i < 32; i++) m[i] = view.getUint32(4 * i, true);
  v.set(h, 0);
  v.set(IV, 16);
  v[24] ^= counted;
  if (last) { v[28] = ~v[28]; v[29] = ~v[29]; }
  for (let round = 0; round < 12; round++) {
    const s = SIGMA[round % 10];
    for (let i = 0; i < 8; i++) {
      const [a, b, c, d] = MIX[i].map((x) => 2 * x);
      const x = 2 * s[2 * i];
      const y = 2 * s[2 * i + 1];
      add(a, v[b], v[b + 1]); add(a, m[x], m[x + 1]); turn(d, a, 32);
      add(c, v[d], v[d + 1]); turn(b, c, 24);
      add(a, v[b], v[b + 1]); add(a, m[y], m[y + 1]); turn(d, a, 16);
      add(c, v[d], v[d + 1]); turn(b, c, 63);
    }
  }
  for (let i = 0; i < 16; i++) h[i] ^= v[i] ^ v[i + 16];
}

export function blake2b(size, ...parts) {
  const input = Buffer.concat(parts);
  const h = new Uint32Array(IV);
  h[0] ^= 0x01010000 ^ size;
  const blocks = Math.max(1, Math.ceil(input.length / 128));
  const padded = new Uint8Array(blocks * 128);
  padded.set(input);
  for (let i = 0; i < blocks; i++) {
    const last = i === blocks - 1;
    compress(h, padded, 128 * i, last ? input.length : 128 * (i + 1), last);
  }
  return Buffer.from(h.buffer.slice(0, size));
}

// --- Ed25519 ---

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const mod = (a) => { const r = a % P; return r < 0n ? r + P : r; };
function power(base, exponent) {
  let r = 1n;
  for (let b = base, e = exponent; e > 0n; e >>= 1n) { if (e & 1n) r = (r * b) % P; b = (b * b) % P; }
  return r;
}
const inverse = (a) => power(a, P - 2n);
const D = mod(-121665n * inverse(121666n));
const ROOT = power(2n, (P - 1n) / 4n); // of -1
const ZERO = [0n, 1n, 1n, 0n];

function sum([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const a = ((y1 - x1) * (y2 - x2)) % P;
  const b = ((y1 + x1) * (y2 + x2)) % P;
  const c = (((2n * t1 * t2) % P) * D) % P;
  const d = (2n * z1 * z2) % P;
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [(e * f) % P, (g * h) % P, (f * g) % P, (e * h) % P];
}

function decompress(bytes) {
  let y = 0n;
  for (let i = 31; i >= 0; i--) y = (y << 8n) | BigInt(bytes[i]);
  const odd = y >> 255n;
  y &= (1n << 255n) - 1n;
  if (y >= P) return null;
  const u = mod(y * y - 1n);
  const w = mod(D * y * y + 1n);
  let x = (u * power(w, 3n) * power((u * power(w, 7n)) % P, (P - 5n) / 8n)) % P;
  const check = mod(w * x * x);
  if (check === mod(-u)) x = (x * ROOT) % P;
  else if (check !== u) return null;
  if (x === 0n && odd) return null;
  if ((x & 1n) !== odd) x = P - x;
  return [x, y, 1n, (x * y) % P];
}

function encode([x, y, z]) {
  const i = inverse(mod(z));
  const out = Buffer.alloc(32);
  let n = mod(y * i) | ((mod(x * i) & 1n) << 255n);
  for (let k = 0; k < 32; k++) { out[k] = Number(n & 255n); n >>= 8n; }
  return out;
}

const windowOf = (point) => { const w = [ZERO, point]; for (let i = 2; i < 16; i++) w.push(sum(w[i - 1], point)); return w; };
const BASE = decompress(Buffer.from(`58${'66'.repeat(31)}`, 'hex'));
const TABLE = [];
for (let i = 0, b = BASE; i < 64; i++) { const w = windowOf(b); TABLE.push(w); b = sum(w[15], b); }

function timesBase(n) {
  let r = ZERO;
  for (let i = 0; n > 0n; i++, n >>= 4n) { const d = Number(n & 15n); if (d) r = sum(r, TABLE[i][d]); }
  return r;
}

function times(n, point) {
  const w = windowOf(point);
  let r = ZERO;
  for (const c of n.toString(16)) {
    for (let i = 0; i < 4; i++) r = sum(r, r);
    const d = parseInt(c, 16);
    if (d) r = sum(r, w[d]);
  }
  return r;
}

function number(bytes) {
  let n = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) n = (n << 8n) | BigInt(bytes[i]);
  return n;
}

const expanded = new Map();
function expand(secret) {
  const id = secret.toString('hex');
  if (!expanded.has(id)) {
    const wide = blake2b(64, secret);
    wide[0] &= 248; wide[31] = (wide[31] & 127) | 64;
    const scalar = number(wide.subarray(0, 32));
    expanded.set(id, { scalar, prefix: wide.subarray(32), key: encode(timesBase(scalar)) });
  }
  return expanded.get(id);
}

export const publicKey = (secret) => expand(secret).key;

export function sign(secret, message) {
  const { scalar, prefix, key } = expand(secret);
  const r = number(blake2b(64, prefix, message)) % ORDER;
  const R = encode(timesBase(r));
  let s = ((number(blake2b(64, R, key, message)) % ORDER) * scalar + r) % ORDER;
  const S = Buffer.alloc(32);
  for (let i = 0; i < 32; i++) { S[i] = Number(s & 255n); s >>= 8n; }
  return Buffer.concat([R, S]);
}

export function verify(key, message, signature) {
  const point = decompress(key);
  const s = number(signature.subarray(32));
  if (!point || s >= ORDER) return false;
  const k = number(blake2b(64, signature.subarray(0, 32), key, message)) % ORDER;
  const [x, y, z, t] = times(k, point);
  return encode(sum(timesBase(s), [-x, y, z, -t])).equals(signature.subarray(0, 32));
}

// --- keys and addresses ---

const ALPHABET = '13456789abcdefghijkmnopqrstuwxyz';

export function secretKey(seedHex, index) {
  const i = Buffer.alloc(4);
  i.writeUInt32BE(index);
  return blake2b(32, Buffer.from(seedHex, 'hex'), i);
}

function base32(bytes, chars) {
  let n = BigInt(`0x${bytes.toString('hex')}`);
  let out = '';
  for (let i = 0; i < chars; i++) { out = ALPHABET[Number(n & 31n)] + out; n >>= 5n; }
  return out;
}

export const address = (key) => `nano_${base32(key, 52)}${base32(Buffer.from(blake2b(5, key)).reverse(), 8)}`;

export function keyOf(text) { // null when it is no address
  const found = /^(?:nano|xrb)[_-]([13][13456789abcdefghijkmnopqrstuwxyz]{59})$/.exec(text ?? '');
  if (!found) return null;
  let n = 0n;
  for (const c of found[1].slice(0, 52)) n = (n << 5n) | BigInt(ALPHABET.indexOf(c));
  const key = Buffer.from(n.toString(16).padStart(64, '0'), 'hex');
  return address(key).slice(5) === found[1] ? key : null;
}

// --- blocks and work; hashes, links and signatures are upper-case hex, amounts are BigInt ---

export const NONE = '0'.repeat(64);
const hex = (text) => Buffer.from(text, 'hex');

export function hashBlock({ account, previous, representative, balance, link }) {
  return blake2b(32, hex(`${'0'.repeat(63)}6`), keyOf(account), hex(previous), keyOf(representative),
    hex(BigInt(balance).toString(16).padStart(32, '0')), hex(link));
}

export function workValue(rootHex, workHex) {
  return blake2b(8, hex(workHex).reverse(), hex(rootHex)).readBigUInt64LE(0);
}

export function makeWork(rootHex, threshold) {
  for (let n = 0n; ; n++) {
    const work = n.toString(16).padStart(16, '0');
    if (workValue(rootHex, work) >= threshold) return work;
  }
}
