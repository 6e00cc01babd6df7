// The search of a site that stands in files: the words of a query are looked up in pieces of an
// index (cms/services/searchindex.py), cut as the server cuts them (cms/services/terms.py).

const WORDS_LIMIT = 16;
const WORD_LIMIT = 64; // characters
const QUERY_LIMIT = 400; // characters
const PARTS_LIMIT = 4;
const SNIPPET = 200; // characters
const LEAD = 60; // characters of a passage before what was found
// What a word adds to the weight of a question of which it says at least so much.
const STEPS = [0.7, 0.55, 0.45];

// --- the words of a query ---------------------------------------------------------------------

const WORD = /[\p{L}\p{N}]+/gu;
const NAME = /^@?[\p{L}\p{N}_]+(?:\.[\p{L}\p{N}_]+)*$/u;
const TIED = /@?[\p{L}\p{N}_]+(?:[.\-'’][\p{L}\p{N}_]+)*/gu;
const CHUNK = /"([^"]*)"?|[^\s"]+/gu;
const NAMES = [
  [/(^|[^\p{L}\p{N}_])c\+\+/gu, '$1cplusplus'],
  [/(^|[^\p{L}\p{N}_])c#/gu, '$1csharp'],
  [/(^|[^\p{L}\p{N}_])f#/gu, '$1fsharp'],
  [/(^|[^\p{L}\p{N}_])\.net(?![\p{L}\p{N}_])/gu, '$1dotnet'],
  [/([\p{L}\p{N}_])\.js(?![\p{L}\p{N}_])/gu, '$1js'],
];
const SPELLED = { '.': 'dot', _: 'underscore', '@': 'at' };

export function folded(text) {
  let plain = text.normalize('NFKD').toLowerCase().replace(/\p{M}/gu, '').replace(/ß/g, 'ss').replace(/ς/g, 'σ');
  for (const [pattern, word] of NAMES) plain = plain.replace(pattern, word);
  return plain;
}

const wordsOf = (text) => text.match(WORD) ?? [];

// The one word for a name with marks, such as url_for; none for any other text.
function spelledName(text) {
  if (!NAME.test(text) || wordsOf(text)[0] === text || text.split('.').length > PARTS_LIMIT) return null;
  return text.replace(/[._@]/g, (mark) => SPELLED[mark]);
}

// The terms of a query: words that stand side by side, perhaps a name, the last one still growing.
export function parse(query) {
  const whole = query.normalize('NFC').slice(0, QUERY_LIMIT);
  const terms = [];
  for (const [chunk, quoted] of whole.matchAll(CHUNK)) {
    if (quoted !== undefined) {
      const text = folded(quoted).trim();
      terms.push({ words: wordsOf(text), name: spelledName(text), quoted: true });
      continue;
    }
    for (const [tied] of folded(chunk).matchAll(TIED)) terms.push({ words: wordsOf(tied), name: spelledName(tied) });
  }
  let room = WORDS_LIMIT;
  const kept = [];
  for (const term of terms.filter(({ words }) => words.length)) {
    if (!room) break;
    const words = term.words.slice(0, room).map((word) => word.slice(0, WORD_LIMIT));
    room -= words.length;
    kept.push({ ...term, words });
  }
  const last = kept.at(-1);
  if (last && !last.quoted && /[\p{L}\p{N}]$/u.test(whole.trimEnd()) && !/^[a-z0-9]$/.test(last.words.at(-1))) last.prefix = true;
  return kept;
}

// --- the index ----------------------------------------------------------------------------------

const held = new Map();

function read(address) {
  if (!held.has(address)) {
    const loading = fetch(address).then((response) => {
      if (!response.ok) throw new Error(`status ${response.status}`);
      return response.json();
    });
    held.set(address, loading);
    loading.catch(() => held.delete(address));
  }
  return held.get(address);
}

// Sets of questions are bitmaps: one bit for each question of the bank.
function bitmap(written, count) {
  if (written.startsWith('!')) return Uint8Array.from(atob(written.slice(1)), (char) => char.charCodeAt(0));
  const bits = new Uint8Array((count >> 3) + 1);
  let number = -1;
  for (const difference of written ? written.split(' ') : []) {
    number += parseInt(difference, 36);
    bits[number >> 3] |= 1 << (number & 7);
  }
  return bits;
}

const has = (bits, number) => (bits[number >> 3] >> (number & 7)) & 1;

function size(bits) {
  let sum = 0;
  for (let byte of bits) for (; byte; byte &= byte - 1) sum += 1;
  return sum;
}

function join(bits, other) {
  other.forEach((byte, place) => { bits[place] |= byte; });
  return bits;
}

function meet(bits, other) {
  other.forEach((byte, place) => { bits[place] &= byte; });
  return bits;
}

class Index {
  constructor(address) {
    this.address = address;
  }

  async open() {
    this.directory ??= await read(new URL('directory.json', this.address).href);
    this.count = this.directory.questions;
    return this;
  }

  #place(word) {
    let low = 0;
    let high = this.directory.pieces.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.directory.pieces[middle] <= word) low = middle; else high = middle;
    }
    return low;
  }

  #piece(place) {
    return read(new URL(`words-${place}.json`, this.address).href);
  }

  // The questions that have a word, or one that begins with it: by how much it says of them at least.
  async withWord(word, prefix) {
    const found = STEPS.map(() => new Uint8Array((this.count >> 3) + 1));
    const take = (levels) => levels.forEach((level, step) => join(found[step], bitmap(level, this.count)));
    // A word alone, or a beginning that is common enough for an entry of its own.
    const entry = prefix ? `${word}*` : word;
    const piece = await this.#piece(this.#place(entry));
    if (Object.hasOwn(piece, entry)) take(piece[entry]);
    if (!prefix || Object.hasOwn(piece, entry)) return found;
    for (let place = this.#place(word); place <= this.#place(`${word}\uffff`); place += 1) {
      for (const [each, numbers] of Object.entries(await this.#piece(place))) {
        if (each.startsWith(word) && !each.endsWith('*')) take(numbers);
      }
    }
    return found;
  }

  async shown(number) {
    const { documents } = this.directory;
    const [slug, stem, updated, correction, difficulty] = (await read(
      new URL(`questions-${Math.floor(number / documents)}.json`, this.address).href,
    ))[number % documents];
    return { number, slug, stem, updated, correction, difficulty };
  }
}

