// The server's end of a WebSocket (RFC 6455), as small as the fakes need it.
import { createHash } from 'node:crypto';

const magic = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export function acceptUpgrade(req, socket) {
  const key = createHash('sha1').update(req.headers['sec-websocket-key'] + magic).digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`);
}

export function refuseUpgrade(socket, code) {
  socket.end(`HTTP/1.1 ${code} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
}

function frame(op, payload) {
  const n = payload.length;
  const head = n < 126 ? Buffer.from([0x80 | op, n]) : n < 65536 ? Buffer.alloc(4) : Buffer.alloc(10);
  if (n >= 126) {
    head[0] = 0x80 | op;
    head[1] = n < 65536 ? 126 : 127;
    if (n < 65536) head.writeUInt16BE(n, 2);
    else head.writeBigUInt64BE(BigInt(n), 2);
  }
  return Buffer.concat([head, payload]);
}

// One whole frame from the start of `b`, or null when more bytes are needed.
function take(b) {
  if (b.length < 2) return null;
  let n = b[1] & 0x7f;
  let at = 2;
  if (n === 126) { if (b.length < 4) return null; n = b.readUInt16BE(2); at = 4; }
  else if (n === 127) { if (b.length < 10) return null; n = Number(b.readBigUInt64BE(2)); at = 10; }
  const masked = (b[1] & 0x80) !== 0;
  if (b.length < at + (masked ? 4 : 0) + n) return null;
  const mask = masked ? b.subarray(at, at + 4) : null;
  if (masked) at += 4;
  const payload = Buffer.from(b.subarray(at, at + n));
  if (mask) for (let i = 0; i < n; i++) payload[i] ^= mask[i & 3];
  return { op: b[0] & 15, fin: (b[0] & 0x80) !== 0, masked, payload, size: at + n };
}

export class Peer {
  constructor(socket, head, { onMessage, onEnd, onFault }) {
    Object.assign(this, { socket, onMessage, onEnd, onFault, bytes: head, parts: [], partOp: 0, over: false });
    socket.on('data', (d) => { this.bytes = Buffer.concat([this.bytes, d]); this.read(); });
    socket.on('close', () => this.end());
    socket.on('error', () => this.end());
    this.read();
  }
  end() { if (!this.over) { this.over = true; this.onEnd(); } }
  write(op, payload) { if (!this.over && this.socket.writable) this.socket.write(frame(op, payload)); }
  text(t) { this.write(1, Buffer.from(t)); }
  binary(b) { this.write(2, b); }
  close(code, reason = '') {
    const body = Buffer.alloc(2);
    body.writeUInt16BE(code);
    this.write(8, Buffer.concat([body, Buffer.from(reason)]));
    this.socket.end();
  }
  cut() { this.socket.resetAndDestroy(); }
  read() {
    for (let f = take(this.bytes); f && !this.over; f = take(this.bytes)) {
      this.bytes = this.bytes.subarray(f.size);
      if (!f.masked) this.onFault('a client frame is not masked');
      if (f.op === 8) { this.write(8, f.payload); this.socket.end(); this.end(); }
      else if (f.op === 9) this.write(10, f.payload);
      else if (f.op < 3) {
        if (f.op) this.partOp = f.op;
        this.parts.push(f.payload);
        if (f.fin) { const all = Buffer.concat(this.parts); this.parts = []; this.onMessage(all, this.partOp === 1); }
      }
    }
  }
}
