// What the fake service "says": tones for letters, silence for marks, and the events of the words.
const rate = 24000;
const ticks = (samples) => Math.round((samples * 1e7) / rate);
const letterMs = 60;
const stops = /[.!?…؟。！？]/;
const commas = /[,;:،؛、，；：]/;

export function speechOf(ssml) {
  const voice = /<voice name=(["'])(.*?)\1/.exec(ssml)?.[2] ?? '';
  const lang = /xml:lang=(["'])(.*?)\1/.exec(ssml)?.[2] ?? 'en-US';
  const rateText = /<prosody rate=(["'])([+-]\d+)%\1/.exec(ssml)?.[2] ?? '0';
  const text = ssml.replace(/<[^>]*>/g, '').replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&quot;/g, '"').replace(/&apos;/g, "'").replace(/&amp;/g, '&');
  return { voice, lang, text, speed: 1 + Number(rateText) / 100 };
}

// Samples and [{ text, at, len }] in samples; `at` in letters of no interest to anybody.
export function say({ text, lang, speed = 1 }) {
  const parts = [];
  const words = [];
  let total = 0;
  const add = (ms, loud, pitch) => {
    const n = Math.round((ms * rate) / 1000 / speed);
    const b = Buffer.alloc(n * 2);
    for (let i = 0; loud && i < n; i++) b.writeInt16LE(Math.round(6000 * Math.sin((2 * Math.PI * pitch * i) / rate)), i * 2);
    parts.push(b);
    total += n;
    return n;
  };
  add(80, false);
  for (const s of new Intl.Segmenter(lang, { granularity: 'word' }).segment(text)) {
    if (s.isWordLike) {
      const wide = /[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]/.test(s.segment);
      const at = total;
      const n = add(s.segment.length * letterMs * (wide ? 3 : 1), true, 200 + (words.length % 5) * 60);
      words.push({ text: s.segment, at, len: n });
    } else if (stops.test(s.segment)) add(400, false);
    else if (commas.test(s.segment)) add(200, false);
    else if (s.segment.trim() === '') add(15, false);
  }
  add(600, false);
  return { audio: Buffer.concat(parts), words };
}

const event = (text, at, len, type = 'WordBoundary') => ({
  Type: 'WordBoundary',
  Data: { Offset: at, Duration: len, text: { Text: text, Length: text.length, BoundaryType: type } },
});

// The events as the service sends them on a good day, or with one of its known faults.
export function eventsOf(speech, text, kind) {
  const list = speech.words.map((w) => event(w.text, ticks(w.at), ticks(w.len)));
  switch (kind) {
    case 'none': return [];
    case 'zero': return list.map((e) => event(e.Data.text.Text, 0, 0));
    case 'missing': return list.filter((_, i) => i % 4 !== 2);
    case 'few': return list.filter((_, i) => i % 5 === 0);
    case 'paragraph': return list.map((e, i) => (i % 3 ? e : event(text.slice(text.indexOf(e.Data.text.Text)), e.Data.Offset, 1)));
    case 'odd': return list.map((e, i) => (i % 4 ? e : event(e.Data.text.Text, [-1, 9e15, 1e300, 4294967296 * 3][(i / 4) % 4], 5)));
    case 'early': return list.map((e, i) => (i === 1 ? event(e.Data.text.Text, list.at(-1).Data.Offset, 5) : e));
    case 'entity': return list.flatMap((e) => [e, event('amp', e.Data.Offset, 1), event(';', e.Data.Offset, 1)]);
    case 'types': return list.flatMap((e) => [e, event('.', e.Data.Offset, 1, 'PunctuationBoundary'), { Type: 'Viseme', Data: { Offset: 1, VisemeId: 3 } }, { Type: 'SessionEnd', Data: { Offset: 1 } }]);
    default: return list;
  }
}