// Return the numbers of the questions that have all terms, those first of which rare words say most.
async function withAll(index, terms, exact) {
  let found = new Uint8Array((index.count >> 3) + 1).fill(255);
  const weights = [];
  for (const term of terms) {
    const named = term.name && (exact || term.quoted);
    const words = named ? [term.name] : term.words;
    for (const [place, word] of words.entries()) {
      const levels = await index.withWord(word, term.prefix && !exact && place === words.length - 1);
      found = meet(found, levels[0]);
      const rareness = Math.log(1 + index.count / Math.max(1, size(levels[0])));
      levels.forEach((level, step) => weights.push([level, rareness * STEPS[step]]));
    }
  }
  const numbers = [];
  for (let number = index.count - 1; number >= 0; number -= 1) {
    if (!has(found, number)) continue;
    numbers.push([number, weights.reduce((sum, [level, weight]) => sum + (has(level, number) ? weight : 0), 0)]);
  }
  return numbers.sort(([, one], [, other]) => other - one).map(([number]) => number);
}

// Return what a query finds, the best first: what has just its words and names, then what has
// longer words. Which words stand side by side is not in the index: what is found is `loose` then,
// but for the questions that are `sure`.
export async function find(address, query) {
  const terms = parse(query);
  if (!terms.length) return { terms, numbers: [], loose: false };
  const index = await new Index(new URL(address, document.baseURI)).open();
  const exact = await withAll(index, terms, true);
  const numbers = [...new Set([...exact, ...await withAll(index, terms, false)])];
  const loose = terms.some((term) => term.words.length > 1 && !(term.quoted && term.name));
  const sure = new Set(terms.every((term) => term.words.length < 2 || term.name) ? exact : []);
  return { terms, numbers, index, loose, sure };
}

// --- what is shown of it ----------------------------------------------------------------------------

const TOKEN = /(?:c\+\+|[cf]#)|\.net(?![\p{L}\p{N}_])|[\p{L}\p{N}_]+\.js(?![\p{L}\p{N}_])|[\p{L}\p{N}]+/giu;

// Where a text has the terms: pairs of start and end that do not overlap.
function spans(text, terms) {
  const tokens = [...text.matchAll(TOKEN)].map((found) => [found.index, found.index + found[0].length, folded(found[0])]);
  const places = [];
  for (const { words, prefix } of terms) {
    const last = words.length - 1;
    tokens.forEach(([start], first) => {
      const fits = words.every((word, place) => {
        const token = tokens[first + place]?.[2];
        return token === word || prefix && place === last && token?.startsWith(word);
      });
      if (fits) places.push([start, tokens[first + last][1]]);
    });
  }
  return places.sort(([one], [other]) => one - other).filter(([start], place, all) => !place || start >= all[place - 1][1]);
}

function marked(text, terms, from = 0, to = text.length) {
  const pieces = new DocumentFragment();
  let end = from;
  for (const [start, stop] of spans(text, terms)) {
    if (start < end || stop > to) continue;
    pieces.append(text.slice(end, start), Object.assign(document.createElement('mark'), { textContent: text.slice(start, stop) }));
    end = stop;
  }
  pieces.append(text.slice(end, to));
  return pieces;
}

// A stem as the index has it, which our server rendered, with what was looked for in marks.
export function stemOf(html, terms) {
  const part = document.createElement('template');
  part.innerHTML = html;
  const walker = document.createTreeWalker(part.content, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode);
  for (const text of texts) text.replaceWith(marked(text.data, terms));
  return part.content;
}

// The texts of a card, block by block, as a reader sees them.
function blocks(card) {
  const found = [];
  for (const part of card.querySelectorAll('.prose, .short, .choice-feedback')) {
    for (const block of part.querySelectorAll('p, li, td, th, pre, h3, h4, h5, h6, dd')) {
      if (block.querySelector('p, li, pre')) continue;
      found.push(...(block.matches('pre') ? block.textContent.split('\n') : [block.textContent]));
    }
  }
  return found.map((text) => text.replace(/\s+/g, ' ').trim()).filter(Boolean);
}

// Return the passage of a card that has most of the terms; the beginning of it where none has any.
export function passage(card, terms) {
  const texts = blocks(card);
  const scored = texts.map((text) => terms.filter((term) => spans(text, [term]).length).length);
  const best = Math.max(0, ...scored);
  const text = (best ? texts[scored.indexOf(best)] : texts[0]) ?? '';
  const [[first] = [0]] = spans(text, terms);
  let start = text.length > SNIPPET ? Math.max(0, Math.min(first - LEAD, text.length - SNIPPET)) : 0;
  if (start) start = text.indexOf(' ', start) + 1 || start;
  let end = Math.min(text.length, start + SNIPPET);
  if (end < text.length) end = Math.max(text.lastIndexOf(' ', end), first + 1);
  const shown = document.createElement('p');
  if (!best) shown.className = 'summary';
  shown.append(start ? '… ' : '', marked(text, terms, start, end), end < text.length ? ' …' : '');
  return shown;
}

// Whether a card has each term's words side by side.
export function stands(card, stem, terms) {
  const texts = [stem, ...blocks(card)];
  return terms.every((term) => texts.some((text) => spans(text, [term]).length));
}

// Yield what was found, from the best on, without what only seemed to have it.
export async function* each(found, cardOf) {
  for (const number of found.numbers) {
    const shown = await found.index.shown(number);
    if (found.loose && !found.sure.has(number)) {
      const card = await cardOf(shown.slug).catch(() => null);
      const stem = document.createElement('template');
      stem.innerHTML = shown.stem;
      if (!card?.querySelector || !stands(card, stem.content.textContent, found.terms)) continue;
    }
    yield shown;
  }
}
